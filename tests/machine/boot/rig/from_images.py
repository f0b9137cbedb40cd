"""Scenarios of machines that boot from an image of another machine."""

import re
import time

from .expectations import (
    BOOT_SECONDS,
    PHASES,
    RUNNER,
    phases_of,
    require,
    require_equal,
    require_said_failure,
    wait_until_registered,
)
from .host import wait_for
from .prepared import PREPARED, Building
from .registered import require_contract, require_secret_key


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
        require_contract(machine)
        machine.run("cloud-init", "status", "--wait")
        require_secret_key(machine)
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


def prepared_other_engine(world):
    """An engine of another version finds the images of a prepared machine: neither the
    mirror nor the registry can be reached."""
    builder = world.prepared.of(world)
    machine = world.machine("prepared-other-engine", tree=world.newer_tree())
    machine.take_engines_state_of(builder)
    machine.cut_off(True)
    machine.launch("--max-lifetime", "8h")
    wait_until_registered(machine)
    ask = ("docker", "version", "--format", "{{.Server.Version}}")
    version = machine.run(*ask).strip()
    packages = (builder.directory / "upper/var/lib/dpkg/status").read_text("utf-8")
    older = re.search(r"^Package: docker\.io\n(?:.+\n)*?Version: (\S+?)\+", packages, re.M)[1]
    require(version != older, f"both are of version {older}")
    require_equal("the phases", phases_of(machine.console), PHASES)
    require_equal("packages asked for", world.mirror.asked(machine.address), 0)
    require_contract(machine)


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
