"""Checks that what makes moto faster in the sandbox answers as moto does: run it with the
sandbox's own Python.

target/sandbox/venv/bin/python tests/sandbox/speed_selftest.py
"""

import re
import unittest
from unittest import mock

from sandbox_test import UBUNTU


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
        def put(path, document):
            request = Request("PUT", f"/_sandbox/{path}", "", Headers({}), document)
            self.assertEqual(application(request).status, 200)

        # No machine runs between two answers, however long they take.
        put("clock", b'{"stand": true}')
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
        tag = "TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1"
        launch = f"{launch}&{tag}.Key=%3Ca%26b%3E&{tag}.Value=%22%27&MinCount=3&MaxCount=3"
        queries = [
            launch,
            "DescribeInstances",
            "DescribeInstances&Filter.1.Name=instance-id&Filter.1.Value.1=i-0",
            "DescribeInstanceStatus&IncludeAllInstances=true",
            "DescribeImages",
            "DescribeKeyPairs",
            "DescribeNetworkInterfaces",
            "DescribeRegions",
            "DescribeRouteTables",
            "DescribeSubnets",
            "DescribeSecurityGroups",
            "DescribeSpotPriceHistory&InstanceType.1=t2.micro",
            "DescribeTags",
            "DescribeVolumes",
            "DescribeVpcs",
            "DescribeInstanceTypes&InstanceType.1=t2.micro",
        ]
        slowly = mock.patch.object(
            serialize.EC2Serializer,
            "_serialize_result",
            serialize.ResponseSerializer._serialize_result,
        )

        def compare():
            quick = [answer(query) for query in queries]
            self.assertEqual({status for status, _ in quick}, {200}, quick)
            with slowly:
                self.assertEqual([answer(query) for query in queries], quick)
            # What was written for an earlier answer.
            self.assertEqual([answer(query) for query in queries], quick)
            return quick[1][1].decode()

        machines = re.findall(r"<instanceId>(i-\w+)<", compare())
        self.assertEqual(len(set(machines)), 3)
        put("clock", b'{"advance": 1}')
        self.assertIn("<name>running</name>", compare())
        self.assertEqual(answer(f"TerminateInstances&InstanceId.1={machines[0]}")[0], 200)
        self.assertIn("<name>shutting-down</name>", compare())
        put("clock", b'{"advance": 1}')
        self.assertIn("<name>terminated</name>", compare())

    def test_what_has_nothing_is_written_as_moto_does(self):
        from sandbox.ec2_api import Ec2Api
        from moto.core import serialize
        from moto.core.utils import get_service_model

        operation = get_service_model("ec2").operation_model("DescribeInstances")
        transformers = Ec2Api.RESPONSE_KEY_PATH_TO_TRANSFORMER

        def text(write, result):
            picker = serialize.XFormedAttributePicker(response_transformers=transformers)
            serializer = serialize.EC2Serializer(operation, value_picker=picker)
            return write(serializer, {"headers": {}}, result)["body"]

        empty = {"ReservationId": "", "OwnerId": None, "Groups": [], "Instances": [{}, None]}
        filled = {"Instances": [{"Tags": [], "Placement": {}, "Monitoring": None}, {}]}
        for result in (None, {}, {"Reservations": []}, {"Reservations": [{}, empty, filled]}):
            self.assertEqual(
                text(serialize.EC2Serializer._serialize_result, result),
                text(serialize.ResponseSerializer._serialize_result, result),
            )


if __name__ == "__main__":
    unittest.main()
