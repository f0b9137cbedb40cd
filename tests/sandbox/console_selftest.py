"""Checks the sandbox's AWS Sign-In with AWS's own client.

target/sandbox/venv/bin/python tests/sandbox/console_selftest.py
"""

import base64
import hashlib
import json
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from sandbox_test import SandboxTest

SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
LISTENER = "http://127.0.0.1:43210/oauth/callback"
VERIFIER = "v" * 43


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def proof(key, url, **changes):
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256"}
    for name in "xy":
        jwk[name] = encoded(getattr(numbers, name).to_bytes(32, "big"))
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
    payload = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    payload.update(changes)
    message = ".".join(encoded(json.dumps(part).encode()) for part in (header, payload))
    signature = key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    pair = utils.decode_dss_signature(signature)
    return f"{message}.{encoded(b''.join(number.to_bytes(32, 'big') for number in pair))}"


class ConsoleSignIn(SandboxTest):
    def setUp(self):
        super().setUp()
        self.endpoint = f"http://127.0.0.1:{self.sandbox.port}/{self.account}"
        self.key = ec.generate_private_key(ec.SECP256R1())

    def token(self, body, key=None, **changes):
        client = self.session.client(
            "signin",
            region_name="eu-west-2",
            endpoint_url=self.endpoint,
            config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
        )

        def add(params, **_):
            url = changes.pop("htu", params["url"])
            params["headers"]["DPoP"] = proof(key or self.key, url, **changes)

        client.meta.events.register("before-call.signin.CreateOAuth2Token", add)
        return client.create_o_auth2_token(tokenInput=body)["tokenOutput"]

    def refused(self, error, body, **arguments):
        with self.assertRaises(ClientError) as caught:
            self.token(body, **arguments)
        self.assertEqual(caught.exception.response["error"], error)

    def code(self, **changes):
        """What the page answers the browser; the status where it does not go back."""
        query = {
            "response_type": "code",
            "client_id": SAME_DEVICE,
            "state": "a-state",
            "code_challenge_method": "SHA-256",
            "scope": "openid",
            "redirect_uri": LISTENER,
            "code_challenge": encoded(hashlib.sha256(VERIFIER.encode()).digest()),
            **changes,
        }

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        url = f"{self.endpoint}/v1/authorize?{urllib.parse.urlencode(query)}"
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.build_opener(Stay).open(url)
        with caught.exception as answer:
            if answer.status != 302:
                return answer.status
            back = urllib.parse.urlsplit(answer.headers["Location"])
        answer = dict(urllib.parse.parse_qsl(back.query))
        self.assertEqual(answer["state"], "a-state")
        return answer["code"]

    def by_code(self, code, **changes):
        return {
            "clientId": SAME_DEVICE,
            "grantType": "authorization_code",
            "code": code,
            "codeVerifier": VERIFIER,
            "redirectUri": LISTENER,
            **changes,
        }

    def test_a_code_gives_keys_once_and_to_whoever_asked(self):
        for changes in (
            {"code_challenge_method": "S256"},
            {"client_id": "somebody"},
            {"redirect_uri": "http://10.0.0.1:1/oauth/callback"},
            {"scope": "sso"},
        ):
            self.assertEqual(self.code(**changes), 400)
        self.refused("AUTHCODE_EXPIRED", self.by_code("no-code"))
        self.refused("AUTHCODE_EXPIRED", self.by_code(self.code(), codeVerifier="w" * 43))
        code = self.code()
        token = self.token(self.by_code(code))
        self.assertEqual((token["tokenType"], token["expiresIn"]), ("aws_sigv4", 900))
        keys = token["accessToken"]
        sts = self.session.client(
            "sts",
            region_name="eu-west-2",
            endpoint_url=self.endpoint,
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        payload = token["idToken"].split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"]
        self.assertEqual(sts.get_caller_identity()["Arn"], subject)
        self.refused("AUTHCODE_EXPIRED", self.by_code(code))

    def test_a_session_is_refreshed_with_its_own_key_alone(self):
        first = self.token(self.by_code(self.code()))
        body = {
            "clientId": SAME_DEVICE,
            "grantType": "refresh_token",
            "refreshToken": first["refreshToken"],
        }
        other = ec.generate_private_key(ec.SECP256R1())
        self.refused("TOKEN_EXPIRED", body, key=other)
        second = self.token(body)
        self.assertNotEqual(second["refreshToken"], first["refreshToken"])
        # Each is good once.
        self.refused("TOKEN_EXPIRED", body)

    def test_a_proof_is_for_one_call_here_and_now(self):
        body = self.by_code(self.code())
        self.refused("INVALID_REQUEST", body, htu="https://elsewhere/v1/token")
        self.refused("INVALID_REQUEST", body, iat=1)
        self.refused("INVALID_REQUEST", body, htm="GET")
        self.token(body, jti="once")
        self.refused("INVALID_REQUEST", self.by_code(self.code()), jti="once")


if __name__ == "__main__":
    unittest.main()
