"""The scenario of a machine that boots and registers, and all that has to be true of it."""

import threading

from .expectations import (
    PHASES,
    RUNNER,
    TRACKER,
    inspect,
    phases_of,
    require,
    require_equal,
    wait_until_registered,
)
from .host import Broken


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
    require_contract(machine)
    require_closed_metadata(machine)
    require_closed_port(machine)
    in_arguments.end()
    require_secret_key(machine)
    in_arguments.require_none()
    group = machine.account.group()
    names = [m["host_name"] for m in group["machines"]]
    require_equal("the group's machines", names, [machine.instance_id])


def require_contract(machine):
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


def require_closed_metadata(machine):
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


def require_closed_port(machine):
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


def require_secret_key(machine):
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
