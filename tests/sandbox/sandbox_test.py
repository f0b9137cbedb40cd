"""What the sandbox's own tests have in common: a server, and an account for each test."""

import atexit
import itertools
import json
import pathlib
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).resolve().parent
UBUNTU_NAMES = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
UBUNTU = "ami-0ab00000000000003"
UBUNTU_ARM = "ami-0ab00000000000004"
GPU_NAMES = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) *"
GPU = "ami-0cd00000000000002"
SIMULATORS_100_GIB = "ami-0ef00000000000002"


class Sandbox:
    """A server of its own, as the Rust tests start it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "main.py"), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = json.loads(self.process.stdout.readline())["port"]

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=180)


class SandboxTest(unittest.TestCase):
    accounts = (f"{n:012d}" for n in itertools.count(100000000001))

    # One of each for all tests: both load the services' models, which takes long, and
    # each test has an account of its own.
    sandbox = session = None

    @classmethod
    def setUpClass(cls):
        if SandboxTest.sandbox is None:
            SandboxTest.sandbox = Sandbox()
            SandboxTest.session = boto3.session.Session()
            atexit.register(SandboxTest.sandbox.end)

    def setUp(self):
        self.account = next(self.accounts)
        self.ec2 = self.client("ec2")
        self.control("PUT", "clock", {"stand": True})

    def client(self, service, account=None, region="eu-west-2", key="AKIAIOSFODNN7EXAMPLE"):
        return self.session.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{self.sandbox.port}/{account or self.account}",
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=30,
                read_timeout=180,
            ),
        )

    def http(self, method, path, body=None, headers=None):
        """Status and JSON body of a request under the account's prefix."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.sandbox.port}/{self.account}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def raw_call(self, query):
        """A socket on which an EC2 call has been sent."""
        client = socket.create_connection(("127.0.0.1", self.sandbox.port), timeout=180)
        self.addCleanup(client.close)
        credential = "Credential=K/20250101/eu-west-2/ec2/aws4_request"
        client.sendall(
            f"GET /{self.account}/?{query} HTTP/1.1\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {credential}\r\n\r\n".encode()
        )
        return client

    def control(self, method, path, body=None):
        status, answer = self.http(method, f"/_sandbox/{path}", body)
        self.assertIn(status, (200, 201, 204), answer)
        return answer

    def api(self, method, path, body=None, key="sandbox-key"):
        return self.http(method, f"/inductiva{path}", body, {"X-API-Key": key})

    def launch(self, **changes):
        client = changes.pop("client", self.ec2)
        arguments = {
            "ImageId": UBUNTU,
            "InstanceType": "t2.micro",
            "MinCount": 1,
            "MaxCount": 1,
            **changes,
        }
        arguments = {k: v for k, v in arguments.items() if v is not None}
        return client.run_instances(**arguments)["Instances"]

    def launch_ids(self, **changes):
        return [instance["InstanceId"] for instance in self.launch(**changes)]

    def instances(self, **arguments):
        reservations = self.ec2.describe_instances(**arguments)["Reservations"]
        return [i for r in reservations for i in r["Instances"]]

    def states(self, **arguments):
        return [i["State"]["Name"] for i in self.instances(**arguments)]

    def launched(self):
        return [i["instance_id"] for i in self.control("GET", "launched")["instances"]]

    def pass_time(self, seconds):
        self.control("PUT", "clock", {"advance": seconds})

    def settle(self):
        """Until machines that were launched run, and those that end are gone."""
        self.pass_time(1)

    def refused(self, code, call, *arguments, status=400, **named):
        """Asserts that the call is refused with this code; returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer["Error"]["Message"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer["Error"]["Message"]

    def subnets(self):
        subnets = self.ec2.describe_subnets(
            Filters=[{"Name": "default-for-az", "Values": ["true"]}]
        )["Subnets"]
        return sorted(subnets, key=lambda subnet: subnet["AvailabilityZone"])
