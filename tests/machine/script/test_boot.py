"""user-data.sh itself: from its first line to the start of the supervisor."""

import fcntl
import gzip
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from machine import GROUP_ID, HERE, KEY, ME, SCRIPT, MachineTest

PHASES = ["deadlines", "container-engine", "images", "configuration"]


def after_phase(phase, line):
    """The script with a line more, right after it entered a phase."""

    def edit(script):
        assert script.count(f"\nenter {phase}\n") == 1, phase
        return script.replace(f"\nenter {phase}\n", f"\nenter {phase}\n{line}\n")

    return edit


class Script(unittest.TestCase):
    def test_it_fits_into_user_data_beside_its_preamble(self):
        # 16,384 bytes are EC2's limit for what is sent, which is gzip; a preamble
        # has up to 700 bytes, and your own lines should fit too.
        self.assertLess(len(gzip.compress(SCRIPT.read_bytes(), mtime=0)), 14_000)


class Harness(MachineTest):
    def test_a_script_that_gets_no_further_is_ended_and_run_no_more(self):
        hung = []
        self.on_hang = hung.append
        with mock.patch("machine.PATIENCE_SECONDS", 0.4), mock.patch("machine.MOST_CALLS", 50):
            for line in ('"$REAL_SLEEP" 1000', "while :; do :; done", "while :; do docker version; done"):
                with self.subTest(line):
                    self.hangs = False
                    for words in ("it hangs", "not run"):
                        with self.assertRaisesRegex(AssertionError, words):
                            self.run_bash("-c", line)
        self.assertEqual(hung, [self.id()] * 3)


class Boot(MachineTest):
    def test_a_bare_machine_goes_through_all_phases_and_hands_over(self):
        (self.case / "bin/docker").unlink()
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.console, [f"phase {phase}" for phase in PHASES])
        self.assertEqual(self.ending, [])
        self.assertEqual(self.texts("docker run"), [])

    def test_what_is_said_on_the_console_is_in_the_log_too(self):
        self.boot()
        for line in self.console:
            self.assertIn(f"inductiva-aws: {line}\n", self.output)

    def test_a_machine_without_a_console_boots(self):
        os.unlink(self.root / "dev/console")
        os.rmdir(self.root / "dev")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertIn("inductiva-aws: phase images\n", self.output)


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
            ("boot-deadline", "failed boot-deadline: not registered within 600 s"),
            ("lifetime", "the maximum lifetime of 28800 s is over"),
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


class Failures(MachineTest):
    def test_a_command_that_fails_in_any_phase_is_said_with_its_line(self):
        for phase in PHASES:
            with self.subTest(phase):
                self.forget()
                self.assertNotEqual(self.boot(after_phase(phase, "false oh dear")), 0)
                self.assert_failed(rf"{phase}: line \d+, exit status 1: false oh dear$")
                self.assertEqual(self.phases[-1], phase)

    def test_the_exit_status_that_is_said_is_the_commands(self):
        self.boot(after_phase("images", "(exit 42)"))
        self.assert_failed("images: line .*exit status 42")

    def test_an_unset_variable_in_any_phase_powers_off(self):
        for phase in PHASES:
            with self.subTest(phase):
                self.forget()
                self.boot(after_phase(phase, 'echo "$NOT_THERE"'))
                self.assert_failed(f'{phase}: stopped at: echo "\\$NOT_THERE"')

    def test_a_syntax_error_powers_off(self):
        self.boot(after_phase("images", "if then fi"))
        self.assert_failed("images: ")

    def test_a_command_that_is_not_there_powers_off(self):
        self.boot(after_phase("images", "no-such-command"))
        self.assert_failed("images: .*exit status 127: no-such-command")

    def test_an_early_end_with_status_0_powers_off(self):
        self.boot(after_phase("images", "exit 0"))
        self.assert_failed("images: stopped at: exit 0")

    def test_a_failing_function_powers_off(self):
        self.boot(after_phase("images", "broken() { false; true; }; broken"))
        self.assert_failed(r"images: line \d+, exit status 1: false")

    def test_a_failing_substitution_powers_off(self):
        self.boot(after_phase("images", "broken=$(false)"))
        self.assert_failed("images: .*false")

    def test_a_script_that_is_killed_powers_off(self):
        self.boot(after_phase("images", "kill -TERM $$"))
        self.assert_failed("images: ")

    def test_a_unit_that_cannot_be_enabled_powers_off(self):
        self.reply("systemctl-enable", "[[ $* != *inductiva-aws.service* ]] || exit 1")
        self.boot()
        self.assert_failed("configuration: .*systemctl enable")

    def test_without_the_ending_service_the_machine_is_powered_off_directly(self):
        self.reply("systemctl-start", "[[ $* != *-end.service* ]] || exit 5")
        self.boot(after_phase("images", "false"))
        self.assertEqual(self.ending, self.ENDED + ["systemctl poweroff"])

    def test_when_nothing_orderly_works_the_machine_is_powered_off_by_force(self):
        self.reply("systemctl-start", "[[ $* != *-end.service* ]] || exit 5")
        self.reply("systemctl-poweroff", "[[ $* == *--force* ]] || exit 1")
        self.boot(after_phase("images", "false"))
        self.assertEqual(self.ending[-1], "systemctl poweroff --force --force")

    def test_a_hanging_systemd_does_not_hold_the_power_off(self):
        self.write("impatient", "")
        self.reply("systemctl-start", "[[ $* != *-end.service* ]] || hang")
        self.reply("systemctl-poweroff", "[[ $* == *--force* ]] || hang")
        self.boot(after_phase("images", "false"))
        self.assertEqual(self.ending[-1], "systemctl poweroff --force --force")

    def test_systemd_failing_from_the_start_powers_off(self):
        self.reply("systemctl-enable", "exit 1")
        self.boot()
        self.assert_failed("deadlines: .*systemctl enable")

    def test_no_key_is_said_after_the_deadlines_are_armed(self):
        for key in ("", None):
            with self.subTest(key=key):
                self.forget()
                self.boot(INDUCTIVA_API_KEY=key)
                self.assert_failed("configuration: INDUCTIVA_API_KEY is not set")
                self.assertEqual(len(self.calls("systemctl restart inductiva-aws-boot-deadline")), 1)

    def test_no_group_is_said(self):
        for name in ("", None):
            with self.subTest(name=name):
                self.forget()
                self.boot(MACHINE_GROUP_NAME=name)
                self.assert_failed("configuration: MACHINE_GROUP_NAME is not set")

    def test_an_idle_time_that_is_no_number_powers_off(self):
        self.boot(MAX_IDLE_MINUTES="long")
        self.assert_failed("configuration: ")

    def test_a_line_of_the_console_is_one_line(self):
        self.boot(after_phase("images", "sh -c 'echo a >&2\nexit 3'"))
        self.assert_failed("images: ")
        self.assertTrue(all(re.match("inductiva-aws: ", line)
                            for line in self.read("root/dev/console").splitlines()))


class ContainerEngine(MachineTest):
    INSTALL = "docker.io ca-certificates pigz"

    def apt(self, verb):
        return [text for text in self.texts("apt-get ") if f" {verb}" in text]

    def test_docker_that_is_there_and_works_is_left_alone(self):
        self.boot()
        self.assertEqual(self.texts("apt-get"), [])
        self.assertIn("systemctl start docker", self.texts())

    def test_docker_that_is_missing_is_installed_from_the_distribution(self):
        (self.case / "bin/docker").unlink()
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(len(self.apt("update")), 1)
        [install] = self.apt("install")
        self.assertTrue(install.endswith(f"install -y --no-install-recommends {self.INSTALL}"), install)
        self.assertIn("systemctl start docker", self.texts())

    def test_where_the_kernel_has_apparmor_its_tools_are_installed_too(self):
        (self.case / "bin/docker").unlink()
        self.write("root/sys/module/apparmor/parameters/enabled", "Y\n")
        self.assertEqual(self.boot(), 0, self.output)
        [install] = self.apt("install")
        self.assertTrue(install.endswith(f" {self.INSTALL} apparmor"), install)

    def test_what_apt_and_docker_say_is_in_a_log_and_not_on_the_console(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get", "echo 'Selecting a package' >&2")
        self.reply("docker-pull", "echo 'Status: downloaded'")
        self.reply("docker-version", "echo 'Server: Docker'")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.output.splitlines(), [f"inductiva-aws: phase {p}" for p in PHASES])
        for words, times in (("Selecting a package", 2), ("Status: downloaded", 2), ("Server: Docker", 1)):
            self.assertEqual(self.log.count(words), times, self.log)

    def test_a_failure_is_in_the_log_in_full(self):
        self.reply("docker-pull", "echo 'first words'; fail_the_first 2 'last words'")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.log.count("first words"), 4, self.log)
        self.assertNotIn("first words", self.output)

    def test_docker_that_is_there_and_dead_is_installed(self):
        self.write("engine-dead", "")
        self.reply("apt-get-install", '"$REAL_RM" "$CASE/engine-dead"')
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(len(self.apt("install")), 1)

    def test_docker_that_does_not_come_up_fails(self):
        (self.case / "bin/docker").unlink()
        self.write("engine-dead", "")
        self.boot()
        self.assert_failed("container-engine: engine_works")

    def test_the_client_in_a_package_of_its_own_is_installed(self):
        (self.case / "bin/docker").unlink()
        self.write("client-apart", "")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertTrue(self.apt("install")[-1].endswith(" docker-cli"))

    def test_curl_that_is_missing_is_installed_alone(self):
        (self.case / "bin/curl").unlink()
        self.assertEqual(self.boot(), 0, self.output)
        [install] = self.apt("install")
        self.assertTrue(install.endswith("--no-install-recommends curl"), install)

    def test_iptables_that_is_missing_is_installed_alone(self):
        (self.case / "bin/iptables").unlink()
        self.assertEqual(self.boot(), 0, self.output)
        [install] = self.apt("install")
        self.assertTrue(install.endswith("--no-install-recommends iptables"), install)

    def test_nothing_is_upgraded_below_a_task(self):
        # On Ubuntu 24.04 an upgrade of libc restarts every service, of docker.io
        # the engine: the runner would be stopped.
        self.reply("systemctl-disable", "[[ $* != *apt-daily* ]] || exit 1")
        self.assertEqual(self.boot(), 0, self.output)
        texts = self.texts()
        disabled = texts.index("systemctl disable --now apt-daily-upgrade.timer")
        self.assertLess(texts.index("systemctl restart inductiva-aws-boot-deadline.timer"), disabled)
        self.assertLess(disabled, texts.index("docker version"))

    def test_apt_waits_for_dpkgs_lock_and_asks_nobody(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get", '[[ $DEBIAN_FRONTEND == noninteractive ]] || exit 99')
        self.assertEqual(self.boot(), 0, self.output)
        for text in self.texts("apt-get"):
            self.assertIn("-o DPkg::Lock::Timeout=600", text)

    def test_apt_waits_for_the_locks_of_its_lists_and_archives(self):
        (self.case / "bin/docker").unlink()
        held = self.case / "held"
        self.reply("apt-get", '[[ ! -e $CASE/held ]] || touch "$CASE/called-too-early"')
        for lock in ("lib/apt/lists", "cache/apt/archives", "lib/dpkg"):
            with self.subTest(lock), open(self.root / "var" / lock / "lock", "w") as file:
                fcntl.lockf(file, fcntl.LOCK_EX)
                held.touch()

                ended = threading.Event()

                def let_go():
                    while "phase container-engine" not in self.console and not ended.is_set():
                        time.sleep(0.01)
                    # Time to go wrong in; it is not needed to be right.
                    time.sleep(0.3)
                    held.unlink()
                    fcntl.lockf(file, fcntl.LOCK_UN)

                other = threading.Thread(target=let_go)
                other.start()
                self.forget()
                try:
                    self.assertEqual(self.boot(), 0, self.output)
                finally:
                    ended.set()
                    other.join()
                self.assertTrue(self.texts("apt-get"))
                self.assertFalse((self.case / "called-too-early").exists())
                (self.case / "bin/docker").unlink()

    def test_apt_that_fails_twice_is_tried_again_after_pauses(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get-install", "fail_the_first 2 'no such mirror'")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(len(self.apt("install")), 3)
        # What came in part with the one try is asked for again.
        self.assertEqual(len(self.apt("update")), 3)
        self.assertEqual(self.pauses(), [5, 15])
        self.assertTrue(any("no such mirror" in line for line in self.console))
        self.assertEqual(self.failures, [])

    def test_a_list_that_cannot_be_read_is_no_reason_not_to_install(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get-update", "fail_the_first 99 'the repository is not signed'")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(len(self.apt("install")), 1)
        self.assertEqual(self.pauses(), [])

    def test_files_that_are_there_are_kept_and_an_interrupted_dpkg_is_finished_first(self):
        (self.case / "bin/docker").unlink()
        # It fails where nothing is left to finish it with; apt decides.
        self.reply("dpkg", '[[ $DEBIAN_FRONTEND == noninteractive ]] && touch "$CASE/configured"; exit 1')
        self.reply("apt-get", '[[ -e $CASE/configured ]] || { echo "E: dpkg was interrupted" >&2; exit 100; }')
        self.assertEqual(self.boot(), 0, self.output)
        [configure] = self.texts("dpkg ")
        self.assertEqual(configure, "dpkg --force-confold --force-unsafe-io --configure -a")
        for text in self.texts("apt-get "):
            self.assertIn(" -oDpkg::Options::=--force-confold ", text)
        self.assertEqual(self.pauses(), [])

    def test_a_running_upgrade_is_waited_for_although_no_package_is_missing(self):
        # It may restart the engine below a task.
        self.write("upgrading", "")
        self.at(17, '"$REAL_RM" "$CASE/upgrading"')
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.pauses(), [5, 5, 5, 5])
        self.assertEqual(self.console[1], "waiting for an upgrade of the system to end")
        asked = self.calls("systemctl is-active apt-daily-upgrade.service")
        self.assertLess(asked[-1].clock, 1021)
        [started] = self.calls("systemctl start docker")
        self.assertEqual(started.clock, 1020)

    def test_an_engine_that_is_slow_to_come_up_is_not_replaced(self):
        self.write("engine-dead", "")
        self.at(15, '"$REAL_RM" "$CASE/engine-dead"')
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.texts("apt-get"), [])
        self.assertEqual(self.pauses(), [5, 10])
        self.assertIn("again in 10 s: the container engine does not answer", self.console)

    def without_apt(self, dnf):
        for name in ("docker", "iptables", "apt-get", "apt-cache", "dpkg"):
            (self.case / "bin" / name).unlink()
        if dnf:
            (self.case / "bin/dnf").symlink_to(HERE / "stand-in")

    def test_amazon_linux_2023_gets_its_own_packages_by_dnf(self):
        self.without_apt(dnf=True)
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(
            self.texts("dnf"),
            ["dnf --quiet --assumeyes --setopt=install_weak_deps=False install iptables-nft docker"])
        self.assertIn("systemctl start docker", self.texts())
        self.assertEqual(self.phases, PHASES)

    def test_dnf_that_fails_is_tried_again_and_says_why(self):
        self.without_apt(dnf=True)
        self.reply("dnf", "(($(count) > 1)) || { echo 'Error: Unable to find a match: docker'; echo bye; exit 1; }")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertIn("again in 5 s: dnf_install iptables-nft docker: Error: Unable to find a match: docker", self.console)

    def test_an_image_with_neither_apt_nor_dnf_ends_at_once(self):
        self.without_apt(dnf=False)
        self.boot()
        self.assert_failed("container-engine: this image has neither apt-get nor dnf to install: iptables-nft docker$")
        self.assertEqual(self.pauses(), [])

    def test_one_that_needs_nothing_boots_without_both(self):
        for name in ("apt-get", "apt-cache", "dpkg"):
            (self.case / "bin" / name).unlink()
        self.assertEqual(self.boot(), 0, self.output)

    def test_a_package_that_a_half_failed_update_leaves_out_is_found_by_the_next(self):
        (self.case / "bin/docker").unlink()
        # It ends with 0, with a part of the lists.
        self.reply("apt-get-update", 'echo "W: Some index files failed to download." >&2; count >"$CASE/updates"')
        self.reply("apt-get-install",
                   '(($(<"$CASE/updates") > 1)) || { echo "E: Unable to locate package docker.io" >&2; exit 100; }')
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual([call.argv[-1] for call in self.calls("apt-get") if call.argv[-1] == "update"],
                         ["update", "update"])
        self.assertEqual(self.pauses(), [5])

    def test_apt_that_fails_for_good_is_said_just_before_the_boot_deadline(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get-install", "fail_the_first 99 'no such mirror'")
        self.boot(BOOT_TIMEOUT_SECONDS="300")
        self.assert_failed("container-engine: apt_install docker.io .*: E: no such mirror$")
        # Another one would end after 290 s: too near to the deadline.
        self.assertEqual(self.pauses(), [5, 15, 30, 60, 60, 60])

    def test_the_console_has_the_lines_that_say_why_not_the_last_one(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get-update", """
            echo "W: Failed to fetch http://mirror.test/InRelease  503  Service Unavailable" >&2
            echo "W: Some index files failed to download." >&2""")
        self.reply("apt-get-install", """
            echo "Reading package lists..."
            printf 'E: Unable to locate \\033[2Jpackage pigz\\n' >&2
            echo "E: a key: $(<"$CASE/key")" >&2
            echo "Try apt-get --help" >&2
            exit 100""")
        self.boot(BOOT_TIMEOUT_SECONDS="60")
        self.assert_failed(
            r"container-engine: apt_install [a-z. -]*: W: Failed to fetch http://mirror.test/InRelease  503  Service"
            r" Unavailable; W: Some index files failed to download.; E: Unable to locate \[2Jpackage pigz$")

    def test_dpkgs_words_about_a_file_are_on_the_console(self):
        (self.case / "bin/docker").unlink()
        self.reply("apt-get-install", """
            echo "Configuration file '/etc/default/docker'"
            echo "dpkg: error processing package docker.io (--configure):"
            echo " end of file on stdin at conffile prompt"
            echo "Errors were encountered while processing:"
            echo " docker.io"
            echo "E: Sub-process /usr/bin/dpkg returned an error code (1)"
            exit 100""")
        self.boot(BOOT_TIMEOUT_SECONDS="60")
        self.assert_failed("container-engine: .*: dpkg: error processing package docker.io .--configure.:; end of file"
                           " on stdin at conffile prompt; E: Sub-process /usr/bin/dpkg returned an error code .1.$")


class Images(MachineTest):
    RUNNER = "docker pull --quiet registry.test/task-runner:main"
    TRACKER = "docker pull --quiet registry.test/file-tracker:main"

    def test_both_are_pulled_at_the_same_time(self):
        # Each waits, in vain at last, for the other one to have begun.
        self.reply("docker-pull", """
            touch "$CASE/pulling-${args[-1]##*/}"
            for _ in {1..500}; do
              pulling=("$CASE"/pulling-*)
              ((${#pulling[@]} < 2)) || exit 0
              "$REAL_SLEEP" 0.01
            done
            exit 1""")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(sorted(self.texts("docker pull")), [self.TRACKER, self.RUNNER])

    def test_the_machine_is_configured_and_its_disk_written_meanwhile(self):
        start = "systemctl restart --no-block inductiva-aws.service"
        self.reply("sync", 'echo x >>"$CASE/writes"')
        # The runner's pull waits, in vain at last, for what is done meanwhile.
        self.reply("docker-pull", """
            [[ $* == *task-runner* ]] || exit 0
            for _ in {1..500}; do
              mapfile -t writes <"$CASE/writes"
              [[ ! -s $CASE/root/etc/systemd/system/inductiva-aws.service ]] ||
                ((${#writes[@]} < 3)) || exit 0
              "$REAL_SLEEP" 0.01
            done
            exit 1""")
        self.write("writes", "")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.texts("docker pull").count(self.RUNNER), 1)
        self.assertEqual(self.texts(start), [start])
        self.forget()
        self.reply("docker-pull", "[[ $* != *task-runner* ]] || fail_the_first 99 'no'")
        self.boot()
        self.assertEqual(self.texts(start), [])

    def test_the_writing_ends_with_the_script(self):
        self.boot()
        self.reply("sync", 'echo x >>"$CASE/writes"')
        self.reply("docker-pull", 'until [[ -s $CASE/writes ]]; do "$REAL_SLEEP" 0.01; done')
        # Time for the last of it, and then to go wrong in.
        self.run_bash("-c", """
            bash "$0"
            "$REAL_SLEEP" 0.2
            writes=$(<"$CASE/writes")
            "$REAL_SLEEP" 0.3
            [[ $writes != "$(<"$CASE/writes")" ]] || touch "$CASE/ended"
            """, self.case / "part-001")
        self.assertTrue((self.case / "ended").exists())

    def test_the_usual_images_are_pulled_when_none_are_named(self):
        self.boot(TASK_RUNNER_IMAGE=None, FILE_TRACKER_IMAGE="")
        self.assertEqual(
            sorted(self.texts("docker pull")),
            ["docker pull --quiet inductiva/file-tracker:main",
             "docker pull --quiet inductiva/task-runner:main"],
        )

    def test_a_pull_that_fails_twice_is_tried_again_after_pauses(self):
        for image, pull in (("task-runner", self.RUNNER), ("file-tracker", self.TRACKER)):
            with self.subTest(image):
                self.forget()
                (self.case / "count-docker-pull").unlink(missing_ok=True)
                self.reply("docker-pull", f"[[ $* != *{image}* ]] || fail_the_first 2 'toomanyrequests'")
                self.assertEqual(self.boot(), 0, self.output)
                self.assertEqual(self.texts("docker pull").count(pull), 3)
                self.assertEqual(self.pauses(), [5, 15])
                self.assertIn(f"again in 5 s: {pull}: E: toomanyrequests", self.console)

    def test_a_pull_that_fails_for_good_is_said_just_before_the_boot_deadline(self):
        for image, pull in (("task-runner", self.RUNNER), ("file-tracker", self.TRACKER)):
            with self.subTest(image):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.reply("docker-pull", f"[[ $* != *{image}* ]] || fail_the_first 99 'toomanyrequests'")
                self.boot()
                self.assert_failed(f"images: {pull}: E: toomanyrequests$")
                self.assertEqual(self.pauses(), [5, 15, 30] + [60] * 28)
                self.assertTrue(1700 < self.clock() - 1000 < 1790, self.clock())

    def test_an_image_that_is_there_is_taken_after_the_last_refusal(self):
        self.write("local-images", "")
        self.reply("docker-pull", "[[ $* != *task-runner* ]] || fail_the_first 99 'toomanyrequests'")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(self.texts("docker pull").count(self.RUNNER), 5)
        self.assertEqual(self.pauses(), [5, 15, 30, 60])
        self.assertIn("going on with the image that is there: registry.test/task-runner:main", self.console)
        self.assertEqual((self.phases, self.failures, self.ending), (PHASES, [], []))

    def test_an_image_that_is_there_is_renewed_when_it_can_be(self):
        self.write("local-images", "")
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(sorted(self.texts("docker pull")), [self.TRACKER, self.RUNNER])

    def test_two_pulls_that_fail_end_the_machine_once(self):
        self.reply("docker-pull", "fail_the_first 99")
        self.boot()
        self.assertEqual(self.ending, self.ENDED)


class Configuration(MachineTest):
    def settings(self):
        text = self.read("root/var/lib/inductiva-aws/settings")
        return dict(re.findall(r'^declare -\S+ (\w+)="(.*)"$', text, re.M))

    def test_the_key_is_in_one_file_for_root_alone(self):
        self.assertEqual(self.boot(), 0, self.output)
        self.assertEqual(
            self.env_file.read_text(),
            f"API_URL={self.api.url}\nUSER_API_KEY={KEY}\nWORKDIR=/workdir\n"
            "FILE_TRACKER_HOST=127.0.0.1\n",
        )
        self.assertEqual(stat.S_IMODE(self.env_file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.env_file.parent.stat().st_mode), 0o700)

    def test_a_file_that_was_open_to_others_is_closed_by_the_next_run(self):
        self.boot()
        self.env_file.chmod(0o644)
        self.boot()
        self.assertEqual(stat.S_IMODE(self.env_file.stat().st_mode), 0o600)

    def test_a_trace_does_not_show_the_key(self):
        (self.case / "bin/docker").unlink()
        self.assertEqual(self.boot(trace=True), 0, self.output)
        self.assertIn("+ unset INDUCTIVA_API_KEY", self.output)
        # tearDown looks for the key.

    def test_a_failure_at_the_key_does_not_show_it(self):
        self.boot(lambda script: script.replace("install -m 0600", "install -m no-mode"))
        self.assert_failed("configuration: .*install -m no-mode")

    def test_the_address_has_no_slash_at_its_end(self):
        for given, meant in (
            ("https://api.test/", "https://api.test"),
            ("https://api.test", "https://api.test"),
            (None, "https://api.inductiva.ai"),
            ("", "https://api.inductiva.ai"),
        ):
            with self.subTest(given):
                self.boot(INDUCTIVA_API_URL=given)
                self.assertIn(f"API_URL={meant}\n", self.env_file.read_text())
                self.assertEqual(self.settings()["api_url"], meant)

    def test_the_supervisor_is_given_what_was_asked_for(self):
        self.boot(GPU="true", MAX_IDLE_MINUTES="08")
        settings = self.settings()
        self.assertEqual(settings["group_id"], GROUP_ID)
        self.assertEqual(settings["group_name"], "a group")
        self.assertEqual(settings["gpu"], "true")
        self.assertEqual(settings["max_idle_seconds"], "480")

    def test_a_machine_is_idle_for_half_an_hour_unless_it_is_said(self):
        self.boot(MAX_IDLE_MINUTES=None)
        self.assertEqual(self.settings()["max_idle_seconds"], "1800")

    def test_the_service_is_started_at_every_boot_and_not_waited_for(self):
        self.boot()
        self.assertEqual(
            self.texts("systemctl ")[-3:],
            ["systemctl enable --quiet inductiva-aws.service",
             "systemctl reset-failed inductiva-aws.service",
             "systemctl restart --no-block inductiva-aws.service"],
        )
        self.assertIn("WantedBy=multi-user.target\n", self.unit("inductiva-aws.service"))

    def test_a_supervisor_that_fails_again_and_again_ends_the_machine(self):
        self.boot()
        unit = self.unit("inductiva-aws.service")
        for line in ("Restart=on-failure", "StartLimitBurst=5", "StartLimitIntervalSec=3600",
                     "OnFailure=inductiva-aws-end.service"):
            self.assertIn(f"{line}\n", unit)

    def test_a_stop_of_the_service_has_time_for_the_containers(self):
        self.boot()
        unit = self.unit("inductiva-aws.service")
        # 130 + 5 + 15 + 5 s for the runner, 20 + 5 + 15 + 5 s for the tracker.
        self.assertGreaterEqual(int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]), 200)
        self.assertIn("KillMode=mixed\n", unit)
        self.assertRegex(unit, r"After=.*docker\.service")

    def test_a_second_run_starts_the_service_anew(self):
        self.assertEqual(self.boot(), 0)
        self.forget()
        self.assertEqual(self.boot(MACHINE_GROUP_NAME="another"), 0, self.output)
        self.assertIn("systemctl restart --no-block inductiva-aws.service", self.texts())
        self.assertEqual(self.settings()["group_name"], "another")


class AgainOrElsewhere(MachineTest):
    """A second run: on the same machine, or on one with an image of that."""

    STATE = "root/var/lib/inductiva-aws"
    CLEANING = "docker volume rm --force workdir"

    def first(self):
        self.assertEqual(self.boot(), 0, self.output)
        self.write(f"{self.STATE}/registered", "")
        for name in (ME, "i-0fedcba9876543210"):
            self.write(f"root/var/lib/cloud/instances/{name}/user-data.txt", name)
        self.forget()

    def second(self, id):
        self.be_machine(id)
        (self.root / "var/lib/cloud/instance").symlink_to(self.root / "var/lib/cloud/instances" / id)
        self.assertEqual(self.boot(MACHINE_GROUP_NAME="another"), 0, self.output)
        self.assertFalse((self.case / self.STATE / "registered").exists())

    def test_on_the_same_machine_all_but_the_marker_stays(self):
        self.first()
        self.second(ME)
        self.assertNotIn(self.CLEANING, self.texts())
        self.assertEqual(self.texts("docker rm"), [])
        self.assertTrue((self.root / "var/lib/cloud/instances/i-0fedcba9876543210").exists())
        self.assertEqual(self.phases, PHASES)

    def test_on_another_machine_what_the_first_one_left_goes(self):
        self.first()
        other = "i-0fedcba9876543210"
        self.second(other)
        texts = self.texts()
        armed = texts.index("systemctl restart inductiva-aws-boot-deadline.timer")
        cleaned = texts.index(self.CLEANING)
        self.assertIn("docker rm --force inductiva-task-runner inductiva-file-tracker", texts)
        self.assertLess(armed, cleaned)
        self.assertLess(cleaned, next(i for i, text in enumerate(texts) if text.startswith("docker pull")))
        kept = [path.name for path in (self.root / "var/lib/cloud/instances").iterdir()]
        self.assertEqual(kept, [other])
        self.assertIn(f'machine="{other}"', self.read(f"{self.STATE}/settings"))
        # And it is that machine from now on.
        self.forget()
        self.assertEqual(self.boot(), 0, self.output)
        self.assertNotIn(self.CLEANING, self.texts())

    def test_a_volume_that_cannot_be_emptied_ends_the_machine(self):
        self.first()
        self.be_machine("i-0fedcba9876543210")
        self.reply("docker-volume", "exit 1")
        self.boot()
        self.assert_failed("container-engine: .*docker volume rm")

    def test_without_a_board_it_is_cloud_init_that_tells_machines_apart(self):
        (self.root / "sys/class/dmi/id/board_asset_tag").unlink()
        for first, second, cleaned in ((ME, ME, False), (ME, "i-0fedcba9876543210", True), ("", "", False)):
            with self.subTest(second=second):
                shutil.rmtree(self.case / self.STATE, ignore_errors=True)
                for id in (first, second):
                    self.forget()
                    self.write("cloud-id", id)
                    self.assertEqual(self.boot(), 0, self.output)
                self.assertEqual(self.CLEANING in self.texts(), cleaned)


class OwnCommands(MachineTest):
    """A copy of the script with lines of the user's own in it."""

    def own(self, lines):
        marker = "\nphase=own-commands\n"

        def edit(script):
            assert script.count(marker) == 1
            return script.replace(marker, f"{marker}{lines}\n")

        return edit

    def test_they_run_with_the_variables_after_the_deadlines_and_before_the_rest(self):
        self.assertEqual(
            self.boot(self.own('install_packages ffmpeg\necho "for $MACHINE_GROUP_NAME"')), 0, self.output)
        texts = self.texts()
        install = next(i for i, text in enumerate(texts) if text.endswith(" ffmpeg"))
        self.assertLess(texts.index("systemctl restart inductiva-aws-boot-deadline.timer"), install)
        self.assertLess(install, texts.index("docker version"))
        self.assertIn("for a group", self.output)

    def test_what_the_manual_shows_does_that(self):
        manual = (SCRIPT.parent / "src/commands/manual/machine.md").read_text()
        [shown] = [code for code in re.findall(r"```sh\n(.*?)```", manual, re.S) if "my-lines" in code]
        *made, start = shown.splitlines()
        self.assertIn("--user-data-path my-user-data.sh", start)
        with tempfile.TemporaryDirectory() as here:
            shutil.copy(SCRIPT, here)
            subprocess.run(["sh", "-ec", "\n".join(made)], cwd=here, check=True)
            script = (Path(here) / "my-user-data.sh").read_text()
        self.assertEqual(self.boot(lambda _: script.split("\n", 1)[1]), 0, self.output)
        self.assertTrue([text for text in self.texts("apt-get ") if text.endswith(" ffmpeg")])

    def test_one_that_fails_is_said_and_powers_off(self):
        self.boot(self.own("false my line"))
        self.assert_failed("own-commands: .*false my line")

    def test_a_package_that_cannot_be_installed_is_said_and_powers_off(self):
        self.reply("apt-get-install", "fail_the_first 99 'Unable to locate package'")
        self.boot(BOOT_TIMEOUT_SECONDS="60", edit=self.own("install_packages nonsense"))
        self.assert_failed("own-commands: apt_install nonsense: E: Unable to locate package")


if __name__ == "__main__":
    unittest.main()
