"""Checks that the sandbox is what it says: run it with the sandbox's own Python.

target/sandbox/venv/bin/python tests/sandbox/selftest.py
"""

import os
import subprocess
import threading
import unittest
import urllib.parse

from botocore.exceptions import ConnectionClosedError
from sandbox_test import HERE, Sandbox, SandboxTest


class Accounts(SandboxTest):
    def test_nothing_is_left_of_an_account_that_is_forgotten_and_others_stay(self):
        other = next(self.accounts)
        self.launch(client=self.client("ec2", account=other))
        self.launch(ClientToken="once")
        self.control("DELETE", "account")
        self.assertEqual(self.instances(), [])
        self.assertEqual(self.control("GET", "launched")["instances"], [])
        operations = [r["operation"] for r in self.control("GET", "requests")]
        self.assertEqual(operations, ["DescribeInstances"])
        self.launch(ClientToken="once")
        self.assertEqual(len(self.instances()), 1)
        self.account = other
        self.assertEqual(len(self.control("GET", "launched")["instances"]), 1)


class Identity(SandboxTest):
    def test_the_account_is_the_path(self):
        identity = self.client("sts").get_caller_identity()
        self.assertEqual(identity["Account"], self.account)
        self.assertEqual(identity["Arn"], f"arn:aws:iam::{self.account}:user/sandbox")

    def test_an_invalid_key_is_refused_as_each_service_does(self):
        key = "AKIAINVALIDKEYEXAMPLE"
        self.refused(
            "AuthFailure", self.client("ec2", key=key).describe_regions, status=401
        )
        self.refused(
            "InvalidClientTokenId",
            self.client("sts", key=key).get_caller_identity,
            status=403,
        )

    def test_accounts_share_nothing(self):
        self.launch(ClientToken="a")
        other = self.client("ec2", account=next(self.accounts))
        self.assertEqual(other.describe_instances()["Reservations"], [])
        self.launch(ClientToken="a", MinCount=2, MaxCount=2, client=other)
        self.assertEqual(len(self.instances()), 1)
        self.assertEqual(len(self.control("GET", "launched")["instances"]), 1)


class RecorderAndFaults(SandboxTest):
    def test_delayed_requests_overlap_and_are_recorded(self):
        self.control("PUT", "settings", {"delay_ms": 200})
        calls = (self.ec2.describe_regions, self.client("sts").get_caller_identity)
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one, two = self.control("GET", "requests")
        self.assertEqual({one["service"], two["service"]}, {"ec2", "sts"})
        self.assertLess(two["started"], one["ended"])
        for entry in (one, two):
            self.assertGreaterEqual(entry["ended"] - entry["started"], 0.2)
            self.assertEqual((entry["status"], entry["error_code"]), (200, None))
            self.assertEqual(entry["region"], "eu-west-2")
            self.assertIn("Boto3", entry["user_agent"])
        self.control("DELETE", "requests")
        self.assertEqual(self.control("GET", "requests"), [])

    def test_the_observer_is_not_recorded_nor_delayed_nor_struck(self):
        self.launch()
        self.control("DELETE", "requests")
        # A delay of an hour is not waited for.
        self.control("PUT", "settings", {"delay_ms": 3_600_000})
        self.control("POST", "faults", {"service": "ec2", "operation": "*", "count": None})
        body = {"service": "ec2", "region": "eu-west-2", "method": "describe_instances"}
        answer = self.control("POST", "boto3", {**body, "paginate": True})
        self.assertEqual(len(answer["Reservations"]), 1)
        self.assertEqual(self.control("GET", "requests"), [])
        status, answer = self.http(
            "POST", "/_sandbox/boto3", {**body, "kwargs": {"InstanceIds": ["i-1"]}}
        )
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["Code"], "InvalidInstanceID.Malformed")

    def test_an_ordered_error_strikes_as_ordered(self):
        fault = {
            "service": "ec2",
            "operation": "RunInstances",
            "match": {"InstanceType": "t3.micro"},
            "after": 1,
            "status": 500,
            "code": "InsufficientInstanceCapacity",
            "message": "no <capacity>",
        }
        self.control("POST", "faults", fault)
        self.launch(InstanceType="t3.micro")
        self.launch()
        message = self.refused(
            "InsufficientInstanceCapacity",
            self.launch,
            InstanceType="t3.micro",
            status=500,
        )
        self.assertEqual(message, "no <capacity>")
        self.launch(InstanceType="t3.micro")
        self.assertEqual(len(self.instances()), 3)
        codes = [entry["error_code"] for entry in self.control("GET", "requests")]
        self.assertIn("InsufficientInstanceCapacity", codes)

    def test_a_lost_answer_takes_effect_and_a_reset_does_not(self):
        order = {"service": "ec2", "operation": "RunInstances"}
        self.control("POST", "faults", {**order, "kind": "reset"})
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken="a")
        self.assertEqual(self.instances(), [])
        self.control("POST", "faults", {**order, "kind": "lost_answer"})
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken="a")
        launched = self.instances()
        self.assertEqual(len(launched), 1)
        self.assertEqual(self.launch_ids(ClientToken="a"), [launched[0]["InstanceId"]])

    def test_a_reset_is_one_on_the_wire_and_a_lost_answer_a_plain_end(self):
        order = {"service": "ec2", "operation": "*"}
        for kind in ("reset", "lost_answer"):
            self.control("POST", "faults", {**order, "kind": kind})
            client = self.raw_call("Action=DescribeRegions")
            if kind == "reset":
                self.assertRaises(ConnectionResetError, client.recv, 1)
            else:
                self.assertEqual(client.recv(1), b"")

    def test_a_stall_and_what_is_no_fault(self):
        order = {"service": "sts", "operation": "GetCallerIdentity"}
        before = self.control("GET", "clock")["now"]
        self.control("POST", "faults", {**order, "kind": "stall", "seconds": 300})
        self.client("sts").get_caller_identity()
        self.assertAlmostEqual(self.control("GET", "clock")["now"], before + 300, 3)
        for wrong in ({**order, "kind": "flood"}, {**order, "cod": "x"}, {"service": "ec2"}):
            self.assertEqual(self.http("POST", "/_sandbox/faults", wrong)[0], 400)
        self.assertEqual(self.http("PUT", "/_sandbox/settings", {"delay": 1})[0], 400)


class Inductiva(SandboxTest):
    def create(self, **body):
        return self.api("POST", "/compute/group", {"provider_id": "LOCAL", **body})

    def test_a_group_from_creation_to_deletion(self):
        name = "my group/ö_1"
        path = f"/compute/group/{urllib.parse.quote(name, safe='')}"
        status, answer = self.api("GET", path)
        self.assertEqual(status, 404)
        self.assertIn("detail", answer)
        status, group = self.create(name=name, cpu_cores_logical=2)
        self.assertEqual((status, group["status"], group["name"]), (201, "started", name))
        self.assertEqual(self.api("GET", path)[1]["id"], group["id"])
        self.assertEqual(len(self.api("GET", "/compute/groups")[1]), 1)
        deletion = f"/compute/group?machine_group_id={group['id']}"
        self.assertEqual(self.api("DELETE", deletion)[0], 202)
        self.assertEqual(self.api("GET", "/compute/groups")[1], [])
        status, group = self.api("GET", path)
        self.assertEqual((status, group["status"]), (200, "terminated"))
        (kept,) = self.control("GET", "inductiva")["groups"]
        self.assertEqual(kept["create_body"]["cpu_cores_logical"], 2)
        operations = [e["operation"] for e in self.control("GET", "requests")]
        self.assertIn(f"GET /compute/group/{name}", operations)

    def test_keys_and_outages(self):
        self.assertEqual(self.api("GET", "/users/info")[0], 200)
        status, answer = self.api("GET", "/users/info", key="wrong")
        self.assertEqual((status, answer), (401, {"detail": "Invalid API key"}))
        self.control("PUT", "inductiva", {"keys": ["other"], "rejected_key_status": 403})
        self.assertEqual(self.api("GET", "/users/info")[0], 403)
        self.assertEqual(self.api("GET", "/users/info", key="other")[0], 200)
        self.control("PUT", "inductiva", {"status": 503})
        self.assertEqual(self.api("GET", "/users/info", key="other")[0], 503)

    def test_bad_bodies_are_422_with_a_list(self):
        for body in ({"cpu_cores_logical": "2"}, {"name": 3}, {"provider_id": "MOON"}):
            status, answer = self.create(**body)
            self.assertEqual(status, 422, body)
            self.assertEqual(set(answer["detail"][0]), {"loc", "msg", "type"})
        self.assertEqual(self.api("POST", "/compute/group", {"name": "x"})[0], 422)
        self.assertEqual(self.create(machine_type="t2.micro", name="a_b")[0], 201)
        self.control("PUT", "inductiva", {"refuse_machine_type": True})
        self.assertEqual(self.create(machine_type="t2.micro")[0], 422)
        self.control("PUT", "inductiva", {"strict_names": True})
        self.assertEqual(self.create(name="a_b")[0], 422)
        self.assertEqual(self.create(name="a-b")[0], 201)

    def test_machines_register_and_end(self):
        self.control("PUT", "settings", {"pending_seconds": 0, "shutting_down_seconds": 0})
        self.create(name="g")
        self.control("PUT", "inductiva", {"auto_register_seconds": 0})
        tags = [{"Key": "inductiva:machine-group", "Value": "g"}]
        ids = self.launch_ids(
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
        )
        (machine,) = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual(machine["host_name"], ids[0])
        self.assertIsNone(machine["terminated_at"])
        edit = {"host_name": ids[0], "current_task_id": "t"}
        self.control("PUT", "inductiva", {"machines": [edit]})
        self.control("PUT", "inductiva", {"register": {"group": "g", "host_name": "i-x"}})
        machines = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual([m["current_task_id"] for m in machines], ["t", None])
        self.ec2.terminate_instances(InstanceIds=ids)
        machines = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual([bool(m["terminated_at"]) for m in machines], [True, False])

    def test_the_runner_registers_polls_and_ends(self):
        group = self.create(name="g")[1]
        body = {"host_name": "i-1", "host_id": "i-1", "machine_group_id": group["id"]}
        status, answer = self.api("POST", "/task-runner/register", body)
        self.assertEqual(status, 202)
        runner = f"/task-runner/{answer['task_runner_id']}"
        self.assertEqual(self.api("GET", f"{runner}/task?block_s=0"), (204, None))
        event = {"type": "TaskRunnerTerminated", "json": "{}"}
        self.assertEqual(self.api("POST", f"{runner}/event", event)[0], 202)
        (machine,) = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertIsNotNone(machine["terminated_at"])

    def test_faults(self):
        fault = {"service": "inductiva", "operation": "POST /compute/group"}
        detail = {"status": 409, "detail": "exists"}
        self.control("POST", "faults", {**fault, **detail, "match": {"name": "g"}})
        self.assertEqual(self.create(name="h")[0], 201)
        self.assertEqual(self.create(name="g"), (409, {"detail": "exists"}))


class Server(unittest.TestCase):
    def test_it_ends_when_its_stdin_does(self):
        self.assertEqual(Sandbox().end(), 0)

    def test_it_ends_when_terminated(self):
        sandbox = Sandbox()
        sandbox.process.terminate()
        sandbox.process.stdin.close()
        sandbox.process.stdout.close()
        self.assertNotEqual(sandbox.process.wait(timeout=180), 0)


class Run(unittest.TestCase):
    """The `run` script, with a directory in which the program need not be."""

    def run_in(self, *command, **options):
        environment = {
            **os.environ,
            "INDUCTIVA_AWS_BIN_DIR": "/bin",
            "AWS_PROFILE": "mine",
            "HTTPS_PROXY": "http://192.0.2.1:1",
            "INDUCTIVA_TASK_RUNNER_IMAGE": "mine",
        }
        return subprocess.Popen(
            [str(HERE / "run"), *command],
            env=environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def test_streams_and_exit_code_are_the_commands(self):
        process = self.run_in("bash", "-c", "cat; echo err >&2; pwd; exit 42")
        out, err = process.communicate(b"in\n", timeout=180)
        self.assertEqual((out, err, process.returncode), (b"in\n/\n", b"err\n", 42))

    def test_a_signal_is_128_and_more_and_a_missing_command_127(self):
        for command, code in ((("bash", "-c", "kill -9 $$"), 137), (("nosuch",), 127)):
            process = self.run_in(*command)
            process.communicate(timeout=180)
            self.assertEqual(process.returncode, code)

    def test_the_environment_is_the_sandboxs(self):
        process = self.run_in("env", "-0")
        out, _ = process.communicate(timeout=180)
        environment = dict(line.split("=", 1) for line in out.decode().split("\0") if line)
        for absent in ("AWS_PROFILE", "HTTPS_PROXY", "INDUCTIVA_TASK_RUNNER_IMAGE"):
            self.assertNotIn(absent, environment)
        self.assertFalse(os.path.exists(environment["HOME"]))
        self.assertTrue(environment["PATH"].startswith("/bin:"))
        self.assertEqual(
            environment["AWS_ENDPOINT_URL"],
            environment["INDUCTIVA_AWS_SANDBOX"] + "/123456789012",
        )

    def test_a_termination_reaches_the_command_and_is_cleaned_up_after(self):
        process = self.run_in(
            "bash", "-c", 'trap "exit 7" TERM; echo "$HOME"; while :; do sleep 0.05; done'
        )
        home = process.stdout.readline().decode().strip()
        self.assertTrue(os.path.isdir(home))
        process.terminate()
        process.communicate(timeout=180)
        self.assertEqual(process.returncode, 7)
        self.assertFalse(os.path.exists(home))


if __name__ == "__main__":
    unittest.main()
