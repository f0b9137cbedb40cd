"""The network that a launch uses: subnet, zone, security groups."""

import functools

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from .aws_errors import AwsError
from .moto_library import KNOWN_REGIONS
from .moto_library import backend as backend_of


@functools.cache
def _zones_by_type(region):
    zones = {}
    for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"][region]:
        zones.setdefault(offering["InstanceType"], set()).add(offering["Location"])
    return zones


def offered_zones(region, instance_type):
    """The Availability Zones that offer the type, sorted."""
    return sorted(_zones_by_type(region).get(instance_type, ()))


def choose_subnet(backend, instance_type, subnet_id, zone):
    """The subnet of a launch: the one named, else a default one.

    Raises AwsError as EC2 does for what does not exist or does not fit.
    """
    offered = offered_zones(backend.region_name, instance_type)
    if subnet_id:
        subnet = _find_subnet(backend, subnet_id)
        if zone and zone != subnet.availability_zone:
            raise AwsError(
                "InvalidParameterValue",
                f"The availability zone '{zone}' does not match the availability "
                f"zone '{subnet.availability_zone}' of the subnet '{subnet_id}'",
            )
    elif backend.get_default_vpc() is None:
        raise no_default_vpc()
    else:
        subnet = _default_subnet(backend, zone, offered)
    if subnet.availability_zone not in offered:
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your "
            f"requested Availability Zone ({subnet.availability_zone}). Please retry "
            "your request by not specifying an Availability Zone or choosing "
            f"{', '.join(offered)}.",
        )
    return subnet


def _find_subnet(backend, subnet_id):
    for subnets in backend.subnets.values():
        if subnet_id in subnets:
            return subnets[subnet_id]
    raise AwsError(
        "InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist"
    )


def _default_subnet(backend, zone, offered):
    subnets = backend.get_default_subnets()
    if zone:
        if backend.get_zone_by_name(zone) is None:
            raise AwsError(
                "InvalidParameterValue", f"Invalid availability zone: [{zone}]"
            )
        if zone not in subnets:
            raise AwsError(
                "InvalidInput", f"No default subnet for availability zone: '{zone}'."
            )
        return subnets[zone]
    if not subnets:
        raise AwsError(
            "MissingInput",
            "No subnets found for the default VPC "
            f"'{backend.get_default_vpc().id}'. Please specify a subnet.",
        )
    suitable = sorted(z for z in subnets if z in offered)
    return subnets[(suitable or sorted(subnets))[0]]


def no_default_vpc():
    return AwsError(
        "VPCIdNotSpecified",
        "No default VPC for this user. GroupName is only supported for EC2-Classic "
        "and default VPC.",
    )


def group_not_found(group_id):
    return AwsError(
        "InvalidGroup.NotFound", f"The security group '{group_id}' does not exist"
    )


def reaches_internet(instance, traits):
    """Whether a machine gets anywhere, by the routes of its subnet."""
    backend, subnet_id = instance.ec2_backend, instance.subnet_id
    tables = backend.describe_route_tables(filters={"vpc-id": [instance.vpc_id]})
    own = [t for t in tables if subnet_id in t._associations.values()]
    table = (own or [t for t in tables if t.main_association_id is not None])[0]
    for route in table.routes:
        if route.destination_cidr_block != "0.0.0.0/0" or route.state != "active":
            continue
        if (route.gateway_id or "").startswith("igw-"):
            blocked = traits.block_mode(subnet_id) != "off"
            return bool(instance.public_ip) and not blocked
        return True
    return False


def choose_security_groups(backend, subnet, ids, names):
    """The groups of a launch into `subnet`: those named, else the VPC's default."""
    groups = []
    for group_id in ids:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise group_not_found(group_id)
        if group.vpc_id != subnet.vpc_id:
            raise AwsError(
                "InvalidParameter",
                f"Security group {group_id} and subnet {subnet.id} belong to "
                "different networks.",
            )
        groups.append(group)
    for name in names:
        group = backend.get_security_group_from_name(name, subnet.vpc_id)
        if group is None:
            raise AwsError(
                "InvalidGroup.NotFound",
                f"The security group '{name}' does not exist in default VPC "
                f"'{subnet.vpc_id}'",
            )
        groups.append(group)
    return groups or [backend.get_default_security_group(subnet.vpc_id)]


def set_free_addresses(account, subnet_id, number):
    for region in KNOWN_REGIONS:
        for subnets in backend_of(account, region).subnets.values():
            if subnet_id in subnets:
                subnet = subnets[subnet_id]
                more = number - subnet.available_ip_address_count
                subnet._available_ip_addresses += more
                return
    raise ValueError(f"no subnet {subnet_id}")


def delete_default_vpc(backend):
    """Leaves the region without one, as in an account whose owner removed it."""
    vpc = backend.get_default_vpc()
    if vpc is None:
        return
    for subnet in backend.describe_subnets(filters={"vpc-id": [vpc.id]}):
        backend.delete_subnet(subnet.id)
    for gateway in list(backend.internet_gateways.values()):
        if gateway.vpc is vpc:
            backend.detach_internet_gateway(gateway.id, vpc.id)
            backend.delete_internet_gateway(gateway.id)
    backend.delete_vpc(vpc.id)
