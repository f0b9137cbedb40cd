"""EC2: moto's operations, made as strict as AWS's documentation where they matter."""

import base64
import re
from datetime import datetime, timezone

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response

from . import fingerprints
from .aws_errors import AwsError
from .ec2_attributes import instance_matches, tags_of_resource
from .ec2_filters import matches, page
from .ec2_image_api import ImageOperations
from .ec2_launch import run_instances
from .ec2_launch_checks import checked_tags
from .ec2_network_api import NetworkOperations
from .lifecycle import user_initiated
from .moto_api import MotoApi
from .moto_library import GOVCLOUD_REGIONS, KNOWN_REGIONS, have_changed
from .networks import offered_zones
from .observer import OBSERVER
from .spot_history import spot_price_history
from .visibility import Untagged

# EC2 keeps the end of a console (GetConsoleOutput, API reference).
CONSOLE_BYTES = 64 * 1024

# Operations that change no machine, or none behind `lifecycle`'s back.
_LEAVE_MACHINES = (
    *("Describe", "Get", "RunInstances", "TerminateInstances"),
    *("CreateSecurityGroup", "CreateKeyPair", "DeleteSecurityGroup", "DeleteKeyPair"),
    *("StopInstances", "CreateImage", "DeregisterImage", "DeleteSnapshot"),
)

_INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")


class Ec2Api(ImageOperations, NetworkOperations, MotoApi, EC2Response):
    # moto answers RunInstances with `pending` whatever the state: not true of
    # a replayed client token.
    RESPONSE_KEY_PATH_TO_TRANSFORMER = {
        path: transform
        for path, transform in EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items()
        if path != "RunInstances.Reservation.Instances.Instance.State"
    }

    def perform(self, tenant, form, caller=None):
        action = form.get("Action", "")
        try:
            return super().perform(tenant, form, caller)
        finally:
            if not action.startswith(_LEAVE_MACHINES):
                have_changed(self.ec2_backend)

    def run_instances(self):
        reservation = run_instances(
            self.ec2_backend, self.tenant, self.caller, self.params, self.form
        )
        return ActionResult(reservation)

    def terminate_instances(self):
        instances = self._instances_by_id(self._required("InstanceIds"))
        self.error_on_dryrun()
        # "If you terminate multiple instances across multiple Availability Zones, and
        # one or more of the specified instances are enabled for termination
        # protection": those of its zone stay, the others go, and the request fails
        # (TerminateInstances, API reference).
        protected = [i for i in instances if i.disable_api_termination is True]
        zones = {instance.availability_zone for instance in protected}
        changes = []
        for instance in instances:
            if instance.availability_zone in zones:
                continue
            previous = self.tenant.lifecycle.terminate(instance)
            changes.append(
                {
                    "InstanceId": instance.id,
                    "CurrentState": {
                        "Code": instance.state_code,
                        "Name": instance.state,
                    },
                    "PreviousState": previous,
                }
            )
        if protected:
            raise AwsError(
                "OperationNotPermitted",
                f"The instance '{protected[0].id}' may not be terminated. Modify its "
                "'disableApiTermination' instance attribute and try again.",
            )
        return ActionResult({"TerminatingInstances": changes})

    def get_console_output(self):
        (instance,) = self._instances_by_id([self._required("InstanceId")])
        self.error_on_dryrun()
        latest = self._get_bool_param("Latest", False)
        nitro = INSTANCE_TYPES[instance.instance_type].get("Hypervisor") == "nitro"
        if latest and not nitro:
            raise AwsError(
                "UnsupportedOperation",
                "This instance type does not support retrieving the latest console "
                "logs. Only instance types built on the Nitro System support it.",
            )
        runs = instance.state == "running"
        said = self.tenant.consoles.read(instance.id, live=latest, runs=runs)
        return ActionResult(
            {
                "InstanceId": instance.id,
                # In lines, as in the API reference's example.
                "Output": base64.encodebytes(said[-CONSOLE_BYTES:]).decode(),
                "Timestamp": utcnow(),
            }
        )

    def describe_instances(self):
        self.error_on_dryrun()
        ids = self._get_param("InstanceIds", [])
        max_results = self._get_int_param("MaxResults")
        if ids and max_results is not None:
            raise AwsError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter "
                "maxResults",
            )
        wanted = {i.id for i in self._instances_by_id(ids)} if ids else None
        filters = self._filters_from_querystring()
        found = [
            (reservation, instance)
            for reservation, instance in self._shown()
            if (wanted is None or instance.id in wanted)
            and instance_matches(filters, reservation, instance)
        ]
        found, following = page(
            found, max_results, self._get_param("NextToken"), most=1000
        )
        return ActionResult(
            {"Reservations": _as_reservations(found), "NextToken": following}
        )

    def describe_instance_status(self):
        ids = self._get_param("InstanceIds", [])
        if ids:
            self._instances_by_id(ids)
        result = super().describe_instance_status().result
        shown = {instance.id for _, instance in self._shown()}
        result["InstanceStatuses"] = [
            status for status in result["InstanceStatuses"] if status.id in shown
        ]
        return ActionResult(result)

    def describe_instance_attribute(self):
        self._instances_by_id([self._get_param("InstanceId")])
        return super().describe_instance_attribute()

    def stop_instances(self):
        """"StopInstances", API reference: of running machines."""
        instances = self._instances_by_id(self._required("InstanceIds"))
        self.error_on_dryrun()
        for instance in instances:
            if instance.state not in ("running", "stopping", "stopped"):
                raise AwsError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can "
                    "be stopped.",
                )
        reason = user_initiated(self.tenant.now())
        changes = []
        for instance in instances:
            previous = self.tenant.lifecycle.stop(instance, reason)
            current = {"Code": instance.state_code, "Name": instance.state}
            changes.append(
                {
                    "InstanceId": instance.id,
                    "CurrentState": current,
                    "PreviousState": previous,
                }
            )
        return ActionResult({"StoppingInstances": changes})

    def describe_regions(self):
        self.error_on_dryrun()
        result = super().describe_regions().result
        is_gov = self.region in GOVCLOUD_REGIONS
        result["Regions"] = [
            region
            for region in result["Regions"]
            if region.name in KNOWN_REGIONS
            and (region.name in GOVCLOUD_REGIONS) == is_gov
        ]
        return ActionResult(result)

    def describe_spot_instance_requests(self):
        self.error_on_dryrun()
        by_id = {r.id: r for r in self.tenant.spot_requests.of(self.ec2_backend)}
        for request_id in self._get_param("SpotInstanceRequestIds", []):
            if request_id not in by_id:
                raise AwsError(
                    "InvalidSpotInstanceRequestID.NotFound",
                    f"The spot instance request ID '{request_id}' does not exist",
                )
        found, following = self._matching(
            by_id, "SpotInstanceRequestIds", lambda request: request.attributes()
        )
        return ActionResult(
            {
                "SpotInstanceRequests": [request.as_answer() for request in found],
                "NextToken": following,
            }
        )

    def create_key_pair(self):
        answer = super().create_key_pair()
        pair = self.ec2_backend.key_pairs[self._get_param("KeyName")]
        pair.key_fingerprint = fingerprints.of(pair)
        return answer

    def import_key_pair(self):
        answer = super().import_key_pair()
        pair = self.ec2_backend.key_pairs[self._get_param("KeyName")]
        pair.key_fingerprint = fingerprints.of(pair)
        return answer

    def describe_key_pairs(self):
        known = {pair.key_name for pair in self.ec2_backend.key_pairs.values()}
        for name in self._get_param("KeyNames", []):
            if name not in known:
                raise AwsError(
                    "InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist"
                )
        return super().describe_key_pairs()

    def describe_instance_types(self):
        names = self._get_param("InstanceTypes", [])
        unknown = [n for n in names if not self._offered(n)]
        if unknown:
            raise AwsError(
                "InvalidInstanceType",
                "The following supplied instance types do not exist: "
                f"[{', '.join(unknown)}]",
            )
        filters = self._filters_from_querystring()
        eligible = filters.pop("free-tier-eligible", ["true", "false"])
        types = []
        for known in self.ec2_backend.describe_instance_types(names, filters):
            name = known["InstanceType"]
            is_eligible = self.tenant.traits.is_eligible(name)
            if self._offered(name) and str(is_eligible).lower() in eligible:
                types.append({**known, "FreeTierEligible": is_eligible})
        types, following = self._page(types, most=100, default=100)
        return ActionResult({"InstanceTypes": types, "NextToken": following})

    def _offered(self, name):
        lacks = self.tenant.traits.lacks
        return name not in lacks and offered_zones(self.region, name)

    def describe_instance_type_offerings(self):
        result = super().describe_instance_type_offerings().result
        offered = [
            offering
            for offering in result["InstanceTypeOfferings"]
            if offering["InstanceType"] not in self.tenant.traits.lacks
        ]
        offerings, following = self._page(offered, most=1000, default=1000)
        return ActionResult(
            {"InstanceTypeOfferings": offerings, "NextToken": following}
        )

    def describe_spot_price_history(self):
        self.error_on_dryrun()
        since = self._get_param("StartTime")
        entries, following = self._page(
            spot_price_history(
                self.region,
                self.tenant.prices,
                self._get_param("InstanceTypes", []),
                self._get_param("ProductDescriptions", []),
                self._get_param("AvailabilityZone"),
                since,
                self._filters_from_querystring(),
                datetime.fromtimestamp(self.tenant.now(), timezone.utc),
            ),
            most=1000,
        )
        return ActionResult({"SpotPriceHistory": entries, "NextToken": following})

    def describe_tags(self):
        self.error_on_dryrun()
        filters = self._filters_from_querystring()
        tags = [
            tag
            for tag in self.ec2_backend.describe_tags()
            if matches(
                filters,
                {
                    "key": tag["key"],
                    "value": tag["value"],
                    "resource-id": tag["resource_id"],
                    "resource-type": tag["resource_type"],
                },
                {tag["key"]: tag["value"]},
            )
        ]
        tags, following = self._page(tags, most=1000)
        return ActionResult({"Tags": tags, "NextToken": following})

    def create_tags(self):
        checked_tags(self._get_param("Tags", []))
        self._instances_by_id(
            [one for one in self._get_param("Resources", []) if one.startswith("i-")]
        )
        return super().create_tags()

    def _answer_matching(self, name, by_id, ids_parameter, attributes_of):
        found, following = self._matching(by_id, ids_parameter, attributes_of)
        return ActionResult({name: found, "NextToken": following})

    def _matching(self, by_id, ids_parameter, attributes_of):
        """A page of the resources of these ids (none given: all) that pass the
        filters, and the token of the next."""
        ids = self._get_param(ids_parameter, []) or list(by_id)
        filters = self._filters_from_querystring()
        found = [
            by_id[one]
            for one in ids
            if matches(filters, attributes_of(by_id[one]), tags_of_resource(by_id[one]))
        ]
        return self._page(found, most=1000)

    def _page(self, items, most, default=None):
        return page(
            items,
            self._get_int_param("MaxResults", default),
            self._get_param("NextToken"),
            most=most,
        )

    def _required(self, name):
        value = self._get_param(name)
        if not value:
            raise AwsError(
                "MissingParameter", f"The request must contain the parameter {name}"
            )
        return value

    def _shown(self):
        """All instances that show to the caller, each with its reservation."""
        is_observer = self.caller is not None and self.caller.user == OBSERVER
        sees_all = is_observer or self.tenant.visibility.hides_nothing()
        shows = self.tenant.visibility.shows
        shows_tags = self.tenant.visibility.shows_tags
        for reservation in self.ec2_backend.reservations.values():
            for instance in reservation.instances:
                if sees_all:
                    yield reservation, instance
                elif shows(instance):
                    tagged = shows_tags(instance)
                    yield reservation, instance if tagged else Untagged(instance)

    def _instances_by_id(self, ids):
        """The instances, in the order asked for; all or an error."""
        for instance_id in ids:
            if not _INSTANCE_ID.fullmatch(instance_id):
                raise AwsError(
                    "InvalidInstanceID.Malformed",
                    f'Invalid id: "{instance_id}"',
                )
        shown = {instance.id for _, instance in self._shown()}
        known = {
            instance.id: instance
            for reservation in self.ec2_backend.reservations.values()
            for instance in reservation.instances
            if instance.id in shown
        }
        missing = [instance_id for instance_id in ids if instance_id not in known]
        if missing:
            some = len(missing) > 1
            raise AwsError(
                "InvalidInstanceID.NotFound",
                f"The instance ID{'s' if some else ''} '{', '.join(missing)}' "
                f"do{'' if some else 'es'} not exist",
            )
        return [known[instance_id] for instance_id in dict.fromkeys(ids)]


def _as_reservations(found):
    """Reservations that hold only the instances found."""
    grouped = {}
    for reservation, instance in found:
        if reservation.id not in grouped:
            grouped[reservation.id] = type(reservation)(
                reservation.id, reservation.owner_id
            )
        grouped[reservation.id].instances.append(instance)
    return list(grouped.values())
