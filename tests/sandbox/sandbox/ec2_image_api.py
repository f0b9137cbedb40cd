"""EC2's operations of images and snapshots."""

from moto.core.responses import ActionResult

from .aws_errors import AwsError
from .ec2_attributes import image_attributes, tags_of_resource
from .ec2_filters import matches, page
from .ec2_launch_checks import check_image_id
from .machine_images import own_image, own_snapshot, snapshot_attributes, tags_of


class ImageOperations:
    """For `Ec2Api`, which has what they share with others."""

    def describe_images(self):
        for image_id in self._get_param("ImageIds", []):
            check_image_id(image_id)
            known = self.ec2_backend.amis.get(image_id)
            if known is None or self.tenant.traits.hides(known):
                raise AwsError(
                    "InvalidAMIID.NotFound",
                    f"The image id '[{image_id}]' does not exist",
                )
        self.error_on_dryrun()
        ids = self._get_param("ImageIds", [])
        owners = self._get_param("Owners", [])
        owners = [self.current_account if o == "self" else o for o in owners]
        filters = self._filters_from_querystring()
        images = [
            image
            for image in self.ec2_backend.amis.values()
            if not self.tenant.traits.hides(image)
            and self.tenant.machine_images.shows(image)
            and (not ids or image.id in ids)
            and (not owners or {image.owner_id, image.owner_alias} & set(owners))
            and matches(filters, image_attributes(image), tags_of_resource(image))
        ]
        for image in images:
            image.image_allowed = self.tenant.traits.allows(image)
        images, following = page(
            images,
            self._get_int_param("MaxResults"),
            self._get_param("NextToken"),
            most=1000,
            least=1,
        )
        return ActionResult({"Images": images, "NextToken": following})

    def create_image(self):
        (instance,) = self._instances_by_id([self._required("InstanceId")])
        name = self._required("Name")
        tags = tags_of(self._get_param("TagSpecifications", []))
        self.error_on_dryrun()
        image = self.tenant.machine_images.create(
            self.ec2_backend, instance, name, self._get_param("Description"), tags
        )
        return ActionResult({"ImageId": image.id})

    def deregister_image(self):
        image = own_image(self.ec2_backend, self._required("ImageId"))
        self.error_on_dryrun()
        self.ec2_backend.deregister_image(image.id)
        return ActionResult({"Return": True})

    def describe_snapshots(self):
        self.error_on_dryrun()
        owners = self._get_param("OwnerIds", [])
        owners = [self.current_account if o == "self" else o for o in owners]
        by_id = {
            s.id: s
            for s in self.ec2_backend.snapshots.values()
            if not owners or s.owner_id in owners
        }
        return self._answer_matching(
            "Snapshots", by_id, "SnapshotIds", snapshot_attributes
        )

    def delete_snapshot(self):
        snapshot = own_snapshot(self.ec2_backend, self._required("SnapshotId"))
        self.error_on_dryrun()
        del self.ec2_backend.snapshots[snapshot.id]
        self.ec2_backend.tags.pop(snapshot.id, None)

    def get_allowed_images_settings(self):
        self.error_on_dryrun()
        traits = self.tenant.traits
        return ActionResult({"State": traits.allowed_images, "ManagedBy": "account"})
