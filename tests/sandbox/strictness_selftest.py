"""Checks that the sandbox refuses what EC2 refuses, and what comes too often.

target/sandbox/venv/bin/python tests/sandbox/strictness_selftest.py
"""

import threading
import unittest

from botocore.exceptions import ClientError
from sandbox_test import GPU, SIMULATORS_100_GIB, UBUNTU_ARM, SandboxTest


class Strictness(SandboxTest):
    def refuses(self, code, message="", **changes):
        answer = self.refused(code, self.launch, **changes)
        self.assertIn(message, answer)
        self.assertEqual(self.instances(), [])

    def disk(self, **ebs):
        return [{"DeviceName": "/dev/sda1", "Ebs": ebs}]

    def tagged(self, *pairs, kind="instance"):
        tags = [{"Key": key, "Value": value} for key, value in pairs]
        return [{"ResourceType": kind, "Tags": tags}]

    def test_what_does_not_exist(self):
        self.refuses(
            "InvalidParameterValue",
            "Invalid value 't9.micro' for InstanceType.",
            InstanceType="t9.micro",
        )
        self.refuses("InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
        self.refuses("InvalidAMIID.Malformed", ImageId="ubuntu")
        self.refuses("InvalidKeyPair.NotFound", "'k'", KeyName="k")
        self.refuses("InvalidSubnetID.NotFound", SubnetId="subnet-0123456789abcdef0")
        self.refuses("InvalidGroup.NotFound", SecurityGroupIds=["sg-0123456789abcdef0"])
        self.refuses(
            "InvalidParameterValue",
            "Value (p) for parameter iamInstanceProfile.name is invalid. "
            "Invalid IAM Instance Profile name",
            IamInstanceProfile={"Name": "p"},
        )
        placement = {"AvailabilityZone": "eu-west-2z"}
        self.refuses("InvalidParameterValue", "eu-west-2z", Placement=placement)

    def test_what_does_not_fit_together(self):
        self.refuses("InvalidParameterValue", "does not match", ImageId=UBUNTU_ARM)
        self.refuses("InvalidParameterValue", "'arm64'", InstanceType="t4g.micro")
        self.refuses("InvalidParameterCombination", MinCount=3, MaxCount=2)
        subnet = self.subnets()[0]["SubnetId"]
        self.refuses(
            "InvalidParameterValue",
            "does not match",
            SubnetId=subnet,
            Placement={"AvailabilityZone": "eu-west-2b"},
        )
        other_vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        group = self.ec2.create_security_group(
            GroupName="g", Description="d", VpcId=other_vpc
        )["GroupId"]
        self.refuses("InvalidParameter", SubnetId=subnet, SecurityGroupIds=[group])
        self.refuses("InvalidParameter", SecurityGroupIds=[group])
        self.refuses(
            "Unsupported",
            "eu-west-2a, eu-west-2b",
            InstanceType="g5.xlarge",
            ImageId=GPU,
            Placement={"AvailabilityZone": "eu-west-2c"},
        )
        self.refuses(
            "InvalidParameterCombination",
            TagSpecifications=self.tagged(("a", "b"), kind="spot-instances-request"),
        )

    def test_disks(self):
        self.refuses(
            "InvalidBlockDeviceMapping",
            "Volume of size 4GB is smaller than snapshot 'snap-0ab00000000000003', "
            "expect size >= 8GB",
            BlockDeviceMappings=self.disk(VolumeSize=4),
        )
        self.refuses(
            "InvalidBlockDeviceMapping",
            ImageId=SIMULATORS_100_GIB,
            BlockDeviceMappings=self.disk(VolumeSize=99),
        )
        for ebs in (
            {"VolumeType": "gp2", "Iops": 3000},
            {"VolumeType": "standard", "Iops": 3000},
            {"VolumeType": "io2", "Iops": 3000, "Throughput": 200},
        ):
            disks = self.disk(VolumeSize=50, **ebs)
            self.refuses("InvalidParameterCombination", BlockDeviceMappings=disks)
        self.refuses(
            "MissingParameter", "iops", BlockDeviceMappings=self.disk(VolumeType="io1")
        )
        for ebs in (
            {"VolumeType": "gp3", "Iops": 2999},
            {"VolumeType": "gp3", "Throughput": 5000},
            {"VolumeType": "gp3", "Throughput": 900},
            {"VolumeType": "st1"},
        ):
            disks = self.disk(VolumeSize=200, **ebs)
            self.refuses("InvalidParameterValue", BlockDeviceMappings=disks)

    def test_user_data_tags_and_metadata_options(self):
        self.refuses(
            "InvalidParameterValue",
            "User data is limited to 16384 bytes",
            UserData=b"x" * 16385,
        )
        many = [(f"k{n}", "v") for n in range(51)]
        for tags in ([("a" * 129, "")], [("a", "b" * 257)], [("aws:a", "b")]):
            self.refuses("InvalidParameterValue", TagSpecifications=self.tagged(*tags))
        self.refuses("TagLimitExceeded", TagSpecifications=self.tagged(*many))
        self.refuses(
            "InvalidParameterValue", MetadataOptions={"HttpTokens": "sometimes"}
        )
        self.refuses("InvalidParameterValue", InstanceInitiatedShutdownBehavior="hibernate")

    def test_cpu_options_are_those_of_the_type(self):
        self.refuses(
            "InvalidParameterCombination",
            InstanceType="c5.xlarge",
            CpuOptions={"ThreadsPerCore": 1},
        )
        for kind, cores, threads in (("c5.xlarge", 3, 1), ("t2.micro", 1, 2)):
            self.refuses(
                "InvalidParameterValue",
                InstanceType=kind,
                CpuOptions={"CoreCount": cores, "ThreadsPerCore": threads},
            )
        for given in ({"CoreCount": 2, "ThreadsPerCore": 1}, {}):
            self.launch(
                InstanceType="c5.xlarge", **({"CpuOptions": given} if given else {})
            )
        threads = [
            instance["CpuOptions"]["ThreadsPerCore"]
            for reservation in self.ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
        ]
        self.assertEqual(sorted(threads), [1, 2])

    def test_no_default_vpc(self):
        self.control("POST", "delete_default_vpc", {"region": "eu-west-2"})
        self.assertEqual(self.ec2.describe_vpcs()["Vpcs"], [])
        self.refuses("VPCIdNotSpecified")
        self.refused(
            "VPCIdNotSpecified",
            self.ec2.create_security_group,
            GroupName="g",
            Description="d",
        )

    def test_an_instance_profile_that_exists_is_attached(self):
        iam = self.client("iam")
        iam.create_instance_profile(InstanceProfileName="p")
        self.launch(IamInstanceProfile={"Name": "p"})
        self.assertTrue(self.instances()[0]["IamInstanceProfile"]["Arn"].endswith("/p"))

    def test_types_and_regions(self):
        message = self.refused(
            "InvalidInstanceType",
            self.ec2.describe_instance_types,
            InstanceTypes=["t2.micro", "t9.micro"],
        )
        self.assertEqual(
            message, "The following supplied instance types do not exist: [t9.micro]"
        )
        regions = [r["RegionName"] for r in self.ec2.describe_regions()["Regions"]]
        self.assertEqual(len(regions), 5)

    def test_security_groups(self):
        vpc = self.subnets()[0]["VpcId"]
        new = {"GroupName": "g", "Description": "d", "VpcId": vpc}
        tags = self.tagged(("owner", "me"), kind="security-group")
        self.ec2.create_security_group(**new, TagSpecifications=tags)
        self.refused("InvalidGroup.Duplicate", self.ec2.create_security_group, **new)
        filters = [
            {"Name": "group-name", "Values": ["g"]},
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "tag:owner", "Values": ["me"]},
        ]
        (group,) = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        self.assertEqual(group["IpPermissions"], [])
        self.assertEqual(group["IpPermissionsEgress"][0]["IpProtocol"], "-1")


class Throttling(SandboxTest):
    def setUp(self):
        super().setUp()
        self.control("PUT", "settings", {"strict_buckets": 1})

    def throttled(self, call, **arguments):
        return self.refused("RequestLimitExceeded", call, status=503, **arguments)

    def test_launches_come_five_at_once_and_then_two_a_second(self):
        answers = []

        def ask():
            with self.assertRaises(ClientError) as caught:
                self.launch(DryRun=True)
            answers.append(caught.exception.response["Error"]["Code"])

        threads = [threading.Thread(target=ask) for _ in range(25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {"DryRunOperation", "RequestLimitExceeded"})
        self.assertEqual(answers.count("DryRunOperation"), 5)
        self.pass_time(1)
        for _ in range(3):
            ask()
        self.assertEqual(answers.count("DryRunOperation"), 7)
        # Another action and another region have buckets of their own.
        self.launch(client=self.client("ec2", region="eu-west-1"))
        self.ec2.describe_instances()
        self.control("DELETE", "buckets")
        self.launch()
        level = self.control("GET", "buckets")["eu-west-2"]["RunInstances requests"]
        self.assertLess(level, 5)

    def test_machines_have_a_bucket_too_and_a_replay_costs_none(self):
        machines = "RunInstances resources"

        def level():
            return self.control("GET", "buckets")["eu-west-2"][machines]

        self.launch(MinCount=40, MaxCount=40, ClientToken="a")
        self.assertLess(level(), 970)
        before = level()
        self.launch(MinCount=40, MaxCount=40, ClientToken="a")
        self.assertGreaterEqual(level(), before)
        self.throttled(self.launch, MinCount=1001, MaxCount=1001)
        self.assertGreaterEqual(level(), before)
        self.assertEqual(len(self.launched()), 40)

    def test_listing_everything_costs_more_than_asking_for_something(self):
        for _ in range(3):
            self.ec2.describe_instances(MaxResults=5)
        levels = self.control("GET", "buckets")["eu-west-2"]
        self.assertEqual(set(levels), {"DescribeInstances requests"})
        self.ec2.describe_instances()
        levels = self.control("GET", "buckets")["eu-west-2"]
        self.assertLessEqual(levels["DescribeInstances unfiltered requests"], 50)


if __name__ == "__main__":
    unittest.main()
