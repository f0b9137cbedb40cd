"""What the tests of the sandbox's identity services have in common.

botocore runs in processes of its own, with a HOME of its own; so does an AWS
CLI of version 2, where there is one on PATH.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from botocore.config import Config
from sandbox_test import SandboxTest

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
