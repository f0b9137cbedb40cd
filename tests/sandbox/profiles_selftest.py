"""Checks that botocore and the AWS CLI sign in to the sandbox with profiles.

target/sandbox/venv/bin/python tests/sandbox/profiles_selftest.py
"""

import hashlib
import json
import shlex
import sys
import time
import unittest
import urllib.request

from identity_test import AWS_CLI, SCOPE, SERIAL, START_URL, IdentityTest


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
