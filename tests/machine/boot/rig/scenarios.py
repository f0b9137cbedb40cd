"""What machines must do. Each scenario has machines of its own and ends by
returning; a Broken that it raises is its failure."""

import json
import re
import time
from datetime import datetime, timedelta, timezone

from .expectations import (
    BOOT_SECONDS,
    PHASES,
    RUNNER,
    TRACKER,
    inspect,
    phases_of,
    require,
    require_equal,
    require_group_deleted,
    require_said_failure,
    wait_until_registered,
)
from .from_images import (
    imaged,
    prepared,
    prepared_forgotten,
    prepared_other_engine,
    prepared_rebooted,
    prepared_unreachable,
)
from .host import REPOSITORY, wait_for
from .registered import (
    ArgumentsWatch,
    registered,
    require_closed_metadata,
    require_closed_port,
)
from .sandbox import REGION
from .troubles import (
    api_hangs,
    apt_locked,
    apt_troubles,
    mirror_and_registry_fail,
    network_late,
    registry_hangs,
    wrong_key,
)


def idle(world):
    """Not while it has a task; then after the minutes, and the group with it."""
    machine = world.machine("idle", docker=True)
    machine.launch("--max-idle-time", "1")
    wait_until_registered(machine)
    task = {"host_name": machine.instance_id, "current_task_id": "task-1"}
    machine.account.change_inductiva(machines=[task])
    asked = f"GET /compute/group/{machine.account.group()['name']}"
    busy_since = machine.uptime()
    wait_for(lambda: machine.uptime() > busy_since + 80, 120, "80 s of work", 1)
    require(machine.on, "a machine with a task was switched off")
    require(len(machine.account.calls(asked)) > 2, "the supervisor did not ask")
    machine.account.change_inductiva(machines=[{**task, "current_task_id": None}])
    machine.wait_for_power_off(150)
    require("inductiva-aws: idle for 1 minutes" in machine.console, "no reason was said")
    require_group_deleted(machine)


def done(world):
    """The group is ended from elsewhere: the runner goes, and the machine too."""
    machine = world.machine("done", docker=True)
    machine.launch()
    wait_until_registered(machine)
    group = machine.account.group()
    machine.account.change_inductiva(
        machines=[
            {
                "host_name": machine.instance_id,
                "terminated_at": datetime.now(timezone.utc).isoformat(),
            }
        ],
        groups=[{"name": group["name"], "status": "terminated", "deleted": True}],
    )
    # It asks for a minute whether that is meant.
    machine.wait_for_power_off(200)
    require("inductiva-aws: the task runner is done" in machine.console, "no reason")


def budget(world):
    """The group's budget is used up while a task runs: the runner saves its work, and
    the machine is off before the time that the budget has for that is over."""
    script = world.run_directory / "budget.sh"
    text = (REPOSITORY / "user-data.sh").read_text(encoding="utf-8")
    # A start refuses a budget for less than 15 minutes. This one has said how long.
    begins = "# --- Deadlines, "
    require(text.count(begins) == 1, "the script has its deadlines otherwise")
    sooner = "\n".join(
        (
            '[[ ${BUDGET_SECONDS:-} -gt 900 ]] || fail "no budget"',
            "BUDGET_SECONDS=150",
            "",
        )
    )
    script.write_text(text.replace(begins, sooner + begins), encoding="utf-8")
    machine = world.machine("budget", docker=True)
    machine.launch("--max-cost", "20", script=script)
    wait_until_registered(machine)
    (runner,) = machine.account.machines()
    task = {"host_name": machine.instance_id, "current_task_id": "task-1"}
    machine.account.change_inductiva(machines=[task])
    require(machine.uptime() < 150, "it was registered too late to see its budget end")
    machine.wait_for_power_off(150 + 7 * 60)
    require("inductiva-aws: the budget is used up" in machine.console, "no reason was said")
    events = machine.account.calls(f"POST /task-runner/{runner['id']}/event")
    reasons = [json.loads(e["params"]["body"]["json"])["reason"] for e in events]
    require_equal("the runner's last events", reasons, ["interrupted"])
    require_group_deleted(machine)


def spot_notice(world):
    """The runner is told, sends its last event, and the machine goes."""
    machine = world.machine("spot-notice", docker=True)
    machine.launch()
    wait_until_registered(machine)
    (runner,) = machine.account.machines()
    at = datetime.now(timezone.utc) + timedelta(minutes=2)
    world.metadata.spot_notice(machine.address, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    machine.wait_for_power_off(110)
    require("inductiva-aws: spot interruption" in machine.console, "no reason was said")
    events = machine.account.calls(f"POST /task-runner/{runner['id']}/event")
    reasons = [json.loads(e["params"]["body"]["json"])["reason"] for e in events]
    require_equal("the runner's last events", reasons, ["interrupted"])
    require_group_deleted(machine)


def bad_moment(world):
    """One poll is refused: the runner ends with 0, is started again, and the group
    stays."""
    machine = world.machine("bad-moment", docker=True)
    machine.launch()
    wait_until_registered(machine)
    (runner,) = machine.account.machines()
    machine.account.fault(f"GET /task-runner/{runner['id']}/task", count=1, status=429)
    wait_for(
        lambda: len(machine.account.machines()) == 2, 120, "the runner registers again"
    )
    require("inductiva-aws: task runner: exited 0: " in machine.console, "not said")
    require(machine.on, "powered off")
    require_equal("the group's status", machine.account.group()["status"], "started")
    require_equal("deletions", machine.account.calls("DELETE /compute/group"), [])


def clock_forward(world):
    """The wall clock is set forward while it boots: the boot deadline's absolute time
    is over at once, and it comes at its time all the same."""
    script = world.run_directory / "clock-forward.sh"
    text = (REPOSITORY / "user-data.sh").read_text(encoding="utf-8")
    absolute = "OnCalendar=@$(($(date +%s) + seconds))"
    require(text.count(absolute) == 1, "the script has its timers otherwise")
    text = text.replace(absolute, absolute.replace("+ seconds", "- 5"))
    # And then something hangs.
    text = text.replace("\nphase=own-commands\n", "\nphase=own-commands\nsleep 1000\n")
    script.write_text(text, encoding="utf-8")
    machine = world.machine("clock-forward", docker=True)
    machine.launch("--boot-timeout", "45s", script=script)
    machine.wait_for_power_off(200)
    require_said_failure(machine, "boot-deadline")
    armed = machine.said_at("inductiva-aws: phase deadlines")
    seconds = machine.said_at("inductiva-aws: failed boot-deadline") - armed
    require(seconds >= 40, f"it came after {seconds:.0f} s")


def restarted(world):
    """The runner ends with 1 twice. Its group is known by name alone."""
    machine = world.machine("restarted", docker=True)
    machine.launch(group_known=False)
    machine.account.fault("POST /task-runner/register", count=2, status=500)
    wait_until_registered(machine)
    tries = machine.account.calls("POST /task-runner/register")
    require_equal("registrations", [t["status"] for t in tries], [500, 500, 202])
    restarts = re.findall(r"inductiva-aws: task runner: .*; again in", machine.console)
    require_equal("restarts said", len(restarts), 2)
    given = inspect(machine, RUNNER)["Config"]["Env"]
    name = machine.account.group()["name"]
    require(f"MACHINE_GROUP_NAME={name}" in given, f"not the group's name: {given}")
    require(machine.on, "powered off")


def rebooted(world):
    """A reboot: the containers come up without cloud-init, and register."""
    machine = world.machine("rebooted", docker=True)
    machine.launch("--max-lifetime", "8h")
    wait_until_registered(machine)
    machine.reboot()
    wait_for(lambda: machine.boots == 2, 120, "the machine boots again")
    wait_until_registered(machine, times=2)
    require_equal("runs of the script", phases_of(machine.console), PHASES)
    times = machine.console.count("\ninductiva-aws: phase images")
    require_equal("runs of the script", times, 1)
    timers = machine.run("systemctl", "list-timers", "--all", "--no-legend")
    require("inductiva-aws-lifetime.timer" in timers, "the lifetime is forgotten")
    require(
        "inductiva-aws-boot-deadline.timer" not in timers,
        f"the boot deadline is armed although it is registered:\n{timers}",
    )
    require_closed_metadata(machine)
    require_closed_port(machine)
    group = machine.account.group()
    require_equal("the group's status", group["status"], "started")


def second_run(world):
    """The script once more on the same machine: still one runner."""
    machine = world.machine("second-run", docker=True)
    machine.launch()
    wait_until_registered(machine)
    machine.run("cloud-init", "status", "--wait")
    machine.run("bash", "/var/lib/cloud/instance/scripts/part-001")
    machine.wait_for_console("inductiva-aws: phase registered", 120, times=2)
    names = machine.run("docker", "ps", "--all", "--format", "{{.Names}}").split()
    require_equal("containers", sorted(names), [TRACKER, RUNNER])
    here = [m for m in machine.account.machines() if not m["terminated_at"]]
    require_equal("runners that the API shows", len(here), 1)
    state = machine.run("systemctl", "is-active", "inductiva-aws.service").strip()
    require_equal("the supervisor", state, "active")


def local_disk(world):
    """Tasks and images are on the instance store, after a reboot too; after a stop,
    which blanks it, it is prepared again."""
    machine = world.machine("local-disk")
    machine.add_local_disk(1024)
    machine.launch()
    wait_until_registered(machine)
    said = "inductiva-aws: tasks and images are on the local disks of /dev/nvme1n1"
    require(said in machine.console, "the console does not say so")
    directories = (
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/inductiva-aws/executer-images",
    )

    def disk_of(directory):
        return machine.run("findmnt", "--noheadings", "--output", "SOURCE", directory)

    for directory in directories:
        on_it = f"/dev/nvme1n1[/{directory.rpartition('/')[2]}]"
        require(on_it in disk_of(directory), f"{directory} is on {disk_of(directory)}")
    leave = "open('/workdir/left', 'w').close()"
    machine.run("docker", "exec", RUNNER, "python3", "-c", leave)
    machine.reboot()
    machine.wait_for_console("inductiva-aws: phase registered", BOOT_SECONDS, 2)
    require("nvme1n1" in disk_of("/var/lib/docker"), "it is not mounted after a reboot")
    look = "open('/workdir/left').close()"
    machine.run("docker", "exec", RUNNER, "python3", "-c", look)
    machine.blank_local_disk()
    machine.reboot()
    machine.wait_for_console("inductiva-aws: phase registered", BOOT_SECONDS, 3)
    require("nvme1n1" in disk_of("/var/lib/docker"), "it is not mounted after a stop")
    require("left alone" not in machine.console, "a disk was left alone")


def behind_proxy(world):
    """A proxy with a password is the only way out, to the key store too, which knows
    the machine by its role; no password and no key can be seen."""
    machine = world.machine("behind-proxy")
    machine.cut_off(True)
    proxy = world.proxy
    # What the key store's certificate is known by.
    machine.add_file("etc/key-store.pem", world.certificate[0].read_text("utf-8"))
    store = world.key_store
    store.key = f"key-of-the-store-{time.time_ns()}"
    machine.launch(
        *("--instance-profile", "runner"),
        *("--api-key-from", f"ssm:{store.NAME}"),
        preamble="export CURL_CA_BUNDLE=/etc/key-store.pem\n",
        variables={"INDUCTIVA_AWS_PROXY": f"http://{proxy.user_info}@proxy.test:3128"},
        role=("runner", store.ROLE),
    )
    machine.account.change_inductiva(keys=[machine.key, store.key])
    in_arguments = ArgumentsWatch(machine, store.key, proxy.PASSWORD)
    wait_until_registered(machine)
    in_arguments.end()
    in_arguments.require_none()
    reached = {"apt.test", "registry.test", f"ssm.{REGION}.amazonaws.com"}
    require_equal("the hosts behind the proxy", proxy.hosts, reached)
    for secret in (proxy.PASSWORD, store.key, *list(store.ROLE.values())[1:]):
        require(secret not in machine.console, "a secret is on the console")
    for unit in ("docker.service", "inductiva-aws.service"):
        shown = machine.run("systemctl", "show", unit)
        require(proxy.PASSWORD not in shown, f"{unit} shows the password")
    for container in (RUNNER, TRACKER):
        given = inspect(machine, container)["Config"]["Env"]
        url = f"http://{proxy.user_info}@proxy.test:3128"
        require(f"https_proxy={url}" in given, f"{container} has no proxy")
        require(f"USER_API_KEY={store.key}" in given, f"{container} has no key")


SCENARIOS = {
    function.__name__.replace("_", "-"): function
    for function in (
        api_hangs,
        imaged,
        prepared,
        prepared_unreachable,
        prepared_other_engine,
        prepared_forgotten,
        prepared_rebooted,
        local_disk,
        behind_proxy,
        apt_troubles,
        idle,
        registered,
        apt_locked,
        network_late,
        mirror_and_registry_fail,
        restarted,
        wrong_key,
        registry_hangs,
        spot_notice,
        budget,
        done,
        rebooted,
        second_run,
        bad_moment,
        clock_forward,
    )
}
