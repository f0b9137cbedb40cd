"""What was launched, and EC2's client tokens.

A token stands for one launch within its scope: the region and, when a subnet or
an Availability Zone is named, that zone. It outlives the machines.
"""

import hashlib
from dataclasses import dataclass

# Not part of what was asked for: the same launch may differ in these.
NOT_FINGERPRINTED = {"Action", "Version", "ClientToken", "DryRun"}


def fingerprint(form):
    asked = sorted((k, v) for k, v in form.items() if k not in NOT_FINGERPRINTED)
    return hashlib.sha256(repr(asked).encode()).hexdigest()


@dataclass
class _TokenUse:
    fingerprint: str
    reservation: object


class Launches:
    def __init__(self, now):
        self._now = now
        self._tokens = {}
        self._launched = []
        self._machines = []
        self._most_at_once = 0
        self._most_at_once_in = {}
        self.run_instances_calls = 0

    def earlier(self, region, zone, token):
        """The use of this token that is on record, or None."""
        return self._tokens.get((region, zone, token))

    def is_used(self, region, token):
        """Whether a launch of this token is on record, in any zone."""
        return any(r == region and t == token for r, _, t in self._tokens)

    def record(self, region, zone, token, form, reservation):
        """Call it only for a launch that succeeded: others use up no token."""
        if token:
            use = _TokenUse(fingerprint(form), reservation)
            self._tokens[(region, zone, token)] = use
        self._machines += reservation.instances
        live = sum(i.state in ("pending", "running") for i in self._machines)
        self._most_at_once = max(self._most_at_once, live)
        here = sum(
            i.state in ("pending", "running")
            for i in self._machines
            if i.region_name == region
        )
        most = self._most_at_once_in.get(region, 0)
        self._most_at_once_in[region] = max(most, here)
        for instance in reservation.instances:
            self._launched.append(
                {
                    "instance_id": instance.id,
                    "region": region,
                    "client_token": token,
                    "launched_at": self._now(),
                }
            )

    def as_json(self):
        return {
            "instances": [
                {**launched, "state": instance.state}
                for launched, instance in zip(self._launched, self._machines)
            ],
            # The most machines that were pending or running at a time.
            "most_at_once": self._most_at_once,
            "most_at_once_in": self._most_at_once_in,  # by region
            "run_instances_calls": self.run_instances_calls,
        }
