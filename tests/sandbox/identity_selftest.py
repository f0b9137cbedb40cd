"""Checks the sandbox's sessions and roles with AWS's own clients.

target/sandbox/venv/bin/python tests/sandbox/identity_selftest.py
"""

import json
import shlex
import time
import unittest

from botocore.config import Config
from identity_test import IDENTITY, SERIAL, IdentityTest


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


if __name__ == "__main__":
    unittest.main()
