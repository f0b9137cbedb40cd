"""A runner that is gone: nothing of ours runs any more but the machines."""

from job import ActionTest


class Lost(ActionTest):
    def test_machines_end_themselves_after_an_hour_unless_told_otherwise(self):
        for lifetime, seconds in ((None, 3600), ("30m", 1800)):
            with self.subTest(lifetime):
                self.account.put("traits", {"ends_at_lifetime": True})
                step = self.job.step(
                    num_machines="2", **({"max_lifetime": lifetime} if lifetime else {})
                )
                self.assertEqual(step.main(), 0, step.log)
                # A minute for them to boot.
                self.account.put("clock", {"advance": seconds - 60})
                self.assertEqual(len(self.account.live()), 2)
                self.account.put("clock", {"advance": 120})
                self.assertEqual(self.account.live(), [])
