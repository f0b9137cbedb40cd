"""Checks that the sandbox's accounts are like those that people have: run it with the
sandbox's own Python.

target/sandbox/venv/bin/python tests/sandbox/accounts_selftest.py
"""

import unittest

from botocore.exceptions import ClientError

from sandbox_test import UBUNTU, SandboxTest

LAUNCH = {"ImageId": UBUNTU, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
WITH_DATA = "ami-0ef00000000000007"
GOVCLOUD = "us-gov-west-1"


class AccountsTest(SandboxTest):
    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)

    def launch(self, **more):
        (instance,) = self.ec2.run_instances(**{**LAUNCH, **more})["Instances"]
        return instance

    def types(self, *filters):
        found = self.ec2.describe_instance_types(
            Filters=[{"Name": name, "Values": values} for name, values in filters]
        )
        return {t["InstanceType"] for t in found["InstanceTypes"]}


class Plans(AccountsTest):
    def test_the_free_plan_launches_only_its_types(self):
        self.control("PUT", "traits", {"plan": "free"})
        eligible = self.types(("free-tier-eligible", ["true"]))
        self.assertIn("t3.micro", eligible)
        self.assertNotIn("t2.micro", eligible)
        self.refused(
            "InvalidParameterCombination",
            self.ec2.run_instances,
            **{**LAUNCH, "InstanceType": "t2.micro"},
        )
        self.launch()

    def test_the_other_plans_launch_all_types(self):
        for plan, eligible in (("paid", "t3.micro"), ("legacy", "t2.micro")):
            self.control("PUT", "traits", {"plan": plan})
            self.assertIn(eligible, self.types(("free-tier-eligible", ["true"])))
            self.launch(InstanceType="t2.micro")
            self.launch()

    def test_a_type_that_a_region_lacks_is_unknown_by_name_and_absent_by_filter(self):
        self.control("PUT", "traits", {"lacks": ["t3.micro"]})
        names = ["t2.micro", "t3.micro"]
        self.assertEqual(self.types(("instance-type", names)), {"t2.micro"})
        self.refused(
            "InvalidInstanceType",
            self.ec2.describe_instance_types,
            InstanceTypes=names,
        )

    def test_an_unknown_trait_is_an_error(self):
        for given in ({"plan": "gold"}, {"colour": "red"}):
            self.assertEqual(self.http("PUT", "/_sandbox/traits", given)[0], 400)


class Settings(AccountsTest):
    def test_the_default_of_the_metadata_endpoint(self):
        self.control("PUT", "traits", {"metadata_endpoint": "disabled"})
        self.assertEqual(self.launch()["MetadataOptions"]["HttpEndpoint"], "disabled")
        options = {"HttpEndpoint": "enabled"}
        launched = self.launch(MetadataOptions=options)
        self.assertEqual(launched["MetadataOptions"]["HttpEndpoint"], "enabled")

    def test_images_that_are_not_allowed_are_hidden_or_marked(self):
        self.control("PUT", "traits", {"allowed_images": "audit-mode"})
        (image,) = self.ec2.describe_images(ImageIds=[UBUNTU])["Images"]
        self.assertIs(image["ImageAllowed"], False)
        self.launch()
        self.control("PUT", "traits", {"allowed_images": "enabled"})
        self.assertEqual(self.ec2.get_allowed_images_settings()["State"], "enabled")
        self.assertEqual(self.ec2.describe_images()["Images"], [])
        hidden = "InvalidAMIID.NotFound"
        self.refused(hidden, self.ec2.describe_images, ImageIds=[UBUNTU])
        self.refused(hidden, self.ec2.run_instances, **LAUNCH)
        self.control("PUT", "traits", {"allowed_owners": ["099720109477"]})
        self.launch()

    def test_an_instance_that_ends_at_once_says_why(self):
        why = ["Client.InternalError", "Client error on launch"]
        self.control("PUT", "traits", {"ends_at_once": why})
        self.launch()
        for _ in range(2):  # to shutting-down, and on to terminated
            self.control("PUT", "clock", {"advance": 1})
            self.ec2.describe_instances()
        (reservation,) = self.ec2.describe_instances()["Reservations"]
        (instance,) = reservation["Instances"]
        self.assertEqual(instance["State"]["Name"], "terminated")
        self.assertEqual(instance["StateReason"]["Code"], why[0])
        self.assertEqual(instance["StateReason"]["Message"], ": ".join(why))

    def test_credits_are_for_burstable_types(self):
        standard = {"CpuCredits": "standard"}
        self.launch(CreditSpecification=standard)
        self.refused(
            "InvalidParameterCombination",
            self.ec2.run_instances,
            **{**LAUNCH, "InstanceType": "m5.large", "CreditSpecification": standard},
        )

    def test_an_images_other_disks_outlive_the_instance_unless_told_otherwise(self):
        def left(**more):
            instance = self.launch(ImageId=WITH_DATA, **more)["InstanceId"]
            self.ec2.terminate_instances(InstanceIds=[instance])
            self.control("PUT", "clock", {"advance": 1})
            volumes = self.ec2.describe_volumes()["Volumes"]
            for volume in volumes:
                self.ec2.delete_volume(VolumeId=volume["VolumeId"])
            return sorted(volume["Size"] for volume in volumes)

        self.assertEqual(left(), [10, 30])
        goes = [
            {"DeviceName": device, "Ebs": {"DeleteOnTermination": True}}
            for device in ("/dev/sdf", "/dev/sdg")
        ]
        self.assertEqual(left(BlockDeviceMappings=goes), [])


class Networks(AccountsTest):
    def test_the_default_vpc_has_a_way_out(self):
        (table,) = self.ec2.describe_route_tables()["RouteTables"]
        ways = {r["DestinationCidrBlock"]: r["GatewayId"] for r in table["Routes"]}
        self.assertTrue(ways["0.0.0.0/0"].startswith("igw-"))

    def test_a_route_to_what_is_gone_is_a_blackhole(self):
        (table,) = self.ec2.describe_route_tables()["RouteTables"]
        (gateway,) = self.ec2.describe_internet_gateways()["InternetGateways"]
        self.ec2.detach_internet_gateway(
            InternetGatewayId=gateway["InternetGatewayId"], VpcId=table["VpcId"]
        )
        (table,) = self.ec2.describe_route_tables()["RouteTables"]
        states = {r["DestinationCidrBlock"]: r["State"] for r in table["Routes"]}
        self.assertEqual(states["0.0.0.0/0"], "blackhole")

    def test_block_public_access_is_told_by_the_subnets_that_it_blocks(self):
        subnets = self.ec2.describe_subnets()["Subnets"]
        excluded = subnets[0]["SubnetId"]
        traits = {"block_public_access": "block-ingress", "excluded_subnets": [excluded]}
        self.control("PUT", "traits", traits)
        for subnet in self.ec2.describe_subnets()["Subnets"]:
            mode = subnet["BlockPublicAccessStates"]["InternetGatewayBlockMode"]
            blocked = subnet["SubnetId"] != excluded
            self.assertEqual(mode, "block-ingress" if blocked else "off")

    def test_a_new_security_group_is_not_known_at_once(self):
        self.control("PUT", "traits", {"groups_known_after_seconds": 5})
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = {"GroupName": "new", "Description": "x", "VpcId": vpc}
        group = self.ec2.create_security_group(**made)["GroupId"]

        def names():
            groups = self.ec2.describe_security_groups()["SecurityGroups"]
            return {group["GroupName"] for group in groups}

        self.assertEqual(names(), {"default"})
        unknown = "InvalidGroup.NotFound"
        launch = {**LAUNCH, "SecurityGroupIds": [group]}
        self.refused(unknown, self.ec2.run_instances, **launch)
        self.refused("InvalidGroup.Duplicate", self.ec2.create_security_group, **made)
        self.control("PUT", "clock", {"advance": 5})
        self.assertEqual(names(), {"default", "new"})
        self.ec2.run_instances(**launch)


class Regions(AccountsTest):
    def test_govcloud_is_a_partition_of_its_own(self):
        gov = self.client("ec2", region=GOVCLOUD)

        def regions(client):
            return {r["RegionName"] for r in client.describe_regions()["Regions"]}

        self.assertEqual(regions(gov), {GOVCLOUD})
        self.assertNotIn(GOVCLOUD, regions(self.ec2))
        owners = gov.describe_images(Owners=["513442679011"])["Images"]
        self.assertIn(UBUNTU, {image["ImageId"] for image in owners})
        self.assertEqual(gov.describe_images(Owners=["099720109477"])["Images"], [])
        gov.run_instances(**LAUNCH)

    def test_a_region_that_is_not_enabled_takes_no_keys(self):
        self.refused("AuthFailure", self.client("ec2", region="ap-east-1").describe_vpcs)


if __name__ == "__main__":
    unittest.main()
