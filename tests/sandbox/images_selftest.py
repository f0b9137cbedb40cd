"""Checks images that are made of machines:

target/sandbox/venv/bin/python tests/sandbox/images_selftest.py
"""

import unittest

from botocore.exceptions import ClientError

from sandbox_test import SandboxTest

TAGS = [{"Key": "inductiva:launcher", "Value": "inductiva-aws"}]
SPECIFICATIONS = [
    {"ResourceType": kind, "Tags": TAGS} for kind in ("image", "snapshot")
]


class MachineImages(SandboxTest):
    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)

    def pass_(self, seconds):
        self.control("PUT", "clock", {"advance": seconds})

    def stopped(self):
        (machine,) = self.launch_ids(InstanceType="t3.small")
        self.pass_(1)
        self.ec2.stop_instances(InstanceIds=[machine])
        self.pass_(1)
        return machine

    def make(self, machine, name="mine"):
        return self.ec2.create_image(
            InstanceId=machine, Name=name, TagSpecifications=SPECIFICATIONS
        )["ImageId"]

    def own(self):
        return self.ec2.describe_images(Owners=["self"])["Images"]

    def snapshots(self):
        return self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]

    def test_a_machine_is_stopping_then_stopped_and_again_is_harmless(self):
        (machine,) = self.launch_ids(InstanceType="t3.small")
        stop = self.ec2.stop_instances
        self.refused("IncorrectInstanceState", stop, InstanceIds=[machine])
        self.pass_(1)
        for before, after in (("running", "stopping"), ("stopping", "stopping")):
            (change,) = stop(InstanceIds=[machine])["StoppingInstances"]
            self.assertEqual(change["PreviousState"]["Name"], before)
            self.assertEqual(change["CurrentState"]["Name"], after)
        self.pass_(1)
        (shown,) = self.instances()
        self.assertEqual(shown["State"]["Name"], "stopped")
        reason = r"^User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$"
        self.assertRegex(shown["StateTransitionReason"], reason)
        self.ec2.terminate_instances(InstanceIds=[machine])
        self.refused("IncorrectInstanceState", stop, InstanceIds=[machine])

    def test_an_image_is_pending_without_its_snapshot_then_available_with_it(self):
        image_id = self.make(self.stopped())
        (image,) = self.own()
        self.assertEqual((image["ImageId"], image["State"]), (image_id, "pending"))
        self.assertNotIn("SnapshotId", image["BlockDeviceMappings"][0]["Ebs"])
        (snapshot,) = self.snapshots()
        self.assertEqual((snapshot["State"], snapshot["Tags"]), ("pending", TAGS))
        self.pass_(1)
        (image,) = self.own()
        (snapshot,) = self.snapshots()
        self.assertEqual((image["State"], image["Tags"]), ("available", TAGS))
        self.assertEqual(snapshot["State"], "completed")
        disk = image["BlockDeviceMappings"][0]["Ebs"]
        self.assertEqual(disk["SnapshotId"], snapshot["SnapshotId"])
        self.assertEqual(disk["VolumeSize"], snapshot["VolumeSize"])
        (machine,) = self.launch(ImageId=image_id)
        self.assertEqual(machine["ImageId"], image_id)

    def test_a_name_is_taken_once_and_free_again_after_the_image(self):
        machine = self.stopped()
        image_id = self.make(machine)
        make = self.ec2.create_image
        self.refused("InvalidAMIName.Duplicate", make, InstanceId=machine, Name="mine")
        self.refused("InvalidAMIName.Malformed", make, InstanceId=machine, Name="a:b")
        self.ec2.deregister_image(ImageId=image_id)
        self.make(machine)

    def test_only_of_machines_that_run_or_are_stopped(self):
        make = self.ec2.create_image
        (machine,) = self.launch_ids(InstanceType="t3.small")
        self.refused("IncorrectState", make, InstanceId=machine, Name="mine")
        self.pass_(1)
        self.make(machine, "of one that runs")
        self.ec2.terminate_instances(InstanceIds=[machine])
        self.refused("IncorrectState", make, InstanceId=machine, Name="mine")

    def test_a_snapshot_stays_after_its_image_and_not_before(self):
        image_id = self.make(self.stopped())
        self.pass_(1)
        (snapshot,) = self.snapshots()
        delete = self.ec2.delete_snapshot
        used = {"SnapshotId": snapshot["SnapshotId"]}
        self.refused("InvalidSnapshot.InUse", delete, **used)
        self.ec2.deregister_image(ImageId=image_id)
        deregister = self.ec2.deregister_image
        self.refused("InvalidAMIID.Unavailable", deregister, ImageId=image_id)
        self.assertEqual(len(self.snapshots()), 1)
        delete(**used)
        self.refused("InvalidSnapshot.NotFound", delete, **used)

    def test_others_images_and_snapshots_are_not_ones_own(self):
        others = "ami-0ab00000000000003"
        self.refused("AuthFailure", self.ec2.deregister_image, ImageId=others)
        delete = self.ec2.delete_snapshot
        snapshot = others.replace("ami-", "snap-")
        self.refused("InvalidSnapshot.NotFound", delete, SnapshotId=snapshot)
        self.assertEqual(self.snapshots(), [])

    def test_an_image_may_show_late(self):
        self.control("PUT", "settings", {"images_shown_after_seconds": 5})
        machine = self.stopped()
        self.make(machine)
        self.assertEqual(self.own(), [])
        make = self.ec2.create_image
        self.refused("InvalidAMIName.Duplicate", make, InstanceId=machine, Name="mine")
        self.pass_(5)
        self.assertEqual(len(self.own()), 1)

    def test_an_image_may_fail(self):
        self.control("PUT", "traits", {"images_fail": True})
        self.make(self.stopped())
        self.pass_(1)
        self.assertEqual(self.own()[0]["State"], "failed")


if __name__ == "__main__":
    unittest.main()
