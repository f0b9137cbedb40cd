"""moto, imported with only what the sandbox has, and with its faults put right.

Everything that changes moto's own code is here, in `moto_speed` and in `moto_answers`;
what is a question of strictness is in `ec2_api` and its neighbours, which subclass moto's
classes.
"""

import contextlib
import os

ENABLED_REGIONS = ("eu-west-2", "eu-west-1", "eu-central-1", "us-east-1", "us-west-2")

# Of a partition of its own, which no account of the other has.
GOVCLOUD_REGIONS = ("us-gov-west-1",)
KNOWN_REGIONS = ENABLED_REGIONS + GOVCLOUD_REGIONS

# moto must not read the caller's AWS profile or region.
for _name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
    del os.environ[_name]
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


class _EnabledRegions:
    """Stands in for boto3.Session in moto, which asks it for region names only.

    The real one reads botocore's endpoint data three times: half a second of
    start-up, for regions that the sandbox does not have.
    """

    def get_available_partitions(self):
        return ["aws", "aws-us-gov"]

    def get_available_regions(self, service_name, partition_name="aws"):
        regions = {"aws": ENABLED_REGIONS, "aws-us-gov": GOVCLOUD_REGIONS}
        return list(regions.get(partition_name, ()))


@contextlib.contextmanager
def _swapped(owner, name, value):
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield original
    finally:
        setattr(owner, name, original)


def _import_moto():
    import boto3
    import moto.utilities.utils as utilities

    def load_enabled(resource):
        region = os.path.basename(resource).split(".")[0]
        if "instance_type_offerings" in resource and region not in ENABLED_REGIONS:
            return []
        return load_resource(resource)

    with _swapped(boto3, "Session", _EnabledRegions):
        with _swapped(utilities, "load_resource", load_enabled) as load_resource:
            import moto.core.base_backend as base_backend
            import moto.ec2.models as ec2_models

    return base_backend, ec2_models


_base_backend, _ec2_models = _import_moto()
_base_backend.Session = _EnabledRegions

from moto.core import common_models  # noqa: E402
from moto.core.utils import get_service_model  # noqa: E402
from moto.ec2.exceptions import InvalidInstanceIdError  # noqa: E402
from moto.ec2.models import amis, core, elastic_network_interfaces  # noqa: E402
from moto.ec2.models import availability_zones_and_regions as regions_and_zones  # noqa: E402
from moto.ec2.models import route_tables, vpcs  # noqa: E402
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS  # noqa: E402
from moto.ec2.models import instances as instance_models  # noqa: E402
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix  # noqa: E402

from .moto_answers import has_changed, have_changed  # noqa: E402, F401
from .moto_speed import speed_up  # noqa: E402

ec2_backends = _ec2_models.ec2_backends


def load_models():
    """Loads what the first request of each service would wait for."""
    from .aws import API_CLASSES

    for service in API_CLASSES:
        get_service_model(service)


def backend(account, region):
    """moto's EC2 of one account and region; made at first use."""
    return ec2_backends[account][region]


def private_keys(account):
    """Of the key pairs that EC2 has made, as its answers had them."""
    backends = dict(dict.get(ec2_backends, account, {})).values()
    pairs = [pair for backend in backends for pair in backend.key_pairs.values()]
    return [pair.key_material for pair in pairs if b"PRIVATE" in pair.material]


def forget(account):
    """Ends an account with all that it has."""
    for backends in list(_base_backend.BackendDict._instances):
        backends.pop(account, None)


def _let_go():
    """moto keeps every resource that ever was, for a dashboard, and with it all
    accounts."""
    common_models.BaseModel.__new__ = lambda cls, *_args, **_kwargs: object.__new__(cls)
    of_account = _base_backend.AccountSpecificBackend
    of_account._generate_regions = of_account._generate_regions.__wrapped__


def _fix_tags():
    """moto finds a resource's tags by a scan of all tags with regular expressions."""

    # moto's name for it lacks the s.
    EC2_PREFIX_TO_RESOURCE["sir"] = "spot-instances-request"

    def get_tags(self):
        resource_type = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
        return [
            {
                "resource_id": self.id,
                "key": key,
                "value": value,
                "resource_type": resource_type,
            }
            for key, value in self.ec2_backend.tags.get(self.id, {}).items()
        ]

    def add_tags(self, tag_map):
        """At once: moto looks for each tag through all that the resource has."""
        if tag_map:
            self.ec2_backend.create_tags([self.id], tag_map)

    core.TaggedEC2Resource.get_tags = get_tags
    core.TaggedEC2Resource.add_tags = add_tags


def _fix_instance_lookup():
    """moto walks all instances, oldest first; a launch asks for the newest."""

    def get_instance(self, instance_id):
        for reservation in reversed(list(self.reservations.values())):
            for instance in reversed(reservation.instances):
                if instance.id == instance_id:
                    return instance
        raise InvalidInstanceIdError(instance_id)

    instance_models.InstanceBackend.get_instance = get_instance


def _fix_terminated_addresses():
    """A terminated instance has no interface, hence no address, name or network."""

    def of_primary_interface(name):
        return property(
            lambda self: getattr(self.nics[0], name) if 0 in self.nics else None
        )

    instance = instance_models.Instance
    for attribute in ("private_ip", "private_ip_address"):
        setattr(instance, attribute, of_primary_interface("private_ip_address"))
    for attribute in ("public_ip", "public_ip_address"):
        setattr(instance, attribute, of_primary_interface("public_ip"))
    named = instance.private_dns_name.fget
    instance.private_dns_name = property(
        lambda self: named(self) if self.private_ip else ""
    )


def _fix_interface_groups():
    """moto answers a set of groups, in another order with each request."""

    def group_set(self):
        groups = list(self._group_set)
        if self.instance:
            groups += [g for g in self.instance.security_groups if g not in groups]
        return groups

    elastic_network_interfaces.NetworkInterface.group_set = property(group_set)


def _fix_image_disks():
    """moto gives every image a 15 GiB disk of type `standard` that outlives it."""

    def block_device_mappings(self):
        root = {
            "DeviceName": self.root_device_name,
            "Ebs": {
                "DeleteOnTermination": True,
                "Encrypted": False,
                # That of an image that is being made does not show yet.
                **(
                    {} if self.state == "pending" else {"SnapshotId": self.ebs_snapshot.id}
                ),
                "VolumeSize": self.ebs_snapshot.volume.size,
                "VolumeType": "gp3",
            },
        }
        others = [
            {
                "DeviceName": device,
                "Ebs": {
                    "DeleteOnTermination": False,
                    "Encrypted": False,
                    "VolumeSize": gib,
                    "VolumeType": "gp2",
                },
            }
            for device, gib in getattr(self, "more_disks", ())
        ]
        # And a disk of the host, which is none of EBS.
        virtual = {"DeviceName": "/dev/sdz", "VirtualName": "ephemeral0"}
        return [root, *others, virtual] if others else [root]

    amis.Ami.block_device_mappings = property(block_device_mappings)


def _fix_govcloud():
    """moto knows neither zones nor types of GovCloud: those of us-west-2 stand in."""
    for offerings in INSTANCE_TYPE_OFFERINGS.values():
        if "us-west-2" in offerings:
            offerings["us-gov-west-1"] = [
                {**o, "Location": o["Location"].replace("us-west-2", "us-gov-west-1")}
                for o in offerings["us-west-2"]
            ]
    known = regions_and_zones.RegionsAndZonesBackend.zones
    known["us-gov-west-1"] = [
        regions_and_zones.Zone(
            zone.name.replace("us-west-2", "us-gov-west-1"),
            "us-gov-west-1",
            zone.zone_id.replace("usw2", "usgw1"),
            zone.zone_type,
        )
        for zone in known["us-west-2"][:3]
    ]


def _fix_default_vpc():
    """moto's default VPC has no way out: AWS's has an internet gateway, which its main
    route table leads to ("Default VPC components", VPC user guide)."""
    create = vpcs.VPCBackend.create_default_vpc

    def create_default_vpc(self):
        vpc = create(self)
        gateway = self.create_internet_gateway()
        self.attach_internet_gateway(gateway.id, vpc.id)
        (table,) = self.describe_route_tables(filters={"vpc-id": [vpc.id]})
        self.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)
        return vpc

    vpcs.VPCBackend.create_default_vpc = create_default_vpc


def _fix_routes():
    """moto's routes stay active when their target is gone ("Route", API reference)."""

    def state(self):
        nat, gateway = self.nat_gateway, self.gateway
        backend = self.route_table.ec2_backend
        if nat is not None and (
            nat.id not in backend.nat_gateways or nat.state in ("deleting", "deleted")
        ):
            return "blackhole"
        if gateway is not None and gateway.id in backend.internet_gateways:
            return "active" if gateway.vpc else "blackhole"
        if gateway is not None and gateway.id.startswith("igw-"):
            return "blackhole"
        return "active"

    route_tables.Route.state = property(state)


def _fix_images():
    """The catalogue takes the place of moto's own images, in every region."""
    from .images import CATALOGUE

    def load_images(self):
        for image in CATALOGUE:
            self.amis[image.image_id] = image.register(self)

    amis.AmiBackend._load_amis = load_images


_fix_tags()
_fix_instance_lookup()
_fix_terminated_addresses()
_fix_interface_groups()
_fix_image_disks()
_fix_govcloud()
_fix_default_vpc()
_fix_routes()
_fix_images()
_let_go()
speed_up()
