"""What machines must do. Each scenario has machines of its own and ends by
returning; a Broken that it raises is its failure."""

import json
import re
import threading
import time
from datetime import datetime, timedelta, timezone

from .host import REPOSITORY, Broken, wait_for
from .prepared import PREPARED, Building
from .sandbox import REGION

RUNNER = "inductiva-task-runner"
TRACKER = "inductiva-file-tracker"
PHASES = [
    "deadlines",
    "container-engine",
    "images",
    "configuration",
    "metadata",
    "file-tracker",
    "task-runner",
    "registered",
]
# A busy machine of two cores, several machines at once.
BOOT_SECONDS = 240


def require(condition, otherwise):
    if not condition:
        raise Broken(otherwise)


def require_equal(what, found, expected):
    require(found == expected, f"{what}: {found!r}, not {expected!r}")


def phases_of(console):
    """In order, each once: a line may also come by way of cloud-init's output."""
    return list(dict.fromkeys(re.findall(r"inductiva-aws: phase (\S+)", console)))


def wait_until_registered(machine, times=1):
    def registered():
        require(machine.on, "powered off before it was registered")
        own = [
            m
            for m in machine.account.machines()
            if m["host_name"] == machine.instance_id
        ]
        return len(own) >= times

    wait_for(registered, BOOT_SECONDS, "the machine is registered")
    machine.wait_for_console("inductiva-aws: phase registered", 60, times)


def inspect(machine, container):
    return json.loads(machine.run("docker", "inspect", container))[0]


def require_group_deleted(machine):
    group = machine.account.group()
    require_equal("the group's status", group["status"], "terminated")


def require_said_failure(machine, phase):
    require(
        re.search(rf"inductiva-aws: failed {phase}: \S", machine.console),
        f"the console has no `inductiva-aws: failed {phase}: …`",
    )


# --- registered ---------------------------------------------------------------


def registered(world):
    """A bare machine comes up, keeps the contract, and tells nobody the key."""
    machine = world.machine("registered")
    machine.launch()
    in_arguments = ArgumentsWatch(machine)
    wait_until_registered(machine)
    require_equal("the phases", phases_of(machine.console), PHASES)
    machine.run("cloud-init", "status", "--wait")
    status = machine.run("cloud-init", "status")
    require_equal("cloud-init's status", status.strip(), "status: done")
    _require_contract(machine)
    _require_closed_metadata(machine)
    _require_closed_port(machine)
    in_arguments.end()
    _require_secret_key(machine)
    in_arguments.require_none()
    group = machine.account.group()
    names = [m["host_name"] for m in group["machines"]]
    require_equal("the group's machines", names, [machine.instance_id])


def _require_contract(machine):
    common = {
        "API_URL": machine.account.api_url,
        "USER_API_KEY": machine.key,
        "WORKDIR": "/workdir",
        "FILE_TRACKER_HOST": "127.0.0.1",
    }
    workdir = ("volume", "workdir", "/workdir")
    state = "/var/lib/inductiva-aws/executer-images"
    for name, variables, mounts, privileged in (
        (TRACKER, {"ICE_URL": "webrtc.inductiva.ai:3478"}, {workdir}, False),
        (
            RUNNER,
            {
                "EXECUTER_IMAGES_DIR": "/executer-images",
                "HOST_ID": machine.instance_id,
                "HOST_NAME": machine.instance_id,
                "LOCAL_MODE": "true",
                "MACHINE_GROUP_ID": machine.account.group()["id"],
            },
            {workdir, ("bind", state, "/executer-images")},
            True,
        ),
    ):
        container = inspect(machine, name)
        given = dict(pair.split("=", 1) for pair in container["Config"]["Env"])
        given.pop("PATH")
        require_equal(f"{name}'s environment", given, {**common, **variables})
        found = {
            (m["Type"], m.get("Name") or m["Source"], m["Destination"])
            for m in container["Mounts"]
        }
        require_equal(f"{name}'s volumes", found, mounts)
        host = container["HostConfig"]
        require_equal(f"{name}'s network", host["NetworkMode"], "host")
        require_equal(f"{name}'s privilege", host["Privileged"], privileged)
        require_equal(f"{name}'s ports", host["PortBindings"] or {}, {})
        require_equal(f"{name}'s restarts", host["RestartPolicy"]["Name"], "no")
        require_equal(f"{name}'s removal", host["AutoRemove"], False)
        log = host["LogConfig"]
        require_equal(f"{name}'s log driver", log["Type"], "local")
        require(
            {"max-size", "max-file"} <= set(log["Config"]),
            f"{name}'s log has no limits: {log}",
        )
        if name == RUNNER:
            require_equal(
                f"{name}'s stop timeout", container["Config"].get("StopTimeout"), 120
            )
    unit = "inductiva-aws.service"
    shown = machine.run("systemctl", "show", "--property=OOMPolicy,OOMScoreAdjust", unit)
    require_equal("the unit", set(shown.split()), {"OOMPolicy=continue", "OOMScoreAdjust=-500"})
    mode = machine.run("stat", "--format", "%a", state).strip()
    require_equal("the mode of executer-images", mode, "777")


def _require_closed_metadata(machine):
    """Root is answered and the runner's user is not, on the host's network."""
    ask = (
        "t=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
        "http://169.254.169.254/latest/api/token) && "
        "curl -sf -m 5 -H \"X-aws-ec2-metadata-token: $t\" "
        "http://169.254.169.254/latest/meta-data/instance-id"
    )
    require_equal(
        "metadata for root", machine.run("sh", "-c", ask), machine.instance_id
    )
    require(
        not machine.succeeds("sh", "-c", ask, user=1000),
        "user 1000 is answered by the instance metadata",
    )
    # From within the runner's own container, as its user.
    connect = (
        "import socket, sys\n"
        "try: socket.create_connection(('169.254.169.254', 80), 5)\n"
        "except OSError: sys.exit(7)\n"
    )
    done = machine.run(
        "sh",
        "-c",
        'docker exec "$0" python3 -c "$1"; echo $?',
        RUNNER,
        connect,
    )
    require_equal("metadata in the runner's container", done.strip(), "7")


def _require_closed_port(machine):
    with machine.connect_inside(5000):
        pass
    listening = machine.run("ss", "--no-header", "--listening", "--tcp", "--numeric")
    listening = [line.split()[3] for line in listening.splitlines()]
    at = [address for address in listening if address.endswith(":5000")]
    require_equal("where port 5000 is", at, ["127.0.0.1:5000"])
    try:
        with machine.connect(5000):
            raise Broken("port 5000 answers the network")
    except OSError:
        pass
    # The network does reach the machine: its SSH server answers.
    with machine.connect(22):
        pass


def _require_secret_key(machine):
    key = machine.key
    require(key not in machine.console, "the key is on the console")
    machine.run("journalctl", "--sync")
    require(key not in machine.run("journalctl", "--all"), "the key is in the journal")
    require(key not in machine.run("ps", "-eww", "-o", "args"), "the key is in ps")
    # cloud-init keeps the user data, the engine its containers' variables: each
    # where root alone can look.
    search = "grep --recursive --files-with-matches --no-messages --devices=skip -F"
    places = "/boot /etc /home /opt /root /run /srv /tmp /usr /var"
    for user, where, expected in (
        (None, "/var/log", ""),
        (None, "/var/lib/inductiva-aws", "/var/lib/inductiva-aws/containers.env"),
        (1000, places, ""),
    ):
        found = machine.run("sh", "-c", f"{search} {key} {where} || true", user=user)
        require_equal(f"files with the key in {where}", found.strip(), expected)


class ArgumentsWatch:
    """Looks through the command lines of all the machine's processes, again and
    again."""

    def __init__(self, machine, *secrets):
        self._machine = machine
        self._secrets = [secret.encode() for secret in (machine.key, *secrets)]
        self._found = []
        self._looks = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self):
        self._ended.set()
        self._thread.join()

    def require_none(self):
        require(self._looks > 50, f"only {self._looks} looks at the processes")
        require(not self._found, f"a secret was an argument: {self._found[:1]}")

    def _watch(self):
        while not self._ended.wait(0.05):
            for line in self._machine.command_lines():
                if any(secret in line for secret in self._secrets):
                    self._found.append(line)
            self._looks += 1


# --- Ends ---------------------------------------------------------------------


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


# --- Failures -----------------------------------------------------------------


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


def wrong_key(world):
    """A key that is refused on the machine: it says so and goes, without a restart."""
    machine = world.machine("wrong-key", docker=True)
    machine.launch()
    machine.account.change_inductiva(keys=["another"])
    machine.wait_for_power_off(BOOT_SECONDS)
    said = "inductiva-aws: failed task-runner: the API refuses the key"
    require(said in machine.console, f"the console does not say: {said}")
    tries = machine.account.calls("POST /task-runner/register")
    require_equal("registrations", [t["status"] for t in tries], [401])
    require(machine.key not in machine.console, "the key is on the console")


def registry_hangs(world):
    """A pull that never ends."""
    machine = world.machine("registry-hangs", docker=True)
    hanging = f"hang.test/{world.images[0].partition('/')[2]}"
    machine.launch("--boot-timeout", "30s", images=(hanging, world.images[1]))
    machine.wait_for_power_off(120)
    require_equal("the phases", phases_of(machine.console), PHASES[:3])
    # Just before the deadline, which could not say why.
    require_said_failure(machine, "images")


def api_hangs(world):
    """A registration that never ends, with a runner that ignores SIGTERM so
    early: it is killed in the end."""
    machine = world.machine("api-hangs", docker=True)
    machine.launch("--boot-timeout", "30s")
    machine.account.fault(
        "POST /task-runner/register", kind="stall", seconds=900, count=None
    )
    machine.wait_for_power_off(300)
    require_equal("the phases", phases_of(machine.console), PHASES[:-1])
    require_said_failure(machine, "boot-deadline")


# --- Bad luck -----------------------------------------------------------------

# Takes apt's locks, says so to systemd, and lets go when it is told.
_HOLDER = """
import fcntl, os, socket, time
held = []
for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock",
             "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"):
    held.append(open(path, "w"))
    fcntl.lockf(held[-1], fcntl.LOCK_EX)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
while not os.path.exists("/run/let-go"):
    time.sleep(0.1)
"""
_HOLDER_UNIT = """
[Unit]
Before=cloud-final.service

[Service]
Type=notify
ExecStart=/usr/bin/python3 /opt/holder.py

[Install]
WantedBy=multi-user.target
"""


def apt_locked(world):
    """Another job of the first boot has apt's locks for a while."""
    machine = world.machine("apt-locked")
    machine.add_file("opt/holder.py", _HOLDER)
    machine.add_file("etc/systemd/system/holder.service", _HOLDER_UNIT)
    machine.add_link(
        "etc/systemd/system/multi-user.target.wants/holder.service",
        "/etc/systemd/system/holder.service",
    )
    machine.launch()
    machine.wait_for_console("inductiva-aws: phase container-engine", 60)
    held_since = machine.uptime()
    wait_for(lambda: machine.uptime() > held_since + 60, 120, "a minute of waiting", 1)
    require("phase images" not in machine.console, "the locks were not held")
    machine.run("touch", "/run/let-go")
    wait_until_registered(machine)


def network_late(world):
    """Nothing can be reached until the script has met that once."""
    machine = world.machine("network-late")
    machine.cut_off(True)
    machine.launch()
    machine.wait_for_console("inductiva-aws: again in", BOOT_SECONDS)
    machine.cut_off(False)
    wait_until_registered(machine)


def mirror_and_registry_fail(world):
    """Each is out of order twice."""
    machine = world.machine("mirror-and-registry-fail")
    # Three repositories for one `apt-get update`, two images.
    world.mirror.fail(machine.address, 6)
    world.flaky_registry.fail(machine.address, 4)
    images = [name.replace("registry.test/", "flaky.test/") for name in world.images]
    machine.launch(images=images)
    wait_until_registered(machine)
    require_equal("failures left", world.mirror.failures_left(machine.address), 0)
    left = world.flaky_registry.failures_left(machine.address)
    require_equal("failures left", left, 0)


_UPGRADE_UNIT = """
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until test -e /run/let-go; do sleep 0.2; done'
"""
_UPGRADE_TIMER = """
[Timer]
OnActiveSec=0
Unit=apt-daily-upgrade.service

[Install]
WantedBy=timers.target
"""


def apt_troubles(world):
    """A configuration file is there before its package, dpkg was interrupted, one list
    is missing, and the daily upgrade is running."""
    machine = world.machine("apt-troubles")
    machine.add_file("etc/default/docker", "# A proxy of the user's own.\n")
    # What dpkg leaves when it is killed: a change of its database not yet taken in.
    status = (world.base_tree / "var/lib/dpkg/status").read_text(encoding="utf-8")
    (package,) = [p for p in status.split("\n\n") if p.startswith("Package: curl\n")]
    unpacked = package.replace("Status: install ok installed", "Status: install ok unpacked")
    require(unpacked != package, "curl is not installed in the tree")
    machine.add_file("var/lib/dpkg/updates/0000", f"{unpacked}\n")
    machine.add_file(
        "etc/apt/sources.list.d/third-party.list", "deb http://apt.test/99/ stable main\n"
    )
    units = "etc/systemd/system"
    machine.add_file(f"{units}/apt-daily-upgrade.service", _UPGRADE_UNIT)
    machine.add_file(f"{units}/upgrade.timer", _UPGRADE_TIMER)
    machine.add_link(f"{units}/timers.target.wants/upgrade.timer", f"/{units}/upgrade.timer")
    machine.launch()
    machine.wait_for_console("inductiva-aws: waiting for an upgrade", 60)
    require("phase container-engine" not in machine.console, "it is not waited for")
    machine.run("touch", "/run/let-go")
    wait_until_registered(machine)
    require("inductiva-aws: again in" not in machine.console, "it took several tries")
    kept = machine.run("cat", "/etc/default/docker")
    require_equal("the file", kept, "# A proxy of the user's own.\n")
    require_equal("packages half-way", machine.run("dpkg", "--audit"), "")
    log = machine.run("cat", "/var/log/inductiva-aws.log")
    require("apt.test/99" in log, "the missing list was not asked for")


# --- Again --------------------------------------------------------------------


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
    _require_closed_metadata(machine)
    _require_closed_port(machine)
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


# --- Elsewhere ----------------------------------------------------------------


def imaged(world):
    """An image of a machine that ran: nothing of it acts on a machine made from it,
    with a start of its own or with other user data."""
    old = world.machine("imaged", docker=True)
    launched = time.monotonic()
    lifetime = 100
    old.launch("--max-lifetime", f"{lifetime}s")
    wait_until_registered(old)
    old.run("cloud-init", "status", "--wait")
    leave = "open('/workdir/left-over', 'w').close()"
    old.run("docker", "exec", RUNNER, "python3", "-c", leave)
    old.destroy()
    # Its key is no good any more, and its group has no other machine.
    old.account.change_inductiva(keys=["another"])
    asked = len(old.account.requests())

    new = world.machine("imaged+new", docker=True)
    new.take_disk_of(old)
    new.launch()
    plain = world.machine("imaged+plain", docker=True)
    plain.take_disk_of(old)
    cloud_config = world.run_directory / "cloud-config"
    cloud_config.write_text("#cloud-config\n{}\n", encoding="utf-8")
    plain.launch(script=cloud_config)

    wait_until_registered(new)
    names = [m["host_name"] for m in new.account.group()["machines"]]
    require_equal("the new group's machines", names, [new.instance_id])
    idle = "inductiva-aws: this supervisor is of another machine: it does nothing here"
    for machine in (new, plain):
        machine.wait_for_console(idle, 120)
    # The old lifetime is over.
    wait_for(lambda: time.monotonic() > launched + lifetime + 20, 200, "the time", 1)
    for machine in (new, plain):
        require(machine.on, f"{machine.name} was powered off")
        require("lifetime of" not in machine.console, "the old lifetime was told")
        require("failed" not in "".join(re.findall("inductiva-aws:.*", machine.console)),
                f"{machine.name} says a failure")
    require_equal("requests with the old key", len(old.account.requests()), asked)
    require_equal("the old group", old.account.group()["status"], "started")
    lifetime_unit = ("--boot", "--unit", "inductiva-aws-lifetime.service")
    fired = plain.run("journalctl", "--no-pager", *lifetime_unit)
    require("Deactivated successfully" in fired, f"the timer did not fire: {fired}")

    timers = new.run("systemctl", "list-timers", "--all", "--no-legend")
    require("inductiva-aws" not in timers, f"a timer is left:\n{timers}")
    look = "import os; print(os.listdir('/workdir'))"
    found = new.run("docker", "exec", RUNNER, "python3", "-c", look)
    require("left-over" not in found, f"a task was left over: {found}")
    places = "/etc /root /var/lib/cloud /var/lib/docker/containers /var/lib/inductiva-aws /var/log"
    search = f"grep --recursive --files-with-matches --no-messages -F {old.key} {places} || true"
    require_equal("files with the old key", new.run("sh", "-c", search).strip(), "")


# --- Prepared images ------------------------------------------------------------


def prepared(world):
    """Two machines from a prepared image, each with a group and a key of its own, one
    with a lifetime: nothing is installed, and each is a machine of its own."""
    builder = world.prepared.of(world)
    machines = []
    for name, options in (("one", ("--max-lifetime", "8h")), ("two", ())):
        machine = world.machine(f"prepared+{name}")
        machine.take_disk_of(builder)
        machines.append((machine, options))
    for machine, options in machines:
        machine.launch(*options)
    identities = []
    for machine, options in machines:
        wait_until_registered(machine)
        require_equal("the phases", phases_of(machine.console), PHASES)
        require_equal("packages asked for", world.mirror.asked(machine.address), 0)
        group = machine.account.group()
        names = [m["host_name"] for m in group["machines"]]
        require_equal("the group's machines", names, [machine.instance_id])
        _require_contract(machine)
        machine.run("cloud-init", "status", "--wait")
        _require_secret_key(machine)
        timers = machine.run("systemctl", "list-timers", "--all", "--no-legend")
        require("boot-deadline" not in timers, f"a deadline is armed:\n{timers}")
        has_lifetime = "inductiva-aws-lifetime.timer" in timers
        require_equal("a lifetime", has_lifetime, bool(options))
        told = [line for line in machine.console.splitlines() if "another machine" in line]
        require_equal("traces of another machine", told, [])
        search = "grep --recursive --files-with-matches --no-messages --devices=skip -F"
        found = machine.run("sh", "-c", f"{search} {builder.instance_id} /etc /root /var || true")
        require_equal("files with the builder's id", found.strip(), "")
        own = machine.run("cat", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub")
        identities.append(own.split()[:3])
    (id_1, _, key_1), (id_2, _, key_2) = identities
    require(len(id_1) == 32 and id_1 != id_2, "two machines with one machine-id")
    require(key_1 != key_2, "two machines with one host key")


def prepared_unreachable(world):
    """Neither the mirror nor the registry can be reached: the images are there."""
    machine = world.machine("prepared-unreachable")
    machine.take_disk_of(world.prepared.of(world))
    machine.cut_off(True)
    machine.launch()
    wait_until_registered(machine)
    said = machine.console.count("inductiva-aws: going on with the image that is there")
    require(said >= 2, f"said {said} times that it goes on")


def prepared_forgotten(world):
    """A machine that is prepared, and that nobody stops: its deadline ends it."""
    machine = world.machine("prepared-forgotten", docker=True)
    building = Building(world, machine, "--boot-timeout", "90s")
    building.end()
    machine.wait_for_console(PREPARED, BOOT_SECONDS)
    require(machine.on, "powered off")
    machine.wait_for_power_off(BOOT_SECONDS)
    require_said_failure(machine, "boot-deadline")


def prepared_rebooted(world):
    """A reboot while it is prepared, or after that: all is done again."""
    machine = world.machine("prepared-rebooted", docker=True)
    Building(world, machine).end()
    machine.wait_for_console(PREPARED, BOOT_SECONDS)
    machine.reboot()
    wait_for(lambda: machine.boots == 2, 120, "the machine boots again")
    machine.wait_for_console(PREPARED, BOOT_SECONDS, 2)
    timers = machine.run("systemctl", "list-timers", "--all", "--no-legend")
    require("inductiva-aws-boot-deadline.timer" in timers, f"no deadline:\n{timers}")


# --- What a machine may have beside the usual ----------------------------------


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
