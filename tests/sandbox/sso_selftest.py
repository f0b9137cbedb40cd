"""Checks the sandbox's IAM Identity Center with AWS's own clients.

target/sandbox/venv/bin/python tests/sandbox/sso_selftest.py
"""

import base64
import hashlib
import json
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from identity_test import (
    CALLBACK,
    DEVICE_GRANT,
    LISTENER,
    SCOPE,
    START_URL,
    IdentityTest,
)


class DeviceFlow(IdentityTest):
    def begin(self, **settings):
        self.control("PUT", "sso", {"interval": 0, **settings})
        client = self.register()
        self.device = self.oidc.start_device_authorization(
            **self.secrets_of(client), startUrl=START_URL
        )
        self.arguments = {
            **self.secrets_of(client),
            "grantType": DEVICE_GRANT,
            "deviceCode": self.device["deviceCode"],
        }

    def poll(self):
        return self.oidc.create_token(**self.arguments)

    def test_a_sign_in_waits_for_its_person_and_is_good_once(self):
        self.begin()
        self.refused("AuthorizationPendingException", self.poll)
        self.assertIn("<form>", self.get(self.device["verificationUri"])[2])
        self.assertEqual(self.get(f"{self.device['verificationUri']}?user_code=X")[0], 400)
        self.refused("AuthorizationPendingException", self.poll)
        self.assertIn("approved", self.get(self.device["verificationUriComplete"])[2])
        token = self.poll()
        self.assertEqual((token["tokenType"], token["expiresIn"]), ("Bearer", 28800))
        self.assertIn("refreshToken", token)
        self.refused("InvalidGrantException", self.poll)

    def test_it_can_be_approved_by_counting_slowed_down_denied_and_too_late(self):
        self.begin(pending_polls=1, slow_down_polls=1)
        self.refused("SlowDownException", self.poll)
        self.refused("AuthorizationPendingException", self.poll)
        self.poll()
        self.begin(slow_down_polls=0, pending_polls=None, authorization="deny")
        self.get(self.device["verificationUriComplete"])
        self.refused("AccessDeniedException", self.poll)
        self.begin(authorization="approve")
        self.control("POST", "expire", {"what": ["device_codes"]})
        self.refused("ExpiredTokenException", self.poll)

    def test_polling_sooner_than_the_interval_is_too_soon(self):
        self.begin(interval=5)
        self.refused("AuthorizationPendingException", self.poll)
        self.refused("SlowDownException", self.poll)

    def test_errors_are_told_as_aws_tells_them(self):
        self.begin()
        body = json.dumps(self.arguments).encode()
        request = urllib.request.Request(f"{self.endpoint}/token", body, method="POST")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=180)
        with caught.exception as error:
            kind = error.headers["x-amzn-ErrorType"].split(":")[0]
            self.assertEqual(kind, "AuthorizationPendingException")
            self.assertEqual(json.loads(error.read())["error"], "authorization_pending")

    def test_clients_and_start_urls_are_checked(self):
        wrong = {"clientId": "x", "clientSecret": "y", "startUrl": START_URL}
        start = self.oidc.start_device_authorization
        self.refused("InvalidClientException", start, status=401, **wrong)
        client = self.secrets_of(self.register())
        self.control("PUT", "sso", {"start_urls": ["https://d-other.awsapps.com/start/"]})
        self.refused("InvalidRequestException", start, **client, startUrl=START_URL)
        start(**client, startUrl="https://d-other.awsapps.com/start/#/")
        self.control("PUT", "sso", {"start_urls": None})
        browser = self.secrets_of(self.register_for_browser())
        self.refused("UnauthorizedClientException", start, **browser, startUrl=START_URL)
        self.control("POST", "expire", {"what": ["clients"]})
        self.refused(
            "InvalidClientException", start, status=401, **client, startUrl=START_URL
        )

    def test_a_client_without_a_scope_gets_no_refresh_token(self):
        client = self.oidc.register_client(clientName="legacy", clientType="public")
        token = self.sign_in(client)
        self.assertNotIn("refreshToken", token)
        self.portal.list_accounts(accessToken=token["accessToken"])


class BrowserFlow(IdentityTest):
    VERIFIER = "v" * 43

    def setUp(self):
        super().setUp()
        self.registered = self.register_for_browser()

    def page(self, **changes):
        digest = hashlib.sha256(self.VERIFIER.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.registered["clientId"],
            "redirect_uri": LISTENER,
            "state": "a state/+",
            "code_challenge_method": "S256",
            "scopes": SCOPE,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            **changes,
        }
        query = {name: value for name, value in query.items() if value is not None}
        return self.get(f"{self.endpoint}/authorize?{urllib.parse.urlencode(query)}")

    def answer(self, **changes):
        status, headers, _ = self.page(**changes)
        self.assertEqual(status, 302)
        where, _, query = headers["Location"].partition("?")
        self.assertEqual(where, LISTENER)
        return dict(urllib.parse.parse_qsl(query))

    def token(self, code, **changes):
        arguments = {
            **self.secrets_of(self.registered),
            "grantType": "authorization_code",
            "redirectUri": LISTENER,
            "codeVerifier": self.VERIFIER,
            "code": code,
            **changes,
        }
        return self.oidc.create_token(**arguments)

    def test_a_code_comes_back_with_the_state_and_is_good_once(self):
        answer = self.answer()
        self.assertEqual(answer["state"], "a state/+")
        token = self.token(answer["code"])
        self.portal.list_accounts(accessToken=token["accessToken"])
        self.assertIn("refreshToken", token)
        self.refused("InvalidGrantException", self.token, answer["code"])

    def test_another_verifier_address_or_code_is_refused(self):
        code = self.answer()["code"]
        refused = self.refused
        refused("InvalidRequestException", self.token, code, codeVerifier="w" * 43)
        refused("InvalidRequestException", self.token, code, redirectUri=CALLBACK)
        refused("InvalidGrantException", self.token, "another")
        self.token(code)

    def test_what_the_page_refuses(self):
        for changes in (
            {"redirect_uri": "http://127.0.0.1:43210/elsewhere"},
            {"redirect_uri": "http://192.0.2.1/oauth/callback"},
            {"client_id": "x"},
        ):
            self.assertEqual(self.page(**changes)[0], 400, changes)
        for changes, error in (
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"scopes": None}, "invalid_scope"),
            ({"scopes": "sso:everything"}, "invalid_scope"),
            ({"response_type": "token"}, "unsupported_response_type"),
        ):
            self.assertEqual(self.answer(**changes)["error"], error, changes)
        self.control("PUT", "sso", {"authorization": "deny"})
        answer = self.answer()
        self.assertEqual((answer["error"], answer["state"]), ("access_denied", "a state/+"))
        self.control("PUT", "sso", {"authorization": "hold"})
        self.assertEqual(self.page()[0], 200)

    def test_registrations_are_checked(self):
        grants = ["authorization_code", "refresh_token"]
        register = self.register
        self.refused("InvalidRequestException", register, grantTypes=grants)
        self.refused("UnsupportedGrantTypeException", register, grantTypes=["password"])
        self.refused("InvalidClientMetadataException", register, clientType="private")
        self.refused(
            "InvalidRedirectUriException",
            register,
            grantTypes=grants,
            issuerUrl=START_URL,
            redirectUris=["https://example.com/callback"],
        )


class Tokens(IdentityTest):
    def refresh(self, client, token):
        return self.oidc.create_token(
            **self.secrets_of(client),
            grantType="refresh_token",
            refreshToken=token["refreshToken"],
        )

    def test_a_refresh_token_is_good_once_and_can_be_refused(self):
        client = self.register()
        first = self.sign_in(client)
        second = self.refresh(client, first)
        self.assertNotEqual(second["accessToken"], first["accessToken"])
        self.refused("InvalidGrantException", self.refresh, client, first)
        self.control("PUT", "sso", {"refresh": False})
        self.refused("InvalidGrantException", self.refresh, client, second)
        self.control("PUT", "sso", {"refresh": True, "rotate_refresh_tokens": False})
        self.refresh(client, second)
        self.refresh(client, second)
        self.control("POST", "expire", {"what": ["refresh_tokens"]})
        self.refused("InvalidGrantException", self.refresh, client, second)

    def test_accounts_and_roles_come_in_pages(self):
        accounts = [
            {"account_id": f"20000000000{n}", "name": f"n{n}", "roles": ["A", "B"]}
            for n in range(3)
        ]
        self.control("PUT", "sso", {"accounts": accounts})
        access = {"accessToken": self.sign_in()["accessToken"]}
        page = self.portal.list_accounts(**access, maxResults=2)
        self.assertEqual([a["accountName"] for a in page["accountList"]], ["n0", "n1"])
        rest = self.portal.list_accounts(**access, nextToken=page["nextToken"])
        self.assertEqual([a["accountId"] for a in rest["accountList"]], ["200000000002"])
        self.assertNotIn("nextToken", rest)
        roles = self.portal.list_account_roles(**access, accountId="200000000001")
        self.assertEqual([r["roleName"] for r in roles["roleList"]], ["A", "B"])

    def test_role_keys_are_those_of_their_account(self):
        other = next(self.accounts)
        roles = [{"account_id": other, "roles": ["Launcher"]}]
        self.control("PUT", "sso", {"accounts": roles, "user": "someone@example.com"})
        keys = self.portal.get_role_credentials(
            accessToken=self.sign_in()["accessToken"], accountId=other, roleName="Launcher"
        )["roleCredentials"]
        self.assertAlmostEqual(keys["expiration"] / 1000, time.time() + 3600, delta=60)
        self.assertRegex(
            self.arn_of(keys),
            f"^arn:aws:sts::{other}:assumed-role/"
            "AWSReservedSSO_Launcher_[0-9a-f]{16}/someone@example.com$",
        )
        self.launch(client=self.client_of("ec2", keys))
        self.assertEqual(self.instances(), [])
        self.assertEqual(
            len(self.client("ec2", account=other).describe_instances()["Reservations"]), 1
        )

    def test_what_the_portal_refuses(self):
        token = self.sign_in()["accessToken"]
        get = self.portal.get_role_credentials
        mine = {"accountId": self.account, "roleName": "Launcher"}
        self.refused("UnauthorizedException", get, status=401, accessToken="x", **mine)
        for wrong in ({"roleName": "Admin"}, {"accountId": "999999999999"}):
            self.refused(
                "ForbiddenException", get, status=403, accessToken=token, **{**mine, **wrong}
            )
        get(accessToken=token, **mine)
        self.control("POST", "expire", {"what": ["access_tokens"]})
        self.refused("UnauthorizedException", get, status=401, accessToken=token, **mine)

    def test_logging_out_ends_the_session_and_no_other(self):
        client = self.register()
        one, two = self.sign_in(client), self.sign_in(client)
        self.portal.logout(accessToken=one["accessToken"])
        list_accounts = self.portal.list_accounts
        self.refused(
            "UnauthorizedException", list_accounts, status=401, accessToken=one["accessToken"]
        )
        self.refused("InvalidGrantException", self.refresh, client, one)
        list_accounts(accessToken=two["accessToken"])

    def test_all_that_was_handed_out_is_told_to_the_test(self):
        token = self.sign_in()
        told = self.control("GET", "sso")
        values = [t["value"] for t in told["tokens"]]
        self.assertEqual(values, [token["accessToken"], token["refreshToken"]])
        for wrong in ({"colour": 1}, {"authorization": "maybe"}):
            self.assertEqual(self.http("PUT", "/_sandbox/sso", wrong)[0], 400)
        self.assertEqual(self.http("POST", "/_sandbox/expire", {"what": ["x"]})[0], 400)

    def test_calls_are_recorded_and_struck_by_faults(self):
        token = self.sign_in()["accessToken"]
        self.control(
            "POST",
            "faults",
            {
                "service": "sso",
                "operation": "ListAccounts",
                "status": 429,
                "code": "TooManyRequestsException",
            },
        )
        self.refused(
            "TooManyRequestsException",
            self.portal.list_accounts,
            status=429,
            accessToken=token,
        )
        self.portal.list_accounts(accessToken=token)
        entries = self.control("GET", "requests")
        self.assertEqual(
            [(e["service"], e["operation"], e["status"]) for e in entries],
            [
                ("sso-oidc", "RegisterClient", 200),
                ("sso-oidc", "StartDeviceAuthorization", 200),
                ("sso-oidc", "Device", 200),
                ("sso-oidc", "CreateToken", 200),
                ("sso", "ListAccounts", 429),
                ("sso", "ListAccounts", 200),
            ],
        )
        self.assertEqual(entries[-1]["params"]["accessToken"], token)


if __name__ == "__main__":
    unittest.main()
