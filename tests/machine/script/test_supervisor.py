"""The supervisor: its contract with the containers, the metadata, registration, and other
machines. Its restarts, idleness and ends have files of their own."""

import unittest

from machine import GROUP_ID, KEY, ME, entry, group
from supervisor import DELETE, RUNNER, STOP, TRACKER, Supervisor


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
