"""The supervisor: from the metadata to the end of the machine.

A tick of its loop is 5 s of the machine's clock, a look at idleness every 20 s.
The supervisor starts when the clock is at 1000.
"""

import json
import unittest

from machine import GROUP_ID, KEY, ME, MachineTest, entry, group

RUNNER = "inductiva-task-runner"
TRACKER = "inductiva-file-tracker"
DELETE = f"/compute/group?machine_group_id={GROUP_ID}"
# By systemd, so that a test of what does not happen comes to its end.
STOP = "kill -TERM $PPID"
# An end that asks nobody.
END = 'echo notice >"$CASE/metadata/instance-action"'


class Supervisor(MachineTest):
    def idle_after(self, seconds):
        """That it ended the machine for idleness, and when."""
        idle = [line for line in self.console if line.startswith("idle for")]
        self.assertEqual(len(idle), 1, (self.console, self.output[-2000:]))
        self.assertEqual(self.ending, self.ENDED)
        self.assertTrue(seconds <= self.clock() - 1000 <= seconds + 25, self.clock())

    def assert_never_idle(self):
        self.assertEqual([line for line in self.console if "idle" in line], [])
        self.assertEqual(self.ending, [])

    def runs(self, name):
        return [call for call in self.calls("docker run") if name in call.argv]

    def running(self, name):
        return self.read(f"containers/{name}").startswith("running")


class Contract(Supervisor):
    """Fields of `docker run`, as facts of the two images."""

    def start(self, **variables):
        self.at(20, STOP)
        self.assertEqual(self.boot_and_supervise(**variables), 0, self.output)

    COMMON = [
        "--env-file", "{state}/containers.env",
        "--log-driver", "local", "--log-opt", "max-size=10m", "--log-opt", "max-file=3",
        "--network", "host", "--volume", "workdir:/workdir",
    ]

    def expected(self, name, *more):
        words = ["--detach", "--name", name, "--restart", "no", *self.COMMON, *more]
        return [word.format(state=self.env_file.parent) for word in words]

    def runner(self, *more, group_variable=f"MACHINE_GROUP_ID={GROUP_ID}"):
        return self.expected(
            RUNNER, "--privileged", "--stop-timeout", "120",
            "--volume", "{state}/executer-images:/executer-images",
            "--env", "EXECUTER_IMAGES_DIR=/executer-images",
            "--env", f"HOST_ID={ME}", "--env", f"HOST_NAME={ME}", "--env", "LOCAL_MODE=true",
            "--env", group_variable, *more, "registry.test/task-runner:main")

    def test_the_task_runner_is_run_with_its_contract(self):
        self.start()
        self.assertEqual(self.container_arguments(RUNNER), self.runner())

    def test_the_file_tracker_is_run_with_its_contract(self):
        self.start()
        self.assertEqual(
            self.container_arguments(TRACKER),
            self.expected(TRACKER, "--env", "ICE_URL=webrtc.inductiva.ai:3478",
                          "registry.test/file-tracker:main"))

    def test_a_group_without_an_id_is_joined_by_its_name(self):
        for group_id in ("", None):
            self.start(MACHINE_GROUP_ID=group_id)
            self.assertEqual(
                self.container_arguments(RUNNER), self.runner(group_variable="MACHINE_GROUP_NAME=a group"))

    def test_a_machine_with_gpus_gives_them_to_the_runner(self):
        self.start(GPU="true")
        self.assertEqual(
            self.container_arguments(RUNNER), self.runner("--gpus", "all", "--env", "ON_GPU=true"))
        self.assertNotIn("--gpus", self.container_arguments(TRACKER))

    def test_the_runners_own_idle_timeout_is_not_set(self):
        self.start()
        self.assertNotIn("MAX_IDLE_TIMEOUT", self.read("calls") + self.env_file.read_text())

    def test_the_directory_of_images_is_open_to_the_runner(self):
        self.start()
        directory = self.env_file.parent / "executer-images"
        self.assertEqual(directory.stat().st_mode & 0o7777, 0o777)

    def test_the_file_tracker_is_there_before_the_runner(self):
        self.start()
        self.assertEqual([call.argv[4] for call in self.calls("docker run")], [TRACKER, RUNNER])

    def test_the_phases_are_said_in_their_order(self):
        self.start()
        self.assertEqual(self.phases, ["metadata", "file-tracker", "task-runner", "registered"])

    def test_a_file_tracker_that_does_not_start_is_said_and_left_to_systemd(self):
        self.reply("docker-run", "echo 'docker: no space left on device' >&2; exit 125")
        self.assertNotEqual(self.boot_and_supervise(), 0)
        self.assertEqual(self.failures, ["failed file-tracker: docker: no space left on device"])
        self.assertEqual(self.ending, [])

    def test_a_file_tracker_that_dies_is_started_again(self):
        self.at(30, f'echo "exited 1" >"$CASE/containers/{TRACKER}"')
        self.at(60, STOP)
        self.reply("docker-stop", f'[[ $* != *{TRACKER}* ]] || echo "$(<"$CASE/containers/{TRACKER}")" >"$CASE/seen"')
        self.boot_and_supervise()
        self.assertEqual(self.read("seen"), "running 0\n")
        self.assertEqual(len(self.runs(RUNNER)), 1)

    def test_namespaces_are_opened_where_there_is_a_switch(self):
        self.start()
        self.assertEqual(self.texts("sysctl"), [])
        self.write("root/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")
        self.at(40, STOP)
        self.supervise()
        self.assertEqual(
            self.texts("sysctl"), ["sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0"])


class Metadata(Supervisor):
    RULES = [
        "iptables -w 60 -t filter -I OUTPUT -d 169.254.169.254 -m owner ! --uid-owner 0 -j REJECT",
        "iptables -w 60 -t raw -I PREROUTING -d 169.254.169.254 -j DROP",
        "iptables -w 60 -t filter -I INPUT -p tcp --dport 5000 ! -i lo -j DROP",
        "ip6tables -w 60 -t filter -I OUTPUT -d fd00:ec2::254 -m owner ! --uid-owner 0 -j REJECT",
        "ip6tables -w 60 -t raw -I PREROUTING -d fd00:ec2::254 -j DROP",
        "ip6tables -w 60 -t filter -I INPUT -p tcp --dport 5000 ! -i lo -j DROP",
    ]

    def inserted(self):
        return [call.text for call in self.calls() if "-I" in call.argv]

    def test_it_is_closed_and_so_is_port_5000_before_a_container_runs(self):
        self.at(5, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.inserted(), self.RULES)
        order = self.texts()
        self.assertLess(order.index(self.RULES[-1]),
                        next(i for i, text in enumerate(order) if text.startswith("docker run")))

    def test_each_rule_is_there_once_however_often_the_supervisor_starts(self):
        self.at(5, STOP)
        self.boot_and_supervise()
        self.forget()
        self.at(15, STOP)
        self.supervise()
        self.assertEqual(self.inserted(), [])

    def test_the_rules_are_back_after_a_reboot(self):
        self.at(5, STOP)
        self.boot_and_supervise()
        self.forget()
        (self.case / "rules").unlink()
        self.at(15, STOP)
        self.supervise()
        self.assertEqual(self.inserted(), self.RULES)

    def test_a_machine_without_ipv6_has_no_rules_for_it(self):
        (self.root / "proc/net/if_inet6").unlink()
        self.at(5, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.inserted(), self.RULES[:3])

    def test_no_container_runs_when_it_cannot_be_closed(self):
        self.reply("iptables", """
            echo "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id" >&2
            echo "Try 'iptables --help' for more information." >&2
            exit 4""")
        self.assertNotEqual(self.boot_and_supervise(), 0)
        self.assertEqual(
            self.failures, ["failed metadata: iptables v1.8.9 (nf_tables): Could not fetch rule set generation id"])
        self.assertEqual(self.texts("docker run"), [])

    def test_the_instance_id_is_asked_with_a_token_only(self):
        self.at(5, STOP)
        self.boot_and_supervise()
        token, instance_id = self.texts("curl")[:2]
        self.assertIn("-X PUT", token)
        self.assertIn("X-aws-ec2-metadata-token: the-token", instance_id)
        self.assertTrue(all("--max-time" in text for text in self.texts("curl")))

    def test_the_instance_id_comes_from_cloud_init_when_the_metadata_do_not_answer(self):
        self.write("no-metadata", "")
        self.write("cloud-id", "i-fromcloudinit")
        self.be_machine("i-fromcloudinit")
        self.at(5, STOP)
        self.boot_and_supervise()
        self.assertIn("HOST_NAME=i-fromcloudinit", self.container_arguments(RUNNER))
        self.assertEqual(len(self.calls("cloud-init query instance_id")), 1)
        self.assertEqual([c.text for c in self.calls("sleep 1")], ["sleep 1"] * 3)

    def test_metadata_that_answer_late_are_waited_for(self):
        self.write("no-metadata", "")
        self.at(2, '"$REAL_RM" "$CASE/no-metadata"')
        self.at(10, STOP)
        self.boot_and_supervise()
        self.assertIn(f"HOST_NAME={ME}", self.container_arguments(RUNNER))
        self.assertEqual(self.texts("cloud-init"), [])

    def test_a_machine_that_does_not_know_its_id_fails(self):
        for answer in (None, "not an id"):
            with self.subTest(answer):
                self.write("no-metadata", "")
                if answer:
                    self.write("cloud-id", answer)
                self.assertNotEqual(self.boot_and_supervise(), 0)
                self.assertRegex(self.failures[0], "^failed metadata: ")
                self.assertEqual(self.texts("docker run"), [])


class Registration(Supervisor):
    DISARM = "systemctl disable --now inductiva-aws-boot-deadline.timer"

    def test_the_boot_deadline_holds_until_the_api_shows_this_machine(self):
        answers = [
            group(),
            group(entry("i-another")),
            group(entry(terminated_at="2025-01-01T00:00:00Z")),
            {"id": GROUP_ID},
            {"id": GROUP_ID, "machines": {}},
            {"id": GROUP_ID, "machines": [ME]},
            {"id": 5, "machines": [entry()]},
            [],
            b"<html>",
            b"",
            401,
            404,
            500,
        ]
        self.api.answer = lambda request: answers.pop(0) if answers else 500
        self.at(5 * len(answers) + 2, STOP)
        self.boot_and_supervise()
        self.assertEqual(answers, [])
        self.assertNotIn("registered", self.phases)
        self.assertEqual(self.calls(self.DISARM), [])

    def test_any_entry_of_this_machine_that_is_not_over_is_a_registration(self):
        for answer in (
            group(entry("i-another"), entry()),
            group(entry(terminated_at="2025-01-01T00:00:00Z"), entry()),
            group(entry(task="t1")),
            group({"host_name": ME}),
        ):
            with self.subTest(answer=answer):
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.api.answer = lambda request, a=answer: a
                self.at(10, STOP)
                self.boot_and_supervise()
                self.assertIn("registered", self.phases)
                self.assertEqual(len(self.calls(self.DISARM)), 1)

    def test_it_is_asked_every_five_seconds(self):
        self.api.answer = lambda request: group(entry()) if self.clock() >= 1030 else group()
        self.at(33, STOP)
        self.boot_and_supervise()
        [disarmed] = self.calls(self.DISARM)
        self.assertEqual(disarmed.clock, 1030)

    def test_the_group_is_asked_by_its_name_with_the_key_in_a_header(self):
        for name, path in (
            ("a group", "a%20group"), ("v1.2_x-y", "v1.2_x-y"), ("..", ".."), ("a/b?c#d%é", "a%2Fb%3Fc%23d%25%C3%A9"),
        ):
            with self.subTest(name):
                self.api.requests.clear()
                self.write("root/proc/uptime", "1000.00 1.00\n")
                self.at(10, STOP)
                self.boot_and_supervise(MACHINE_GROUP_NAME=name)
                method, asked, headers, _ = self.api.requests[0]
                self.assertEqual((method, asked), ("GET", f"/compute/group/{path}"))
                self.assertEqual(headers["X-API-Key"], KEY)

    def test_a_supervisor_that_is_never_shown_ends_the_machine_by_itself(self):
        # After a reboot, when the boot deadline may be disarmed already.
        self.api.answer = lambda request: group()
        self.boot_and_supervise(BOOT_TIMEOUT_SECONDS="60")
        self.assert_failed("task-runner: not registered within 60 s")
        self.assertEqual(self.api.asked("DELETE"), [])


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


class AnotherMachine(Supervisor):
    """An image of a machine that ran, with all that is in its disk."""

    OTHER = "i-0fedcba9876543210"

    def first(self):
        self.at(30, "kill -KILL $PPID")
        self.boot_and_supervise()
        self.assertIn("registered", self.phases)
        self.forget()
        self.api.requests.clear()
        self.write("root/proc/uptime", "20.00 20.00\n")
        for container in (self.case / "containers").iterdir():
            container.write_text("exited 137\n")
        self.at(-940, STOP)

    def assert_nothing_was_done(self):
        self.assertEqual(self.console[-1], "this supervisor is of another machine: it does nothing here")
        self.assertEqual(self.api.requests, [])
        self.assertEqual((self.texts("systemctl"), self.texts("docker"), self.inserted()), ([], [], []))

    def inserted(self):
        return [call.text for call in self.calls() if "-I" in call.argv]

    def test_the_old_supervisor_does_nothing_there(self):
        self.first()
        self.be_machine(self.OTHER)
        self.assertEqual(self.supervise(), 0)
        self.assert_nothing_was_done()
        self.assertEqual(self.texts(), [])

    def test_without_a_board_it_knows_by_the_instance_id_of_its_last_start(self):
        (self.root / "sys/class/dmi/id/board_asset_tag").unlink()
        self.first()
        self.write("metadata/instance-id", self.OTHER)
        self.assertEqual(self.supervise(), 0)
        self.assert_nothing_was_done()

    def be_xen(self, uuid):
        (self.root / "sys/class/dmi/id/board_asset_tag").unlink(missing_ok=True)
        self.write("root/sys/class/dmi/id/product_uuid", f"{uuid}\n")

    def test_on_xen_it_knows_by_the_uuid_when_it_never_had_an_id(self):
        self.be_xen("ec2ae145-one")
        self.assertEqual(self.boot(), 0, self.output)
        self.forget()
        self.be_xen("ec2ae145-two")
        self.assertEqual(self.supervise(), 0)
        self.assert_nothing_was_done()

    def test_a_new_type_with_a_board_of_another_kind_is_the_same_machine(self):
        for first, then in ((self.be_xen, self.be_machine), (self.be_machine, self.be_xen)):
            with self.subTest(first=first.__name__):
                (self.root / "sys/class/dmi/id/product_uuid").unlink(missing_ok=True)
                self.write("root/proc/uptime", "1000.00 1.00\n")
                first(ME)
                self.first()
                then(ME if then == self.be_machine else "ec2ae145-one")
                self.assertEqual(self.supervise(), 0)
                self.assertEqual(self.phases[-1], "registered")

    def test_on_its_own_machine_it_goes_on(self):
        self.first()
        self.assertEqual(self.supervise(), 0)
        self.assertEqual(self.phases[-1], "registered")

    def test_on_its_own_machine_it_goes_on_without_a_board(self):
        (self.root / "sys/class/dmi/id/board_asset_tag").unlink()
        self.first()
        self.assertEqual(self.supervise(), 0)
        self.assertEqual(self.phases[-1], "registered")

    def test_a_new_run_makes_it_this_machines(self):
        (self.root / "sys/class/dmi/id/board_asset_tag").unlink()
        self.first()
        self.write("metadata/instance-id", self.OTHER)
        self.api.answer = lambda request: group(entry(self.OTHER))
        self.at(-940, STOP)
        self.boot_and_supervise()
        self.assertEqual(self.phases[-1], "registered")


class Unit(Supervisor):
    def test_a_helper_that_is_killed_for_its_memory_does_not_stop_the_runner(self):
        self.boot()
        unit = self.unit("inductiva-aws.service")
        self.assertIn("\nOOMPolicy=continue\n", unit)
        self.assertRegex(unit, r"\nOOMScoreAdjust=-\d+\n")


class Secrets(Supervisor):
    def test_a_trace_of_the_supervisor_does_not_show_the_key(self):
        self.boot()
        self.at(30, "set_runner exited 1")
        self.reply("docker-logs", 'echo "$(<"$CASE/key")"; exit 0')
        self.supervise("-x")
        self.assertIn("docker run", self.output)
        self.assertEqual(self.api.asked("DELETE"), [DELETE])
        # tearDown looks for the key: in the output, argv, environments, files.

    def test_a_key_that_the_api_refuses_is_not_repeated(self):
        self.api.answer = lambda request: 401
        self.at(30, STOP)
        self.boot_and_supervise()
        self.assertIn("401", self.output)


if __name__ == "__main__":
    unittest.main()
