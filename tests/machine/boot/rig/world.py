"""The network that the machines are in, and all that they reach in it."""

import shutil
import threading

from . import trees
from .host import WORK, Cgroups, apt_sources, install
from .machine import Machine
from .namespaces import NetworkNamespace
from .registry import NAME, Registry, push_stand_ins
from .sandbox import Sandbox
from .servers import BlackHole, DebianMirror, InstanceMetadata

GATEWAY = "172.31.0.1"
TOOLS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "openssl": "openssl",
    "unshare": "util-linux",
}


class World:
    """A bridge in a namespace of its own, with a server for each need."""

    def __init__(self, program, say):
        self.program = program
        self._closing = []
        self._machines = []
        self._lock = threading.Lock()
        self.run_directory = WORK / "run"
        try:
            self._make(say)
        except BaseException:
            self.close()
            raise

    def _make(self, say):
        install(TOOLS)
        self.cgroups = Cgroups()
        self._closing.append(self.cgroups.close)
        shutil.rmtree(self.run_directory, ignore_errors=True)
        self.run_directory.mkdir(parents=True)
        sources = apt_sources()
        say("root trees")
        self.base_tree = trees.base(sources)
        self.docker_layer = trees.with_docker(self.base_tree)
        say("servers")
        self.namespace = NetworkNamespace()
        self._closing.append(self.namespace.close)
        for line in (
            "link set lo up",
            "link add br0 type bridge",
            f"address add {GATEWAY}/16 dev br0",
            "address add 169.254.169.254/32 dev br0",
            "link set br0 up",
        ):
            self.namespace.run("ip", *line.split())
        self.metadata = InstanceMetadata(self.namespace.listen("169.254.169.254", 80))
        self.mirror = DebianMirror(
            self.namespace.listen(GATEWAY, 80),
            [uri for uri, _, _ in sources],
            WORK / "packages",
        )
        # Below the registry's own address, so that its port can be the same.
        self.namespace.run("ip", "address", "add", "172.31.0.2/32", "dev", "br0")
        BlackHole(self.namespace.listen("172.31.0.2", 443))
        self.registry = Registry(self.namespace, GATEWAY)
        self._closing.append(self.registry.close)
        self.images = push_stand_ins(self.registry, self.base_tree)
        self.settings = trees.settings(
            self.run_directory / "settings",
            sources,
            {"apt.test": GATEWAY, NAME: GATEWAY, "hang.test": "172.31.0.2"},
            (NAME, self.registry.certificate),
        )
        self.sandbox = Sandbox()
        self._closing.append(self.sandbox.close)

    def machine(self, name, docker=False):
        """A machine that is not on yet."""
        with self._lock:
            number = len(self._machines) + 16
            machine = Machine(self, name, number, docker)
            self._machines.append(machine)
            return machine

    def close(self):
        for machine in self._machines:
            machine.destroy()
        for close in reversed(self._closing):
            close()
        self._closing.clear()
        shutil.rmtree(self.run_directory, ignore_errors=True)
