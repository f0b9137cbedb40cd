"""user-data.sh itself: from its first line to the start of the supervisor."""

import gzip
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from machine import GROUP_ID, KEY, ME, PHASES, SCRIPT, MachineTest


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
        self.assertLess(len(gzip.compress(SCRIPT.read_bytes(), mtime=0)), 14_200)


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
