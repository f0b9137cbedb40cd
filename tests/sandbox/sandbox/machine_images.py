"""Images made of machines, and their snapshots: pending, then available.

Like the lifecycle of machines nothing runs in the background: each request first
brings the states up to date.
"""

import re
from datetime import datetime, timezone

from .aws_errors import AwsError
from .ec2_launch_checks import check_image_id, checked_tags

# CreateImage, API reference, `Name`.
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
_SNAPSHOT_ID = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")
# Of a machine in any other state no image can be made ("CreateImage", API reference:
# "from an Amazon EBS-backed instance that is either running or stopped").
_IMAGEABLE = ("running", "stopped")


class MachineImages:
    """Those of an account that are on their way."""

    def __init__(self, settings, traits, clock_now, now):
        self._settings = settings
        self._traits = traits
        self._clock_now = clock_now
        self._now = now
        self._pending = []

    def advance(self):
        due = [image for at, image in self._pending if at <= self._clock_now()]
        if not due:
            return
        self._pending = [(at, i) for at, i in self._pending if i not in due]
        for image in due:
            failed = self._traits.images_fail
            image.state = "failed" if failed else "available"
            image.ebs_snapshot.status = "error" if failed else "completed"

    def create(self, backend, instance, name, description, tags):
        """The image, which is pending. Raises AwsError."""
        if not _NAME.fullmatch(name):
            raise AwsError(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain "
                "letters, numbers, and only the following characters: ( ) . - / _",
            )
        for image in backend.amis.values():
            if image.name == name and image.owner_id == backend.account_id:
                raise AwsError(
                    "InvalidAMIName.Duplicate",
                    f"AMI name {name} is already in use by AMI {image.id}",
                )
        if instance.state not in _IMAGEABLE:
            raise AwsError(
                "IncorrectState",
                f"Instance '{instance.id}' is not in a state from which an image can be "
                f"created: {instance.state}",
            )
        image = self._registered(backend, instance, name, description)
        image.add_tags(tags.get("image", {}))
        image.ebs_snapshot.add_tags(tags.get("snapshot", {}))
        image.shown_from = self._clock_now() + self._settings.images_shown_after_seconds
        due = self._clock_now() + self._settings.image_pending_seconds
        self._pending.append((due, image))
        return image

    def shows(self, image):
        """Whether it shows by now; those of the catalogue always do."""
        return getattr(image, "shown_from", 0) <= self._clock_now()

    def _registered(self, backend, instance, name, description):
        from moto.ec2.models.amis import Ami
        from moto.ec2.utils import random_ami_id

        made_at = datetime.fromtimestamp(self._now(), timezone.utc)
        image = Ami(
            backend,
            random_ami_id(),
            name=name,
            description=description,
            owner_id=backend.account_id,
            state="pending",
            virtualization_type="hvm",
            architecture=instance.architecture,
            creation_date=made_at,
            image_location=f"{backend.account_id}/{name}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=instance.root_device_name,
            boot_mode="uefi-preferred",
        )
        image.instance_id = instance.id
        image.product_codes = []
        image.platform_details = "Linux/UNIX"
        image.more_disks = ()
        snapshot = image.ebs_snapshot
        root = instance.block_device_mapping[instance.root_device_name]
        volume = backend.volumes[root.volume_id]
        snapshot.volume.size = volume.size
        snapshot.encrypted = volume.encrypted
        snapshot.start_time = made_at
        snapshot.status = "pending"
        backend.amis[image.id] = image
        return image


def tags_of(specifications):
    """Tags by resource type. Raises AwsError."""
    tags = {}
    for specification in specifications or []:
        kind = specification.get("ResourceType")
        if kind not in ("image", "snapshot"):
            raise AwsError(
                "InvalidParameterValue",
                f"'{kind}' is not a valid taggable resource type for this operation.",
            )
        tags[kind] = checked_tags(specification.get("Tags") or [])
    return tags


def own_image(backend, image_id):
    """The image, to be changed by its owner. Raises AwsError."""
    check_image_id(image_id)
    image = backend.amis.get(image_id)
    if image is None and image_id in backend.deleted_amis:
        raise AwsError(
            "InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available"
        )
    if image is None:
        raise AwsError(
            "InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist"
        )
    if image.owner_id != backend.account_id:
        raise AwsError("AuthFailure", f"Not authorized for image:{image_id}")
    return image


def own_snapshot(backend, snapshot_id):
    """The snapshot, to be deleted: not while an image uses it. Raises AwsError."""
    if not _SNAPSHOT_ID.fullmatch(snapshot_id):
        raise AwsError(
            "InvalidSnapshotID.Malformed",
            f"Value ({snapshot_id}) for parameter snapshotId is invalid.",
        )
    snapshot = backend.snapshots.get(snapshot_id)
    if snapshot is None or snapshot.owner_id != backend.account_id:
        raise AwsError(
            "InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."
        )
    for image in backend.amis.values():
        if image.ebs_snapshot is snapshot:
            raise AwsError(
                "InvalidSnapshot.InUse",
                f"The snapshot {snapshot_id} is currently in use by {image.id}",
            )
    return snapshot


def snapshot_attributes(snapshot):
    return {
        "description": snapshot.description,
        "encrypted": str(snapshot.encrypted).lower(),
        "owner-id": snapshot.owner_id,
        "snapshot-id": snapshot.id,
        "status": snapshot.status,
        "volume-id": snapshot.volume_id,
        "volume-size": str(snapshot.volume_size),
    }
