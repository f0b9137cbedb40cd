"""Prepared images: a machine that `image build` has launched, and machines made of it."""

import json
import threading

from .host import Broken, wait_for

PREPARED = "inductiva-aws: prepared, layout "


class Building:
    """A real `image build` in the sandbox, whose machine is booted here."""

    def __init__(self, world, machine, *arguments, images=None):
        self._machine = machine
        machine.account = world.sandbox.account("no-key-is-needed")
        self.process, machine.instance_id, user_data = machine.account.start_building(
            world.program, arguments, images or world.images
        )
        machine.switch_on(user_data)

    def finish(self):
        """Stops the machine when it is prepared; the image is the program's to make."""
        machine = self._machine
        machine.wait_for_console(PREPARED, 400)
        machine.account.says(machine.instance_id, machine.console)
        stopped = ("stopping", "stopped", "terminated")
        wait_for(
            lambda: set(machine.account.states()) & set(stopped),
            60,
            "image build stops its machine",
        )
        machine.stop()
        output, errors = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise Broken(f"image build ended with {self.process.returncode}: {errors}")
        (image,) = machine.account.images()
        if image["ImageId"] != json.loads(output)["image_id"]:
            raise Broken(f"another image than {output}: {image}")

    def end(self):
        """Before it is done."""
        self.process.kill()
        self.process.communicate()


def prepare(world, name, images=None):
    """A machine that is off, of which there is an image."""
    machine = world.machine(name)
    building = Building(world, machine, images=images)
    try:
        building.finish()
    except Broken as error:
        building.end()
        raise Broken(f"{error}\n{machine.console[-3000:]}") from None
    return machine


class PreparedDisks:
    """One prepared machine for all scenarios that boot its image."""

    def __init__(self):
        self._lock = threading.Lock()
        self._machine = None

    def of(self, world):
        with self._lock:
            if self._machine is None:
                self._machine = prepare(world, "a-builder")
            return self._machine
