"""Checks what the sandbox does to a launch: machines that do not show, capacity,
faults.

target/sandbox/venv/bin/python tests/sandbox/faults_selftest.py
"""

import threading
import time
import unittest
from base64 import b64decode

from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError
from sandbox.faults import Fault
from sandbox_test import UBUNTU, SandboxTest


class Visibility(SandboxTest):
    def observed(self):
        """The ids of all instances as the observer sees them, with their states."""
        answer = self.control(
            "POST", "boto3", {"method": "describe_instances", "paginate": True}
        )
        return {
            i["InstanceId"]: i["State"]["Name"]
            for r in answer["Reservations"]
            for i in r["Instances"]
        }

    def test_a_new_instance_shows_to_the_observer_alone(self):
        self.control("PUT", "settings", {"visible_after_seconds": 60})
        ids = self.launch_ids(MinCount=2, MaxCount=2, ClientToken="a")
        self.assertEqual(self.instances(), [])
        self.assertEqual(set(self.observed()), set(ids))
        self.assertEqual(self.launched(), ids)
        status = self.ec2.describe_instance_status(IncludeAllInstances=True)
        self.assertEqual(status["InstanceStatuses"], [])
        missing = "InvalidInstanceID.NotFound"
        self.refused(missing, self.ec2.describe_instances, InstanceIds=ids[:1])
        self.refused(missing, self.ec2.terminate_instances, InstanceIds=ids)
        self.refused(missing, self.ec2.get_console_output, InstanceId=ids[0])
        tag = [{"Key": "k", "Value": "v"}]
        self.refused(missing, self.ec2.create_tags, Resources=ids, Tags=tag)
        # What the token answers is the launch itself.
        again = self.launch_ids(MinCount=2, MaxCount=2, ClientToken="a")
        self.assertEqual(again, ids)
        self.control("PUT", "settings", {"visible_after_seconds": 0})
        self.ec2.create_tags(Resources=ids, Tags=tag)
        self.ec2.terminate_instances(InstanceIds=ids)
        self.assertEqual(len(self.instances(InstanceIds=ids)), 2)

    def test_some_of_a_launch_may_show_at_once(self):
        self.control(
            "PUT", "settings", {"visible_after_seconds": 1, "visible_at_once": 2}
        )
        ids = self.launch_ids(MinCount=3, MaxCount=3)
        self.assertEqual([i["InstanceId"] for i in self.instances()], ids[:2])
        self.refused(
            "InvalidInstanceID.NotFound",
            self.ec2.terminate_instances,
            InstanceIds=ids,
        )
        self.assertNotIn("shutting-down", self.observed().values())
        self.settle()
        self.assertEqual(self.states(), ["running"] * 3)


class Capacity(SandboxTest):
    def capacity(self, *rules):
        self.control("PUT", "capacity", {"rules": list(rules)})

    def left(self):
        rules = self.control("GET", "capacity")["rules"]
        return [rule["available"] for rule in rules]

    def short(self, **changes):
        code = "InsufficientInstanceCapacity"
        return self.refused(code, self.launch, status=500, **changes)

    def test_a_pool_goes_down_with_launches_and_up_with_terminations(self):
        self.capacity({"vm_type": "t2.*", "zone": "eu-west-2a", "available": 2})
        zone = {"AvailabilityZone": "eu-west-2a"}
        first = self.launch_ids(Placement=zone)
        message = self.short(Placement=zone, MinCount=2, MaxCount=2)
        self.assertIn("the Availability Zone you requested (eu-west-2a)", message)
        self.launch(Placement=zone)
        self.assertEqual(self.left(), [0])
        # Without a zone EC2 takes one, and does not look into the others.
        message = self.short(ClientToken="a")
        self.assertIn("in zones with support for", message)
        self.launch(Placement={"AvailabilityZone": "eu-west-2b"})
        self.launch(Placement=zone, InstanceType="t3.micro")
        self.assertEqual(len(self.launched()), 4)
        self.ec2.terminate_instances(InstanceIds=first)
        self.settle()
        self.assertEqual(self.states(InstanceIds=first), ["terminated"])
        self.assertEqual(self.left(), [1])
        # What was refused has used up no token.
        self.launch(ClientToken="a", Placement=zone)
        self.launch(ClientToken="a", Placement=zone)
        self.assertEqual(len(self.launched()), 5)
        self.assertEqual(self.control("GET", "launched")["most_at_once"], 4)

    def test_the_first_rule_that_matches_holds(self):
        self.capacity(
            {"market": "spot", "available": 0},
            {"zone": "eu-west-2a", "available": None},
            {"available": 0},
        )
        self.launch(Placement={"AvailabilityZone": "eu-west-2a"})
        self.short(Placement={"AvailabilityZone": "eu-west-2b"})
        message = self.short(InstanceMarketOptions={"MarketType": "spot"})
        self.assertIn("There is no Spot capacity available", message)

    def test_between_the_least_and_the_most_what_there_is_is_launched(self):
        self.capacity({"available": 3})
        self.assertEqual(len(self.launch(MinCount=2, MaxCount=5)), 3)
        self.short(MinCount=1, MaxCount=5)
        self.assertEqual(len(self.launched()), 3)

    def test_free_addresses_are_what_the_test_says(self):
        subnet = self.subnets()[0]["SubnetId"]
        self.control("PUT", "free_addresses", {subnet: 2})
        self.assertEqual(self.subnets()[0]["AvailableIpAddressCount"], 2)
        code = "InsufficientFreeAddressesInSubnet"
        self.refused(code, self.launch, MinCount=3, MaxCount=3, SubnetId=subnet)
        ids = self.launch_ids(MinCount=1, MaxCount=3, SubnetId=subnet)
        self.assertEqual(len(ids), 2)
        self.refused(code, self.launch, SubnetId=subnet)
        self.ec2.terminate_instances(InstanceIds=ids)
        self.settle()
        self.assertEqual(self.states(InstanceIds=ids), ["terminated"] * 2)
        self.launch(SubnetId=subnet)

    def test_offerings_are_told_by_zone(self):
        offerings = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": ["t2.micro", "t3.micro"]}],
        )["InstanceTypeOfferings"]
        told = {(o["InstanceType"], o["Location"]) for o in offerings}
        zones = ("eu-west-2a", "eu-west-2b", "eu-west-2c")
        # moto has a fourth zone, and of these types t3.micro alone in it.
        self.assertEqual(
            {t for t in told if t[1] in zones},
            {(t, zone) for t in ("t2.micro", "t3.micro") for zone in zones},
        )

    def test_a_spot_request_lives_as_long_as_its_machine(self):
        tag = {"Key": "k", "Value": "v"}
        (machine,) = self.launch(
            InstanceMarketOptions={
                "MarketType": "spot",
                "SpotOptions": {"SpotInstanceType": "one-time", "MaxPrice": "1"},
            },
            TagSpecifications=[
                {"ResourceType": "spot-instances-request", "Tags": [tag]}
            ],
        )
        requests = self.ec2.describe_spot_instance_requests
        (request,) = requests(Filters=[{"Name": "state", "Values": ["active"]}])[
            "SpotInstanceRequests"
        ]
        self.assertEqual(request["InstanceId"], machine["InstanceId"])
        self.assertEqual(
            request["SpotInstanceRequestId"], machine["SpotInstanceRequestId"]
        )
        self.assertEqual((request["Tags"], request["Type"]), ([tag], "one-time"))
        self.ec2.terminate_instances(InstanceIds=[machine["InstanceId"]])
        (request,) = requests(Filters=[{"Name": "tag:k", "Values": ["v"]}])[
            "SpotInstanceRequests"
        ]
        self.assertEqual(request["State"], "closed")
        self.launch()
        self.assertEqual(len(requests()["SpotInstanceRequests"]), 1)

    def test_a_price_below_the_spot_price_launches_nothing(self):
        self.control("PUT", "prices", {"spot": [{"usd": 0.0042}]})

        def spot(price):
            return {
                "InstanceMarketOptions": {
                    "MarketType": "spot",
                    "SpotOptions": {"MaxPrice": price},
                }
            }

        message = self.refused("SpotMaxPriceTooLow", self.launch, **spot("0.004"))
        self.assertIn("price of 0.0042", message)
        self.launch(**spot("0.0042"))
        self.launch(InstanceMarketOptions={"MarketType": "spot"})
        self.assertEqual(len(self.launched()), 2)


class OrderedFaults(SandboxTest):
    launches = {"service": "ec2", "operation": "RunInstances"}

    def fault(self, **fault):
        self.control("POST", "faults", fault)

    def faults(self):
        return self.control("GET", "faults")

    def wait_until_held(self, number=1):
        # More than any machine needs.
        deadline = time.monotonic() + 180
        while sum(fault["held"] for fault in self.faults()) != number:
            self.assertLess(time.monotonic(), deadline, self.faults())
            time.sleep(0.02)

    def test_a_fault_ends_after_its_time(self):
        code = "RequestLimitExceeded"
        self.fault(**self.launches, count=None, for_seconds=2, status=503, code=code)
        # Its time begins with the first that it strikes.
        self.pass_time(10)
        for _ in range(2):
            self.refused(code, self.launch, status=503)
            self.pass_time(1)
        self.refused(code, self.launch, status=503)
        self.pass_time(0.1)
        self.launch()

    def test_chance_is_the_same_for_the_same_seed(self):
        def strikes(seed):
            self.control("DELETE", "faults")
            self.fault(service="*", operation="Describe*", count=None, probability=0.5, seed=seed)
            self.control("DELETE", "requests")
            for _ in range(16):
                try:
                    self.ec2.describe_regions()
                except self.ec2.exceptions.ClientError:
                    pass
            return [entry["status"] for entry in self.control("GET", "requests")]

        first = strikes(1)
        self.assertEqual(set(first), {200, 500})
        self.assertEqual(strikes(1), first)
        self.assertNotEqual(strikes(2), first)

    def held_launch(self, kind, drop):
        """Holds a launch; what has been launched meanwhile, and how it ended."""
        ended = []

        def launch():
            try:
                ended.append(self.launch_ids(ClientToken=kind))
            except ConnectionClosedError:
                ended.append(None)

        self.fault(**self.launches, kind=kind)
        thread = threading.Thread(target=launch)
        thread.start()
        self.wait_until_held()
        meanwhile = self.launched()
        self.control("POST", "release", {"drop": drop})
        thread.join()
        return meanwhile, ended[0]

    def test_a_held_call_goes_on_or_is_dropped_before_its_effect(self):
        self.assertEqual(self.held_launch("hold", drop=True), ([], None))
        self.assertEqual(self.launched(), [])
        meanwhile, ids = self.held_launch("hold", drop=False)
        self.assertEqual((meanwhile, ids), ([], self.launched()))

    def test_a_held_answer_has_had_its_effect(self):
        launched, answer = self.held_launch("hold_answer", drop=True)
        self.assertEqual((len(launched), answer), (1, None))
        launched, ids = self.held_launch("hold_answer", drop=False)
        self.assertEqual(launched, ids)
        self.assertEqual(self.launched(), ids)

    def test_calls_that_are_let_go_have_had_their_effect_when_that_is_said(self):
        from sandbox.faults import Fault, Faults

        faults, fault = Faults(now=lambda: 0), Fault("ec2", "*", kind="hold")
        goes_on, done = threading.Event(), []

        def call():
            faults.hold(fault)
            goes_on.wait(180)
            done.append("effect")
            faults.end()

        def release():
            faults.release(drop=False)
            done.append("released")

        threads = [threading.Thread(target=call), threading.Thread(target=release)]
        threads[0].start()
        while not fault.held:
            pass
        threads[1].start()
        while fault.held:
            pass
        goes_on.set()
        for thread in threads:
            thread.join()
        self.assertEqual(done, ["effect", "released"])

    def test_a_refusal_is_lost_like_any_answer(self):
        self.fault(**self.launches, kind="lost_answer")
        with self.assertRaises(ConnectionClosedError):
            self.launch(ImageId="ami-0123456789abcdef0")

    def test_an_answer_may_lack_what_it_must_have(self):
        ids = self.launch_ids(MinCount=2, MaxCount=2)

        def damaged(**damage):
            self.fault(
                service="ec2",
                operation="DescribeInstances",
                kind="damaged_answer",
                **damage,
            )
            try:
                return [i.get("InstanceId") for i in self.instances()]
            except KeyError:
                return None

        self.assertEqual(damaged(damage="empty_set"), [])
        self.assertIn(damaged(damage="no_set"), (None, []))
        self.assertEqual(damaged(damage="ids_twice"), ids + ids)
        self.assertEqual(damaged(damage="ids_missing"), [ids[0], None])
        self.assertEqual([i["InstanceId"] for i in self.instances()], ids)

    def test_a_cut_answer_is_whole_as_http_has_it(self):
        self.launch()
        for until_close in (False, True):
            self.fault(
                service="ec2",
                operation="DescribeInstances",
                kind="damaged_answer",
                at=0.5,
                until_close=until_close,
            )
            with self.assertRaises(ResponseParserError):
                self.instances()

    def test_an_error_may_have_a_status_that_no_standard_names(self):
        self.fault(
            service="ec2",
            operation="DescribeInstances",
            kind="error",
            code="BandwidthExceeded",
            status=509,
        )
        with self.assertRaises(ClientError) as refused:
            self.instances()
        answer = refused.exception.response
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 509)

    def test_the_date_of_an_answer_may_be_wrong(self):
        self.fault(
            service="ec2",
            operation="DescribeInstances",
            kind="none",
            date_offset_seconds=-1e10,
        )
        answer = self.ec2.describe_instances()
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(headers["date"], "Thu, 01 Jan 1970 00:00:00 GMT")

    def test_fingerprints_are_those_of_ec2(self):
        pair = self.ec2.create_key_pair(KeyName="a", KeyType="ed25519")
        shown = self.ec2.describe_key_pairs()["KeyPairs"][0]["KeyFingerprint"]
        self.assertEqual(pair["KeyFingerprint"], shown)
        self.assertEqual(len(b64decode(shown)), 32)

    def test_an_answer_can_be_anything_and_has_no_effect(self):
        body = "<Response><Errors><Error><Code>Tea</Code></Error></Errors></Response>"
        headers = {"x-call": "{number}"}
        self.fault(**self.launches, kind="answer", status=418, body=body, headers=headers)
        with self.assertRaises(ClientError) as refused:
            self.launch()
        metadata = refused.exception.response["ResponseMetadata"]
        self.assertEqual(metadata["HTTPStatusCode"], 418)
        self.assertEqual(metadata["HTTPHeaders"]["x-call"], "1")
        self.assertEqual(self.launched(), [])

    def test_an_answer_is_as_long_as_is_ordered(self):
        fault = Fault("ec2", "*", kind="answer", status=200, body="<{number}>", times=3, struck=7)
        self.assertEqual(fault.answer().body, b"<7><7><7>")

    def test_an_answer_can_have_more_headers(self):
        self.fault(**self.launches, kind="headers", headers={"x-more": "yes"})
        arguments = {"ImageId": UBUNTU, "InstanceType": "t2.micro"}
        answer = self.ec2.run_instances(MinCount=1, MaxCount=1, **arguments)
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["x-more"], "yes")
        self.assertEqual(len(self.launched()), 1)

    def test_a_newer_image_is_newer_than_all_others(self):
        ubuntu, gpu = self.control("POST", "publish_image")["image_ids"]
        owners = {ubuntu: "099720109477", gpu: "amazon"}
        for image_id, owner in owners.items():
            images = self.ec2.describe_images(
                Owners=[owner],
                Filters=[{"Name": "architecture", "Values": ["x86_64"]}],
            )["Images"]
            name = next(i["Name"] for i in images if i["ImageId"] == image_id)[:30]
            alike = [i for i in images if i["Name"].startswith(name)]
            newest = max(alike, key=lambda image: image["CreationDate"])
            self.assertEqual((newest["ImageId"], len(alike) > 2), (image_id, True))
        self.assertNotIn(ubuntu, self.control("POST", "publish_image")["image_ids"])


if __name__ == "__main__":
    unittest.main()
