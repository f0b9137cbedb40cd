"""Prepared images: a machine that is prepared for an image, and machines made of it."""

import gzip
import shlex
import threading

from .host import REPOSITORY, Broken

PREPARED = "inductiva-aws: prepared, layout "


def user_data(images, script=None, **variables):
    """What `image build` gives its machine."""
    given = {
        "PREPARE_IMAGE": "true",
        "TASK_RUNNER_IMAGE": images[0],
        "FILE_TRACKER_IMAGE": images[1],
        "BOOT_TIMEOUT_SECONDS": "1800",
        "GPU": "false",
        **variables,
    }
    exports = "".join(f"export {n}={shlex.quote(v)}\n" for n, v in given.items())
    text = script or (REPOSITORY / "user-data.sh").read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    return gzip.compress(f"{first}\n{exports}{rest}".encode())


def prepare(machine, images, script=None):
    """Boots the machine, and stops it when it is prepared."""
    machine.switch_on(user_data(images, script))
    machine.wait_for_console(PREPARED, 400)
    machine.stop()
    return machine


class PreparedDisks:
    """One prepared machine for all scenarios that boot its image."""

    def __init__(self):
        self._lock = threading.Lock()
        self._machine = None

    def of(self, world):
        with self._lock:
            if self._machine is None:
                machine = world.machine("a-builder")
                try:
                    self._machine = prepare(machine, world.images)
                except Broken as error:
                    raise Broken(f"{error}\n{machine.console[-3000:]}") from None
            return self._machine
