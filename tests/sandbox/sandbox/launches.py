"""What was launched, and EC2's client tokens.

A token stands for one launch within its scope: the region and, when a subnet or
an Availability Zone is named, that zone. It outlives the machines.
"""

import hashlib
import time
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
    def __init__(self):
        self._tokens = {}
        self._launched = []
        self.run_instances_calls = 0

    def earlier(self, region, zone, token):
        """The use of this token that is on record, or None."""
        return self._tokens.get((region, zone, token))

    def record(self, region, zone, token, form, reservation):
        """Call it only for a launch that succeeded: others use up no token."""
        if token:
            use = _TokenUse(fingerprint(form), reservation)
            self._tokens[(region, zone, token)] = use
        for instance in reservation.instances:
            self._launched.append(
                {
                    "instance_id": instance.id,
                    "region": region,
                    "client_token": token,
                    "launched_at": time.time(),
                }
            )

    def as_json(self):
        return {
            "instances": list(self._launched),
            "run_instances_calls": self.run_instances_calls,
        }
