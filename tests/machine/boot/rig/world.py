"""The network that the machines are in, and all that they reach in it."""

import shutil
import threading

from . import trees
from .host import WORK, Cgroups, apt_sources, install, run
from .machine import GATEWAY, Machine
from .mirror import DebianMirror
from .namespaces import NetworkNamespace
from .prepared import PreparedDisks
from .registry import NAME, Registry, push_stand_ins
from .sandbox import REGION, Sandbox
from .servers import (
    BlackHole,
    Forward,
    InstanceMetadata,
    KeyStore,
    Proxy,
)

KEY_STORE = f"ssm.{REGION}.amazonaws.com"

TOOLS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "openssl": "openssl",
    "unshare": "util-linux",
}


class World:
    """A bridge in a namespace of its own, with a server for each need."""

    def __init__(self, program, script, say):
        """`script` is the path of a script instead of the program's own, or None."""
        self.program = program
        self.script = None
        self._closing = []
        self._machines = []
        self._lock = threading.Lock()
        self._newer_lock = threading.Lock()
        self.prepared = PreparedDisks()
        self.run_directory = WORK / "run"
        try:
            self._make(script, say)
        except BaseException:
            self.close()
            raise

    def _make(self, script, say):
        install(TOOLS)
        self.cgroups = Cgroups()
        self._closing.append(self.cgroups.close)
        shutil.rmtree(self.run_directory, ignore_errors=True)
        self.run_directory.mkdir(parents=True)
        if script:
            # As it is now, whoever goes on writing it.
            self.script = self.run_directory / "script"
            self.script.write_bytes(script.read_bytes())
        self._sources = sources = apt_sources()
        say("root trees")
        self.base_tree = trees.base(sources)
        self.docker_layer = trees.with_docker(self.base_tree)
        say("servers")
        self.namespace = NetworkNamespace()
        self._closing.append(self.namespace.close)
        for line in (
            "link set lo up",
            # Without an address of its own it would take a machine's.
            "link add br0 address 02:00:ac:1f:00:01 type bridge",
            f"address add {GATEWAY}/16 dev br0",
            "address add 169.254.169.254/32 dev br0",
            # Registries: one that says nothing, one that can fail, a slow one.
            "address add 172.31.0.2/32 dev br0",
            "address add 172.31.0.3/32 dev br0",
            "address add 172.31.0.4/32 dev br0",
            # A proxy, and behind it alone a key store.
            "address add 172.31.0.5/32 dev br0",
            "address add 172.31.0.6/32 dev br0",
            "link set br0 up",
        ):
            self.namespace.run("ip", *line.split())
        self.metadata = InstanceMetadata(self.namespace.listen("169.254.169.254", 80))
        self.mirror = DebianMirror(
            self.namespace.listen(GATEWAY, 80),
            [uri for uri, _, _ in sources],
            WORK / "packages",
        )
        self.registry = Registry(self.namespace, GATEWAY, ["flaky.test", "slow.test"])
        self._closing.append(self.registry.close)
        self.flaky_registry = Forward(
            self.namespace.listen("172.31.0.3", 443),
            lambda: self.namespace.connect(GATEWAY, 443),
        )
        BlackHole(self.namespace.listen("172.31.0.2", 443))
        self.certificate = self._make_certificate(KEY_STORE)
        self.key_store = KeyStore(
            self.namespace.listen("172.31.0.6", 443), self.certificate, REGION
        )
        self.proxy = Proxy(
            self.namespace.listen("172.31.0.5", 3128),
            {"apt.test": GATEWAY, NAME: GATEWAY, KEY_STORE: "172.31.0.6"},
            self.namespace.connect,
        )
        self.images = push_stand_ins(self.registry, self.base_tree)
        self.settings = trees.settings(
            self.run_directory / "settings",
            sources,
            {
                "apt.test": GATEWAY,
                NAME: GATEWAY,
                "hang.test": "172.31.0.2",
                "flaky.test": "172.31.0.3",
                "slow.test": "172.31.0.4",
                "proxy.test": "172.31.0.5",
            },
            ([NAME, "flaky.test", "slow.test"], self.registry.certificate),
        )
        self.sandbox = Sandbox()
        self._closing.append(self.sandbox.close)

    def _make_certificate(self, name):
        """A certificate and its key, as files."""
        files = [self.run_directory / f"{name}.{part}" for part in ("pem", "key")]
        run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}"),
            *("-out", files[0], "-keyout", files[1]),
        )
        return files

    def newer_tree(self):
        """A Debian with a later engine, for those who need one: it takes minutes."""
        with self._newer_lock:
            return trees.newer(self._sources)

    def machine(self, name, docker=False, tree=None):
        """A machine that is not on yet; with a root tree other than the usual one, if
        that is given."""
        with self._lock:
            number = len(self._machines) + 16
            machine = Machine(self, name, number, docker, tree)
            self._machines.append(machine)
            return machine

    def slow_down(self, bytes_per_second):
        """The mirror, and slow.test: so much on each connection."""
        self.mirror.pace(bytes_per_second)
        Forward(
            self.namespace.listen("172.31.0.4", 443),
            lambda: self.namespace.connect(GATEWAY, 443),
            bytes_per_second,
        )

    def discard(self, machine):
        """Ends it and forgets its disk, but not what it said."""
        machine.destroy()
        directory = WORK / "consoles"
        directory.mkdir(exist_ok=True)
        (directory / machine.name).write_text(machine.console, encoding="utf-8")
        shutil.rmtree(machine.directory, ignore_errors=True)

    def machines_of(self, scenario):
        """Those that have its name, or it and another word: `name+word`."""
        with self._lock:
            machines = list(self._machines)
        return [m for m in machines if m.name.partition("+")[0] == scenario]

    def close(self):
        for machine in self._machines:
            machine.destroy()
        for close in reversed(self._closing):
            close()
        self._closing.clear()
        shutil.rmtree(self.run_directory, ignore_errors=True)
