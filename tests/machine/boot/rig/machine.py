"""A machine: boots, is looked into, reboots, and is gone when it powers off."""

import contextlib
import gzip
import os
import pty
import re
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path

from .host import REPOSITORY, Broken, run, wait_for
from .namespaces import NetworkNamespace
from .sandbox import REGION
from .servers import Forward

GATEWAY = "172.31.0.1"
INIT = Path(__file__).with_name("init")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()].|\r")


class Machine:
    def __init__(self, world, name, number, docker, tree=None):
        self._world = world
        self.name = name
        self.address = f"172.31.1.{number}"
        self._mac = f"02:00:ac:1f:01:{number:02x}"
        self.directory = world.run_directory / name
        self.directory.mkdir()
        layers = [world.settings, world.docker_layer if docker else None]
        layers.append(tree or world.base_tree)
        self._lower = ":".join(str(layer) for layer in layers if layer)
        self._link = f"m{number}"
        self._console = []
        self._console_lock = threading.Lock()
        self._power = None
        self._process = None
        self._network = None
        self._cut_off = False
        self._loops = []
        self._blank_at_boot = False
        # The bandwidth of what comes to it; None for no limit.
        self.megabits = None
        self._ended = threading.Event()
        self.boots = 0
        self.account = None
        self.instance_id = None
        self.key = None

    def launch(
        self,
        *arguments,
        images=None,
        group_known=True,
        preamble="",
        script=None,
        variables=(),
        role=None,
    ):
        """A real `start` in the sandbox, and what it launched is switched on.
        `preamble` is put where the program puts its own, `variables` are of the
        program's environment, and `role` is the name and the credentials of the
        machine's own."""
        script = script or self._world.script
        # Nobody else's, so that it can be looked for.
        self.key = f"key-{secrets.token_hex(12)}"
        self.account = self._world.sandbox.account(self.key)
        self.instance_id, sent = self.account.start(
            self._world.program,
            ["--user-data-path", str(script), *arguments] if script else arguments,
            images or self._world.images,
            group_known,
            variables,
        )
        user_data = gzip.decompress(sent) if sent.startswith(b"\x1f\x8b") else sent
        expected = (script or REPOSITORY / "user-data.sh").read_bytes()
        if not user_data.endswith(expected.partition(b"\n")[2]):
            raise Broken("the program was built with another user-data.sh than this")
        first, _, rest = user_data.partition(b"\n")
        if preamble:
            sent = gzip.compress(b"\n".join([first, preamble.encode() + rest]))
        self.switch_on(sent, role)

    def switch_on(self, user_data, role=None):
        """With the bytes that a launch would have sent."""
        if self.instance_id is None:
            self.instance_id = f"i-{secrets.token_hex(9)[:17]}"
        self._world.metadata.tell(
            self.address, self._mac, self.instance_id, REGION, user_data
        )
        if role:
            self._world.metadata.give_role(self.address, *role)
        board = self.directory / "board_asset_tag"
        board.write_text(f"{self.instance_id}\n", encoding="utf-8")
        self._power = threading.Thread(target=self._keep_on, daemon=True)
        self._power.start()

    # --- Power ----------------------------------------------------------------

    def _keep_on(self):
        """Boots, and boots again after a reboot, as EC2 does."""
        try:
            while self._boot():
                pass
        finally:
            self._ended.set()

    def _boot(self):
        """From power to its end; whether that was a reboot."""
        if self._blank_at_boot:
            self._blank_at_boot = False
            for loop in self._loops:
                run("wipefs", "--all", loop)
        self._network = self._make_network()
        forward = Forward(
            self._network.listen("127.0.0.1", self._world.sandbox.port),
            self._world.sandbox.connect,
        )
        master, slave = pty.openpty()
        try:
            uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
            cgroup = self._world.cgroups.of(self.name)
            cgroup.mkdir(exist_ok=True)
            self._process = subprocess.Popen(
                [
                    # With this process gone, so is the machine.
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("nsenter", f"--net={self._network.path}"),
                    *("unshare", "--mount", "--uts", "--ipc", "--pid", "--time"),
                    # It has been up for no time at all.
                    *("--boottime", f"-{int(uptime)}"),
                    *("--monotonic", f"-{int(time.monotonic())}"),
                    *("--fork", "--kill-child"),
                    *(INIT, self.directory, self._lower, cgroup),
                ],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
            self.boots += 1
            os.close(slave)
            self._read_console(master)
            ended = self._process.wait()
        finally:
            os.close(master)
            forward.close()
            self._world.namespace.run("ip", "link", "delete", self._link)
            self._network.close()
            self._network = None
        # How the kernel ends the first process of a pid namespace that asked
        # for a reboot or to be switched off; unshare passes it on.
        return ended == -signal.SIGHUP

    def _make_network(self):
        world = self._world.namespace
        network = NetworkNamespace()
        world.run(
            *("ip", "link", "add", self._link, "type", "veth"),
            *("peer", "name", "eth0", "address", self._mac, "netns", network.path),
        )
        world.run("ip", "link", "set", self._link, "master", "br0", "up")
        for line in (
            "link set lo up",
            f"address add {self.address}/16 dev eth0",
            "link set eth0 up",
            f"route add default via {GATEWAY}",
        ):
            network.run("ip", *line.split())
        if self.megabits:
            world.run(
                *("tc", "qdisc", "add", "dev", self._link, "root", "tbf"),
                *("rate", f"{self.megabits}mbit", "burst", "256k", "latency", "50ms"),
            )
        if self._cut_off:
            network.run("ip", "route", "add", "unreachable", GATEWAY)
        return network

    def cut_off(self, yes):
        """No way to the mirror and the registry; before the launch or later."""
        self._cut_off = yes
        if self._network:
            action = "add" if yes else "delete"
            self._network.run("ip", "route", action, "unreachable", GATEWAY)

    def _read_console(self, master):
        while True:
            try:
                some = os.read(master, 65536)
            except OSError:
                return
            if not some:
                return
            with self._console_lock:
                self._console.append((time.monotonic(), some))

    @property
    def on(self):
        return not self._ended.is_set()

    def wait_for_power_off(self, seconds):
        if not self._ended.wait(seconds):
            raise Broken(f"not powered off within {seconds} s")

    def destroy(self):
        """Whatever state it is in; its disk stays until the world ends."""
        if self._power is None:
            return
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                (self._world.cgroups.of(self.name) / "cgroup.kill").write_text("1")
            self._ended.wait(1)
        self._power.join()
        while self._loops:
            run("losetup", "--detach", self._loops.pop())

    def add_local_disk(self, mebibytes):
        """Instance store, before it is launched: blank, and there again after a
        reboot."""
        file = self.directory / "instance-store"
        with file.open("wb") as disk:
            disk.truncate(mebibytes << 20)
        loop = run("losetup", "--find", "--show", file).strip()
        self._loops.append(loop)
        number = os.stat(loop).st_rdev
        text = f"{os.major(number)} {os.minor(number)}\n"
        (self.directory / "local-disk").write_text(text, encoding="utf-8")

    def blank_local_disk(self):
        """As a stop does, but for what is in use of it until the machine is off."""
        self._blank_at_boot = True

    def stop(self):
        """As StopInstances does."""
        self.run("systemctl", "--no-block", "poweroff")
        self.wait_for_power_off(120)

    def take_disk_of(self, other):
        """An image of a machine that is off: before this one is launched."""
        for name in ("upper", "docker"):
            run("cp", "--archive", other.directory / name, self.directory)

    def take_engines_state_of(self, other):
        """What the container engine of a machine that is off has kept, and no more."""
        run("cp", "--archive", other.directory / "docker", self.directory)

    # --- Looking into it --------------------------------------------------------

    @property
    def console(self):
        """All that it has said, of all its boots."""
        with self._console_lock:
            said = b"".join(some for _, some in self._console)
        return _ESCAPES.sub("", said.decode("utf-8", "replace"))

    def wait_for_console(self, text, seconds, times=1):
        def said():
            if self.console.count(text) >= times:
                return True
            if not self.on:
                raise Broken(f"powered off before the console said: {text}")
            return False

        wait_for(said, seconds, f"the console says: {text}")

    def run(self, *command, user=None, check=True):
        """A command in the machine; its output."""
        words = [str(word) for word in command]
        if user is not None:
            words = [
                *("setpriv", "--reuid", str(user), "--regid", str(user)),
                *("--clear-groups", "--", *words),
            ]
        done = subprocess.run(
            ["nsenter", "--target", str(self._init()), "--all", "--", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        if check and done.returncode != 0:
            raise Broken(
                f"in {self.name}, `{' '.join(command)}` ended with "
                f"{done.returncode}: {done.stdout}"
            )
        return done.stdout

    def succeeds(self, *command, user=None):
        try:
            self.run(*command, user=user)
        except Broken:
            return False
        return True

    def uptime(self):
        return float(self.run("cat", "/proc/uptime").split()[0])

    def reboot(self):
        self.run("systemctl", "reboot")

    def command_lines(self):
        """Of all its processes, of its containers' too, as they are now."""
        for cgroup, _, _ in os.walk(self._world.cgroups.of(self.name)):
            # Either may be gone by now.
            with contextlib.suppress(OSError):
                pids = Path(cgroup, "cgroup.procs").read_text(encoding="utf-8")
                for pid in pids.split():
                    with contextlib.suppress(OSError):
                        yield Path(f"/proc/{pid}/cmdline").read_bytes()

    def add_file(self, name, text):
        """Into its root tree, before it is launched."""
        path = self.directory / "upper" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add_link(self, name, target):
        path = self.directory / "upper" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def connect(self, port):
        """A connection from the network to the machine's own address."""
        return self._world.namespace.connect(self.address, port)

    def connect_inside(self, port):
        return self._network.connect("127.0.0.1", port)

    def _init(self):
        """The machine's first process, as this one numbers it."""
        if self._process is None or not self.on:
            raise Broken(f"{self.name} is off")
        # setpriv and nsenter have become unshare, whose child it is.
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
        return int(children.split()[0])

    def notes(self):
        """What its services and its runner said, if it is still on."""
        if self._power is None or not self.on:
            return ""
        said = "its supervisor's and its runner's last lines:\n"
        for command in (
            "journalctl --no-pager --lines 20 --unit inductiva-aws.service",
            "docker logs --tail 20 inductiva-task-runner",
            "systemctl --no-pager list-jobs",
        ):
            with contextlib.suppress(Broken, OSError, subprocess.TimeoutExpired):
                output = self.run(*command.split(), check=False)
                said += "".join(f"    {line}\n" for line in output.splitlines())
        return said

    def said_at(self, text):
        """When the console first had this text, by the monotonic clock."""
        said = b""
        with self._console_lock:
            for when, some in self._console:
                said += some
                if text.encode() in said:
                    return when
        raise Broken(f"the console never said: {text}")
