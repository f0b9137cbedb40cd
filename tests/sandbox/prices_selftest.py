"""Checks that the sandbox tells prices as AWS does.

target/sandbox/venv/bin/python tests/sandbox/prices_selftest.py
"""

import json
import unittest
from datetime import datetime, timezone

from sandbox_test import SandboxTest

MACHINE = {
    "regionCode": "eu-west-2",
    "instanceType": "t2.micro",
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


class Prices(SandboxTest):
    def setUp(self):
        super().setUp()
        self.pricing = self.client("pricing", region="eu-central-1")

    def products(self, wanted, service="AmazonEC2", more=(), **arguments):
        answer = self.pricing.get_products(
            ServiceCode=service, Filters=_filters(wanted) + list(more), **arguments
        )
        return [json.loads(text) for text in answer["PriceList"]], answer.get("NextToken")

    def test_all_filters_together_single_out_one_machine(self):
        (product,), _ = self.products(MACHINE)
        self.assertEqual(product["product"]["productFamily"], "Compute Instance")
        self.assertEqual(_usd(product), ("Hrs", 0.0132))
        for left_out in MACHINE:
            fewer = {k: v for k, v in MACHINE.items() if k != left_out}
            found, _ = self.products(fewer)
            self.assertGreater(len(found), 1, left_out)
        self.assertEqual(self.products({**MACHINE, "instanceType": "T2.micro"})[0], [])
        self.assertEqual(self.products({**MACHINE, "colour": "red"})[0], [])

    def test_a_volume_type_has_its_parts(self):
        found, _ = self.products({"regionCode": "eu-west-2", "volumeApiName": "gp3"})
        parts = {p["product"]["productFamily"]: _usd(p) for p in found}
        self.assertEqual(
            parts,
            {
                "Storage": ("GB-Mo", 0.0928),
                "System Operation": ("IOPS-Mo", 0.0058),
                "Provisioned Throughput": ("GiBps-mo", 47.5136),
            },
        )
        io2 = {"regionCode": "eu-west-2", "volumeApiName": "io2"}
        usages = [p["product"]["attributes"]["usagetype"] for p in self.products(io2)[0]]
        self.assertIn("EUW2-EBS:VolumeP-IOPS.io2.tier3", usages)

    def test_one_call_is_for_several_values(self):
        fewer = {k: v for k, v in MACHINE.items() if k != "instanceType"}
        any_of = {"Type": "ANY_OF", "Field": "instanceType", "Value": "t2.micro,t3.micro"}
        found, _ = self.products(fewer, more=[any_of])
        types = [p["product"]["attributes"]["instanceType"] for p in found]
        self.assertEqual(sorted(types), ["t2.micro", "t3.micro"])
        none_of = {**any_of, "Type": "NONE_OF"}
        found, token = self.products(fewer, more=[none_of])
        self.assertEqual(len(found), 100)
        self.assertTrue(token)
        long = {**any_of, "Value": ",".join(["t2.micro"] * 120)}
        self.refused("InvalidParameterException", self.products, fewer, more=[long])
        self.refused(
            "InvalidParameterException", self.products, fewer, FormatVersion="aws_v2"
        )

    def test_a_public_address_has_a_price_of_the_network_service(self):
        in_use = {
            "Type": "CONTAINS",
            "Field": "usagetype",
            "Value": "PublicIPv4:InUseAddress",
        }
        region = {"regionCode": "eu-west-2"}
        (product,), _ = self.products(region, service="AmazonVPC", more=[in_use])
        self.assertEqual(_usd(product), ("Hrs", 0.005))
        self.assertNotIn("productFamily", product["product"])
        self.assertEqual(len(self.products(region, service="AmazonVPC")[0]), 2)
        self.control("PUT", "prices", {"address": None})
        self.assertEqual(self.products(region, service="AmazonVPC")[0], [])

    def test_filling_a_disk_at_a_rate_has_a_price_by_size_and_rate(self):
        any_of_it = {"Type": "CONTAINS", "Field": "usagetype", "Value": "Initializ"}
        region = {"regionCode": "eu-west-2"}
        found, _ = self.products(region, more=[any_of_it])
        # The last is of another kind, and is not by the rate.
        self.assertEqual([_usd(p) for p in found], [("GiB-MiBps", 0.000012), ("GB", 0.0008)])
        self.control("PUT", "prices", {"initialization": None})
        self.assertEqual(self.products(region, more=[any_of_it])[0], [])

    def test_pages(self):
        wanted = {**MACHINE}
        del wanted["operatingSystem"]
        first, token = self.products(wanted, MaxResults=3)
        second, end = self.products(wanted, MaxResults=3, NextToken=token)
        self.assertEqual((len(first), len(second)), (3, 2))
        self.assertFalse([product for product in first if product in second])
        self.assertIsNone(end)

    def test_what_is_refused(self):
        elsewhere = self.client("pricing", region="eu-west-2")
        arguments = {"ServiceCode": "AmazonEC2", "Filters": _filters(MACHINE)}
        self.refused("NotImplemented", elsewhere.get_products, status=501, **arguments)
        self.control("PUT", "policy", {"deny": ["pricing:GetProducts"]})
        message = self.refused(
            "AccessDeniedException", self.pricing.get_products, **arguments
        )
        self.assertIn("is not authorized to perform: pricing:GetProducts", message)

    def test_prices_are_set(self):
        self.control("PUT", "prices", {"on_demand": {"t2.micro": 0.5, "t3.micro": None}})
        self.assertEqual(_usd(self.products(MACHINE)[0][0]), ("Hrs", 0.5))
        other = {**MACHINE, "instanceType": "t3.micro"}
        self.assertEqual(self.products(other)[0], [])

    def spot(self, **arguments):
        arguments = {
            "InstanceTypes": ["t2.micro"],
            "ProductDescriptions": ["Linux/UNIX"],
            **arguments,
        }
        history = self.ec2.describe_spot_price_history(**arguments)["SpotPriceHistory"]
        return [(e["AvailabilityZone"][-1], float(e["SpotPrice"])) for e in history]

    def test_spot_prices_differ_by_zone_and_change(self):
        now = self.spot(StartTime=datetime.now(timezone.utc))
        self.assertEqual(sorted(now), [("a", 0.00396), ("b", 0.00462), ("c", 0.00528)])
        whole = self.spot()
        self.assertEqual(len(whole), 6)
        self.assertEqual(sorted(whole[:3]), sorted(now), "the newest come first")
        self.assertEqual(len(self.spot(AvailabilityZone="eu-west-2b")), 2)
        self.assertEqual(len(self.spot(ProductDescriptions=[])), 24)
        self.control(
            "PUT", "prices", {"spot": [{"zone": "*b", "usd": None}, {"usd": 0.25}]}
        )
        now = self.spot(StartTime=datetime.now(timezone.utc))
        self.assertEqual(sorted(now), [("a", 0.25), ("c", 0.25)])

    def test_a_security_group_in_use_stays(self):
        group = self.ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
        ids = self.launch_ids(SecurityGroupIds=[group])
        delete = self.ec2.delete_security_group
        self.refused("DependencyViolation", delete, GroupId=group)
        self.ec2.terminate_instances(InstanceIds=ids)
        self.refused("DependencyViolation", delete, GroupId=group)
        self.settle()
        self.assertEqual(self.states(), ["terminated"])
        delete(GroupId=group)


def _filters(wanted):
    return [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in wanted.items()]


def _usd(product):
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    return dimension["unit"], float(dimension["pricePerUnit"]["USD"])


if __name__ == "__main__":
    unittest.main()
