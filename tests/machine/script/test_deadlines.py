"""The deadlines of user-data.sh: when a machine powers itself off, whatever happens."""

import re
import shlex
import time
import unittest

from machine import ME, MachineTest


class Deadlines(MachineTest):
    def test_they_are_armed_before_anything_else(self):
        (self.case / "bin/docker").unlink()
        self.boot(MAX_LIFETIME_SECONDS="28800")
        timers = "inductiva-aws-boot-deadline.timer inductiva-aws-lifetime.timer"
        self.assertEqual(
            self.texts()[:2],
            [f"systemctl enable --quiet {timers}", f"systemctl restart {timers}"],
        )

    def test_they_are_absolute_times_that_a_reboot_neither_moves_nor_loses(self):
        before = int(time.time())
        self.boot(BOOT_TIMEOUT_SECONDS="600", MAX_LIFETIME_SECONDS="28800")
        for name, seconds in (("boot-deadline", 600), ("lifetime", 28800)):
            timer = self.unit(f"inductiva-aws-{name}.timer")
            at = int(re.search(r"^OnCalendar=@(\d+)$", timer, re.M)[1])
            self.assertTrue(before + seconds <= at <= time.time() + seconds, timer)
            self.assertIn(f"\nOnActiveSec={seconds}\n", timer)
            self.assertIn("\nPersistent=true\n", timer)
            self.assertIn("\nAccuracySec=1s\n", timer)
            self.assertIn("\nWantedBy=timers.target\n", timer)

    def test_a_second_run_without_a_lifetime_takes_the_first_ones_away(self):
        self.boot(MAX_LIFETIME_SECONDS="28800")
        self.forget()
        self.assertEqual(self.boot(MAX_LIFETIME_SECONDS=""), 0, self.output)
        texts = self.texts("systemctl")
        self.assertEqual(texts[:3], [
            "systemctl enable --quiet inductiva-aws-boot-deadline.timer",
            "systemctl restart inductiva-aws-boot-deadline.timer",
            "systemctl disable --quiet --now inductiva-aws-lifetime.timer",
        ])
        self.assertEqual(self.unit("inductiva-aws-lifetime.timer"), "")
        self.assertEqual(self.unit("inductiva-aws-lifetime.service"), "")

    def test_a_budget_is_a_deadline_that_counts_from_the_boot(self):
        # A thousand seconds of uptime are paid for already.
        self.boot(BUDGET_SECONDS="3600", MAX_LIFETIME_SECONDS="28800")
        self.assertIn("\nOnActiveSec=2600\n", self.unit("inductiva-aws-budget.timer"))
        self.assertIn("inductiva-aws-budget.timer", self.texts("systemctl restart")[0])
        self.end("budget")
        self.assertEqual(self.console[:1], [])
        self.be_at(3600)
        self.end("budget")
        self.assertIn("the budget is used up", self.console)
        self.assertTrue(self.ending)

    def test_a_later_launch_ends_with_the_first(self):
        end = int(time.time()) + 1800
        self.boot(BUDGET_SECONDS="36000", BUDGET_ENDS=str(end))
        timer = self.unit("inductiva-aws-budget.timer")
        left = int(re.search(r"^OnActiveSec=(\d+)$", timer, re.M)[1])
        at = int(re.search(r"^OnCalendar=@(\d+)$", timer, re.M)[1])
        self.assertTrue(end - time.time() <= left <= 1800, timer)
        self.assertIn(at, (end, end + 1))

    def test_a_clock_that_is_behind_makes_no_budget_longer(self):
        far = str(int(time.time()) + 10**6)
        self.boot(BUDGET_SECONDS="36000", BUDGET_ENDS=far)
        self.assertIn("\nOnActiveSec=35000\n", self.unit("inductiva-aws-budget.timer"))

    def test_a_budget_that_is_used_up_powers_off(self):
        for variables in (
            {"BUDGET_SECONDS": "36000", "BUDGET_ENDS": str(int(time.time()) - 1)},
            {"BUDGET_SECONDS": "1000"},
        ):
            with self.subTest(variables):
                self.variables.pop("BUDGET_ENDS", None)
                self.boot(**variables)
                self.assert_failed("deadlines: the budget is used up")
                self.forget()

    def test_a_budget_that_is_no_number_powers_off(self):
        self.boot(BUDGET_SECONDS="20 USD")
        self.assert_failed("deadlines: not a number of seconds: 1800, , 20 USD$")

    def test_a_second_run_without_a_budget_takes_the_first_ones_away(self):
        self.boot(BUDGET_SECONDS="3600", MAX_LIFETIME_SECONDS="28800")
        self.forget()
        self.assertEqual(self.boot(BUDGET_SECONDS=None), 0, self.output)
        self.assertEqual(self.unit("inductiva-aws-budget.timer"), "")
        self.assertNotEqual(self.unit("inductiva-aws-lifetime.timer"), "")

    def test_a_clock_set_forward_ends_no_good_machine(self):
        self.boot(BOOT_TIMEOUT_SECONDS="600", MAX_LIFETIME_SECONDS="28800")
        # By the wall clock it is time.
        for name, seconds in (("boot-deadline", 600), ("lifetime", 28800)):
            for uptime, ends in ((1010, False), (1000 + seconds - 20, False), (1000 + seconds, True)):
                with self.subTest(name=name, uptime=uptime):
                    self.be_at(uptime)
                    self.end(name)
                    self.assertEqual(bool(self.ending), ends)
                    self.assertEqual(bool(self.console), ends)
            # After a reboot the uptime says nothing.
            with self.subTest(name=name, reboot=True):
                self.be_at(10)
                self.write("root/proc/sys/kernel/random/boot_id", "5f0c6a5e-the-second-boot\n")
                self.end(name)
                self.assertTrue(self.ending)
                self.write("root/proc/sys/kernel/random/boot_id", "5f0c6a5e-the-first-boot\n")

    def test_a_deadline_of_another_machine_ends_nothing_and_its_own_does(self):
        uuid = "root/sys/class/dmi/id/product_uuid"
        for name in ("boot-deadline", "lifetime"):
            self.boot(MAX_LIFETIME_SECONDS="28800")
            self.be_at(40_000)
            with self.subTest("Nitro"):
                self.be_machine("i-0fedcba9876543210")
                self.end(name)
                self.assertEqual((self.ending, self.console), ([], []))
                self.be_machine(ME)
                self.end(name)
                self.assertTrue(self.ending)
            with self.subTest("Xen"):
                # No board there, or one without a tag.
                self.be_machine("Not Specified")
                self.write(uuid, "EC2AE145-D1DC-13B2-94ED-012345ABCDEF\n")
                self.boot(MAX_LIFETIME_SECONDS="28800")
                self.be_at(80_000)
                self.write(uuid, "EC2AE145-D1DC-13B2-94ED-999999999999\n")
                self.end(name)
                self.assertEqual((self.ending, self.console), ([], []))
                # Another kernel may write it in small letters.
                self.write(uuid, "ec2ae145-d1dc-13b2-94ed-012345abcdef\n")
                self.end(name)
                self.assertTrue(self.ending)
            (self.case / uuid).unlink()
            self.be_machine(ME)
            self.be_at(1000)

    def test_a_deadline_holds_when_the_machine_has_a_board_of_another_kind_by_now(self):
        uuid = "root/sys/class/dmi/id/product_uuid"
        instance_id = "root/var/lib/inductiva-aws/instance-id"
        # From Xen to Nitro: what the supervisor last knew as the id decides.
        for known, ends in ((ME, True), ("i-0fedcba9876543210", False), (None, True)):
            with self.subTest(known=known):
                self.be_machine("")
                self.write(uuid, "ec2ae145-one\n")
                self.be_at(1000)
                self.boot()
                if known:
                    self.write(instance_id, f"{known}\n")
                self.be_machine(ME)
                self.be_at(50_000)
                self.end("boot-deadline")
                self.assertEqual(bool(self.ending), ends)
        with self.subTest("from Nitro to Xen"):
            self.be_at(1000)
            self.boot()
            self.be_machine("")
            self.be_at(50_000)
            self.end("boot-deadline")
            self.assertTrue(self.ending)

    def test_what_cannot_be_read_is_no_reason_to_let_a_deadline_pass(self):
        board = "root/sys/class/dmi/id/board_asset_tag"
        boot_id = "root/proc/sys/kernel/random/boot_id"
        for missing in ([board], [board, boot_id], ["root/var/lib/inductiva-aws/not-due"]):
            for when in ("at the boot", "later"):
                if "not-due" in missing[0] and when == "at the boot":
                    continue
                with self.subTest(missing=missing, when=when):
                    kept = {}
                    if when == "later":
                        self.boot()
                    for name in missing:
                        kept[name] = self.read(name)
                        (self.case / name).unlink()
                    if when == "at the boot":
                        self.boot()
                        self.be_machine("i-0fedcba9876543210")
                    self.be_at(50_000)
                    self.end("boot-deadline")
                    self.assertTrue(self.ending, self.output)
                    self.be_at(1000)
                    for name, text in kept.items():
                        self.write(name, text)

    def test_without_a_lifetime_there_is_no_timer_for_it(self):
        for lifetime in ("", None):
            self.boot(MAX_LIFETIME_SECONDS=lifetime)
            self.assertEqual(self.unit("inductiva-aws-lifetime.timer"), "")
            self.assertNotIn("lifetime", self.read("calls"))

    def test_the_boot_has_half_an_hour_unless_it_is_said(self):
        self.boot(BOOT_TIMEOUT_SECONDS=None)
        self.assertIn("OnActiveSec=1800\n", self.unit("inductiva-aws-boot-deadline.timer"))

    def test_a_deadline_that_is_no_number_powers_off(self):
        self.boot(BOOT_TIMEOUT_SECONDS="30m")
        self.assert_failed("deadlines: not a number of seconds: 30m, $")

    def test_a_lifetime_that_is_no_number_powers_off(self):
        self.boot(MAX_LIFETIME_SECONDS="eight hours")
        self.assert_failed("deadlines: not a number of seconds: 1800, eight hours$")

    def be_at(self, uptime):
        self.write("root/proc/uptime", f"{uptime}.00 1.00\n")

    def end(self, name):
        """Runs what an ending service runs."""
        unit = self.unit(f"inductiva-aws-{name}.service")
        command = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M)[1])
        self.assertEqual(command[:2], ["/bin/sh", "-c"])
        self.assertIn("\nDefaultDependencies=no\n", unit)
        self.forget()
        self.run_bash("-c", command[2])

    def test_a_deadline_says_so_and_powers_off(self):
        self.boot(BOOT_TIMEOUT_SECONDS="600", MAX_LIFETIME_SECONDS="28800")
        for name, line in (
            ("boot-deadline", "failed boot-deadline: not registered within 10m"),
            ("lifetime", "the maximum lifetime of 8h is over"),
            ("end", "powering off"),
        ):
            self.be_at(30000)
            self.end(name)
            self.assertEqual(self.console, [line])
            self.assertIn(line, self.output)
            self.assertEqual(self.ending[0], "systemctl poweroff -i")

    def test_a_power_off_that_hangs_is_forced(self):
        self.boot()
        self.write("impatient", "")
        self.reply("systemctl-poweroff", '[[ $* == *--force* ]] || hang')
        self.end("end")
        self.assertEqual(self.ending, ["systemctl poweroff -i", "systemctl poweroff --force --force"])
        self.assertEqual(self.pauses(), [300])

    def test_a_power_off_that_is_refused_is_forced(self):
        self.boot()
        self.reply("systemctl-poweroff", '[[ $* == *--force* ]] || exit 1')
        self.end("end")
        self.assertEqual(self.ending[-1], "systemctl poweroff --force --force")


if __name__ == "__main__":
    unittest.main()
