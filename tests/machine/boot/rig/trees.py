"""Root trees of Debian with systemd and cloud-init, made once and kept."""

import hashlib
import os
import shutil
from pathlib import Path

from .host import WORK, Broken, run

# What Ubuntu's and Debian's own cloud images have and the script may count on.
PACKAGES = (
    "systemd systemd-sysv dbus libpam-systemd cloud-init apparmor "
    "ca-certificates curl e2fsprogs iproute2 iptables kmod openssh-server procps sudo"
)
# The host's kernel is not the machine's to look into, and the machine's console
# is no terminal. The daily jobs of apt begin at random.
MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "getty@tty1.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
)
# In a mount namespace of its own: what it mounts ends with it.
_IN_CHROOT = """
set -eu
mount --make-rprivate /
tree=$1; shift
if [ -n "${LOWER:-}" ]; then
    mkdir -p "$tree.work" "$tree.mounted"
    mount -t overlay -o "lowerdir=$LOWER,upperdir=$tree,workdir=$tree.work" \\
        overlay "$tree.mounted"
    tree=$tree.mounted
fi
mount -t proc proc "$tree/proc"
printf '#!/bin/sh\\nexit 101\\n' >"$tree/usr/sbin/policy-rc.d"
chmod 0755 "$tree/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
chroot "$tree" env DEBIAN_FRONTEND=noninteractive sh -euc "$1"
rm "$tree/usr/sbin/policy-rc.d" "$tree/etc/resolv.conf"
"""


def base(sources):
    """A minimal Debian with systemd and cloud-init."""
    key = _key(sources, Path(__file__).read_text(encoding="utf-8"))
    tree = WORK / "trees" / f"base-{key}"
    if tree.exists():
        return tree
    suite = next(suite for _, suite, _ in sources if "-" not in suite)
    making = _debian(tree, suite, sources, PACKAGES)
    making.rename(tree)
    return tree


def _debian(tree, suite, sources, packages):
    """Where it was made."""
    making = _new(tree)
    uri = next(uri for uri, name, _ in sources if name == suite)
    run("debootstrap", "--variant=minbase", suite, making, uri)
    lines = "".join(f"deb {uri} {suite} {part}\n" for uri, suite, part in sources)
    (making / "etc/apt/sources.list").write_text(lines, encoding="utf-8")
    _chroot(
        making,
        "apt-get update -qq\n"
        f"apt-get install -y -qq --no-install-recommends {packages}\n"
        "apt-get clean\nrm -rf /var/lib/apt/lists/*\n"
        f"systemctl mask --quiet {' '.join(MASKED)}\n"
        # cloud-init would wait a minute for a DHCP server.
        "rm -f /usr/sbin/dhclient\n"
        # The first boot of a machine that nobody has seen.
        ": >/etc/machine-id\nrm -f /etc/hostname /etc/ssh/ssh_host_*",
    )
    return making


# The release after a release of Debian, with a later engine.
_AFTER = {"bookworm": "trixie", "trixie": "forky"}


def newer(sources):
    """A Debian of the next release, with its own container engine."""
    uri, suite, component = next(s for s in sources if "-" not in s[1])
    if suite not in _AFTER:
        raise Broken(f"which release comes after {suite} is not known here")
    suite = _AFTER[suite]
    key = _key(uri, suite, Path(__file__).read_text(encoding="utf-8"))
    tree = WORK / "trees" / f"newer-{key}"
    if tree.exists():
        return tree
    making = _debian(tree, suite, [(uri, suite, component)], f"{PACKAGES} docker.io docker-cli")
    making.rename(tree)
    return tree


def with_docker(lower):
    """What is laid on a base tree to have docker.io in it."""
    tree = WORK / "trees" / f"docker-{lower.name}"
    if tree.exists():
        return tree
    making = _new(tree)
    _chroot(
        making,
        "apt-get update -qq\n"
        "apt-get install -y -qq --no-install-recommends docker.io\n"
        "apt-get clean\nrm -rf /var/lib/apt/lists/*",
        lower,
    )
    for scratch in (".work", ".mounted"):
        shutil.rmtree(f"{making}{scratch}")
    making.rename(tree)
    return tree


def settings(directory, sources, addresses, registry):
    """What is laid on top of all: where this network has its servers. `registry`
    is its names and the certificate to know it by."""
    registry_names, certificate = registry
    files = {
        "etc/apt/sources.list": "".join(
            f"deb http://apt.test/{number}/ {suite} {component}\n"
            for number, (_, suite, component) in enumerate(sources)
        ),
        "etc/hosts": "127.0.0.1 localhost\n"
        + "".join(f"{address} {name}\n" for name, address in addresses.items()),
        "etc/resolv.conf": "",
        "etc/cloud/cloud.cfg.d/99-rig.cfg": "datasource_list: [ Ec2 ]\n"
        "network: {config: disabled}\nlocale: false\n",
    }
    for name in registry_names:
        files[f"etc/docker/certs.d/{name}/ca.crt"] = certificate.read_text("utf-8")
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def _key(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _new(tree):
    """A directory to make it in. Trees made otherwise go, and what an interrupted
    run left."""
    making = tree.with_name(f"{tree.name}.making")
    kind = tree.name.partition("-")[0]
    for old in tree.parent.glob(f"{kind}-*"):
        shutil.rmtree(old)
    making.mkdir(parents=True)
    return making


def _chroot(tree, script, lower=None):
    environment = {**os.environ, "LOWER": str(lower or "")}
    run(
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", _IN_CHROOT, "sh", tree, script),
        env=environment,
    )
