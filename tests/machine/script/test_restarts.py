"""The supervisor and a runner that dies, fails or ends."""

import json
import unittest

from machine import entry, group
from supervisor import END, RUNNER, STOP, TRACKER, Supervisor


class Restarts(Supervisor):
    def restart_pauses(self):
        """Without those of the loop and of a look at the key."""
        return [pause for pause in self.pauses() if pause not in (2, 5)]

    def runner_dies(self, state="exited 1"):
        """Every runner that is started dies at once."""
        self.reply("docker-run.after", f"[[ $* != *{RUNNER}* ]] || set_runner {state}")

    def test_a_runner_that_dies_is_restarted_five_times_with_growing_pauses(self):
        self.runner_dies()
        self.write("log", "Traceback\nthe key was refused\n")
        self.boot_and_supervise()
        self.assert_failed("task-runner: exited 1: the key was refused$")
        self.assertEqual(len(self.runs(RUNNER)), 6)
        self.assertEqual(self.restart_pauses(), [10, 20, 40, 80, 160])
        self.assertEqual(len([line for line in self.console if "again in" in line]), 5)
        self.assertEqual(len(self.runs(TRACKER)), 1)

    def test_a_runner_that_cannot_be_started_is_tried_as_often(self):
        self.reply("docker-run", f"[[ $* != *{RUNNER}* ]] || {{ echo 'docker: no such runtime' >&2; exit 125; }}")
        self.boot_and_supervise()
        self.assert_failed("task-runner: docker: no such runtime$")
        self.assertEqual(self.pauses(), [10, 20, 40, 80, 160])

    def refuse(self, *answers):
        """What the API says of the key, one answer after the other."""
        self.looks = list(answers)
        self.api.answer = lambda request: (
            self.looks.pop(0) if self.looks and request[1] == "/users/info" else group())
        self.runner_dies()

    def test_a_key_that_the_api_refuses_ends_the_machine_at_once(self):
        for status in (401, 403):
            with self.subTest(status):
                self.forget()
                self.refuse(status, status)
                self.boot_and_supervise()
                self.assert_failed("task-runner: the API refuses the key$")
                self.assertEqual(len(self.runs(RUNNER)), 1)
                self.assertEqual(self.looks, [])

    def test_a_key_that_is_refused_once_and_then_taken_is_no_reason(self):
        self.refuse(*[401, 200] * 5)
        self.boot_and_supervise()
        self.assert_failed("task-runner: exited 1: ")
        self.assertEqual(self.restart_pauses(), [10, 20, 40, 80, 160])

    def test_other_trouble_with_the_api_leaves_the_restarts_to_it(self):
        for answer in (200, 404, 429, 500, b"<html>", None):
            with self.subTest(answer=answer):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.write("impatient", "") if answer is None else None
                self.refuse(*[answer] * 6)
                self.at(30, STOP)
                self.boot_and_supervise()
                self.assertEqual(self.failures, [])
                self.assertGreater(len(self.runs(RUNNER)), 1)

    def test_a_403_that_is_no_json_is_a_proxys(self):
        self.refuse(*[(403, b"<html>")] * 12)
        self.boot_and_supervise()
        self.assert_failed("task-runner: exited 1: ")

    def test_the_key_is_asked_about_when_the_runner_could_not_start_alone(self):
        self.refuse(401, 401)
        self.runner_dies("exited 137")
        self.boot_and_supervise()
        self.assertEqual(len(self.looks), 2)
        self.assert_failed("task-runner: exited 137: ")

    def test_any_end_but_exit_0_is_a_failure(self):
        for state in ("exited 137", "dead 0", "created 128", "exited 2"):
            with self.subTest(state):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.at(7, f"set_runner {state}")
                self.at(40, STOP)
                self.boot_and_supervise()
                self.assertEqual(len(self.runs(RUNNER)), 2)

    def test_a_runner_that_recovers_stays(self):
        self.at(7, "set_runner exited 1")
        self.boot_and_supervise()
        self.assertEqual(len(self.runs(RUNNER)), 2)
        self.idle_after(80)

    def test_what_docker_says_of_a_failure_is_not_its_last_line(self):
        self.reply("docker-run", f"""[[ $* != *{RUNNER}* ]] || {{
            echo "docker: Error response from daemon: no space left on device." >&2
            echo "docker: $(<"$CASE/key")" >&2
            echo >&2
            echo "Run 'docker run --help' for more information" >&2
            exit 125
        }}""")
        self.boot_and_supervise()
        self.assert_failed("task-runner: docker: Error response from daemon: no space left on device.$")

    def test_an_old_container_makes_way_for_the_new_one(self):
        self.at(7, "set_runner exited 1")
        self.at(30, STOP)
        self.boot_and_supervise()
        self.assertEqual(len(self.calls(f"docker rm --force {RUNNER}")), 2)

    def test_an_hour_without_a_failure_resets_the_count(self):
        for seconds in (10, 3700, 7400):
            self.at(seconds, "set_runner exited 1")
        self.reply("sleep", "((clock < 1050 || clock > 4500)) || clock=4690\n"
                            "((clock < 4740 || clock > 8200)) || clock=8390")
        self.at(7440, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(self.restart_pauses(), [10, 10, 10])

    def test_less_than_an_hour_does_not_reset_the_count(self):
        for seconds in (10, 3500):
            self.at(seconds, "set_runner exited 1")
        self.reply("sleep", "((clock < 1050 || clock > 4300)) || clock=4490")
        self.at(3560, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(self.restart_pauses(), [10, 20])

    def runner_ends(self, answer, state="exited 0", last=120, **variables):
        """It ends once, at 1030; from then on the API says this.
        The machine is ended after two minutes at last."""
        self.forget()
        self.write("root/proc/uptime", "1000.00 1.00\n")
        self.api.requests.clear()
        (self.case / "metadata/instance-action").unlink(missing_ok=True)
        answers = answer if callable(answer) else lambda request: answer
        self.api.answer = lambda request: group(entry()) if self.clock() < 1030 else answers(request)
        self.at(30, f"set_runner {state}")
        self.at(last, END)
        self.long_pauses(20, after=1031)
        self.assertEqual(self.boot_and_supervise(**{"MAX_IDLE_MINUTES": "0", **variables}), 0, self.output)

    def test_exit_0_is_the_end_when_the_group_is_gone_or_ending(self):
        for answer in (
            404, group(entry(), id="another-id"), group(entry(), status="terminated"),
            group(status="shutting_down"), group(status="shutdown_failed"),
        ):  # fmt: skip
            with self.subTest(answer=answer):
                self.runner_ends(answer)
                self.assertIn("the task runner is done", self.console)
                self.assertEqual(self.ending, self.ENDED)
                self.assertEqual(self.failures, [])
                self.assertEqual(len(self.runs(RUNNER)), 1)
                asked = {clock for _, _, _, clock in self.api.requests if clock >= 1030}
                self.assertEqual(asked, {1030, 1060, 1090})
                self.assertEqual(self.clock(), 1090)

    def test_exit_0_after_one_bad_answer_is_a_failure(self):
        # Each of these made the real runner end with 0.
        for moment in (
            (429, b'{"detail": "slow down"}'), (401, b'{"detail": "no"}'), (429, b"<html>"), (404, b"<html>"),
            (200, b"<html>"), json.dumps(group(entry())).encode()[:20],
        ):  # fmt: skip
            with self.subTest(moment=moment):
                self.runner_ends(lambda request, m=moment: m if self.clock() < 1031 else group(entry()))
                self.assertEqual(len(self.runs(RUNNER)), 2)
                self.assertIn("task runner: exited 0: ; again in 10 s", self.console)
                self.assertEqual(self.console[-1], "spot interruption: notice")

    def test_exit_0_after_anything_but_three_equal_answers_is_a_failure(self):
        over, on = group(status="shutting_down"), group(entry())
        for answers in (
            (on,), (over, over, on), (404, over, group(status="start_failed")),
            (401,), (over, 403), (over, 404, 429), (over, 500), (404, 404, b""), (over, (404, b"<html>")),
        ):  # fmt: skip
            with self.subTest(answers=answers):
                left = list(answers)
                # The bad one is asked about again: a 404 may be meant.
                self.runner_ends(lambda request: left.pop(0) if left else on)
                self.assertEqual(len(self.runs(RUNNER)), 2, self.console)
                self.assertEqual(self.console[-1], "spot interruption: notice")
                self.assertEqual(self.failures, [])

    def test_exit_0_when_idle_by_the_runners_own_word_is_the_end(self):
        for reason in ("TaskRunnerTerminationReason.IDLE_TIMEOUT", "idle_timeout"):
            self.write("log", f"I1126 main.py:190] Caught exception: TaskRunnerTerminationError({reason}, None)\n")
            self.runner_ends(group(entry()))
            self.assertEqual(self.console[-1], "the task runner is done: idle for its own limit")
            self.assertEqual(len(self.runs(RUNNER)), 1)
        self.write("log", "TaskRunnerTerminationError(TaskRunnerTerminationReason.ERROR, idle_timeout\n) idle_timeout")
        self.write("log", "idle_timeout TaskRunnerTerminationError(TaskRunnerTerminationReason.ERROR, None)\n")
        self.runner_ends(group(entry()))
        self.assertEqual(len(self.runs(RUNNER)), 2)

    def test_exit_0_again_and_again_is_never_the_end_while_there_is_a_group(self):
        self.reply("docker-run.after", f"((clock < 1030)) || [[ $* != *{RUNNER}* ]] || set_runner exited 0")
        self.at(30, "set_runner exited 0")
        self.at(1000, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(self.failures, [])
        self.assertEqual(self.restart_pauses()[:7], [10, 20, 40, 80, 160, 160, 160])

    def test_a_refused_key_on_a_machine_that_joined_leaves_its_end_to_the_idle_time(self):
        for status in (401, 403):
            with self.subTest(status):
                self.reply("docker-run.after", f"((clock < 1030)) || [[ $* != *{RUNNER}* ]] || set_runner exited 1")
                self.runner_ends(status, MAX_IDLE_MINUTES="7", last=900)
                self.assertEqual(self.failures, [])
                self.assertIn("idle for 7 minutes", self.console)
                self.assertGreater(len(self.runs(RUNNER)), 3)
                self.assertTrue(1035 + 420 <= self.clock() <= 1035 + 420 + 200, self.clock())

    def test_an_api_that_is_out_of_order_for_an_hour_ends_nothing(self):
        for answer in (429, b"<html>"):
            with self.subTest(answer=answer):
                self.write("root/proc/uptime", "1000.00 1.00\n")
                # The first that is started when the API is back stays.
                self.reply("docker-run.after", f"""
                    if [[ $* == *{RUNNER}* ]] && ((clock > 4600)); then
                      echo '{STOP}' >"$CASE/timeline/$((clock + 100))"
                    elif [[ $* == *{RUNNER}* ]] && ((clock >= 1030)); then
                      set_runner exited 1
                    fi""")
                self.api.answer = lambda request, a=answer: a if 1035 <= self.clock() < 4600 else group(entry())
                self.at(30, "set_runner exited 0")
                self.long_pauses(500, of=160)
                self.boot_and_supervise(MAX_IDLE_MINUTES="30")
                self.assertEqual((self.failures, self.ending), ([], []))
                self.assertGreater(self.runs(RUNNER)[-1].clock, 4600)

    def test_a_runner_that_the_api_lets_fail_for_two_hours_ends_the_machine(self):
        for minutes, hours in (("0", 2), ("30", 3)):
            with self.subTest(minutes):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.reply("docker-run.after", f"((clock < 1030)) || [[ $* != *{RUNNER}* ]] || set_runner exited 1")
                self.api.answer = lambda request: 500 if self.clock() >= 1035 else group(entry())
                self.at(30, "set_runner exited 1")
                self.long_pauses(1000, of=160)
                self.boot_and_supervise(MAX_IDLE_MINUTES=minutes)
                self.assert_failed("task-runner: exited 1: ")
                self.assertTrue(0 <= self.clock() - 1030 - hours * 3600 < 1050, self.clock())

    def test_a_task_begins_the_count_of_failures_anew(self):
        for number in range(8):
            self.at(100 + 100 * number, "set_runner exited 1")
        self.api.answer = lambda request: group(entry(task="t1" if self.clock() % 100 < 85 else None))
        self.at(900, STOP)
        self.long_pauses(12)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(self.failures, [])
        self.assertEqual(len(self.runs(RUNNER)), 9)

    def test_the_key_in_the_runners_last_words_is_not_repeated(self):
        self.runner_dies()
        self.reply("docker-logs", 'echo before; echo "key $(<"$CASE/key") is bad"; exit 0')
        self.boot_and_supervise()
        self.assert_failed("task-runner: exited 1: before$")

    def test_last_words_cannot_write_on_the_console_what_they_like(self):
        self.runner_dies()
        self.reply("docker-logs", r"printf 'a\033[2Jb\r\n'; exit 0")
        self.boot_and_supervise()
        self.assertRegex(self.failures[0], r"exited 1: a\[2Jb$")

    def test_an_engine_that_is_away_for_a_while_is_waited_for(self):
        self.reply("docker-inspect", "((clock < 1050 || clock > 1150)) || exit 1")
        self.at(200, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(len(self.runs(RUNNER)), 1)
        self.assertEqual(self.failures, [])

    def test_a_container_that_is_gone_is_made_again(self):
        self.at(10, f'"$REAL_RM" "$CASE/containers/{RUNNER}"')
        self.at(240, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assertEqual(len(self.runs(RUNNER)), 2)


if __name__ == "__main__":
    unittest.main()
