"""How many machines EC2 has left, by type, zone and market."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Optional

from .aws_errors import AwsError


@dataclass
class _Rule:
    """A pool: `available` machines of the types, zones and markets that match;
    None for no end of them. What is launched from it is back when terminated."""

    vm_type: str = "*"
    zone: str = "*"
    market: str = "*"  # on-demand, spot
    available: Optional[int] = None
    taken: list = field(default_factory=list)

    def matches(self, vm_type, zone, market):
        return (
            fnmatchcase(vm_type, self.vm_type)
            and fnmatchcase(zone, self.zone)
            and fnmatchcase(market, self.market)
        )

    def left(self):
        if self.available is None:
            return None
        self.taken = [i for i in self.taken if i.state != "terminated"]
        return max(0, self.available - len(self.taken))


class Capacity:
    def __init__(self):
        self._rules = []

    def replace(self, given):
        """{"rules": [{"vm_type", "zone", "market", "available"}]}: wildcards as in
        file names, the first that matches holds. They replace those before.

        Raises TypeError at an unknown key.
        """
        self._rules = [_Rule(**rule) for rule in given["rules"]]

    def as_json(self):
        return {
            "rules": [
                {
                    "vm_type": rule.vm_type,
                    "zone": rule.zone,
                    "market": rule.market,
                    "available": rule.left(),
                }
                for rule in self._rules
            ]
        }

    def grant(self, launch, zone_asked):
        """How many of the launch's machines there are, at least its `least`.

        Raises AwsError when there are fewer.
        """
        free = launch.subnet.available_ip_address_count
        if free < launch.least:
            raise AwsError(
                "InsufficientFreeAddressesInSubnet",
                f"There are not enough free addresses in subnet '{launch.subnet.id}' "
                "to satisfy the requested number of instances.",
            )
        rule = self._rule(launch)
        left = rule.left() if rule is not None else None
        if left is not None and left < launch.least:
            raise self._short(launch, zone_asked)
        return min(n for n in (launch.count, free, left) if n is not None)

    def took(self, launch, instances):
        rule = self._rule(launch)
        if rule is not None:
            rule.taken.extend(instances)

    def _rule(self, launch):
        market = "on-demand" if launch.spot is None else "spot"
        zone = launch.subnet.availability_zone
        matching = (
            r for r in self._rules if r.matches(launch.instance_type, zone, market)
        )
        return next(matching, None)

    @staticmethod
    def _short(launch, zone_asked):
        code, vm_type = "InsufficientInstanceCapacity", launch.instance_type
        if launch.spot is not None:
            return AwsError(
                code, "There is no Spot capacity available that matches your request."
            )
        where = "in zones with support for 'gp3' volumes"
        advice = ""
        if zone_asked:
            where = f"in the Availability Zone you requested ({zone_asked})"
            advice = (
                f" You can currently get {vm_type} capacity by not specifying an "
                "Availability Zone in your request."
            )
        return AwsError(
            code,
            f"We currently do not have sufficient {vm_type} capacity {where}. Our "
            f"system will be working on provisioning additional capacity.{advice}",
        )
