"""The machine groups of the Inductiva API, and what tests can make of them."""

import uuid
from datetime import datetime, timedelta, timezone

from .moto_library import KNOWN_REGIONS, backend
from .networks import reaches_internet

DEFAULT_API_KEY = "sandbox-key"
ACTIVE = ("registered", "starting", "started", "shutting_down")
GROUP_TAG = "inductiva:machine-group"


class Groups:
    """State and switches; the switches are described in `change`."""

    def __init__(self, now):
        self._seconds_now = now
        self.keys = [DEFAULT_API_KEY]
        self.status = None
        self.rejected_key_status = 401
        self.refuse_machine_type = False
        self.drop_machine_type = False
        self.strict_names = False
        self.refuse_duplicates = False
        self.group_status_on_create = "started"
        self.auto_register_seconds = None
        self._groups = []

    def change(self, changes):
        """Applies the keys of `changes`; raises ValueError at an unknown one.

        status                  every call answers it; None for normal
        keys                    API keys that are accepted
        rejected_key_status     401 or 403 for another key
        refuse_machine_type     422 when a group is created with machine_type
        drop_machine_type       groups are made without the machine_type that
                                is sent, and show none
        strict_names            422 for a name other than ^[0-9a-zA-Z-]+$
        refuse_duplicates       409 when there is an active group of that name
        group_status_on_create  of new groups
        auto_register_seconds   machines with the group's tag count as
                                registered so long after running; None for never
        register                {"group", "host_name", …}: adds a machine
        machines                [{"host_name", …}]: changes machines
        groups                  [{"name", "status", "created_hours_ago", …}]:
                                changes groups
        """
        actions = {
            "register": self._register,
            "machines": lambda edits: [self._edit_machine(e) for e in edits],
            "groups": lambda edits: [self._edit_group(e) for e in edits],
        }
        switches = {name for name in vars(self) if not name.startswith("_")}
        unknown = set(changes) - switches - set(actions)
        if unknown:
            raise ValueError(f"unknown: {sorted(unknown)}")
        for name, value in changes.items():
            if name in switches:
                setattr(self, name, value)
            else:
                actions[name](value)

    def create(self, body):
        group = {
            "id": str(uuid.uuid4()),
            "name": body.get("name") or f"api-{uuid.uuid4().hex[:12]}",
            "provider_id": body["provider_id"],
            "machine_type": None if self.drop_machine_type else body.get("machine_type"),
            "disk_size_gb": body.get("disk_size_gb"),
            "status": self.group_status_on_create,
            "creation_timestamp": self._now(),
            "deleted": False,
            "create_body": body,
            "machines": [],
        }
        self._groups.append(group)
        return group

    def find(self, name):
        """The newest group of this name: a deleted one's name may be used again."""
        for group in reversed(self._groups):
            if group["name"] == name:
                return group
        return None

    def find_id(self, group_id):
        for group in self._groups:
            if group["id"] == group_id:
                return group
        return None

    def active(self):
        return [g for g in self._groups if g["status"] in ACTIVE and not g["deleted"]]

    def delete(self, group):
        group.update(status="terminated", deleted=True)
        for machine in group["machines"]:
            self.end_machine(machine)

    def add_machine(self, group, host_name, **facts):
        machine = {
            "id": str(uuid.uuid4()),
            "host_name": host_name,
            "started_at": self._now(),
            "terminated_at": None,
            "last_seen_at": self._now(),
            "current_task_id": None,
            **facts,
        }
        group["machines"].append(machine)
        return machine

    def seen(self, machine):
        machine["last_seen_at"] = self._now()

    def end_machine(self, machine):
        machine["terminated_at"] = machine["terminated_at"] or self._now()

    def find_machine(self, key, value):
        for group in self._groups:
            for machine in group["machines"]:
                if machine[key] == value:
                    return machine
        return None

    def register_running(self, tenant):
        """Registers and ends machines as EC2's instances of the tenant do."""
        if self.auto_register_seconds is None:
            return
        for instance in _instances(tenant):
            machine = self.find_machine("host_name", instance.id)
            if machine is not None:
                if instance.state == "terminated":
                    self.end_machine(machine)
                continue
            seconds = tenant.lifecycle.running_for(instance)
            if seconds is None or seconds < self.auto_register_seconds:
                continue
            if not reaches_internet(instance, tenant.traits):
                continue
            group = self.find(instance.ec2_backend.tags[instance.id].get(GROUP_TAG))
            if group is not None:
                self.add_machine(group, instance.id)

    def as_json(self):
        switches = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return {**switches, "groups": self._groups}

    def _now(self, before=timedelta()):
        now = datetime.fromtimestamp(self._seconds_now(), timezone.utc)
        return (now - before).isoformat()

    def _register(self, given):
        given = dict(given)
        group = self.find(given.pop("group"))
        if group is None:
            raise ValueError("no group of that name")
        self.add_machine(group, **given)

    def _edit_machine(self, edit):
        machine = self.find_machine("host_name", edit["host_name"])
        if machine is None:
            raise ValueError(f"no machine {edit['host_name']}")
        machine.update(edit)

    def _edit_group(self, edit):
        group = self.find(edit["name"])
        if group is None:
            raise ValueError(f"no group {edit['name']}")
        edit = dict(edit)
        if "created_hours_ago" in edit:
            made = timedelta(hours=edit.pop("created_hours_ago"))
            group["creation_timestamp"] = self._now(before=made)
        group.update(edit)


def _instances(tenant):
    for region in KNOWN_REGIONS:
        for reservation in backend(tenant.account, region).reservations.values():
            yield from reservation.instances
