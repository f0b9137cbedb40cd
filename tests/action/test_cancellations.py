"""Steps that are cut off at every call that main's `start` makes, and jobs without an end."""

import concurrent.futures
import itertools
import os
import signal

from job import REGION, Account, ActionTest, Job, Step, until

# A tenth of what the runner lets pass, unless the real pauses are asked for.
PAUSES = (7.5, 2.5) if os.environ.get("INDUCTIVA_AWS_ACTION_PAUSES") else (0.2, 0.1)
WAYS = ("cancelled", "killed", "all killed")
# Most of each case is waiting for processes to start.
SIDE_BY_SIDE = 4


def calls_of_a_start():
    """Each call of an undisturbed main: service, operation and which of its kind."""
    account = Account()
    job = Job(account)
    step = job.step(num_machines="2", wait="running")
    assert step.main() == 0, step.log
    seen = {}
    for request in account.get("requests"):
        key = (request["service"], request["operation"])
        if key[0] != "inductiva" and request["region"] not in (REGION, None):
            continue
        seen[key] = seen.get(key, 0) + 1
        # The name of a group is another one in each run.
        yield key[0], key[1].replace(step.outputs["group"], "*"), seen[key] - 1
    assert step.post() == 0, step.log
    job.temporary.cleanup()


class Cancelled(ActionTest):
    def cut_off(self, service, operation, after, kind, way):
        account = Account()
        job = Job(account)
        self.addCleanup(job.temporary.cleanup)
        account.post("faults", {
            "service": service, "operation": operation, "after": after, "kind": kind,
        })
        step = job.step(num_machines="2", wait="running")
        step.begin()
        until("the call is held", lambda: account.held() or step.process.poll() is not None)
        match way:
            case "cancelled":
                step.cancel(PAUSES)
            case "killed":
                # The start lives on, until post sees to it.
                step.process.kill()
            case "all killed":
                step.kill_all()
        step.process.wait()
        # What was sent takes effect, whoever has sent it.
        account.post("release", {})
        step.end()
        code = step.post()
        self.assertEqual(code, 0, step.log)
        self.assert_none_left(account)
        self.assert_no_secrets(step)

    def test_no_machine_is_left_whatever_call_main_is_cut_off_at(self):
        calls = list(dict.fromkeys(calls_of_a_start()))
        self.assertIn(("ec2", "RunInstances", 0), calls)
        cases = list(itertools.product(calls, ("hold", "hold_answer"), WAYS))
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            ended = [pool.submit(self.cut_off, *call, kind, way) for call, kind, way in cases]
        for case, future in zip(cases, ended):
            with self.subTest(case):
                future.result()

    def test_machines_that_show_late_are_ended_too(self):
        for visible_after in (30, 100):
            with self.subTest(visible_after):
                account = Account()
                job = Job(account)
                self.addCleanup(job.temporary.cleanup)
                account.put("settings", {"visible_after_seconds": visible_after})
                account.post("faults", {
                    "service": "ec2", "operation": "RunInstances", "kind": "hold_answer",
                })
                # Inductiva does not know the group: nothing is left that tells of it.
                account.put("inductiva", {"status": 503})
                step = job.step(num_machines="2", wait="false")
                step.begin()
                until("the launch is held", account.held)
                # A start that lives on would wait for the machines, and the clock go on.
                step.kill_all()
                step.end()
                account.post("release", {"drop": True})
                account.put("inductiva", {"status": None})
                self.assertEqual(account.launched(), 2)
                self.assertEqual(step.post(), 0, step.log)
                self.assert_none_left(account)

    def test_a_start_that_outlives_main_is_ended_before_anything_is_looked_for(self):
        self.account.post("faults", {
            "service": "ec2", "operation": "RunInstances", "kind": "hold",
        })
        step = self.job.step(num_machines="2")
        step.begin()
        until("the launch is held", self.account.held)
        step.process.send_signal(signal.SIGKILL)
        step.end()
        post = step.post()
        # Only now EC2 would hear of it, if anybody still waited for the answer.
        self.account.post("release", {"drop": True})
        self.assertEqual(post, 0, step.log)
        self.assertIn("was killed", step.log)
        self.assert_none_left()

    def test_a_step_that_is_cut_off_before_it_launches_leaves_nothing_to_do(self):
        step = self.job.step()
        step.state = {"group": "ci-4711-1-abcdefgh", "region": REGION}
        self.assertEqual(step.post(), 0, step.log)
        self.assertIn("nothing was launched", step.log)
        # Nor one that was not even begun.
        self.assertEqual(Step(self.job, {}).post(), 0)
        self.assertEqual(self.account.get("requests"), [])

    def test_a_second_cancellation_does_not_stop_post(self):
        step = self.job.step(num_machines="2")
        self.assertEqual(step.main(), 0, step.log)
        self.account.post("faults", {
            "service": "ec2", "operation": "TerminateInstances", "kind": "hold",
        })
        step.begin("post")
        until("the call is held", self.account.held)
        step.process.send_signal(signal.SIGINT)
        step.process.send_signal(signal.SIGTERM)
        self.account.post("release", {})
        self.assertEqual(step.end(), 0, step.log)
        self.assertEqual(self.account.live(), [])
