"""The sandbox's server, and the program's own launches in it."""

import base64
import json
import os
import socket
import subprocess
import tempfile
import threading

from .host import REPOSITORY, Broken, wait_for
from .servers import request_json

REGION = "eu-west-2"


class Sandbox:
    def __init__(self):
        self._process = subprocess.Popen(
            [REPOSITORY / "tests/sandbox/run", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        line = self._process.stdout.readline()
        if not line:
            raise Broken("the sandbox did not start; its messages are above")
        self.port = json.loads(line)["port"]
        self._accounts = 0
        self._lock = threading.Lock()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def close(self):
        # It ends with its standard input.
        self._process.stdin.close()
        self._process.wait(10)

    def account(self, key):
        """A new account, whose Inductiva API takes this key."""
        with self._lock:
            self._accounts += 1
            number = 300_000_000_000 + self._accounts
        return Account(self.port, str(number), key)


class Account:
    """An AWS account of the sandbox, and the Inductiva API beside it."""

    def __init__(self, port, number, key):
        self._url = f"http://127.0.0.1:{port}/{number}"
        self._group = f"group-{number}"
        self._key = key
        self.change_inductiva(keys=[key])

    @property
    def api_url(self):
        return f"{self._url}/inductiva"

    def start(self, program, arguments, images, group_known=True, variables=()):
        """Runs `inductiva-aws start`; the machine's id and its user data."""
        environment = self._environment(images)
        if "--instance-profile" in arguments:
            profile = arguments[arguments.index("--instance-profile") + 1]
            request = {
                "service": "iam",
                "method": "create_instance_profile",
                "region": "us-east-1",
                "kwargs": {"InstanceProfileName": profile},
            }
            self._control("POST", "boto3", request)
        if not group_known:
            # The launcher goes on without a group's id; the runner makes it.
            self.change_inductiva(status=503)
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                [
                    *(program, "start", "--output", "json", "--no-input"),
                    *("--machine-group-name", self._group, *arguments),
                ],
                env={**environment, **dict(variables), "HOME": home},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
        if not group_known:
            self.change_inductiva(status=None)
        if done.returncode != 0:
            raise Broken(f"start ended with {done.returncode}: {done.stderr}")
        (machine,) = json.loads(done.stdout)["machines"]
        return machine["instance_id"], self._user_data(machine["instance_id"])

    def start_building(self, program, arguments, images):
        """Runs `inductiva-aws image build`; the process, and the id and the user data
        of the machine that it has launched."""
        process = subprocess.Popen(
            [program, "image", "build", "--output", "json", "--no-input", *arguments],
            env={**self._environment(images), "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

        def launched():
            if process.poll() is not None:
                raise Broken(f"image build ended early: {process.stderr.read()}")
            found = self._ec2("describe_instances")["Reservations"]
            return [i["InstanceId"] for r in found for i in r["Instances"]]

        (instance_id,) = wait_for(launched, 120, "image build launches a machine")
        return process, instance_id, self._user_data(instance_id)

    def says(self, instance_id, console):
        """On the console that GetConsoleOutput shows."""
        self._control("PUT", "consoles", {instance_id: console})

    def states(self):
        """The state of each machine that EC2 shows."""
        found = self._ec2("describe_instances")["Reservations"]
        return [i["State"]["Name"] for r in found for i in r["Instances"]]

    def images(self):
        """The account's own."""
        return self._ec2("describe_images", Owners=["self"])["Images"]

    def _environment(self, images):
        return {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self._url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "INDUCTIVA_API_KEY": self._key,
            "INDUCTIVA_API_URL": self.api_url,
            "INDUCTIVA_TASK_RUNNER_IMAGE": images[0],
            "INDUCTIVA_FILE_TRACKER_IMAGE": images[1],
        }

    def _user_data(self, instance_id):
        answer = self._ec2(
            "describe_instance_attribute", InstanceId=instance_id, Attribute="userData"
        )
        return base64.b64decode(answer["UserData"]["Value"])

    def _ec2(self, method, **arguments):
        request = {"method": method, "region": REGION, "kwargs": arguments}
        return self._control("POST", "boto3", request)

    def change_inductiva(self, **changes):
        self._control("PUT", "inductiva", changes)

    def fault(self, operation, **description):
        """Orders a fault of the Inductiva API."""
        fault = {"service": "inductiva", "operation": operation, **description}
        self._control("POST", "faults", fault)

    def clear_faults(self):
        self._control("DELETE", "faults")

    def group(self):
        """The machine group as the Inductiva API has it, or None."""
        groups = self._control("GET", "inductiva")["groups"]
        named = [group for group in groups if group["name"] == self._group]
        return named[-1] if named else None

    def machines(self):
        """All that ever registered in the group."""
        group = self.group()
        return group["machines"] if group else []

    def requests(self):
        """All recorded calls of the Inductiva API."""
        recorded = self._control("GET", "requests")
        return [call for call in recorded if call["service"] == "inductiva"]

    def calls(self, operation):
        """The recorded calls of one of its operations."""
        return [call for call in self.requests() if call["operation"] == operation]

    def _control(self, method, path, body=None):
        return request_json(method, f"{self._url}/_sandbox/{path}", body)
