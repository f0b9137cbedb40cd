"""What scenarios require of a machine: a Broken that they raise is the failure."""

import json
import re

from .host import Broken, wait_for

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
