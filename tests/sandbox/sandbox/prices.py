"""What machines and disks cost in an account: the one place for all prices.

The Price List and DescribeSpotPriceHistory answer from here, and so does
RunInstances when it has to know whether a spot machine's highest price is enough.
"""

import fnmatch

from moto.ec2.models.instance_types import INSTANCE_TYPES

# USD an hour, on demand, Linux; other types cost by their vCPUs.
_ON_DEMAND = {
    "t2.micro": 0.0132,
    "t3.micro": 0.0118,
    "t3.small": 0.0236,
    "c5.large": 0.101,
    "c5.2xlarge": 0.404,
    "g4dn.xlarge": 0.615,
}
_USD_PER_VCPU_HOUR = 0.05
# Spot is this part of on demand, and dearer in each further zone (a, b, c).
_SPOT_SHARE = 0.3
_SPOT_STEP = 0.05

# USD a month by volume type: a GB, an IOPS (io2: in its three tiers), and a
# GiB/s of throughput, which is how the Price List counts it.
_VOLUMES = {
    "gp3": {"gb": 0.0928, "iops": [0.0058], "gibps": 47.5136},
    "gp2": {"gb": 0.116},
    "io1": {"gb": 0.145, "iops": [0.076]},
    "io2": {"gb": 0.145, "iops": [0.076, 0.0532, 0.03724]},
    "standard": {"gb": 0.058},
}
# USD a GB and month.
SNAPSHOT = 0.053


# USD an hour for a public IPv4 address in use.
_ADDRESS = 0.005
# USD once for each GiB of snapshot data and each MiB/s at which a disk is filled with
# it ("Initialize Amazon EBS volumes", EBS user guide, Billing; EBS pricing, Example 12:
# 0.0036 a GiB at 300 MiB/s).
_INITIALIZATION = 0.000012


class Prices:
    def __init__(self):
        self.address = _ADDRESS
        self.initialization = _INITIALIZATION
        self._on_demand = {}
        self._spot = []
        self._volumes = {kind: dict(prices) for kind, prices in _VOLUMES.items()}

    def change(self, changes):
        """Applies the keys of `changes`; raises ValueError at an unknown one.

        on_demand  {type: USD an hour}; null for a type without a price
        spot       [{"vm_type", "zone", "usd"}]: names or patterns (* for any),
                   the first that fits wins; usd null for a type without spot.
                   Replaces the list.
        volumes    {volume type: {"gb", "iops", "gibps"}}; null for no price, iops by
                   io2's tiers, null for one without a price
        address    USD an hour of a public IPv4 address; null for no price
        initialization  USD for each GiB and MiB/s; null for no price
        """
        for name, value in changes.items():
            if name == "on_demand":
                self._on_demand.update(value)
            elif name == "spot":
                self._spot = [
                    (rule.get("vm_type", "*"), rule.get("zone", "*"), rule["usd"])
                    for rule in value
                ]
            elif name == "volumes":
                self._volumes.update(value)
            elif name == "address":
                self.address = value
            elif name == "initialization":
                self.initialization = value
            else:
                raise ValueError(
                    f"unknown: {name!r}; known: address, initialization, on_demand, spot, "
                    "volumes"
                )

    def as_json(self):
        return {
            "on_demand": self._on_demand,
            "spot": [dict(zip(("vm_type", "zone", "usd"), r)) for r in self._spot],
            "volumes": self._volumes,
            "address": self.address,
            "initialization": self.initialization,
        }

    def on_demand(self, vm_type):
        """USD an hour; None for a type without a price."""
        if vm_type in self._on_demand:
            return self._on_demand[vm_type]
        vcpus = INSTANCE_TYPES[vm_type]["VCpuInfo"]["DefaultVCpus"]
        return _ON_DEMAND.get(vm_type, vcpus * _USD_PER_VCPU_HOUR)

    def spot(self, vm_type, zone):
        """USD an hour in this zone now; None for a type that has no spot machines."""
        for wanted_type, wanted_zone, usd in self._spot:
            if fnmatch.fnmatchcase(vm_type, wanted_type) and fnmatch.fnmatchcase(
                zone, wanted_zone
            ):
                return usd
        on_demand = self.on_demand(vm_type)
        if on_demand is None:
            return None
        share = _SPOT_SHARE + _SPOT_STEP * (ord(zone[-1]) - ord("a"))
        return round(on_demand * share, 6)

    def volume(self, kind):
        """USD a month: {"gb"}, and where it can be had {"iops", "gibps"}; or None."""
        return self._volumes.get(kind)

    @property
    def volume_kinds(self):
        return list(self._volumes)
