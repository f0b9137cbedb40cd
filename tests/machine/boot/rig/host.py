"""This machine: its commands, its packages, and waiting for things."""

import os
import shutil
import subprocess
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
# Everything that the rig makes; what is worth keeping is kept here.
WORK = REPOSITORY / "target" / "machine"


class Broken(Exception):
    """The rig, or what it tests, is not as it should be; the text says how."""


def run(*command, **options):
    """Runs a command; its stdout as text. Raises Broken with all that it said."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **options,
    )
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise Broken(f"`{words[:200]}` ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def install(tools):
    """Installs what is missing of {command: Debian package}."""
    missing = [package for tool, package in tools.items() if not shutil.which(tool)]
    if not missing:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=environment)
    for package in missing:
        run(
            *("apt-get", "install", "-y", "-qq", "--no-install-recommends", package),
            env=environment,
        )


def wait_for(condition, seconds, what, every=0.2):
    """The first true value of `condition()`; raises Broken at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds} s: {what}")
        time.sleep(every)


def apt_sources():
    """The repositories that this machine's apt takes Debian's packages from, as
    (URI, suite, component)."""
    release = dict(
        line.rstrip().split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    suite = release["VERSION_CODENAME"].strip('"')
    listed = run(
        *("apt-get", "indextargets", "Created-By: Packages", "Origin: Debian"),
        *("--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"),
    )
    sources = [tuple(line.split()) for line in listed.splitlines()]
    sources = [source for source in sources if source[1].startswith(suite)]
    if not any(source[1:] == (suite, "main") for source in sources):
        raise Broken("this machine's apt names no Debian repository of its own release")
    return sources


class Cgroups:
    """One cgroup (version 2) for each machine, so that all of it can be ended."""

    def __init__(self):
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        points = [m.split()[1] for m in mounts if m.split()[2] == "cgroup2"]
        if not points:
            raise Broken("no cgroup2 file system is mounted on this machine")
        # What a killed run left: its machines ended with it.
        for old in Path(points[0]).glob("inductiva-aws-boot-*"):
            _remove_cgroup(old)
        self._parent = Path(points[0]) / f"inductiva-aws-boot-{os.getpid()}"
        self._parent.mkdir()

    def of(self, name):
        return self._parent / name

    def close(self):
        wait_for(
            lambda: _remove_cgroup(self._parent), 20, "the machines' cgroups are empty"
        )


def _remove_cgroup(cgroup):
    """With those inside; whether it could be."""
    for directory, _, _ in os.walk(cgroup, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            return False
    return True
