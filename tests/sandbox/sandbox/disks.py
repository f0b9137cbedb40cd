"""The disks of a launch: what the image brings, what the request changes."""

from dataclasses import dataclass
from typing import Optional

from .aws_errors import AwsError


@dataclass(frozen=True)
class _VolumeType:
    """Limits from "Amazon EBS volume types"; None where the type has no such knob."""

    gib: range
    iops: Optional[range] = None
    iops_per_gib: Optional[int] = None
    iops_required: bool = False
    throughput_mibps: Optional[range] = None


def _between(least, most):
    return range(least, most + 1)


VOLUME_TYPES = {
    "gp2": _VolumeType(_between(1, 16384)),
    "gp3": _VolumeType(
        _between(1, 65536), _between(3000, 80000), 500, False, _between(125, 2000)
    ),
    "io1": _VolumeType(_between(4, 16384), _between(100, 64000), 50, True),
    "io2": _VolumeType(_between(4, 65536), _between(100, 256000), 1000, True),
    "st1": _VolumeType(_between(125, 16384)),
    "sc1": _VolumeType(_between(125, 16384)),
    "standard": _VolumeType(_between(1, 1024)),
}
_NO_BOOT = ("st1", "sc1")
_GP3_IOPS = 3000
_GP3_THROUGHPUT_MIBPS = 125
_MIBPS_PER_IOPS = 0.25


@dataclass(frozen=True)
class Disk:
    device: str
    gib: int
    volume_type: str
    iops: Optional[int]
    throughput_mibps: Optional[int]
    encrypted: bool
    kms_key_id: Optional[str]
    snapshot_id: Optional[str]
    delete_on_termination: bool

    def attach_to(self, instance):
        """Creates the volume and attaches it; returns moto's volume."""
        backend = instance.ec2_backend
        volume = backend.create_volume(
            size=self.gib,
            zone_name=instance.availability_zone,
            snapshot_id=self.snapshot_id,
            encrypted=self.encrypted,
            kms_key_id=self.kms_key_id,
            volume_type=self.volume_type,
            iops=self.iops,
            throughput=self.throughput_mibps,
        )
        backend.attach_volume(
            volume.id, instance.id, self.device, self.delete_on_termination
        )
        return volume


def plan_disks(backend, image, mappings):
    """The disks that a launch of `image` with these BlockDeviceMappings gets."""
    asked = {m.get("DeviceName"): m for m in mappings}
    disks = [_disk(backend, image.root_device_name, _root(image, asked), boot=True)]
    # The image's other disks come too, as it or the request says ("Block device
    # mappings", EC2 user guide).
    for mapping in image.block_device_mappings[1:]:
        if "Ebs" not in mapping:
            continue
        device = mapping["DeviceName"]
        request = asked.get(device, {})
        if "NoDevice" not in request:
            changed = {"Ebs": {**mapping["Ebs"], **(request.get("Ebs") or {})}}
            asked[device] = {"DeviceName": device, **changed}
    for device, mapping in asked.items():
        if device == image.root_device_name or "NoDevice" in mapping:
            continue
        if not device:
            raise AwsError(
                "MissingParameter", "The request must contain the parameter deviceName"
            )
        disks.append(_disk(backend, device, mapping.get("Ebs") or {}, boot=False))
    return disks


def _root(image, asked):
    from_image = image.block_device_mappings[0]["Ebs"]
    from_request = (asked.get(image.root_device_name) or {}).get("Ebs") or {}
    return {**from_image, **from_request}


def _disk(backend, device, ebs, boot):
    name = ebs.get("VolumeType") or "gp2"
    if name not in VOLUME_TYPES or (boot and name in _NO_BOOT):
        reason = "unsupported for a boot volume" if boot else "unknown"
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{name}' for VolumeType: {reason}",
        )
    kind = VOLUME_TYPES[name]
    rate = ebs.get("VolumeInitializationRate")
    # "EbsBlockDevice", API reference: for volumes created from snapshots.
    if rate is not None and not ebs.get("SnapshotId"):
        raise AwsError(
            "InvalidParameterCombination",
            "VolumeInitializationRate is supported only with a snapshot.",
        )
    if rate is not None:
        _check_range("VolumeInitializationRate", int(rate), _between(100, 300))
    gib = _size(backend, ebs, name, kind)
    iops = _iops(ebs.get("Iops"), name, kind, gib)
    return Disk(
        device=device,
        gib=gib,
        volume_type=name,
        iops=iops,
        throughput_mibps=_throughput(ebs.get("Throughput"), name, kind, iops),
        encrypted=ebs.get("Encrypted") is True,
        kms_key_id=ebs.get("KmsKeyId"),
        snapshot_id=ebs.get("SnapshotId"),
        delete_on_termination=ebs.get("DeleteOnTermination") is not False,
    )


def _size(backend, ebs, name, kind):
    snapshot_id = ebs.get("SnapshotId")
    gib = ebs.get("VolumeSize")
    if snapshot_id:
        snapshot = backend.snapshots.get(snapshot_id)
        if snapshot is None:
            raise AwsError(
                "InvalidSnapshot.NotFound",
                f"The snapshot '{snapshot_id}' does not exist.",
            )
        least = snapshot.volume.size
        gib = least if gib is None else gib
        if gib < least:
            raise AwsError(
                "InvalidBlockDeviceMapping",
                f"Volume of size {gib}GB is smaller than snapshot '{snapshot_id}', "
                f"expect size >= {least}GB",
            )
    if gib is None:
        raise AwsError(
            "MissingParameter",
            "The request must contain the parameter size or snapshotId",
        )
    if gib not in kind.gib:
        bound = "small" if gib < kind.gib[0] else "large"
        limit = kind.gib[0] if bound == "small" else kind.gib[-1]
        raise AwsError(
            "InvalidParameterValue",
            f"Volume of {gib}GiB is too {bound} for volume type {name}; "
            f"{'minimum' if bound == 'small' else 'maximum'} is {limit}GiB.",
        )
    return gib


def _iops(iops, name, kind, gib):
    if iops is None:
        if kind.iops_required:
            raise AwsError(
                "MissingParameter",
                f"The parameter iops must be specified for {name} volumes.",
            )
        return _GP3_IOPS if name == "gp3" else None
    if kind.iops is None:
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameter iops is not supported for {name} volumes.",
        )
    _check_range("iops", iops, kind.iops)
    # A gp3 volume has its first 3,000 whatever its size.
    if iops > max(gib * kind.iops_per_gib, kind.iops[0]):
        raise AwsError(
            "InvalidParameterValue",
            f"Iops to volume size ratio of {iops / gib:.6f} is too high; maximum is "
            f"{kind.iops_per_gib}.",
        )
    return iops


def _throughput(throughput, name, kind, iops):
    if throughput is None:
        return _GP3_THROUGHPUT_MIBPS if name == "gp3" else None
    if kind.throughput_mibps is None:
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameter throughput is not supported for {name} volumes.",
        )
    _check_range("throughput", throughput, kind.throughput_mibps)
    if throughput > iops * _MIBPS_PER_IOPS:
        raise AwsError(
            "InvalidParameterValue",
            f"Throughput (MiBps) to iops ratio of {throughput / iops:.6f} is too high; "
            f"maximum is {_MIBPS_PER_IOPS} MiBps per iops.",
        )
    return throughput


def _check_range(what, value, allowed):
    if value in allowed:
        return
    low = value < allowed[0]
    raise AwsError(
        "InvalidParameterValue",
        f"Volume {what} of {value} is too {'low' if low else 'high'}; "
        f"{'minimum' if low else 'maximum'} is {allowed[0] if low else allowed[-1]}.",
    )
