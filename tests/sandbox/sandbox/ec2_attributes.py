"""What filters of EC2's Describe operations ask for."""

from .ec2_filters import matches
from .visibility import Untagged


def tags_of_resource(resource):
    if isinstance(resource, Untagged):
        return {}
    return resource.ec2_backend.tags.get(resource.id, {})


def instance_matches(filters, reservation, instance):
    if not filters:
        return True
    return matches(
        filters, _InstanceAttributes(reservation, instance), tags_of_resource(instance)
    )


def _groups(attribute):
    return lambda _, instance: [getattr(g, attribute) for g in instance.security_groups]


def _of_instance(attribute):
    return lambda _, instance: getattr(instance, attribute)


# Each is worked out only for a filter that asks for it: there may be many machines.
_INSTANCE_ATTRIBUTES = {
    "architecture": _of_instance("architecture"),
    "availability-zone": _of_instance("availability_zone"),
    "client-token": _of_instance("client_token"),
    "iam-instance-profile.arn": lambda _, instance: (
        (instance.iam_instance_profile or {}).get("Arn")
    ),
    "image-id": _of_instance("image_id"),
    "instance-id": _of_instance("id"),
    "instance-lifecycle": _of_instance("lifecycle"),
    "instance-state-code": _of_instance("state_code"),
    "instance-state-name": _of_instance("state"),
    "instance-type": _of_instance("instance_type"),
    "instance.group-id": _groups("id"),
    "instance.group-name": _groups("name"),
    "ip-address": _of_instance("public_ip"),
    "key-name": _of_instance("key_name"),
    "metadata-options.http-tokens": lambda _, instance: (
        instance.metadata_options.http_tokens
    ),
    "owner-id": _of_instance("owner_id"),
    "private-ip-address": _of_instance("private_ip"),
    "reservation-id": lambda reservation, _: reservation.id,
    "root-device-name": _of_instance("root_device_name"),
    "subnet-id": _of_instance("subnet_id"),
    "vpc-id": _of_instance("vpc_id"),
}


class _InstanceAttributes:
    def __init__(self, reservation, instance):
        self._of = reservation, instance

    def __contains__(self, name):
        return name in _INSTANCE_ATTRIBUTES

    def __getitem__(self, name):
        return _INSTANCE_ATTRIBUTES[name](*self._of)


def subnet_attributes(subnet):
    return {
        "availability-zone": subnet.availability_zone,
        "cidr-block": subnet.cidr_block,
        "default-for-az": str(subnet.default_for_az).lower(),
        "map-public-ip-on-launch": str(subnet.map_public_ip_on_launch).lower(),
        "state": subnet.state,
        "subnet-id": subnet.id,
        "vpc-id": subnet.vpc_id,
    }


def security_group_attributes(group):
    return {
        "description": group.description,
        "group-id": group.id,
        "group-name": group.name,
        "owner-id": group.owner_id,
        "vpc-id": group.vpc_id,
    }


def image_attributes(image):
    return {
        "architecture": image.architecture,
        "creation-date": image.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "hypervisor": image.hypervisor,
        "image-id": image.id,
        "image-type": image.image_type,
        "is-public": str(image.is_public).lower(),
        "name": image.name,
        "owner-alias": image.owner_alias,
        "owner-id": image.owner_id,
        "root-device-name": image.root_device_name,
        "root-device-type": image.root_device_type,
        "state": image.state,
        "virtualization-type": image.virtualization_type,
    }
