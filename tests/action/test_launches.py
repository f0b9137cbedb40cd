"""Launches that nobody disturbs, and those that fail."""

import json

from job import Account, ActionTest, Job, until


class Launches(ActionTest):
    def test_a_group_is_there_for_the_job_and_gone_after_it(self):
        step = self.job.step(num_machines="2")
        self.assertEqual(step.main(), 0, step.log)
        live = self.account.live()
        self.assertEqual(len(live), 2)
        self.assertEqual(sorted(json.loads(step.outputs["instance-ids"])), live)
        self.assertRegex(step.outputs["group"], r"^ci-4711-1-[a-z0-9]{8}$")
        self.assertEqual(step.outputs["region"], "eu-west-2")
        self.assertGreater(float(step.outputs["cost"]), 0)
        for shown in (step.outputs["group"], *live, "USD an hour", "t3.micro"):
            self.assertIn(shown, step.summary)
        self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])
        self.assertRegex(step.summary, rf"terminated ({live[0]} {live[1]}|{live[1]} {live[0]})")
        # What the machines came to, as `cost` says it: a table, and a line in words.
        self.assertRegex(step.summary, r"(?m)^<pre>GROUP +REGION +MACHINES +RAN +USD")
        self.assertRegex(
            step.summary,
            rf"(?m)^{step.outputs['group']}: 2 machines ran [0-9a-z]+ in all: about [0-9.]+ USD",
        )
        self.assert_no_secrets(step)

    def test_two_uses_in_a_job_and_two_legs_of_a_matrix_have_groups_of_their_own(self):
        other_leg = Job(self.account)
        self.addCleanup(other_leg.temporary.cleanup)
        steps = [self.job.step(), self.job.step(), other_leg.step()]
        for step in steps:
            self.assertEqual(step.main(), 0, step.log)
        groups = {step.outputs["group"] for step in steps}
        self.assertEqual(len(groups), 3)
        for left, step in enumerate(steps[::-1]):
            self.assertEqual(len(self.account.live()), 3 - left)
            self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])

    def test_a_machine_that_does_not_boot_is_told_with_its_last_lines(self):
        self.account.put("inductiva", {"auto_register_seconds": None})
        self.account.put("clock", {"pauses_wait": True})
        step = self.job.step()
        step.begin()
        [machine] = until("a machine is launched", self.account.live)
        console = "Linux\ninductiva-aws: phase images\n::error::not me\ninductiva-aws: failed images: <b>no\n"
        self.account.put("consoles", {machine: console})
        self.account.put("clock", {"await_pause": True})
        self.account.put("clock", {"advance": 1})
        self.account.post("power_off", {"instance_ids": [machine]})
        self.account.put("clock", {"pauses_wait": False})
        self.assertEqual(step.end(), 1, step.log)
        self.assertIn("failed images: &lt;b&gt;no", step.summary)
        self.assertIn(machine, step.summary)
        # What a console says is no command to the runner.
        self.assertNotIn("not me", step.errors)
        stopped = step.log.index("::stop-commands::")
        token = step.log[stopped:].splitlines()[0].removeprefix("::stop-commands::")
        self.assertLess(stopped, step.log.index("not me"))
        self.assertLess(step.log.index("not me"), step.log.index(f"::{token}::"))
        self.assertEqual(step.post(), 0, step.log)
        self.assert_none_left()
        self.assert_no_secrets(step)

    def test_a_start_that_ended_by_itself_with_nothing_left_needs_one_look(self):
        refusals = {
            "2": {"vm-type": "no type"},
            "4": {"api-key": "not-the-key"},
            "5": {},
        }
        for code, inputs in refusals.items():
            with self.subTest(code):
                account = Account()
                job = Job(account)
                self.addCleanup(job.temporary.cleanup)
                if code == "5":
                    account.put("capacity", {"rules": [{"available": 0}]})
                step = job.step(**inputs)
                self.assertEqual(step.main(), 1, step.log)
                self.assertEqual(step.state["start"], code, step.log)
                self.assertEqual(step.post(), 0, step.log)
                # No second look, for which it would pause.
                self.assertEqual(step.log.count("::stop-commands::"), 2)
                self.assertEqual(account.live(), [])
                self.assertEqual(account.launched(), 0)

    def test_an_input_that_cannot_be_used_launches_nothing(self):
        step = self.job.step(wait="forever")
        self.assertEqual(step.main(), 1)
        self.assertIn("wait: forever", step.errors[0])
        self.assertEqual(step.post(), 0, step.log)
        self.assertIn("nothing was launched", step.log)

    def test_no_value_passes_for_an_option(self):
        step = self.job.step(max_lifetime="--dry-run")
        self.assertEqual(step.main(), 1)
        self.assertEqual(step.state["start"], "2", step.log)
        self.assertEqual(self.account.launched(), 0)


class NotEnded(ActionTest):
    def launched(self):
        step = self.job.step(num_machines="2")
        self.assertEqual(step.main(), 0, step.log)
        return step, self.account.live()

    def assert_loud(self, step, machines):
        self.assertEqual(step.post(), 1, step.log)
        for where in ("\n".join(step.errors), step.summary):
            for shown in (*machines, f"inductiva-aws terminate {step.outputs['group']} --yes --region eu-west-2"):
                self.assertIn(shown, where)

    def test_credentials_that_are_no_longer_good_are_told_with_the_machines(self):
        step, machines = self.launched()
        self.account.post("faults", {
            "service": "*", "operation": "*", "count": None,
            "status": 401, "code": "AuthFailure", "message": "no",
        })
        self.assert_loud(step, machines)
        self.assertEqual(self.account.live(), machines)

    def test_not_found_after_a_launch_is_never_done(self):
        # A later step has signed in to another account.
        step, machines = self.launched()
        self.job.environment |= Account().environment()
        self.assert_loud(step, machines)

    def test_machines_that_cannot_be_ended_are_named(self):
        step, machines = self.launched()
        self.account.post("faults", {
            "service": "ec2", "operation": "TerminateInstances", "count": None,
            "status": 403, "code": "UnauthorizedOperation", "message": "no",
        })
        self.assert_loud(step, machines)

    def test_a_fault_that_passes_is_got_over(self):
        step, _ = self.launched()
        self.account.post("faults", {
            "service": "ec2", "operation": "*", "count": None, "for_seconds": 100,
            "status": 503, "code": "Unavailable", "message": "no",
        })
        self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])

    def test_a_region_that_a_later_step_has_changed_is_not_asked(self):
        step, _ = self.launched()
        self.job.environment |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])

    def test_a_program_that_a_later_step_has_removed_is_fetched_again(self):
        step, _ = self.launched()
        for file in (self.job.folder / "temp").rglob("inductiva-aws"):
            file.unlink()
        self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])
