"""Checks that the sandbox is what it says: run it with the sandbox's own Python.

target/sandbox/venv/bin/python tests/sandbox/selftest.py
"""

import atexit
import base64
import gzip
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

HERE = pathlib.Path(__file__).resolve().parent
UBUNTU_NAMES = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
UBUNTU = "ami-0ab00000000000003"
UBUNTU_ARM = "ami-0ab00000000000004"
GPU_NAMES = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) *"
GPU = "ami-0cd00000000000002"
SIMULATORS_100_GIB = "ami-0ef00000000000002"


class Sandbox:
    """A server of its own, as the Rust tests start it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "main.py"), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = json.loads(self.process.stdout.readline())["port"]

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=180)


class SandboxTest(unittest.TestCase):
    accounts = (f"{n:012d}" for n in itertools.count(100000000001))

    # One of each for all tests: both load the services' models, which takes long, and
    # each test has an account of its own.
    sandbox = session = None

    @classmethod
    def setUpClass(cls):
        if SandboxTest.sandbox is None:
            SandboxTest.sandbox = Sandbox()
            SandboxTest.session = boto3.session.Session()
            atexit.register(SandboxTest.sandbox.end)

    def setUp(self):
        self.account = next(self.accounts)
        self.ec2 = self.client("ec2")
        self.control("PUT", "clock", {"stand": True})

    def client(self, service, account=None, region="eu-west-2", key="AKIAIOSFODNN7EXAMPLE"):
        return self.session.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{self.sandbox.port}/{account or self.account}",
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=30,
                read_timeout=180,
            ),
        )

    def http(self, method, path, body=None, headers=None):
        """Status and JSON body of a request under the account's prefix."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.sandbox.port}/{self.account}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def raw_call(self, query):
        """A socket on which an EC2 call has been sent."""
        client = socket.create_connection(("127.0.0.1", self.sandbox.port), timeout=180)
        self.addCleanup(client.close)
        credential = "Credential=K/20250101/eu-west-2/ec2/aws4_request"
        client.sendall(
            f"GET /{self.account}/?{query} HTTP/1.1\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {credential}\r\n\r\n".encode()
        )
        return client

    def control(self, method, path, body=None):
        status, answer = self.http(method, f"/_sandbox/{path}", body)
        self.assertIn(status, (200, 201, 204), answer)
        return answer

    def api(self, method, path, body=None, key="sandbox-key"):
        return self.http(method, f"/inductiva{path}", body, {"X-API-Key": key})

    def launch(self, **changes):
        client = changes.pop("client", self.ec2)
        arguments = {
            "ImageId": UBUNTU,
            "InstanceType": "t2.micro",
            "MinCount": 1,
            "MaxCount": 1,
            **changes,
        }
        arguments = {k: v for k, v in arguments.items() if v is not None}
        return client.run_instances(**arguments)["Instances"]

    def launch_ids(self, **changes):
        return [instance["InstanceId"] for instance in self.launch(**changes)]

    def instances(self, **arguments):
        reservations = self.ec2.describe_instances(**arguments)["Reservations"]
        return [i for r in reservations for i in r["Instances"]]

    def states(self, **arguments):
        return [i["State"]["Name"] for i in self.instances(**arguments)]

    def pass_time(self, seconds):
        self.control("PUT", "clock", {"advance": seconds})

    def settle(self):
        """Until machines that were launched run, and those that end are gone."""
        self.pass_time(1)

    def refused(self, code, call, *arguments, status=400, **named):
        """Asserts that the call is refused with this code; returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer["Error"]["Message"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer["Error"]["Message"]

    def subnets(self):
        subnets = self.ec2.describe_subnets(
            Filters=[{"Name": "default-for-az", "Values": ["true"]}]
        )["Subnets"]
        return sorted(subnets, key=lambda subnet: subnet["AvailabilityZone"])


class Accounts(SandboxTest):
    def test_nothing_is_left_of_an_account_that_is_forgotten_and_others_stay(self):
        other = next(self.accounts)
        self.launch(client=self.client("ec2", account=other))
        self.launch(ClientToken="once")
        self.control("DELETE", "account")
        self.assertEqual(self.instances(), [])
        self.assertEqual(self.control("GET", "launched")["instances"], [])
        operations = [r["operation"] for r in self.control("GET", "requests")]
        self.assertEqual(operations, ["DescribeInstances"])
        self.launch(ClientToken="once")
        self.assertEqual(len(self.instances()), 1)
        self.account = other
        self.assertEqual(len(self.control("GET", "launched")["instances"]), 1)


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


class Identity(SandboxTest):
    def test_the_account_is_the_path(self):
        identity = self.client("sts").get_caller_identity()
        self.assertEqual(identity["Account"], self.account)
        self.assertEqual(identity["Arn"], f"arn:aws:iam::{self.account}:user/sandbox")

    def test_an_invalid_key_is_refused_as_each_service_does(self):
        key = "AKIAINVALIDKEYEXAMPLE"
        self.refused(
            "AuthFailure", self.client("ec2", key=key).describe_regions, status=401
        )
        self.refused(
            "InvalidClientTokenId",
            self.client("sts", key=key).get_caller_identity,
            status=403,
        )

    def test_accounts_share_nothing(self):
        self.launch(ClientToken="a")
        other = self.client("ec2", account=next(self.accounts))
        self.assertEqual(other.describe_instances()["Reservations"], [])
        self.launch(ClientToken="a", MinCount=2, MaxCount=2, client=other)
        self.assertEqual(len(self.instances()), 1)
        self.assertEqual(len(self.control("GET", "launched")["instances"]), 1)


class RecorderAndFaults(SandboxTest):
    def test_delayed_requests_overlap_and_are_recorded(self):
        self.control("PUT", "settings", {"delay_ms": 200})
        calls = (self.ec2.describe_regions, self.client("sts").get_caller_identity)
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one, two = self.control("GET", "requests")
        self.assertEqual({one["service"], two["service"]}, {"ec2", "sts"})
        self.assertLess(two["started"], one["ended"])
        for entry in (one, two):
            self.assertGreaterEqual(entry["ended"] - entry["started"], 0.2)
            self.assertEqual((entry["status"], entry["error_code"]), (200, None))
            self.assertEqual(entry["region"], "eu-west-2")
            self.assertIn("Boto3", entry["user_agent"])
        self.control("DELETE", "requests")
        self.assertEqual(self.control("GET", "requests"), [])

    def test_the_observer_is_not_recorded_nor_delayed_nor_struck(self):
        self.launch()
        self.control("DELETE", "requests")
        # A delay of an hour is not waited for.
        self.control("PUT", "settings", {"delay_ms": 3_600_000})
        self.control("POST", "faults", {"service": "ec2", "operation": "*", "count": None})
        body = {"service": "ec2", "region": "eu-west-2", "method": "describe_instances"}
        answer = self.control("POST", "boto3", {**body, "paginate": True})
        self.assertEqual(len(answer["Reservations"]), 1)
        self.assertEqual(self.control("GET", "requests"), [])
        status, answer = self.http(
            "POST", "/_sandbox/boto3", {**body, "kwargs": {"InstanceIds": ["i-1"]}}
        )
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["Code"], "InvalidInstanceID.Malformed")

    def test_an_ordered_error_strikes_as_ordered(self):
        fault = {
            "service": "ec2",
            "operation": "RunInstances",
            "match": {"InstanceType": "t3.micro"},
            "after": 1,
            "status": 500,
            "code": "InsufficientInstanceCapacity",
            "message": "no <capacity>",
        }
        self.control("POST", "faults", fault)
        self.launch(InstanceType="t3.micro")
        self.launch()
        message = self.refused(
            "InsufficientInstanceCapacity",
            self.launch,
            InstanceType="t3.micro",
            status=500,
        )
        self.assertEqual(message, "no <capacity>")
        self.launch(InstanceType="t3.micro")
        self.assertEqual(len(self.instances()), 3)
        codes = [entry["error_code"] for entry in self.control("GET", "requests")]
        self.assertIn("InsufficientInstanceCapacity", codes)

    def test_a_lost_answer_takes_effect_and_a_reset_does_not(self):
        order = {"service": "ec2", "operation": "RunInstances"}
        self.control("POST", "faults", {**order, "kind": "reset"})
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken="a")
        self.assertEqual(self.instances(), [])
        self.control("POST", "faults", {**order, "kind": "lost_answer"})
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken="a")
        launched = self.instances()
        self.assertEqual(len(launched), 1)
        self.assertEqual(self.launch_ids(ClientToken="a"), [launched[0]["InstanceId"]])

    def test_a_reset_is_one_on_the_wire_and_a_lost_answer_a_plain_end(self):
        order = {"service": "ec2", "operation": "*"}
        for kind in ("reset", "lost_answer"):
            self.control("POST", "faults", {**order, "kind": kind})
            client = self.raw_call("Action=DescribeRegions")
            if kind == "reset":
                self.assertRaises(ConnectionResetError, client.recv, 1)
            else:
                self.assertEqual(client.recv(1), b"")

    def test_a_stall_and_what_is_no_fault(self):
        order = {"service": "sts", "operation": "GetCallerIdentity"}
        before = self.control("GET", "clock")["now"]
        self.control("POST", "faults", {**order, "kind": "stall", "seconds": 300})
        self.client("sts").get_caller_identity()
        self.assertAlmostEqual(self.control("GET", "clock")["now"], before + 300, 3)
        for wrong in ({**order, "kind": "flood"}, {**order, "cod": "x"}, {"service": "ec2"}):
            self.assertEqual(self.http("POST", "/_sandbox/faults", wrong)[0], 400)
        self.assertEqual(self.http("PUT", "/_sandbox/settings", {"delay": 1})[0], 400)


class Inductiva(SandboxTest):
    def create(self, **body):
        return self.api("POST", "/compute/group", {"provider_id": "LOCAL", **body})

    def test_a_group_from_creation_to_deletion(self):
        name = "my group/ö_1"
        path = f"/compute/group/{urllib.parse.quote(name, safe='')}"
        status, answer = self.api("GET", path)
        self.assertEqual(status, 404)
        self.assertIn("detail", answer)
        status, group = self.create(name=name, cpu_cores_logical=2)
        self.assertEqual((status, group["status"], group["name"]), (201, "started", name))
        self.assertEqual(self.api("GET", path)[1]["id"], group["id"])
        self.assertEqual(len(self.api("GET", "/compute/groups")[1]), 1)
        deletion = f"/compute/group?machine_group_id={group['id']}"
        self.assertEqual(self.api("DELETE", deletion)[0], 202)
        self.assertEqual(self.api("GET", "/compute/groups")[1], [])
        status, group = self.api("GET", path)
        self.assertEqual((status, group["status"]), (200, "terminated"))
        (kept,) = self.control("GET", "inductiva")["groups"]
        self.assertEqual(kept["create_body"]["cpu_cores_logical"], 2)
        operations = [e["operation"] for e in self.control("GET", "requests")]
        self.assertIn(f"GET /compute/group/{name}", operations)

    def test_keys_and_outages(self):
        self.assertEqual(self.api("GET", "/users/info")[0], 200)
        status, answer = self.api("GET", "/users/info", key="wrong")
        self.assertEqual((status, answer), (401, {"detail": "Invalid API key"}))
        self.control("PUT", "inductiva", {"keys": ["other"], "rejected_key_status": 403})
        self.assertEqual(self.api("GET", "/users/info")[0], 403)
        self.assertEqual(self.api("GET", "/users/info", key="other")[0], 200)
        self.control("PUT", "inductiva", {"status": 503})
        self.assertEqual(self.api("GET", "/users/info", key="other")[0], 503)

    def test_bad_bodies_are_422_with_a_list(self):
        for body in ({"cpu_cores_logical": "2"}, {"name": 3}, {"provider_id": "MOON"}):
            status, answer = self.create(**body)
            self.assertEqual(status, 422, body)
            self.assertEqual(set(answer["detail"][0]), {"loc", "msg", "type"})
        self.assertEqual(self.api("POST", "/compute/group", {"name": "x"})[0], 422)
        self.assertEqual(self.create(machine_type="t2.micro", name="a_b")[0], 201)
        self.control("PUT", "inductiva", {"refuse_machine_type": True})
        self.assertEqual(self.create(machine_type="t2.micro")[0], 422)
        self.control("PUT", "inductiva", {"strict_names": True})
        self.assertEqual(self.create(name="a_b")[0], 422)
        self.assertEqual(self.create(name="a-b")[0], 201)

    def test_machines_register_and_end(self):
        self.control("PUT", "settings", {"pending_seconds": 0, "shutting_down_seconds": 0})
        self.create(name="g")
        self.control("PUT", "inductiva", {"auto_register_seconds": 0})
        tags = [{"Key": "inductiva:machine-group", "Value": "g"}]
        ids = self.launch_ids(
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
        )
        (machine,) = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual(machine["host_name"], ids[0])
        self.assertIsNone(machine["terminated_at"])
        edit = {"host_name": ids[0], "current_task_id": "t"}
        self.control("PUT", "inductiva", {"machines": [edit]})
        self.control("PUT", "inductiva", {"register": {"group": "g", "host_name": "i-x"}})
        machines = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual([m["current_task_id"] for m in machines], ["t", None])
        self.ec2.terminate_instances(InstanceIds=ids)
        machines = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertEqual([bool(m["terminated_at"]) for m in machines], [True, False])

    def test_the_runner_registers_polls_and_ends(self):
        group = self.create(name="g")[1]
        body = {"host_name": "i-1", "host_id": "i-1", "machine_group_id": group["id"]}
        status, answer = self.api("POST", "/task-runner/register", body)
        self.assertEqual(status, 202)
        runner = f"/task-runner/{answer['task_runner_id']}"
        self.assertEqual(self.api("GET", f"{runner}/task?block_s=0"), (204, None))
        event = {"type": "TaskRunnerTerminated", "json": "{}"}
        self.assertEqual(self.api("POST", f"{runner}/event", event)[0], 202)
        (machine,) = self.api("GET", "/compute/group/g")[1]["machines"]
        self.assertIsNotNone(machine["terminated_at"])

    def test_faults(self):
        fault = {"service": "inductiva", "operation": "POST /compute/group"}
        detail = {"status": 409, "detail": "exists"}
        self.control("POST", "faults", {**fault, **detail, "match": {"name": "g"}})
        self.assertEqual(self.create(name="h")[0], 201)
        self.assertEqual(self.create(name="g"), (409, {"detail": "exists"}))


class Server(unittest.TestCase):
    def test_it_ends_when_its_stdin_does(self):
        self.assertEqual(Sandbox().end(), 0)

    def test_it_ends_when_terminated(self):
        sandbox = Sandbox()
        sandbox.process.terminate()
        sandbox.process.stdin.close()
        sandbox.process.stdout.close()
        self.assertNotEqual(sandbox.process.wait(timeout=180), 0)


class Run(unittest.TestCase):
    """The `run` script, with a directory in which the program need not be."""

    def run_in(self, *command, **options):
        environment = {
            **os.environ,
            "INDUCTIVA_AWS_BIN_DIR": "/bin",
            "AWS_PROFILE": "mine",
            "HTTPS_PROXY": "http://192.0.2.1:1",
            "INDUCTIVA_TASK_RUNNER_IMAGE": "mine",
        }
        return subprocess.Popen(
            [str(HERE / "run"), *command],
            env=environment,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def test_streams_and_exit_code_are_the_commands(self):
        process = self.run_in("bash", "-c", "cat; echo err >&2; pwd; exit 42")
        out, err = process.communicate(b"in\n", timeout=180)
        self.assertEqual((out, err, process.returncode), (b"in\n/\n", b"err\n", 42))

    def test_a_signal_is_128_and_more_and_a_missing_command_127(self):
        for command, code in ((("bash", "-c", "kill -9 $$"), 137), (("nosuch",), 127)):
            process = self.run_in(*command)
            process.communicate(timeout=180)
            self.assertEqual(process.returncode, code)

    def test_the_environment_is_the_sandboxs(self):
        process = self.run_in("env", "-0")
        out, _ = process.communicate(timeout=180)
        environment = dict(line.split("=", 1) for line in out.decode().split("\0") if line)
        for absent in ("AWS_PROFILE", "HTTPS_PROXY", "INDUCTIVA_TASK_RUNNER_IMAGE"):
            self.assertNotIn(absent, environment)
        self.assertFalse(os.path.exists(environment["HOME"]))
        self.assertTrue(environment["PATH"].startswith("/bin:"))
        self.assertEqual(
            environment["AWS_ENDPOINT_URL"],
            environment["INDUCTIVA_AWS_SANDBOX"] + "/123456789012",
        )

    def test_a_termination_reaches_the_command_and_is_cleaned_up_after(self):
        process = self.run_in(
            "bash", "-c", 'trap "exit 7" TERM; echo "$HOME"; while :; do sleep 0.05; done'
        )
        home = process.stdout.readline().decode().strip()
        self.assertTrue(os.path.isdir(home))
        process.terminate()
        process.communicate(timeout=180)
        self.assertEqual(process.returncode, 7)
        self.assertFalse(os.path.exists(home))


class Speed(unittest.TestCase):
    def test_the_quick_xml_is_that_of_xmltodict(self):
        import xmltodict
        from sandbox.moto_speed import xml_writer

        def slow(*_, **__):
            self.fail("the quick writer did not do it")

        document = {
            "Response": {
                "@xmlns": 'http://ec2.test/?a=1&b="2"',
                "text": "a < b & c > d \"e\"",
                "empty": "",
                "none": None,
                "true": True,
                "number": 4.5,
                "bytes": b"a&b",
                "list": {"item": [{"a": 1}, {}, "x", None, ["y"]]},
                "emptyList": [],
                "mixed": {"@id": None, "#text": "t<", "child": {"@n": 5}},
                "requestId": "request-id",
            }
        }
        for short in (False, True):
            self.assertEqual(
                xml_writer(slow)(document, short_empty_elements=short),
                xmltodict.unparse(document, short_empty_elements=short),
            )

    def test_the_quick_answers_are_those_of_moto(self):
        from sandbox.app import Application
        from sandbox.http import Headers, Request
        from sandbox.observer import OBSERVER_USER_AGENT
        from moto.core import serialize

        application = Application()
        scope = "Credential=AKIAOBSERVEREXAMPLE0/20250101/eu-west-2/ec2/aws4_request"
        headers = Headers(
            {
                "user-agent": OBSERVER_USER_AGENT,
                "authorization": scope,
                "content-type": "application/x-www-form-urlencoded",
            }
        )

        def answer(query):
            body = f"Version=2016-11-15&Action={query}".encode()
            response = application(Request("POST", "/", "", headers, body))
            return response.status, re.sub(rb"<requestId>.*?<", b"<", response.body)

        launch = f"RunInstances&ImageId={UBUNTU}&InstanceType=t2.micro&ClientToken=t"
        queries = [
            f"{launch}&MinCount=3&MaxCount=3",
            "DescribeInstances",
            "DescribeImages",
            "DescribeSubnets",
            "DescribeSecurityGroups",
            "DescribeVolumes",
            "DescribeInstanceTypes&InstanceType.1=t2.micro",
        ]
        quick = [answer(query) for query in queries]
        self.assertEqual({status for status, _ in quick}, {200}, quick)
        # moto's own classes are taken for others: nothing is quick then.
        with unittest.mock.patch.object(serialize, "XFormedAttributePicker"):
            self.assertEqual([answer(query) for query in queries], quick)


if __name__ == "__main__":
    unittest.main()
