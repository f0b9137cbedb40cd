"""Checks what the sandbox launches: images, client tokens, and machines from their launch
to their end.

target/sandbox/venv/bin/python tests/sandbox/launches_selftest.py
"""

import base64
import gzip
import os
import unittest

from sandbox_test import GPU, GPU_NAMES, UBUNTU, UBUNTU_NAMES, SandboxTest


class Images(SandboxTest):
    def newest(self, **arguments):
        images = self.ec2.describe_images(**arguments)["Images"]
        return max(images, key=lambda image: image["CreationDate"]), len(images)

    def test_owner_architecture_and_name_single_out_the_newest_ubuntu(self):
        filters = [
            {"Name": "name", "Values": [UBUNTU_NAMES]},
            {"Name": "architecture", "Values": ["x86_64"]},
            {"Name": "state", "Values": ["available"]},
        ]
        image, count = self.newest(Owners=["099720109477"], Filters=filters)
        self.assertEqual((image["ImageId"], count), (UBUNTU, 3))
        self.assertEqual(image["RootDeviceName"], "/dev/sda1")
        self.assertEqual(image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], 8)
        filters.append({"Name": "owner-id", "Values": ["099720109477"]})
        self.assertEqual(self.newest(Filters=filters)[0]["ImageId"], UBUNTU)

    def test_without_its_owner_a_look_alike_is_newer(self):
        filters = [{"Name": "name", "Values": [UBUNTU_NAMES]}]
        image, _ = self.newest(Filters=filters)
        self.assertEqual(image["OwnerId"], "123123123123")
        self.assertNotIn("ImageOwnerAlias", image)

    def test_without_an_architecture_an_arm_image_is_newer(self):
        filters = [{"Name": "name", "Values": ["*ubuntu-noble-24.04-*-server-????????"]}]
        image, _ = self.newest(Owners=["099720109477"], Filters=filters)
        self.assertEqual(image["Architecture"], "arm64")

    def test_the_gpu_image_is_found_by_alias_in_another_region(self):
        self.ec2 = self.client("ec2", region="us-west-2")
        image, count = self.newest(
            Owners=["amazon"], Filters=[{"Name": "name", "Values": [GPU_NAMES]}]
        )
        self.assertEqual((image["ImageId"], count), (GPU, 2))

    def test_unknown_and_malformed_ids_and_filters_are_refused(self):
        describe = self.ec2.describe_images
        unknown = ["ami-0123456789abcdef0"]
        self.refused("InvalidAMIID.NotFound", describe, ImageIds=unknown)
        self.refused("InvalidAMIID.NotFound", describe, ImageIds=[UBUNTU, *unknown])
        self.refused("InvalidAMIID.Malformed", describe, ImageIds=["ami-xyz"])
        bad = [{"Name": "nome", "Values": ["x"]}]
        self.refused("InvalidParameterValue", describe, Filters=bad)


class ClientTokens(SandboxTest):
    def test_a_replay_answers_the_first_launch_and_launches_nothing(self):
        first = self.launch_ids(ClientToken="a", MinCount=2, MaxCount=2)
        self.assertEqual(self.launch_ids(ClientToken="a", MinCount=2, MaxCount=2), first)
        self.assertEqual(len(self.instances()), 2)
        launched = self.control("GET", "launched")
        self.assertEqual([i["instance_id"] for i in launched["instances"]], first)
        self.assertEqual(launched["run_instances_calls"], 2)

    def test_other_parameters_are_a_mismatch(self):
        self.launch(ClientToken="a")
        self.refused(
            "IdempotentParameterMismatch", self.launch, ClientToken="a", UserData="x"
        )
        self.assertEqual(len(self.instances()), 1)

    def test_a_replay_tells_the_current_state_and_outlives_the_machines(self):
        ids = self.launch_ids(ClientToken="a")
        self.settle()
        self.assertEqual(self.states(), ["running"])
        self.assertEqual(self.launch(ClientToken="a")[0]["State"]["Name"], "running")
        self.ec2.terminate_instances(InstanceIds=ids)
        self.settle()
        self.assertEqual(self.states(), ["terminated"])
        self.control("POST", "forget_terminated", {})
        self.assertEqual(self.instances(), [])
        again = self.launch(ClientToken="a")[0]
        self.assertEqual(again["InstanceId"], ids[0])
        self.assertEqual(again["State"]["Name"], "terminated")

    def test_a_token_is_zonal_when_a_zone_is_named_and_regional_otherwise(self):
        a, b, _ = self.subnets()
        first = self.launch_ids(ClientToken="t", SubnetId=a["SubnetId"])
        self.assertEqual(self.launch_ids(ClientToken="t", SubnetId=a["SubnetId"]), first)
        second = self.launch_ids(ClientToken="t", SubnetId=b["SubnetId"])
        third = self.launch_ids(
            ClientToken="t", Placement={"AvailabilityZone": "eu-west-2c"}
        )
        anywhere = self.launch_ids(ClientToken="t")
        elsewhere = self.launch_ids(
            ClientToken="t", client=self.client("ec2", region="us-east-1")
        )
        ids = first + second + third + anywhere + elsewhere
        self.assertEqual(len(set(ids)), 5)

    def test_concurrent_calls_with_one_token_launch_once(self):
        # Written by hand and sent within a millisecond; 200 machines, so that the
        # first launch lasts longer than that.
        call = (
            f"Action=RunInstances&Version=2016-11-15&ImageId={UBUNTU}&ClientToken=t"
            "&InstanceType=t2.micro&MinCount=200&MaxCount=200"
        )
        clients = [self.raw_call(call) for _ in range(8)]
        for client in clients:
            self.assertEqual(client.recv(12), b"HTTP/1.1 200")
        self.assertEqual(len(self.control("GET", "launched")["instances"]), 200)

    def test_failures_and_dry_runs_use_up_no_token(self):
        self.refused("InvalidKeyPair.NotFound", self.launch, ClientToken="a", KeyName="k")
        message = self.refused(
            "DryRunOperation", self.launch, ClientToken="a", DryRun=True, status=412
        )
        self.assertIn("would have succeeded", message)
        self.assertEqual(self.instances(), [])
        self.assertEqual(len(self.launch(ClientToken="a")), 1)

    def test_a_long_token_is_refused(self):
        self.launch(ClientToken="x" * 64)
        self.refused("InvalidParameterValue", self.launch, ClientToken="x" * 65)


class Machines(SandboxTest):
    TAGS = [{"Key": "Name", "Value": "g r&<ö"}, {"Key": "inductiva:x", "Value": ""}]

    def test_pending_running_shutting_down_terminated(self):
        self.control("PUT", "settings", {"pending_seconds": 0.3})
        instance = self.launch()[0]
        self.assertEqual(instance["State"], {"Code": 0, "Name": "pending"})
        self.assertNotIn("PublicIpAddress", instance)
        self.pass_time(0.29)
        self.assertEqual(self.states(), ["pending"])
        # Past the moment, not onto it: sums of fractions are off by their last digit.
        self.pass_time(0.02)
        self.assertEqual(self.states(), ["running"])
        running = self.instances()[0]
        self.assertIn("PublicIpAddress", running)
        self.assertTrue(running["PrivateIpAddress"].startswith("172.31."))
        self.control("PUT", "settings", {"shutting_down_seconds": 0.2})
        ids = [instance["InstanceId"]]
        change = self.ec2.terminate_instances(InstanceIds=ids)["TerminatingInstances"][0]
        self.assertEqual(change["PreviousState"]["Name"], "running")
        self.assertEqual(change["CurrentState"], {"Code": 32, "Name": "shutting-down"})
        self.pass_time(0.19)
        self.assertEqual(self.states(), ["shutting-down"])
        self.pass_time(0.02)
        self.assertEqual(self.states(), ["terminated"])
        change = self.ec2.terminate_instances(InstanceIds=ids)["TerminatingInstances"][0]
        self.assertEqual(change["PreviousState"]["Name"], "terminated")
        self.assertEqual(change["CurrentState"]["Name"], "terminated")
        gone = self.instances()[0]
        self.assertNotIn("PublicIpAddress", gone)
        self.assertNotIn("PrivateIpAddress", gone)

    def test_a_machine_terminated_while_pending_never_runs(self):
        self.control("PUT", "settings", {"shutting_down_seconds": 1})
        ids = self.launch_ids()
        self.ec2.terminate_instances(InstanceIds=ids)
        self.pass_time(0.6)
        self.assertEqual(self.states(), ["shutting-down"])

    def test_an_answer_about_machines_is_never_that_of_before_a_change(self):
        one, other = self.launch_ids(MaxCount=2)
        changes = [
            (lambda: None, lambda i: i["State"]["Name"], "pending"),
            (self.settle, lambda i: i["State"]["Name"], "running"),
            (
                lambda: self.ec2.create_tags(
                    Resources=[one], Tags=[{"Key": "k", "Value": "v"}]
                ),
                lambda i: i["Tags"],
                [{"Key": "k", "Value": "v"}],
            ),
            (
                lambda: self.ec2.modify_instance_attribute(
                    InstanceId=one, SourceDestCheck={"Value": False}
                ),
                lambda i: i["SourceDestCheck"],
                False,
            ),
            (
                lambda: self.control("POST", "power_off", {"instance_ids": [one]}),
                lambda i: i["StateReason"]["Code"],
                "Client.InstanceInitiatedShutdown",
            ),
            (self.settle, lambda i: i["State"]["Name"], "terminated"),
        ]
        for change, shown, expected in changes:
            change()
            first, second = self.instances(InstanceIds=[one, other])
            self.assertEqual(shown(first), expected)
            self.assertEqual(second["InstanceId"], other)
            self.assertEqual(self.instances(InstanceIds=[one, other]), [first, second])

    def test_everything_that_was_asked_for_is_there(self):
        vpc = self.subnets()[0]["VpcId"]
        group = self.ec2.create_security_group(
            GroupName="inductiva-aws", Description="d", VpcId=vpc
        )["GroupId"]
        self.launch(
            SecurityGroupIds=[group],
            InstanceInitiatedShutdownBehavior="terminate",
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            InstanceMarketOptions={"MarketType": "spot"},
            ClientToken="token",
            BlockDeviceMappings=[
                {
                    "DeviceName": "/dev/sda1",
                    "Ebs": {
                        "VolumeSize": 50,
                        "VolumeType": "gp3",
                        "Iops": 4000,
                        "Throughput": 250,
                        "Encrypted": True,
                    },
                }
            ],
            TagSpecifications=[
                {"ResourceType": kind, "Tags": self.TAGS}
                for kind in (
                    "instance",
                    "volume",
                    "network-interface",
                    "spot-instances-request",
                )
            ],
        )
        self.settle()
        self.assertEqual(self.states(), ["running"])
        instance = self.instances()[0]
        self.assertEqual(instance["ImageId"], UBUNTU)
        self.assertEqual(instance["InstanceType"], "t2.micro")
        self.assertEqual(instance["ClientToken"], "token")
        self.assertEqual(instance["InstanceLifecycle"], "spot")
        self.assertEqual(instance["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual(instance["MetadataOptions"]["HttpPutResponseHopLimit"], 1)
        self.assertEqual([g["GroupId"] for g in instance["SecurityGroups"]], [group])
        self.assertEqual(instance["Tags"], self.TAGS)
        self.assertNotIn("KeyName", instance)
        self.assertNotIn("IamInstanceProfile", instance)
        (mapping,) = instance["BlockDeviceMappings"]
        self.assertTrue(mapping["Ebs"]["DeleteOnTermination"])
        (volume,) = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual(volume["VolumeId"], mapping["Ebs"]["VolumeId"])
        facts = [volume[k] for k in ("Size", "VolumeType", "Iops", "Throughput", "Encrypted")]
        self.assertEqual(facts, [50, "gp3", 4000, 250, True])
        self.assertEqual(volume["Tags"], self.TAGS)
        (interface,) = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        self.assertEqual(interface["TagSet"], self.TAGS)
        self.assertEqual([g["GroupId"] for g in interface["Groups"]], [group])
        resources = {t["ResourceType"] for t in self.ec2.describe_tags()["Tags"]}
        self.assertIn("spot-instances-request", resources)
        behavior = self.ec2.describe_instance_attribute(
            InstanceId=instance["InstanceId"],
            Attribute="instanceInitiatedShutdownBehavior",
        )
        self.assertEqual(
            behavior["InstanceInitiatedShutdownBehavior"]["Value"], "terminate"
        )
        self.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        self.settle()
        self.assertEqual(self.states(), ["terminated"])
        self.assertEqual(self.ec2.describe_volumes()["Volumes"], [])
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])

    def test_a_disk_may_outlive_its_machine(self):
        mapping = {"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}}
        ids = self.launch_ids(BlockDeviceMappings=[mapping])
        self.ec2.terminate_instances(InstanceIds=ids)
        self.settle()
        self.assertEqual(self.states(), ["terminated"])
        (volume,) = self.ec2.describe_volumes()["Volumes"]
        self.assertEqual((volume["State"], volume["Size"]), ("available", 8))

    def test_max_count_machines_are_launched(self):
        self.assertEqual(len(self.launch(MinCount=1, MaxCount=3)), 3)

    def test_user_data_comes_back_byte_for_byte(self):
        samples = (os.urandom(16384), gzip.compress(b"#!/bin/bash\n" * 999), b"\r\n\0 +%&=")
        for sample in samples:
            ids = self.launch_ids(UserData=sample)
            answer = self.ec2.describe_instance_attribute(
                InstanceId=ids[0], Attribute="userData"
            )
            self.assertEqual(base64.b64decode(answer["UserData"]["Value"]), sample)

    def test_one_unknown_id_spares_all(self):
        ids = self.launch_ids()
        terminate = self.ec2.terminate_instances
        unknown = "i-0123456789abcdef0"
        message = self.refused(
            "InvalidInstanceID.NotFound", terminate, InstanceIds=[*ids, unknown]
        )
        self.assertEqual(message, f"The instance ID '{unknown}' does not exist")
        self.refused("InvalidInstanceID.Malformed", terminate, InstanceIds=["i-nope"])
        self.refused("InvalidInstanceID.NotFound", self.instances, InstanceIds=[unknown])
        self.assertNotEqual(self.states(), ["shutting-down"])

    def test_filters_and_pages(self):
        self.control("PUT", "settings", {"pending_seconds": 0})
        for name, count in (("a", 7), ("b", 4)):
            tags = [{"Key": "group", "Value": name}]
            self.launch(
                MinCount=count,
                MaxCount=count,
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )

        def ids(*filters, **arguments):
            named = [{"Name": n, "Values": v} for n, v in filters]
            return [i["InstanceId"] for i in self.instances(Filters=named, **arguments)]

        self.assertEqual(len(ids(("tag:group", ["a"]))), 7)
        self.assertEqual(len(ids(("tag:group", ["A", "b*"]))), 4)
        self.assertEqual(len(ids(("tag-key", ["group"]))), 11)
        running = ("instance-state-name", ["pending", "running"])
        self.assertEqual(len(ids(running, ("tag:group", ["?"]))), 11)
        self.assertEqual(ids(("tag:group", ["c"])), [])
        self.refused("InvalidParameterValue", ids, ("tags:group", ["a"]))
        self.refused("InvalidParameterValue", ids, MaxResults=4)
        self.refused("InvalidParameterValue", ids, MaxResults=1001)
        pages = list(
            self.ec2.get_paginator("describe_instances").paginate(
                PaginationConfig={"PageSize": 5}
            )
        )
        sizes = [sum(len(r["Instances"]) for r in p["Reservations"]) for p in pages]
        self.assertEqual(sizes, [5, 5, 1])
        paged = [i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]]
        self.assertEqual(paged, ids())
        tags = self.ec2.describe_tags(Filters=[{"Name": "tag:group", "Values": ["b"]}])
        self.assertEqual(len(tags["Tags"]), 4)


if __name__ == "__main__":
    unittest.main()
