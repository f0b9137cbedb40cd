"""Instances take time: pending → running, shutting-down → terminated.

Nothing runs in the background. Each request first brings the states up to date,
by the account's clock.
"""

import base64
import copy
import gzip
import re
from dataclasses import dataclass
from datetime import datetime, timezone

from .moto_library import has_changed

PENDING = ("pending", 0)
RUNNING = ("running", 16)
STOPPING = ("stopping", 64)
STOPPED = ("stopped", 80)
SHUTTING_DOWN = ("shutting-down", 32)
TERMINATED = ("terminated", 48)

# Why an instance ends (EC2 API reference, StateReason).
ASKED_TO = ("Client.UserInitiatedShutdown", "User initiated shutdown")
KEY_REFUSED = ("Client.InternalError", "Client error on launch")
POWERED_OFF = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")


@dataclass
class _Transition:
    due: float
    instance: object
    from_state: str
    apply: object


class Lifecycle:
    def __init__(self, settings, traits, now):
        self._settings = settings
        self._traits = traits
        self._now = now
        self._transitions = []
        self._running_since = {}

    def launched(self, instance, has_disks):
        """has_disks: EC2 can encrypt them. It sees that after its answer."""
        set_state(instance, PENDING)
        # EC2 gives the public address on the way to running.
        for interface in instance.nics.values():
            interface.stop()
        has_changed(instance)
        if self._traits.ends_at_once:
            apply = self._end_at_once
        else:
            apply = self._run if has_disks else self._fail
        self._schedule(self._settings.pending_seconds, instance, apply)

    def terminate(self, instance, reason=ASKED_TO):
        """Begins the shutdown and returns the state before; again is harmless."""
        previous = copy.copy(instance.instance_state)
        if instance.state in (SHUTTING_DOWN[0], TERMINATED[0]):
            return previous
        set_state(instance, SHUTTING_DOWN)
        # EC2 tells the time of what somebody asked for ("StateTransitionReason",
        # Instance, API reference).
        instance._reason = user_initiated(self._now()) if reason == ASKED_TO else ""
        code, message = reason
        instance.state_reason.code = code
        instance.state_reason.message = f"{code}: {message}"
        has_changed(instance)
        self._running_since.pop(instance.id, None)
        self._schedule(self._settings.shutting_down_seconds, instance, _end)
        return previous

    def stop(self, instance, reason):
        """Begins the stop and returns the state before; of one that is stopped, or
        being stopped, nothing changes. `reason` tells who asked, and when."""
        previous = copy.copy(instance.instance_state)
        if instance.state in (STOPPING[0], STOPPED[0]):
            return previous
        set_state(instance, STOPPING)
        instance._reason = reason
        instance.state_reason.code, message = ASKED_TO
        instance.state_reason.message = f"{ASKED_TO[0]}: {message}"
        has_changed(instance)
        self._running_since.pop(instance.id, None)
        self._schedule(self._settings.stopping_seconds, instance, _stopped)
        return previous

    def advance(self):
        now = self._now()
        due = [t for t in self._transitions if t.due <= now]
        if not due:
            return
        self._transitions = [t for t in self._transitions if t.due > now]
        for transition in due:
            if transition.instance.state == transition.from_state:
                transition.apply(transition.instance)
                has_changed(transition.instance)

    def running_for(self, instance):
        """Seconds since the instance reached running, None if it is not there."""
        since = self._running_since.get(instance.id)
        if since is None or instance.state != RUNNING[0]:
            return None
        return self._now() - since

    def _schedule(self, seconds, instance, apply):
        due = self._now() + seconds
        self._transitions.append(_Transition(due, instance, instance.state, apply))

    def _end_at_once(self, instance):
        """As EC2 does without a key for the disk, or without room for it
        ("Instance terminates immediately", EC2 user guide)."""
        self.terminate(instance, tuple(self._traits.ends_at_once))

    def _run(self, instance):
        set_state(instance, RUNNING)
        for interface in instance.nics.values():
            interface.start()
        self._running_since[instance.id] = self._now()
        lifetime = _lifetime_seconds(instance) if self._traits.ends_at_lifetime else None
        if lifetime is not None:
            self._schedule(lifetime, instance, self._power_off)

    def _power_off(self, instance):
        self.terminate(instance, POWERED_OFF)

    def _fail(self, instance):
        self.terminate(instance, KEY_REFUSED)


def user_initiated(seconds):
    """What EC2 tells of a change that somebody asked for, and when."""
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return f"User initiated ({at.strftime('%Y-%m-%d %H:%M:%S')} GMT)"


def set_state(instance, state):
    instance.instance_state.name, instance.instance_state.code = state


def _lifetime_seconds(instance):
    """What the preamble of its user data says, None for no limit."""
    user_data = base64.b64decode(str(instance.user_data or ""))
    if user_data.startswith(b"\x1f\x8b"):
        user_data = gzip.decompress(user_data)
    found = re.search(rb"^export MAX_LIFETIME_SECONDS='(\d+)'$", user_data, re.MULTILINE)
    return float(found[1]) if found else None


def _stopped(instance):
    """It keeps its disks and its address within the VPC."""
    for interface in instance.nics.values():
        interface.stop()
    set_state(instance, STOPPED)


def _end(instance):
    """moto's own termination removes disks and interfaces; the rest is ours."""
    backend = instance.ec2_backend
    interfaces = [interface.id for interface in instance.nics.values()]
    volumes = [disk.volume_id for disk in instance.block_device_mapping.values()]
    reasons = instance.state_reason, instance._reason
    instance.terminate()
    instance.state_reason, instance._reason = reasons
    for resource_id in interfaces + volumes:
        if resource_id not in backend.enis and resource_id not in backend.volumes:
            backend.tags.pop(resource_id, None)
    instance.nics = {}
    instance._subnet_id = None
    instance.security_groups = []
