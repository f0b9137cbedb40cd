"""The container engine and the images that user-data.sh installs and pulls."""

import fcntl
import threading
import time
import unittest

from machine import HERE, PHASES, MachineTest


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


if __name__ == "__main__":
    unittest.main()
