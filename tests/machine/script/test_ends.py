"""The supervisor's ends: what it does before the machine powers off, and with systemd."""

import unittest

from machine import GROUP_ID, KEY, entry, group
from supervisor import DELETE, END, RUNNER, STOP, TRACKER, Supervisor


class Spot(Supervisor):
    NOTICE = '{"action": "terminate", "time": "2025-01-01T00:02:00Z"}'

    def test_a_notice_stops_the_runner_with_its_two_minutes_and_ends_the_machine(self):
        self.at(50, f"echo '{self.NOTICE}' >\"$CASE/metadata/instance-action\"")
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertIn(f"spot interruption: {self.NOTICE}", self.console)
        [stop] = self.calls(f"docker stop -t 120 {RUNNER}")
        self.assertLessEqual(stop.clock, 1055)
        self.assertEqual(self.ending, self.ENDED)

    def test_a_notice_is_noticed_before_the_machine_is_registered(self):
        self.api.answer = lambda request: group()
        self.write("metadata/instance-action", self.NOTICE)
        self.boot_and_supervise()
        self.assertEqual(self.clock(), 1005)
        self.assertEqual(self.ending, self.ENDED)


class Ends(Supervisor):
    def end(self, answer=None, **variables):
        """Registered, then taken back by AWS."""
        self.api.answer = lambda request: group(entry()) if self.clock() < 1030 or answer is None else answer
        (self.case / "metadata/instance-action").unlink(missing_ok=True)
        self.at(30, END)
        self.boot_and_supervise(**variables)
        self.assertEqual(self.ending, self.ENDED)
        return self.api.asked("DELETE")

    def test_the_last_machine_deletes_the_group(self):
        self.assertEqual(self.end(), [DELETE])
        headers = self.api.requests[-1][2]
        self.assertEqual(headers["X-API-Key"], KEY)

    def test_entries_that_are_over_do_not_keep_the_group(self):
        over = "2025-01-01T00:00:00Z"
        self.assertEqual(self.end(group(entry("i-another", terminated_at=over), entry(terminated_at=over))), [DELETE])

    def test_a_group_of_one_is_deleted_however_young_the_machine_is(self):
        self.write("root/proc/uptime", "30.00 1.00\n")
        self.assertEqual(self.end(NUM_MACHINES=None), [DELETE])

    def test_a_young_machine_leaves_the_group_to_those_that_may_still_be_booting(self):
        over = entry("i-another", terminated_at="2025-01-01T00:00:00Z")
        for seen, number, timeout, expected in (
            ([], "2", "1800", []),
            ([over], "3", "1800", []),
            # All have been there.
            ([over], "2", "1800", [DELETE]),
            # Whoever is not there by now has ended itself.
            ([], "2", "1020", [DELETE]),
        ):
            with self.subTest(seen=seen, number=number, timeout=timeout):
                self.forget()
                self.api.requests.clear()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                asked = self.end(group(entry(), *seen), NUM_MACHINES=number, BOOT_TIMEOUT_SECONDS=timeout)
                self.assertEqual(asked, expected)

    def test_a_machine_that_is_not_the_last_one_leaves_the_group(self):
        self.assertEqual(self.end(group(entry(), entry("i-another"))), [])

    def test_a_machine_without_a_name_is_another_machine(self):
        self.assertEqual(self.end(group(entry(), {"terminated_at": None})), [])

    def test_a_group_of_the_same_name_with_another_id_is_left_alone(self):
        self.assertEqual(self.end(group(entry(), id="another-id")), [])

    def test_a_group_that_was_joined_by_name_is_deleted_by_its_id(self):
        self.assertEqual(
            self.end(group(entry(), id="the/id"), MACHINE_GROUP_ID=""),
            ["/compute/group?machine_group_id=the%2Fid"])

    def test_a_group_that_is_terminated_already_is_left_alone(self):
        self.assertEqual(self.end(group(entry(), status="terminated")), [])

    def test_an_answer_that_is_none_leaves_the_group_and_does_not_keep_the_machine(self):
        for answer in (500, b"rubbish", {"id": GROUP_ID}, {"id": GROUP_ID, "machines": {}}):
            with self.subTest(answer=answer):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.assertEqual(self.end(answer), [])
                self.assertIn("cannot ask about the machine group", self.console)

    def test_a_deletion_that_fails_is_said_and_does_not_keep_the_machine(self):
        self.api.answer = lambda request: 500 if request[0] == "DELETE" else group(entry())
        self.at(30, END)
        self.boot_and_supervise()
        self.assertIn("cannot delete the machine group a group", self.console)
        self.assertEqual(self.ending, self.ENDED)

    def test_a_deletion_that_hangs_does_not_keep_the_machine(self):
        self.write("impatient", "")
        self.api.answer = lambda request: None if request[0] == "DELETE" else group(entry())
        self.at(30, END)
        self.boot_and_supervise()
        self.assertIn("cannot delete the machine group a group", self.console)
        self.assertEqual(self.ending, self.ENDED)

    def test_a_machine_that_never_joined_does_not_delete_the_group(self):
        self.api.answer = lambda request: group()
        self.at(30, END)
        self.boot_and_supervise()
        self.assertEqual(self.api.asked("DELETE"), [])

    def test_the_containers_are_stopped_before_the_group_is_deleted(self):
        self.boot_and_supervise()
        self.idle_after(60)
        order = self.texts()
        stops = [f"docker stop -t 120 {RUNNER}", f"docker stop -t 10 {TRACKER}"]
        delete = next(i for i, text in enumerate(order) if "-X DELETE" in text)
        self.assertLess(order.index(stops[0]), order.index(stops[1]))
        self.assertLess(order.index(stops[1]), delete)
        self.assertLess(delete, order.index(self.ENDED[0]))

    def test_every_stop_is_bounded_and_then_a_kill(self):
        self.write("impatient", "")
        self.reply("docker-stop", "hang")
        self.at(30, "set_runner running 0")
        self.boot_and_supervise()
        self.assertEqual(self.ending, self.ENDED)
        calls = self.texts()
        for words in (
            f"timeout -k 5 130 docker stop -t 120 {RUNNER}", f"timeout -k 5 15 docker kill {RUNNER}",
            f"timeout -k 5 20 docker stop -t 10 {TRACKER}", f"timeout -k 5 15 docker kill {TRACKER}",
        ):
            self.assertIn(words, calls)

    def test_a_dead_engine_does_not_keep_the_machine(self):
        self.write("impatient", "")
        self.reply("docker-stop", "hang")
        self.reply("docker-kill", "hang")
        self.boot_and_supervise()
        self.assertEqual(self.ending, self.ENDED)

    def test_without_the_ending_service_the_machine_is_powered_off_directly(self):
        self.boot()
        self.forget()
        self.reply("systemctl-start", "exit 5")
        self.reply("systemctl-poweroff", "[[ $* == *--force* ]] || exit 1")
        self.at(30, END)
        self.supervise()
        self.assertEqual(self.ending[-1], "systemctl poweroff --force --force")


class Systemd(Supervisor):
    def test_a_stop_by_systemd_stops_the_containers_and_nothing_else(self):
        self.at(30, STOP)
        self.assertEqual(self.boot_and_supervise(), 0)
        self.assertEqual(len(self.calls(f"docker stop -t 120 {RUNNER}")), 1)
        self.assertFalse(self.running(RUNNER) or self.running(TRACKER))
        self.assertEqual(self.api.asked("DELETE"), [])
        self.assertEqual(self.ending, [])

    def test_a_reboot_keeps_the_group(self):
        self.write("jobs", "12 reboot.target start waiting\n")
        self.at(30, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.api.asked("DELETE"), [])

    def test_a_power_off_from_outside_deletes_the_group_of_the_last_machine(self):
        self.write("jobs", "12 poweroff.target start waiting\n")
        self.at(30, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.api.asked("DELETE"), [DELETE])
        self.assertEqual(self.ending, self.ENDED)

    def test_a_power_off_is_seen_however_long_the_list_of_jobs_is(self):
        others = "".join(f"{n} unit-{n}.service stop running\n" for n in range(10_000))
        self.write("jobs", f"12 poweroff.target start waiting\n{others}")
        self.at(30, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.api.asked("DELETE"), [DELETE])

    def test_a_stop_during_a_long_pause_is_not_held_by_it(self):
        # The pause itself does not end; the signal comes into it.
        self.reply("docker-run.after", f"[[ $* != *{RUNNER}* ]] || set_runner exited 1")
        self.reply("sleep", "[[ $1 != 10 ]] || { kill -TERM $PPID; hang; }")
        self.assertEqual(self.boot_and_supervise(), 0)
        self.assertEqual(self.ending, [])

    def test_a_second_stop_does_not_break_into_the_first(self):
        self.reply("docker-stop", "[[ $* != *task-runner* ]] || kill -TERM $(ps_of_supervisor)")
        self.reply("docker", 'ps_of_supervisor() { echo "$(<"$CASE/supervisor")"; }')
        self.reply("sleep", 'echo $PPID >"$CASE/supervisor"')
        self.at(30, END)
        self.assertEqual(self.boot_and_supervise(), 0, self.output)
        self.assertEqual(self.ending, self.ENDED)
        self.assertEqual(self.api.asked("DELETE"), [DELETE])

    def test_after_a_reboot_both_containers_are_made_anew_and_registered_again(self):
        self.at(30, STOP)
        self.boot_and_supervise()
        self.forget()
        self.at(60, STOP)
        self.assertEqual(self.supervise(), 0)
        self.assertEqual((len(self.runs(TRACKER)), len(self.runs(RUNNER))), (1, 1))
        self.assertEqual(self.phases, ["metadata", "file-tracker", "task-runner", "registered"])

    def test_a_supervisor_that_is_started_again_keeps_a_runner_at_work(self):
        self.at(30, "kill -KILL $PPID")
        self.boot_and_supervise()
        self.forget()
        self.at(60, STOP)
        self.assertEqual(self.supervise(), 0)
        self.assertEqual(self.texts("docker run"), [])
        self.assertEqual(self.texts("docker rm"), [])

    def test_it_is_kept_while_the_api_is_down(self):
        self.at(30, "kill -KILL $PPID")
        self.boot_and_supervise(BOOT_TIMEOUT_SECONDS="60")
        self.forget()
        self.api.answer = lambda request: 503
        self.at(400, STOP)
        self.long_pauses(20)
        self.assertEqual(self.supervise(), 0)
        self.assertEqual((self.failures, self.ending), ([], []))

    def test_it_is_ended_when_the_api_refuses_it(self):
        for answer in (401, 404):
            with self.subTest(answer=answer):
                self.write("root/proc/uptime", "1000.00 1000.00\n")
                self.api.answer = lambda request: group(entry()) if self.clock() <= 1030 else answer
                self.at(30, "kill -KILL $PPID")
                self.boot_and_supervise(BOOT_TIMEOUT_SECONDS="60")
                self.forget()
                self.at(400, STOP)
                self.supervise()
                self.assert_failed("task-runner: not registered within 60 s")

    def test_a_second_run_of_the_script_ends_in_one_runner_with_the_new_settings(self):
        self.at(30, STOP)  # The restart of the service.
        self.boot_and_supervise()
        self.at(60, STOP)
        self.boot_and_supervise(TASK_RUNNER_IMAGE="registry.test/task-runner:dev")
        [run] = self.runs(RUNNER)
        self.assertEqual(run.argv[-1], "registry.test/task-runner:dev")

    def test_a_bug_in_the_supervisor_is_said_and_left_to_systemd(self):
        self.boot()
        path = self.env_file.parent / "supervisor"
        text = path.read_text()
        for where, bug, line in (
            ("\nenter task-runner\n", "false oh dear", r"task-runner: line \d+, exit status 1: false oh dear"),
            ("\nenter task-runner\n", 'echo "$NOT_THERE"', r'task-runner: stopped at: echo "\$NOT_THERE"'),
            ("\nenter task-runner\n", "broken() { false; true; }; broken",
             r"task-runner: line \d+, exit status 1: false"),
            ("\n  ((++tick))\n", "exit 0", "task-runner: stopped at: exit 0"),
            ("\n  ((++tick))\n", "if then fi", "task-runner: "),
        ):
            with self.subTest(bug):
                self.forget()
                path.write_text(text.replace(where, f"{where}{bug}\n"))
                self.assertNotEqual(self.supervise(), 0)
                self.assertEqual(len(self.failures), 1, self.failures)
                self.assertRegex(self.failures[0], "^failed " + line)
                # Five times, and the unit's OnFailure does it.
                self.assertEqual(self.ending, [])


if __name__ == "__main__":
    unittest.main()
