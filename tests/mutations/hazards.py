"""Changes of user-data.sh, each of which takes away a guard against something that
goes wrong on real machines: what an image of a machine that ran brings along, apt's
first boot, an engine that is slow, a registry that refuses. `script` names the tests in
tests/machine/script/ that have to fail then.
"""

from changes import Change

SCRIPT = "user-data.sh"
ELSEWHERE = "test_boot.AgainOrElsewhere.test_on_another_machine_what_the_first_one_left_goes"
OLD_SUPERVISOR = "test_supervisor.AnotherMachine"
IN_THE_IMAGE = "test_prepare.Prepare.test_nothing_of_the_machine_is_left_in_its_image"
FILES_KEPT = (
    "test_engine.ContainerEngine."
    "test_files_that_are_there_are_kept_and_an_interrupted_dpkg_is_finished_first"
)

HAZARDS = [
    Change(
        "a deadline in an image powers off the machines made from it",
        file=SCRIPT,
        old='[[ -z $machine || -z $here || $here == "$machine" ]] || return 0\n',
        new="",
        script=(
            "test_deadlines.Deadlines.test_a_deadline_of_another_machine_ends_nothing_and_its_own_does",
        ),
    ),
    Change(
        "a deadline in an image is not told from the machine's own where there is no board of Nitro's",
        file=SCRIPT,
        old="for file in board_asset_tag product_uuid; do",
        new="for file in board_asset_tag; do",
        script=(
            "test_deadlines.Deadlines.test_a_deadline_of_another_machine_ends_nothing_and_its_own_does",
            f"{OLD_SUPERVISOR}.test_on_xen_it_knows_by_the_uuid_when_it_never_had_an_id",
        ),
    ),
    Change(
        "the supervisor in an image joins its group, disarms the new deadline, and ends the machine if its key is refused",
        file=SCRIPT,
        old='[[ $here != i-* || $machine != i-* || $here == "$machine" ]] || leave\n',
        new="",
        script=(f"{OLD_SUPERVISOR}.test_the_old_supervisor_does_nothing_there",),
    ),
    Change(
        "the supervisor in an image does so where there is no board",
        file=SCRIPT,
        old='[[ $own_instance_id == "$instance_id" ]] || leave',
        new=":",
        script=(
            f"{OLD_SUPERVISOR}.test_without_a_board_it_knows_by_the_instance_id_of_its_last_start",
        ),
    ),
    Change(
        "a machine that never joined deletes the group, by the marker of the one before",
        file=SCRIPT,
        old='rm -f "$state/registered" "$state/instance-id"',
        new='rm -f "$state/instance-id"',
        script=(
            ELSEWHERE,
            "test_boot.AgainOrElsewhere.test_on_the_same_machine_all_but_the_marker_stays",
        ),
    ),
    Change(
        "a second run keeps the lifetime and the budget of the first",
        file=SCRIPT,
        old="for name in lifetime budget; do",
        new="for name in; do",
        script=(
            "test_deadlines.Deadlines.test_a_second_run_without_a_lifetime_takes_the_first_ones_away",
            "test_deadlines.Deadlines.test_a_second_run_without_a_budget_takes_the_first_ones_away",
        ),
    ),
    Change(
        "the other machine's key stays in cloud-init's copies",
        file=SCRIPT,
        old='[[ $directory -ef $root/var/lib/cloud/instance ]] || rm -rf "$directory"',
        new=":",
        script=(ELSEWHERE,),
    ),
    Change(
        "the other machine's containers stay, with its key",
        file=SCRIPT,
        old="docker rm --force inductiva-task-runner inductiva-file-tracker >/dev/null 2>&1 || true",
        new=":",
        script=(ELSEWHERE, IN_THE_IMAGE),
    ),
    Change(
        "what a task of the other machine left is uploaded from this one",
        file=SCRIPT,
        old="docker volume rm --force workdir >/dev/null",
        new=":",
        script=(ELSEWHERE, IN_THE_IMAGE),
    ),
    Change(
        "the old service is stopped before a deadline is armed",
        file=SCRIPT,
        old="enter deadlines\nbegan=",
        new="systemctl stop inductiva-aws.service || true\nenter deadlines\nbegan=",
        script=("test_deadlines.Deadlines.test_they_are_armed_before_anything_else",),
    ),
    Change(
        "a prepared image has its builder's state of cloud-init",
        file=SCRIPT,
        old='rm -rf "$root"/var/lib/cloud/{instance,instances,data,sem}\n',
        new="",
        script=(IN_THE_IMAGE,),
    ),
    Change(
        "the machines of a prepared image have one machine-id",
        file=SCRIPT,
        old='  : >"$root/etc/machine-id"\n',
        new="",
        script=(IN_THE_IMAGE,),
    ),
    Change(
        "the machines of a prepared image have one host key",
        file=SCRIPT,
        old=' "$root"/etc/ssh/ssh_host_*',
        new="",
        script=(IN_THE_IMAGE,),
    ),
    Change(
        "the logs of the builder are in its image",
        file=SCRIPT,
        old='  find "$root/var/log" -type f -exec truncate --size=0 {} +\n',
        new="",
        script=(IN_THE_IMAGE,),
    ),
    Change(
        "the builder's timers and state are in its image",
        file=SCRIPT,
        old='rm -rf "$state" "$units"/inductiva-aws* ',
        new="rm -rf ",
        script=(IN_THE_IMAGE,),
    ),
    Change(
        "a builder that nobody stops is not ended by its deadline any more",
        file=SCRIPT,
        old='mv "$units"/inductiva-aws-{end,boot-deadline}.* "$root/run/systemd/system"',
        new='rm -f "$units"/inductiva-aws-{end,boot-deadline}.*',
        script=("test_prepare.Prepare.test_the_deadline_goes_on_but_not_in_the_image",),
    ),
    Change(
        "after a reboot half-way a builder is taken for one that was booted before",
        file=SCRIPT,
        old='  rm -rf "$root"/var/lib/cloud/{instance,instances,data,sem}\n  rm -rf "$root"/var/log/journal/*',
        new='  systemctl daemon-reload\n  rm -rf "$root"/var/lib/cloud/{instance,instances,data,sem}\n  rm -rf "$root"/var/log/journal/*',
        script=(
            "test_prepare.Prepare.test_cloud_init_forgets_first_so_that_a_reboot_begins_anew",
        ),
    ),
    Change(
        "an older container image is taken for a new prepared image",
        file=SCRIPT,
        old="[[ $preparing ]] || ! docker image inspect",
        new="! docker image inspect",
        script=(
            "test_prepare.Prepare.test_the_registry_decides_even_if_an_older_image_is_there",
        ),
    ),
    Change(
        "dpkg asks what to do with a configuration file that is there",
        file=SCRIPT,
        old="local dpkg_options=(--force-confold --force-unsafe-io)",
        new="local dpkg_options=(--force-unsafe-io)",
        script=(FILES_KEPT,),
    ),
    Change(
        "a dpkg that was interrupted fails all tries",
        file=SCRIPT,
        old='  dpkg "${dpkg_options[@]}" --configure -a || true\n',
        new="",
        script=(FILES_KEPT,),
    ),
    Change(
        "a list that cannot be read keeps everything from being installed",
        file=SCRIPT,
        old='"${apt[@]}" update || true',
        new='"${apt[@]}" update || return',
        script=(
            "test_engine.ContainerEngine.test_a_list_that_cannot_be_read_is_no_reason_not_to_install",
        ),
    ),
    Change(
        "the console has apt's last line, not the reason",
        file=SCRIPT,
        old="/^(E|W|Error): |Failed to fetch|conffile|",
        new="/^(Error): |",
        script=(
            "test_engine.ContainerEngine.test_the_console_has_the_lines_that_say_why_not_the_last_one",
        ),
    ),
    Change(
        "an engine that is slow to come up is replaced",
        file=SCRIPT,
        old="for pause in 5 10 20 ''; do",
        new="for pause in ''; do",
        script=(
            "test_engine.ContainerEngine.test_an_engine_that_is_slow_to_come_up_is_not_replaced",
        ),
    ),
    Change(
        "a registry that refuses ends a machine that has its images",
        file=SCRIPT,
        old=">/dev/null 2>&1 || most_tries=5",
        new=">/dev/null 2>&1 || most_tries=0",
        script=("test_engine.Images.test_an_image_that_is_there_is_taken_after_the_last_refusal",),
    ),
    Change(
        "the daily upgrade restarts services below a task",
        file=SCRIPT,
        old="if upgrading; then\n",
        new="if false; then\n",
        script=(
            "test_engine.ContainerEngine.test_a_running_upgrade_is_waited_for_although_no_package_is_missing",
        ),
    ),
    Change(
        "a helper that is killed for its memory stops the runner",
        file=SCRIPT,
        old="OOMPolicy=continue\n",
        new="",
        script=(
            "test_supervisor.Unit.test_a_helper_that_is_killed_for_its_memory_does_not_stop_the_runner",
        ),
    ),
    Change(
        "the supervisor does not know the proxy",
        file=SCRIPT,
        old="EnvironmentFile=-$state/proxy.env\nExecStart=",
        new="ExecStart=",
        script=(
            "test_options.Proxy.test_the_engine_the_containers_and_the_supervisor_get_it_from_a_file_of_roots",
        ),
    ),
    Change(
        "Amazon Linux cannot be booted",
        file=SCRIPT,
        old="  iptables_package=iptables-nft\n",
        new="",
        script=(
            "test_engine.ContainerEngine.test_amazon_linux_2023_gets_its_own_packages_by_dnf",
        ),
    ),
]
