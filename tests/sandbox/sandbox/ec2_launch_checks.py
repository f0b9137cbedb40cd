"""RunInstances: what EC2 checks before it launches anything."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Optional

from moto.core.exceptions import ServiceException
from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import filter_iam_instance_profiles

from .aws_errors import AwsError
from .disks import plan_disks
from .networks import (
    choose_security_groups,
    choose_subnet,
    group_not_found,
    offered_zones,
)
from .spot import check_market

MAX_USER_DATA_BYTES = 16384
MAX_CLIENT_TOKEN_LENGTH = 64
MAX_TAGS = 50
TAGGABLE = (
    "instance",
    "volume",
    "network-interface",
    "spot-instances-request",
    "elastic-gpu",
)
_IMAGE_ID = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")
_SECURITY_GROUP_ID = re.compile(r"sg-([0-9a-f]{8}|[0-9a-f]{17})")


@dataclass(frozen=True)
class Launch:
    """A RunInstances request that has passed every check."""

    least: int
    count: int  # the most
    image: Any
    instance_type: str
    subnet: Any
    security_groups: list
    disks: list
    user_data: Optional[Base64EncodedString]
    key_name: Optional[str]
    instance_profile: Any
    tags: dict
    metadata_options: dict
    shutdown_behavior: str
    spot: Optional[dict]  # the options of a spot launch
    cpu_options: dict
    ebs_optimized: bool
    monitoring: bool
    associate_public_ip: Optional[bool]


def primary_interface(parameters):
    interfaces = parameters.get("NetworkInterfaces") or []
    return next((i for i in interfaces if i.get("DeviceIndex") in (0, "0")), {})


def check(backend, parameters, knows_group, hides):
    """EC2's checks. Raises AwsError for the first that fails."""
    if parameters.get("LaunchTemplate"):
        raise AwsError(
            "NotImplemented", "the sandbox launches without templates", status=501
        )
    least, most = _counts(parameters)
    image = _image(backend, parameters)
    if hides(image):
        raise AwsError(
            "InvalidAMIID.NotFound", f"The image id '[{image.id}]' does not exist"
        )
    instance_type = _instance_type(backend, parameters, image)
    interface = primary_interface(parameters)
    subnet = choose_subnet(
        backend,
        instance_type,
        parameters.get("SubnetId") or interface.get("SubnetId"),
        (parameters.get("Placement") or {}).get("AvailabilityZone"),
    )
    spot = check_market(parameters)
    _cpu_options(parameters, instance_type)
    _check_credits(parameters, instance_type)
    return Launch(
        least=least,
        count=most,
        image=image,
        instance_type=instance_type,
        subnet=subnet,
        security_groups=_security_groups(
            backend, subnet, parameters, interface, knows_group
        ),
        disks=plan_disks(backend, image, parameters.get("BlockDeviceMappings") or []),
        user_data=_user_data(parameters),
        key_name=_key_name(backend, parameters),
        instance_profile=_instance_profile(backend, parameters),
        tags=_tags(parameters, spot is not None),
        metadata_options=_metadata_options(parameters),
        shutdown_behavior=_shutdown_behavior(parameters),
        spot=spot,
        cpu_options=_cpu_options(parameters, instance_type),
        ebs_optimized=parameters.get("EbsOptimized") is True,
        monitoring=(parameters.get("Monitoring") or {}).get("Enabled") is True,
        associate_public_ip=interface.get("AssociatePublicIpAddress"),
    )


def _check_credits(parameters, instance_type):
    """"CreditSpecificationRequest", API reference: of burstable types alone."""
    credits = (parameters.get("CreditSpecification") or {}).get("CpuCredits")
    if credits is None:
        return
    if credits not in ("standard", "unlimited"):
        raise AwsError(
            "InvalidParameterValue", f"Invalid value '{credits}' for CpuCredits."
        )
    if not INSTANCE_TYPES[instance_type].get("BurstablePerformanceSupported"):
        raise AwsError(
            "InvalidParameterCombination",
            "The CreditSpecification parameter is not supported for the instance type "
            f"{instance_type}.",
        )


def _counts(parameters):
    least, most = parameters.get("MinCount"), parameters.get("MaxCount")
    for name, value in (("MinCount", least), ("MaxCount", most)):
        if value is None:
            raise AwsError(
                "MissingParameter", f"The request must contain the parameter {name}"
            )
        if value < 1:
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({value}) for parameter {name} is invalid. It must be greater "
                "than 0",
            )
    if least > most:
        raise AwsError(
            "InvalidParameterCombination",
            f"MinCount ({least}) must not be greater than MaxCount ({most})",
        )
    return least, most


def _image(backend, parameters):
    image_id = parameters.get("ImageId")
    if not image_id:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter ImageId"
        )
    check_image_id(image_id)
    if image_id not in backend.amis:
        raise AwsError(
            "InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist"
        )
    return backend.amis[image_id]


def check_image_id(image_id):
    if not _IMAGE_ID.fullmatch(image_id):
        raise AwsError(
            "InvalidAMIID.Malformed",
            f'Invalid id: "{image_id}" (expecting "ami-...")',
        )


def _instance_type(backend, parameters, image):
    name = parameters.get("InstanceType") or "m1.small"
    if name not in INSTANCE_TYPES:
        raise AwsError(
            "InvalidParameterValue", f"Invalid value '{name}' for InstanceType."
        )
    if not offered_zones(backend.region_name, name):
        raise AwsError(
            "Unsupported",
            "The requested configuration is currently not supported. Please check the "
            "documentation for supported configurations.",
        )
    architectures = INSTANCE_TYPES[name]["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in architectures:
        raise AwsError(
            "InvalidParameterValue",
            f"The architecture '{','.join(architectures)}' of the specified instance "
            f"type does not match the architecture '{image.architecture}' of the "
            "specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or "
            "'describe-images' to discover the architecture of the instance type or "
            "AMI.",
        )
    return name


def _cpu_options(parameters, instance_type):
    """The cores and the threads on each (EC2 user guide, "Rules for specifying CPU
    options"); the type's own unless others are asked for."""
    known = INSTANCE_TYPES[instance_type]["VCpuInfo"]
    options = parameters.get("CpuOptions")
    if not options:
        return {
            "CoreCount": known["DefaultCores"],
            "ThreadsPerCore": known["DefaultThreadsPerCore"],
        }
    if "CoreCount" not in options or "ThreadsPerCore" not in options:
        raise AwsError(
            "InvalidParameterCombination",
            "CpuOptions must have both CoreCount and ThreadsPerCore.",
        )
    for name, valid in (
        ("CoreCount", known.get("ValidCores", [])),
        ("ThreadsPerCore", known.get("ValidThreadsPerCore", [])),
    ):
        if int(options[name]) not in valid:
            raise AwsError(
                "InvalidParameterValue",
                f"The value {options[name]} for CpuOptions.{name} is not valid for "
                f"{instance_type}.",
            )
    return {name: int(options[name]) for name in ("CoreCount", "ThreadsPerCore")}


def _security_groups(backend, subnet, parameters, interface, knows_group):
    names = parameters.get("SecurityGroups") or []
    if names and parameters.get("SubnetId"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter groupName cannot be used with the parameter subnet",
        )
    ids = (parameters.get("SecurityGroupIds") or []) + (interface.get("Groups") or [])
    for group_id in ids:
        check_security_group_id(group_id)
        if not knows_group(group_id):
            raise group_not_found(group_id)
    return choose_security_groups(backend, subnet, ids, names)


def check_security_group_id(group_id):
    if not _SECURITY_GROUP_ID.fullmatch(group_id):
        raise AwsError(
            "InvalidGroupId.Malformed",
            f'Invalid id: "{group_id}" (expecting "sg-...")',
        )


def _user_data(parameters):
    encoded = parameters.get("UserData")
    if encoded is None:
        return None
    try:
        decoded = base64.b64decode(str(encoded), validate=True)
    except binascii.Error:
        raise AwsError(
            "InvalidParameterValue", "Invalid BASE64 encoding of user data."
        ) from None
    if len(decoded) > MAX_USER_DATA_BYTES:
        raise AwsError(
            "InvalidParameterValue",
            f"User data is limited to {MAX_USER_DATA_BYTES} bytes",
        )
    return Base64EncodedString(str(encoded))


def _key_name(backend, parameters):
    name = parameters.get("KeyName")
    if name is not None and name not in {
        pair.key_name for pair in backend.key_pairs.values()
    }:
        raise AwsError(
            "InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist"
        )
    return name


def _instance_profile(backend, parameters):
    profile = parameters.get("IamInstanceProfile") or {}
    name, arn = profile.get("Name"), profile.get("Arn")
    if not name and not arn:
        return None
    try:
        return filter_iam_instance_profiles(
            backend.account_id, backend.partition, arn, name
        )
    except ServiceException:
        field = "name" if name else "arn"
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({name or arn}) for parameter iamInstanceProfile.{field} is "
            f"invalid. Invalid IAM Instance Profile {field if name else 'ARN'}",
        ) from None


def _tags(parameters, spot):
    """Tags by resource type."""
    tags = {}
    for specification in parameters.get("TagSpecifications") or []:
        resource_type = specification.get("ResourceType")
        if resource_type not in TAGGABLE:
            raise AwsError(
                "InvalidParameterValue",
                f"'{resource_type}' is not a valid taggable resource type for this "
                "operation.",
            )
        if resource_type in tags:
            raise AwsError(
                "InvalidParameterValue",
                f"Duplicate tag specification for resource type '{resource_type}'",
            )
        if resource_type == "spot-instances-request" and not spot:
            raise AwsError(
                "InvalidParameterCombination",
                "The parameter TagSpecifications for 'spot-instances-request' requires "
                "the parameter InstanceMarketOptions with MarketType 'spot'",
            )
        tags[resource_type] = checked_tags(specification.get("Tags") or [])
    return tags


def checked_tags(tags):
    """EC2's limits on tags, as a dict. Raises AwsError."""
    if not tags:
        raise AwsError(
            "InvalidParameterValue", "Tag specification must have at least one tag"
        )
    keys = [tag.get("Key") or "" for tag in tags]
    if len(set(keys)) != len(keys):
        raise AwsError("InvalidParameterValue", "Duplicate tag keys are not allowed")
    if len(keys) > MAX_TAGS:
        raise AwsError(
            "TagLimitExceeded", "The maximum number of Tags for a resource has been reached."
        )
    for tag, key in zip(tags, keys):
        value = tag.get("Value") or ""
        if not 1 <= len(key) <= 128:
            raise AwsError(
                "InvalidParameterValue",
                f"Tag key '{key}' must have between 1 and 128 characters",
            )
        if len(value) > 256:
            raise AwsError(
                "InvalidParameterValue",
                f"Tag value exceeds the maximum length of 256 characters for key '{key}'",
            )
        if key.lower().startswith("aws:"):
            raise AwsError(
                "InvalidParameterValue",
                "Tag keys starting with 'aws:' are reserved for internal use",
            )
    return {key: tag.get("Value") or "" for tag, key in zip(tags, keys)}


def _metadata_options(parameters):
    options = parameters.get("MetadataOptions") or {}
    choices = {
        "HttpTokens": ("optional", "required"),
        "HttpEndpoint": ("enabled", "disabled"),
        "InstanceMetadataTags": ("enabled", "disabled"),
    }
    for name, allowed in choices.items():
        if options.get(name, allowed[0]) not in allowed:
            raise AwsError(
                "InvalidParameterValue", f"Invalid value '{options[name]}' for {name}."
            )
    if not 1 <= int(options.get("HttpPutResponseHopLimit", 1)) <= 64:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{options['HttpPutResponseHopLimit']}' for "
            "HttpPutResponseHopLimit. Must be between 1 and 64.",
        )
    return dict(options)


def _shutdown_behavior(parameters):
    behavior = parameters.get("InstanceInitiatedShutdownBehavior") or "stop"
    if behavior not in ("stop", "terminate"):
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{behavior}' for InstanceInitiatedShutdownBehavior.",
        )
    return behavior
