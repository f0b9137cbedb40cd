"""The supervisor and a machine that has nothing to do."""

import json
import unittest

from machine import GROUP_ID, entry, group
from supervisor import STOP, Supervisor


class Idleness(Supervisor):
    def test_a_machine_that_is_idle_for_so_long_is_ended(self):
        self.boot_and_supervise(MAX_IDLE_MINUTES="2")
        self.idle_after(120)
        self.assertIn("idle for 2 minutes", self.console)

    def test_0_is_never(self):
        self.at(3600, STOP)
        self.reply("sleep", "((clock < 1100 || clock > 4500)) || clock=4500")
        self.boot_and_supervise(MAX_IDLE_MINUTES="0")
        self.assert_never_idle()

    def test_a_task_in_the_api_makes_it_busy(self):
        self.api.answer = lambda request: group(entry(task="t1" if self.clock() < 1300 else None))
        self.long_pauses(20, after=1040, before=1270)
        self.boot_and_supervise()
        self.idle_after(360)

    def test_a_short_task_starts_the_count_again(self):
        self.api.answer = lambda request: group(entry(task="t1" if 1040 <= self.clock() < 1070 else None))
        self.boot_and_supervise()
        self.idle_after(140)

    def test_the_task_of_another_machine_does_not_count(self):
        self.api.answer = lambda request: group(entry("i-another", task="t1"), entry())
        self.boot_and_supervise()
        self.idle_after(60)

    def test_a_task_of_an_entry_that_is_over_does_not_count(self):
        self.api.answer = lambda request: group(entry(task="t0", terminated_at="2025-01-01"), entry())
        self.boot_and_supervise()
        self.idle_after(60)

    def test_a_process_beside_the_runners_own_makes_it_busy(self):
        self.write("processes", "1 Ssl\n7 S\n")
        self.at(50, 'printf "1 Ssl\n7 S\n9 R\n" >"$CASE/processes"')
        self.at(300, 'printf "1 Ssl\n7 S\n" >"$CASE/processes"')
        self.long_pauses(20, after=1060, before=1270)
        self.boot_and_supervise()
        self.idle_after(360)

    def test_the_runners_own_processes_are_the_fewest_ever_seen(self):
        # The first look fell into a task that the API did not show yet.
        self.write("processes", "1 Ssl\n7 S\n9 R\n")
        self.at(35, 'echo "1 Ssl" >"$CASE/processes"')
        self.at(75, 'printf "1 Ssl\n7 S\n" >"$CASE/processes"')
        self.at(200, 'echo "1 Ssl" >"$CASE/processes"')
        self.boot_and_supervise()
        self.idle_after(260)

    def test_a_runner_that_just_starts_is_not_counted(self):
        self.write("processes", "1 Ssl\n7 S\n")
        self.at(47, 'set_runner exited 1; echo "1 Ssl" >"$CASE/processes"')
        self.at(75, 'printf "1 Ssl\n7 S\n" >"$CASE/processes"')
        self.at(400, STOP)
        self.boot_and_supervise(MAX_IDLE_MINUTES="2")
        self.idle_after(140)

    def leak(self, seconds, **variables):
        """A process of a task stays."""
        self.write("processes", "1 Ssl\n")
        self.at(1300, 'printf "1 Ssl\n9 R\n" >"$CASE/processes"')
        self.at(seconds, STOP)
        self.long_pauses(300)
        self.boot_and_supervise(**variables)

    def test_a_process_that_is_left_keeps_no_machine_for_ever(self):
        for minutes, hours in (("1", 2), ("30", 3)):
            with self.subTest(minutes):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1000.00\n")
                self.leak(20000, MAX_IDLE_MINUTES=minutes)
                self.assertEqual(
                    self.console[-1],
                    f"no task for {hours * 60} minutes, although the runner has other processes")
                self.assertEqual(self.ending, self.ENDED)
                self.assertTrue(0 <= self.clock() - 1000 - hours * 3600 < 3000, self.clock())

    def test_it_does_keep_one_that_is_never_to_end_for_idleness(self):
        self.leak(20000, MAX_IDLE_MINUTES="0")
        self.assert_never_idle()
        self.assertEqual([line for line in self.console if "no task" in line], [])

    def test_a_task_in_between_and_time_without_an_answer_keep_it(self):
        for word, answer in (("busy", group(entry(task="t1"))), ("silent", 500)):
            with self.subTest(word):
                self.forget()
                self.write("root/proc/uptime", "1000.00 1000.00\n")
                self.api.answer = lambda request, a=answer: a if 7000 <= self.clock() < 9000 else group(entry())
                self.leak(20000)
                counted = 9000 if word == "busy" else 1000 + 2000
                self.assertEqual(self.ending, self.ENDED)
                self.assertTrue(0 <= self.clock() - counted - 7200 < 3500, self.clock())

    def test_a_zombie_is_no_work(self):
        self.at(30, 'printf "1 Ssl\n7 Z\n8 Zs\n" >"$CASE/processes"')
        self.boot_and_supervise()
        self.idle_after(60)

    def test_processes_that_cannot_be_listed_make_it_busy(self):
        self.reply("docker-top", "((clock > 1300)) || exit 1")
        self.long_pauses(20, after=1040, before=1270)
        self.boot_and_supervise()
        self.idle_after(360)

    def test_no_processes_at_all_are_no_answer(self):
        self.write("processes", "")
        self.at(300, STOP)
        self.long_pauses(10)
        self.boot_and_supervise()
        self.assert_never_idle()

    def test_an_answer_that_is_no_answer_makes_it_busy(self):
        answers = [
            400, 429, 500, 503, (401, b"<html>"), (403, b"<html>"), (404, b"<html>"),
            b"", b"rubbish", b"null", b"[]", b"{}", b'{"id": "x"}',
            {"id": GROUP_ID, "machines": None},
            {"id": GROUP_ID, "machines": ["x", entry()]},
            {"machines": [entry()]},
            json.dumps(group(entry())).encode()[:-1],
            group(entry(task="")),
        ]  # fmt: skip
        looks = []

        # It shows as idle and with one of these in turn, every 20 s: with one
        # that is taken for idle it would be so for the 40 s that end it. What is
        # asked within a look has the same answer.
        def answer(request):
            if not looks or self.clock() - looks[-1][0] > 10:
                bad = answers and len(looks) % 2 == 0
                looks.append((self.clock(), answers.pop(0) if bad else group(entry())))
            return looks[-1][1]

        self.boot()
        settings = self.env_file.parent / "settings"
        text = settings.read_text().replace('max_idle_seconds="60"', 'max_idle_seconds="40"')
        settings.write_text(text)
        self.api.answer = lambda request: group(entry()) if self.clock() < 1010 else answer(request)
        self.supervise()
        self.assertEqual(answers, [])
        self.assertEqual(len([line for line in self.console if line.startswith("idle")]), 1)
        self.assertEqual(self.ending, self.ENDED)

    def test_a_runner_that_the_api_shows_no_more_is_ended_when_it_does_nothing(self):
        # It repeats its last event for ever if that is refused.
        for answer in (
            group(), group(entry("i-another")), group(entry(terminated_at="2025-01-01T00:00:00Z")),
            401, 403, 404,
        ):  # fmt: skip
            with self.subTest(answer=answer):
                self.write("root/proc/uptime", "1000.00 1000.00\n")
                self.api.answer = lambda request: group(entry()) if self.clock() < 1010 else answer
                self.at(600, STOP)
                self.boot_and_supervise()
                self.assertIn("idle for 1 minutes", self.console)
                self.assertEqual(self.ending, self.ENDED)

    def test_it_goes_on_while_it_works(self):
        for answer in (group(), 401, 404):
            with self.subTest(answer=answer):
                self.write("root/proc/uptime", "1000.00 1000.00\n")
                self.write("processes", "1 Ssl\n")
                self.api.answer = lambda request: group(entry()) if self.clock() < 1030 else answer
                self.at(25, 'printf "1 Ssl\n9 R\n" >"$CASE/processes"')
                self.at(300, STOP)
                self.long_pauses(10, after=1030)
                self.boot_and_supervise()
                self.assertIn("registered", self.phases)
                self.assert_never_idle()

    def test_one_refusal_among_other_answers_makes_it_busy(self):
        asked = []

        def answer(request):
            if self.clock() < 1010:
                return group(entry())
            asked.append(request)
            return (401, 401, group(entry()))[(len(asked) - 1) % 3]

        self.api.answer = answer
        self.at(300, STOP)
        self.boot_and_supervise()
        self.assertGreater(len(asked), 12)
        self.assert_never_idle()

    def test_an_api_that_is_slow_makes_it_busy(self):
        self.write("impatient", "")
        self.api.answer = lambda request: group(entry()) if self.clock() < 1030 else None
        self.at(85, STOP)
        self.boot_and_supervise()
        self.assert_never_idle()
        for text in self.texts("curl -sSf"):
            self.assertIn("--max-time 15", text)

    def test_an_api_that_is_down_makes_it_busy(self):
        # Nobody listens any more from the first request after 1030 on.
        def answer(request):
            if self.clock() < 1030:
                return group(entry())
            self.api.server.socket.close()
            return 500

        self.api.answer = answer
        self.at(130, STOP)
        self.boot_and_supervise()
        self.assertIn("registered", self.phases)
        self.assertIn("Failed to connect", self.output)
        self.assert_never_idle()

    def test_wall_clock_changes_do_not_matter(self):
        self.boot()
        for name in ("supervisor", "settings"):
            text = self.read(f"root/var/lib/inductiva-aws/{name}")
            self.assertNotRegex(text, r"\bdate\b|SECONDS\b|EPOCH")


if __name__ == "__main__":
    unittest.main()
