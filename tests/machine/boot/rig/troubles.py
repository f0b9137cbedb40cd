"""Scenarios of what goes wrong at a boot: keys, networks, locks, mirrors."""


from .expectations import (
    BOOT_SECONDS,
    PHASES,
    phases_of,
    require,
    require_equal,
    require_said_failure,
    wait_until_registered,
)
from .host import wait_for


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
