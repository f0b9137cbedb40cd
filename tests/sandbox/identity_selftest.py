"""Checks the sandbox's identity services with AWS's own clients.

target/sandbox/venv/bin/python tests/sandbox/identity_selftest.py

botocore runs in processes of its own, with a HOME of its own; so does an AWS
CLI of version 2, where there is one on PATH.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from botocore.config import Config
from selftest import SandboxTest

START_URL = "https://d-sandbox.awsapps.com/start"
SCOPE = "sso:account:access"
CALLBACK = "http://127.0.0.1/oauth/callback"
LISTENER = "http://127.0.0.1:43210/oauth/callback"
SERIAL = "arn:aws:iam::123456789012:mfa/phone"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
IDENTITY = """
import boto3, json, sys
identity = boto3.session.Session().client("sts").get_caller_identity()
print(identity["Arn"])
"""


def find_aws_cli():
    """An AWS CLI of version 2 on PATH; None without one."""
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        program = os.path.join(directory, "aws")
        if os.access(program, os.X_OK):
            told = subprocess.run([program, "--version"], capture_output=True, text=True)
            if told.stdout.startswith("aws-cli/2"):
                return program
    return None


AWS_CLI = find_aws_cli()


class IdentityTest(SandboxTest):
    def setUp(self):
        super().setUp()
        self.endpoint = f"http://127.0.0.1:{self.sandbox.port}/{self.account}"
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="inductiva-aws-selftest-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        (self.home / ".aws").mkdir()
        self.oidc = self.unsigned("sso-oidc")
        self.portal = self.unsigned("sso")
        self.sts = self.client("sts")

    def unsigned(self, service):
        return self.session.client(
            service,
            region_name="eu-west-2",
            endpoint_url=self.endpoint,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def client_of(self, service, keys, **changes):
        """A client with temporary keys, as STS or as the portal spells them."""
        keys = {name[0].lower() + name[1:]: value for name, value in keys.items()}
        arguments = {
            "aws_access_key_id": keys["accessKeyId"],
            "aws_secret_access_key": keys["secretAccessKey"],
            "aws_session_token": keys["sessionToken"],
            **changes,
        }
        return self.session.client(
            service,
            region_name="eu-west-2",
            endpoint_url=self.endpoint,
            config=Config(retries={"total_max_attempts": 1}),
            **arguments,
        )

    def arn_of(self, keys):
        return self.client_of("sts", keys).get_caller_identity()["Arn"]

    def get(self, url):
        """Status, headers and text of a page; redirects are not followed."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        try:
            answer = urllib.request.build_opener(Stay).open(url, timeout=180)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers, answer.read().decode()

    def write_config(self, text):
        (self.home / ".aws" / "config").write_text(text)

    def environment(self, **more):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_REGION": "eu-west-2",
            "AWS_DEFAULT_REGION": "eu-west-2",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            **more,
        }

    def run_process(self, command, code=0, stdin="", **environment):
        """stdout of a command with a clean environment."""
        process = subprocess.run(
            command,
            env=self.environment(**environment),
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
        )
        self.assertEqual(process.returncode, code, process.stderr)
        return process.stdout if code == 0 else process.stderr

    def boto(self, script=IDENTITY, **options):
        return self.run_process([sys.executable, "-c", script], **options)

    def operations(self, service):
        entries = self.control("GET", "requests")
        return [e["operation"] for e in entries if e["service"] == service]

    def register(self, **changes):
        arguments = {"clientName": "t", "clientType": "public", "scopes": [SCOPE]}
        return self.oidc.register_client(**{**arguments, **changes})

    def register_for_browser(self):
        return self.register(
            grantTypes=["authorization_code", "refresh_token"],
            redirectUris=[CALLBACK],
            issuerUrl=START_URL,
        )

    def secrets_of(self, client):
        return {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}

    def sign_in(self, client=None):
        """The answer of CreateToken after a device sign-in that nobody delays."""
        client = client or self.register()
        device = self.oidc.start_device_authorization(
            **self.secrets_of(client), startUrl=START_URL
        )
        self.assertEqual(self.get(device["verificationUriComplete"])[0], 200)
        return self.oidc.create_token(
            **self.secrets_of(client),
            grantType=DEVICE_GRANT,
            deviceCode=device["deviceCode"],
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


class Sessions(IdentityTest):
    def setUp(self):
        super().setUp()
        # It is the sandbox that has to refuse, not botocore.
        self.sts = self.session.client(
            "sts",
            region_name="eu-west-2",
            endpoint_url=self.endpoint,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(parameter_validation=False),
        )

    def device(self, *codes, **more):
        device = {"serial": SERIAL, "codes": list(codes), **more}
        self.control("PUT", "identity", {"mfa_devices": [device]})

    def open_session(self, **arguments):
        return self.sts.get_session_token(**arguments)["Credentials"]

    def test_a_code_opens_a_session_once(self):
        self.device("123456")
        code = {"SerialNumber": SERIAL, "TokenCode": "123456"}
        keys = self.open_session(**code, DurationSeconds=900)
        self.assertTrue(keys["AccessKeyId"].startswith("ASIA"))
        self.assertAlmostEqual(keys["Expiration"].timestamp(), time.time() + 900, delta=60)
        self.assertEqual(self.arn_of(keys), f"arn:aws:iam::{self.account}:user/sandbox")
        message = self.refused("AccessDenied", self.open_session, status=403, **code)
        self.assertIn("invalid MFA one time pass code", message)

    def test_what_is_refused(self):
        ours = {"serial": SERIAL, "codes": ["123456"], "user": "sandbox"}
        theirs = {"serial": SERIAL + "s", "codes": ["123456"], "user": "ana"}
        self.control("PUT", "identity", {"mfa_devices": [ours, theirs]})
        for code, arguments in (
            ("ValidationError", {"DurationSeconds": 899}),
            ("ValidationError", {"DurationSeconds": 129601}),
            ("ValidationError", {"SerialNumber": SERIAL, "TokenCode": "12345x"}),
            ("AccessDenied", {"SerialNumber": SERIAL}),
            ("AccessDenied", {"SerialNumber": SERIAL, "TokenCode": "654321"}),
            ("AccessDenied", {"SerialNumber": SERIAL + "2", "TokenCode": "123456"}),
            ("AccessDenied", {"SerialNumber": SERIAL + "s", "TokenCode": "123456"}),
        ):
            status = 403 if code == "AccessDenied" else 400
            with self.subTest(arguments):
                self.refused(code, self.open_session, status=status, **arguments)
        keys = self.open_session(SerialNumber=SERIAL, TokenCode="123456")
        again = self.client_of("sts", keys)
        message = self.refused("AccessDenied", again.get_session_token, status=403)
        self.assertEqual(message, "Cannot call GetSessionToken with session credentials")

    def test_keys_go_with_their_token_and_secret(self):
        keys = self.open_session()
        for changes in ({"aws_session_token": None}, {"aws_session_token": "x"}):
            sts = self.client_of("sts", keys, **changes)
            self.refused("InvalidClientTokenId", sts.get_caller_identity, status=403)
            ec2 = self.client_of("ec2", keys, **changes)
            self.refused("AuthFailure", ec2.describe_regions, status=401)
        wrong = {"aws_secret_access_key": "x"}
        sts = self.client_of("sts", keys, **wrong)
        self.refused("SignatureDoesNotMatch", sts.get_caller_identity, status=403)
        ec2 = self.client_of("ec2", keys, **wrong)
        self.refused("AuthFailure", ec2.describe_regions, status=401)

    def test_keys_end(self):
        keys = self.open_session()
        self.control("POST", "expire", {"what": ["session_keys"]})
        ec2, sts = self.client_of("ec2", keys), self.client_of("sts", keys)
        self.refused("RequestExpired", ec2.describe_regions)
        self.refused("ExpiredToken", sts.get_caller_identity, status=403)
        quotas = self.client_of("service-quotas", keys)
        self.refused(
            "ExpiredTokenException",
            quotas.get_service_quota,
            ServiceCode="ec2",
            QuotaCode="L-1216C47A",
        )
        self.control("PUT", "identity", {"session_seconds": 7})
        left = self.open_session()["Expiration"].timestamp() - time.time()
        self.assertLess(left, 8)

    def test_without_mfa_a_session_is_closed_to_iam(self):
        self.device("123456")
        iam = self.client_of("iam", self.open_session())
        self.refused("InvalidClientTokenId", iam.list_roles, status=403)
        keys = self.open_session(SerialNumber=SERIAL, TokenCode="123456")
        self.client_of("iam", keys).list_roles()

    def test_keys_that_a_test_sets_are_checked_and_others_can_be_unknown(self):
        user = {
            "access_key_id": "AKIAOFTHETESTEXAMPLE",
            "secret_access_key": "right",
            "name": "ana",
        }
        marked = {
            "access_key_id": "ASIAOFTHETESTEXAMPLE",
            "secret_access_key": "MARKED-secret",
            "session_token": "MARKED-token",
        }
        self.control("PUT", "identity", {"users": [user], "session_keys": [marked]})
        wrong = self.client("sts", key=user["access_key_id"])
        self.refused("SignatureDoesNotMatch", wrong.get_caller_identity, status=403)
        right = {
            "AWS_ACCESS_KEY_ID": user["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": "right",
        }
        self.assertTrue(self.boto(**right).endswith("user/ana\n"))
        camel = {
            "AccessKeyId": marked["access_key_id"],
            "SecretAccessKey": marked["secret_access_key"],
            "SessionToken": marked["session_token"],
        }
        self.assertEqual(self.arn_of(camel), f"arn:aws:iam::{self.account}:user/sandbox")
        self.sts.get_caller_identity()
        self.control("PUT", "identity", {"only_known_keys": True})
        self.refused("InvalidClientTokenId", self.sts.get_caller_identity, status=403)
        self.arn_of(camel)
        for wrong in ({"colour": 1}, {"web_identity": "x"}, {"roles": [{"nam": "x"}]}):
            self.assertEqual(self.http("PUT", "/_sandbox/identity", wrong)[0], 400)


class Roles(IdentityTest):
    def setUp(self):
        super().setUp()
        roles = [
            {"name": "plain", "max_session_seconds": 7200},
            {"name": "guarded", "requires_mfa": True},
        ]
        devices = [{"serial": SERIAL, "codes": ["111111", "222222"]}]
        self.control("PUT", "identity", {"roles": roles, "mfa_devices": devices})

    def assume(self, role, sts=None, **arguments):
        return (sts or self.sts).assume_role(
            RoleArn=f"arn:aws:iam::{self.account}:role/{role}",
            RoleSessionName="s1",
            **arguments,
        )

    def test_a_role_is_assumed(self):
        answer = self.assume("plain", DurationSeconds=7200)
        arn = f"arn:aws:sts::{self.account}:assumed-role/plain/s1"
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], arn)
        self.assertEqual(self.arn_of(answer["Credentials"]), arn)
        sts = self.client_of("sts", answer["Credentials"])
        self.refused("AccessDenied", sts.get_session_token, status=403)

    def test_a_role_of_another_account_is_that_accounts(self):
        other = next(self.accounts)
        self.account, mine = other, self.account
        self.control("PUT", "identity", {"roles": [{"name": "far"}]})
        self.account = mine
        keys = self.sts.assume_role(
            RoleArn=f"arn:aws:iam::{other}:role/path/far", RoleSessionName="s1"
        )["Credentials"]
        self.assertIn(f"::{other}:assumed-role/far/", self.arn_of(keys))

    def test_unknown_roles_and_long_sessions_are_refused(self):
        message = self.refused("AccessDenied", self.assume, "none", status=403)
        self.assertEqual(
            message,
            f"User: arn:aws:iam::{self.account}:user/sandbox is not authorized to "
            f"perform: sts:AssumeRole on resource: arn:aws:iam::{self.account}:role/none",
        )
        message = self.refused(
            "ValidationError", self.assume, "plain", DurationSeconds=7201
        )
        self.assertIn("MaxSessionDuration", message)
        chained = self.client_of("sts", self.assume("plain")["Credentials"])
        message = self.refused(
            "ValidationError", self.assume, "plain", sts=chained, DurationSeconds=3601
        )
        self.assertIn("role chaining", message)
        self.assume("plain", sts=chained, DurationSeconds=3600)

    def test_mfa_is_asked_for_here_or_in_the_session_before(self):
        self.refused("AccessDenied", self.assume, "guarded", status=403)
        self.refused(
            "AccessDenied",
            self.assume,
            "guarded",
            status=403,
            SerialNumber=SERIAL,
            TokenCode="999999",
        )
        self.assume("guarded", SerialNumber=SERIAL, TokenCode="111111")
        plain = self.client_of("sts", self.sts.get_session_token()["Credentials"])
        self.refused("AccessDenied", self.assume, "guarded", sts=plain, status=403)
        session = self.sts.get_session_token(SerialNumber=SERIAL, TokenCode="222222")
        self.assume("guarded", sts=self.client_of("sts", session["Credentials"]))

    def test_botocore_asks_for_the_code_of_a_profile(self):
        self.write_config(
            "[profile base]\n"
            f"[profile mfa]\nrole_arn = arn:aws:iam::{self.account}:role/guarded\n"
            f"source_profile = base\nmfa_serial = {SERIAL}\n"
        )
        (self.home / ".aws" / "credentials").write_text(
            "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
            "aws_secret_access_key = secret\n"
        )
        script = f"import getpass\ngetpass.getpass = lambda _: '111111'\n{IDENTITY}"
        self.assertIn("assumed-role/guarded/", self.boto(script, AWS_PROFILE="mfa"))
        error = self.boto(script, AWS_PROFILE="mfa", code=1)
        self.assertIn("invalid MFA one time pass code", error)

    def test_web_identity(self):
        (self.home / "token").write_text("a web identity token")
        web = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.home / "token"),
            "AWS_ROLE_ARN": f"arn:aws:iam::{self.account}:role/plain",
            "AWS_ROLE_SESSION_NAME": "web",
        }
        self.assertIn("assumed-role/plain/web", self.boto(**web))
        self.control("PUT", "identity", {"web_identity": "expired"})
        self.assertIn("ExpiredToken", self.boto(**web, code=1))
        self.control("PUT", "identity", {"web_identity": "reject"})
        self.assertIn("InvalidIdentityToken", self.boto(**web, code=1))

    def test_a_credential_process_is_good_for_botocore(self):
        keys = self.assume("plain")["Credentials"]
        told = {
            "Version": 1,
            **keys,
            "Expiration": keys["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        (self.home / "keys.json").write_text(json.dumps(told))
        command = f"cat {shlex.quote(str(self.home / 'keys.json'))}"
        self.write_config(f"[profile p]\ncredential_process = {command}\n")
        self.assertIn("assumed-role/plain/s1", self.boto(AWS_PROFILE="p"))


class Policies(IdentityTest):
    def denial(self, call, *arguments, **named):
        return self.refused(
            "UnauthorizedOperation", call, *arguments, status=403, **named
        )

    def decoded(self, message, sts=None):
        encoded = re.search("failure message: (.*)$", message).group(1)
        answer = (sts or self.sts).decode_authorization_message(EncodedMessage=encoded)
        return json.loads(answer["DecodedMessage"])

    def test_where_mfa_is_demanded_only_sessions_with_it_pass(self):
        self.control("PUT", "policy", {"require_mfa": True})
        device = {"serial": SERIAL, "codes": ["123456"]}
        self.control("PUT", "identity", {"mfa_devices": [device]})
        message = self.denial(self.launch, DryRun=True)
        self.assertIn(
            f"User: arn:aws:iam::{self.account}:user/sandbox is not authorized to "
            f"perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-2:{self.account}:"
            "instance/* with an explicit deny in an identity-based policy. Encoded "
            "authorization failure message: ",
            message,
        )
        self.assertNotIn("Encoded", self.denial(self.ec2.describe_images))
        plain = self.sts.get_session_token()["Credentials"]
        self.denial(self.client_of("ec2", plain).describe_images)
        keys = self.sts.get_session_token(SerialNumber=SERIAL, TokenCode="123456")
        ec2 = self.client_of("ec2", keys["Credentials"])
        self.refused("DryRunOperation", self.launch, client=ec2, DryRun=True, status=412)
        decoded = self.decoded(message)
        self.assertEqual((decoded["allowed"], decoded["explicitDeny"]), (False, True))
        context = decoded["context"]
        self.assertEqual(context["action"], "ec2:RunInstances")
        self.assertTrue(context["resource"].endswith(":instance/*"))
        self.assertTrue(context["principal"]["arn"].endswith(":user/sandbox"))
        statements = decoded["matchedStatements"]["items"]
        self.assertEqual([s["effect"] for s in statements], ["DENY"])
        keys = [item["key"] for item in context["conditions"]["items"]]
        self.assertIn("ec2:instancetype", [key.lower() for key in keys])

    def test_reasons_and_the_older_form(self):
        for reason, ending in (
            ("scp", "with an explicit deny in a service control policy"),
            ("boundary", "with an explicit deny in a permissions boundary"),
            ("implicit", "because no identity-based policy allows the ec2:RunInstances"),
        ):
            self.control("PUT", "policy", {"deny": ["ec2:RunInst*"], "reason": reason})
            self.assertIn(ending, self.denial(self.launch))
        self.ec2.describe_images(Owners=["amazon"])
        self.control("PUT", "policy", {"deny": ["ec2:*"], "older_messages": True})
        message = self.denial(self.launch)
        self.assertTrue(
            message.startswith(
                "You are not authorized to perform this operation. Encoded authorization"
            ),
            message,
        )
        self.assertEqual(
            self.denial(self.ec2.describe_images),
            "You are not authorized to perform this operation.",
        )
        self.control("PUT", "policy", {})
        self.launch()

    def test_decoding_is_a_permission_and_closed_to_sessions(self):
        self.control("PUT", "policy", {"deny": ["ec2:RunInstances"]})
        message = self.denial(self.launch)
        session = self.client_of("sts", self.sts.get_session_token()["Credentials"])
        self.refused("AccessDenied", self.decoded, message, session, status=403)
        self.decoded(message)
        self.refused(
            "InvalidAuthorizationMessageException",
            self.sts.decode_authorization_message,
            EncodedMessage="x" * 40,
        )
        self.control("PUT", "policy", {"deny": ["sts:Decode*", "sts:GetCallerIdentity"]})
        told = self.refused("AccessDenied", self.decoded, message, status=403)
        self.assertIn("perform: sts:DecodeAuthorizationMessage", told)
        self.sts.get_caller_identity()

    def test_each_permission_of_a_launch_is_needed(self):
        needed = ["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"]
        iam = self.client("iam")
        iam.create_instance_profile(InstanceProfileName="p")
        iam.create_role(RoleName="machine", AssumeRolePolicyDocument="{}")
        iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="machine")
        tags = [{"Key": "a", "Value": "b"}]
        launch = {
            "IamInstanceProfile": {"Name": "p"},
            "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}],
        }
        self.control("PUT", "policy", {"allow": needed})
        self.launch(**launch)
        for missing in needed:
            rest = [action for action in needed if action != missing]
            self.control("PUT", "policy", {"allow": rest})
            message = self.denial(self.launch, **launch)
            self.assertIn(f"no identity-based policy allows the {missing} action", message)
        self.assertIn(f"on resource: arn:aws:iam::{self.account}:role/machine", message)

    def test_documents_are_evaluated(self):
        own = {"aws:ResourceTag/inductiva:launcher": "inductiva-aws"}
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": "ec2:RunInstances",
                    "Resource": "*",
                    "Condition": {"StringLike": {"aws:RequestedRegion": "eu-*"}},
                },
                {
                    "Effect": "Allow",
                    "Action": "ec2:CreateTags",
                    "Resource": f"arn:aws:ec2:*:{self.account}:*/*",
                    "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
                },
                {
                    "Effect": "Allow",
                    "Action": "ec2:TerminateInstances",
                    "Resource": "*",
                    "Condition": {"StringEquals": own},
                },
                {
                    "Effect": "Deny",
                    "Action": "ec2:RunInstances",
                    "Resource": "arn:aws:ec2:*:*:instance/*",
                    "Condition": {"StringNotEquals": {"ec2:InstanceType": ["t2.micro"]}},
                },
                {
                    "Effect": "Deny",
                    "NotAction": ["ec2:*", "sts:*"],
                    "Resource": "*",
                    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": False}},
                },
            ],
        }
        self.control("PUT", "policy", {"documents": [document]})
        tags = [{"Key": "inductiva:launcher", "Value": "inductiva-aws"}]
        specification = [{"ResourceType": "instance", "Tags": tags}]
        mine = self.launch_ids(TagSpecifications=specification)
        other = self.launch_ids()
        self.denial(self.ec2.terminate_instances, InstanceIds=other)
        self.denial(self.ec2.terminate_instances, InstanceIds=mine + other)
        self.ec2.terminate_instances(InstanceIds=mine)
        self.denial(self.ec2.create_tags, Resources=other, Tags=tags)
        self.assertIn("explicit deny", self.denial(self.launch, InstanceType="t3.micro"))
        far = self.client("ec2", region="us-east-1")
        self.assertIn("no identity-based", self.denial(self.launch, client=far))
        self.refused("AccessDenied", self.client("iam").list_roles, status=403)
        for wrong in (
            {"Effect": "Allow", "Action": "*"},
            {"Effect": "Yes", "Action": "*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}},
            },
        ):
            body = {"documents": [{"Statement": wrong}]}
            self.assertEqual(self.http("PUT", "/_sandbox/policy", body)[0], 400)
        self.assertEqual(self.http("PUT", "/_sandbox/policy", {"dney": []})[0], 400)


class ClockAndQuotas(IdentityTest):
    def set_clock(self, minutes):
        self.control("PUT", "settings", {"clock_offset_seconds": 60 * minutes})

    def test_a_clock_that_is_off_is_noticed(self):
        sts, ec2 = self.sts.get_caller_identity, self.ec2.describe_regions
        for minutes in (4, -4):
            self.set_clock(minutes)
            sts(), ec2()
        for minutes in (10, -10):
            self.set_clock(minutes)
            sts()
            self.refused("AuthFailure", ec2, status=401)
        self.set_clock(20)
        self.assertRegex(
            self.refused("SignatureDoesNotMatch", sts, status=403),
            r"Signature expired: \d+T\d+Z is now earlier than \d+T\d+Z \(\d+T\d+Z - 15 min",
        )
        self.refused("RequestExpired", ec2)
        self.set_clock(-20)
        message = self.refused("SignatureDoesNotMatch", sts, status=403)
        self.assertIn("Signature not yet current", message)

    def test_answers_say_what_time_it_is(self):
        self.set_clock(120)
        request = urllib.request.Request(f"{self.endpoint}/device")
        with urllib.request.urlopen(request, timeout=180) as answer:
            told = time.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        ahead = time.mktime(told) - time.mktime(time.gmtime())
        self.assertAlmostEqual(ahead, 7200, delta=10)

    def test_quotas(self):
        quotas = self.client("service-quotas")
        asked = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
        self.control("PUT", "quotas", {"L-1216C47A": 5, "L-34B43A08": None})
        quota = quotas.get_service_quota(**asked)["Quota"]
        self.assertEqual((quota["Value"], quota["QuotaCode"]), (5.0, "L-1216C47A"))
        self.refused(
            "NoSuchResourceException",
            quotas.get_service_quota,
            ServiceCode="ec2",
            QuotaCode="L-34B43A08",
        )
        self.control("PUT", "policy", {"deny": ["servicequotas:*"], "reason": "implicit"})
        message = self.refused("AccessDeniedException", quotas.get_service_quota, **asked)
        self.assertIn("perform: servicequotas:GetServiceQuota because no", message)
        self.assertEqual(self.operations("servicequotas"), ["GetServiceQuota"] * 3)


class Profiles(IdentityTest):
    """SSO profiles, with botocore and the AWS CLI as they are."""

    def setUp(self):
        super().setUp()
        self.write_config(
            "[profile new]\nsso_session = corp\n"
            f"sso_account_id = {self.account}\nsso_role_name = Launcher\n"
            f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\n"
            f"sso_registration_scopes = {SCOPE}\n"
            f"[profile old]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\n"
            f"sso_account_id = {self.account}\nsso_role_name = Launcher\n"
        )

    def cache_file(self, name):
        digest = hashlib.sha1(name.encode()).hexdigest()
        return self.home / ".aws" / "sso" / "cache" / f"{digest}.json"

    def write_token(self, name, seconds=28800, refresh=True):
        """A cache file such as a sign-in leaves behind."""
        client = self.register()
        token = self.sign_in(client)
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        cached = {
            "startUrl": START_URL,
            "region": "eu-west-2",
            "accessToken": token["accessToken"],
            "expiresAt": time.strftime(stamp, time.gmtime(time.time() + seconds)),
            **self.secrets_of(client),
            "registrationExpiresAt": time.strftime(
                stamp, time.gmtime(client["clientSecretExpiresAt"])
            ),
        }
        if refresh:
            cached["refreshToken"] = token["refreshToken"]
        path = self.cache_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cached))
        return token

    def test_botocore_reads_both_kinds_of_profile(self):
        self.write_token("corp")
        self.write_token(START_URL, refresh=False)
        for profile in ("new", "old"):
            arn = self.boto(AWS_PROFILE=profile)
            self.assertIn("assumed-role/AWSReservedSSO_Launcher_", arn)

    def test_botocore_refreshes_a_stale_token_until_it_is_refused(self):
        before = self.write_token("corp", seconds=-60)
        self.control("POST", "expire", {"what": ["access_tokens"]})
        self.assertIn("AWSReservedSSO_", self.boto(AWS_PROFILE="new"))
        cached = json.loads(self.cache_file("corp").read_text())
        self.assertNotEqual(cached["accessToken"], before["accessToken"])
        self.write_token("corp", seconds=-60)
        self.control("PUT", "sso", {"refresh": False})
        error = self.boto(AWS_PROFILE="new", code=1)
        self.assertIn("Token has expired and refresh failed", error)

    def cli(self, *arguments, **options):
        """Runs the AWS CLI, which needs the endpoint rules: see aws_models.py."""
        for name, content in self.control("GET", "aws_models").items():
            path = self.home / ".aws" / "models" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        return self.run_process([AWS_CLI, *arguments], **options)

    @unittest.skipUnless(AWS_CLI, "no AWS CLI of version 2 on PATH")
    def test_the_aws_cli_signs_in_works_and_signs_out(self):
        # It polls by another clock than the sandbox's, which stands.
        self.control("PUT", "sso", {"interval": 0})
        # The last argument of BROWSER's command is the page to open.
        visit = "import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()"
        browser = f"{sys.executable} -c {shlex.quote(visit)} %s"
        self.assertIn(
            "Successfully logged into",
            self.cli("sso", "login", "--sso-session", "corp", BROWSER=browser),
        )
        cached = json.loads(self.cache_file("corp").read_text())
        self.assertIn("refreshToken", cached)
        for reader in (
            lambda: self.boto(AWS_PROFILE="new"),
            lambda: self.cli("sts", "get-caller-identity", "--profile", "new"),
        ):
            self.assertIn("assumed-role/AWSReservedSSO_Launcher_", reader())
        self.cli("ec2", "describe-vpcs", "--profile", "new")
        self.cli("sso", "logout")
        self.assertFalse(self.cache_file("corp").exists())
        self.assertIn("Logout", self.operations("sso"))
        self.refused(
            "UnauthorizedException",
            self.portal.list_accounts,
            status=401,
            accessToken=cached["accessToken"],
        )

    @unittest.skipUnless(AWS_CLI, "no AWS CLI of version 2 on PATH")
    def test_the_aws_cli_reads_and_refreshes_a_written_token(self):
        self.write_token("corp", seconds=-60)
        arn = self.cli("sts", "get-caller-identity", "--profile", "new")
        self.assertIn("assumed-role/AWSReservedSSO_Launcher_", arn)

    @unittest.skipUnless(AWS_CLI, "no AWS CLI of version 2 on PATH")
    def test_the_aws_cli_gets_a_session_and_keeps_a_role_with_mfa(self):
        device = {"serial": SERIAL, "codes": ["123456", "654321"]}
        roles = [{"name": "guarded", "requires_mfa": True}]
        self.control("PUT", "identity", {"mfa_devices": [device], "roles": roles})
        keys = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        code = ["--serial-number", SERIAL, "--token-code", "123456"]
        told = json.loads(self.cli("sts", "get-session-token", *code, **keys))
        self.assertTrue(told["Credentials"]["AccessKeyId"].startswith("ASIA"))
        with (self.home / ".aws" / "config").open("a") as config:
            config.write(
                f"[profile mfa]\nrole_arn = arn:aws:iam::{self.account}:role/guarded\n"
                f"credential_source = Environment\nmfa_serial = {SERIAL}\n"
            )
        command = ("sts", "get-caller-identity", "--profile", "mfa")
        # The second run has its keys from the cache, and asks for no code.
        for answer in ("654321\n", ""):
            arn = self.cli(*command, stdin=answer, **keys)
            self.assertIn("assumed-role/guarded/", arn)


if __name__ == "__main__":
    unittest.main()
