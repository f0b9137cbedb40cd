"""The Price List (GetProducts) of EC2's machines and disks, and of public addresses.

Its shape is that of "AWS Price List Service", API reference, GetProducts, and of
the Amazon EC2 offer file: each product is a JSON document in a string.
"""

import base64
import functools
import hashlib
import json
import uuid

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from .aws_errors import AwsError
from .http import Response
from .prices import SNAPSHOT, Prices

# Where the service is ("AWS Price List Service", endpoints). China has its own.
ENDPOINT_REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
MOST_RESULTS = 100
# "Filter", API reference.
MOST_VALUE_CHARS = 1_024
MOST_FILTERS = 50
_SERVICES = ("AmazonEC2", "AmazonVPC")
# How each kind of filter takes the value that it was given.
_KINDS = {
    "TERM_MATCH": lambda told, value: told == value,
    "EQUALS": lambda told, value: told == value,
    "CONTAINS": lambda told, value: value in told,
    "ANY_OF": lambda told, value: told in [v.strip() for v in value.split(",")],
    "NONE_OF": lambda told, value: told not in [v.strip() for v in value.split(",")],
}
_LOCATIONS = {
    "eu-west-2": ("EU (London)", "EUW2"),
    "eu-west-1": ("EU (Ireland)", "EU"),
    "eu-central-1": ("EU (Frankfurt)", "EUC1"),
    "us-east-1": ("US East (N. Virginia)", "USE1"),
    "us-west-2": ("US West (Oregon)", "USW2"),
}
_IO2_TIERS = ("", ".tier2", ".tier3")
_USAGE = {"gp3": "gp3", "gp2": "gp2", "io1": "piops", "io2": "io2"}


def answer(tenant, operation, region, asked):
    """Raises AwsError."""
    if region not in ENDPOINT_REGIONS:
        raise AwsError("NotImplemented", f"{region} has no Price List", status=501)
    if operation != "GetProducts":
        raise AwsError("NotImplemented", f"the sandbox has no {operation}", status=501)
    service = asked.get("ServiceCode")
    if service not in _SERVICES:
        raise AwsError("NotFoundException", "Service not found")
    if asked.get("FormatVersion", "aws_v1") != "aws_v1":
        raise AwsError(
            "InvalidParameterException",
            f"Invalid format version: {asked['FormatVersion']}",
        )
    given = asked.get("Filters") or []
    if len(given) > MOST_FILTERS:
        raise AwsError("InvalidParameterException", "too many filters")
    wanted = [_filter(f) for f in given]
    with tenant.lock:
        prices = json.dumps(tenant.prices.as_json())
    found = _found(prices, service, json.dumps(wanted))
    size = asked.get("MaxResults", MOST_RESULTS)
    if not isinstance(size, int) or not 1 <= size <= MOST_RESULTS:
        raise AwsError(
            "InvalidParameterException", f"MaxResults must be 1 to {MOST_RESULTS}"
        )
    start = _position(asked.get("NextToken"))
    body = {
        "FormatVersion": "aws_v1",
        "PriceList": found[start : start + size],
    }
    if start + size < len(found):
        body["NextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return Response(
        200,
        json.dumps(body).encode(),
        {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
    )


# Most accounts have the usual prices, and every start asks for the same of them.
@functools.lru_cache(maxsize=64)
def _found(prices, service, wanted):
    """The products that match, each as JSON; the prices and the filters are JSON, too."""
    priced, wanted = Prices(), json.loads(wanted)
    priced.change(json.loads(prices))
    products = _addresses if service == "AmazonVPC" else _products
    found = (p for p in products(priced, wanted) if _matches(p, wanted))
    return [json.dumps(p) for p in found]


def _filter(given):
    kind, field, value = (given.get(name) for name in ("Type", "Field", "Value"))
    if kind not in _KINDS:
        raise AwsError("InvalidParameterException", f"Filter type {kind} not valid")
    if not field or not value or len(value) > MOST_VALUE_CHARS:
        raise AwsError("InvalidParameterException", f"Filter {field} not valid")
    return kind, field, value


def _named(wanted, field):
    """The values that may match, of a filter for single ones; None without any."""
    for kind, name, value in wanted:
        if name == field and kind in ("TERM_MATCH", "EQUALS"):
            return [value]
        if name == field and kind == "ANY_OF":
            return [v.strip() for v in value.split(",")]
    return None


def _position(token):
    try:
        return int(base64.b64decode(token or "MA=="))
    except ValueError:
        raise AwsError("InvalidNextTokenException", "Invalid NextToken") from None


def _matches(product, wanted):
    """A field is an attribute, or the family; an unknown one matches nothing."""
    told = {
        **product["product"]["attributes"],
        "productFamily": product["product"].get("productFamily", ""),
        "ServiceCode": product["serviceCode"],
    }
    return all(
        field in told and _KINDS[kind](told[field], value) for kind, field, value in wanted
    )


def _regions(wanted):
    named = _named(wanted, "regionCode")
    for region, (location, prefix) in _LOCATIONS.items():
        if named is None or region in named:
            yield region, prefix, {
                "regionCode": region,
                "location": location,
                "locationType": "AWS Region",
            }


def _products(prices, wanted):
    for region, prefix, place in _regions(wanted):
        where = {
            **place,
            "servicecode": "AmazonEC2",
            "servicename": "Amazon Elastic Compute Cloud",
        }
        if _named(wanted, "volumeApiName") is None:
            for vm_type in _vm_types(region, _named(wanted, "instanceType")):
                yield from _machine_products(prices, where, prefix, vm_type)
        yield from _snapshot_products(where, prefix)
        yield from _initialization_products(prices, where, prefix)
        for kind in prices.volume_kinds:
            yield from _volume_products(prices, where, prefix, kind)


def _addresses(prices, wanted):
    """Without a family, as the offer file of AmazonVPC has them."""
    if prices.address is None:
        return
    for _, prefix, place in _regions(wanted):
        where = {**place, "servicecode": "AmazonVPC"}
        for use, usd in (("InUse", prices.address), ("Idle", prices.address * 2)):
            attributes = {**where, "usagetype": f"{prefix}-PublicIPv4:{use}Address"}
            yield _product(None, attributes, "Hrs", usd, "AmazonVPC")


def _vm_types(region, named):
    offered = {o["InstanceType"] for o in INSTANCE_TYPE_OFFERINGS["region"][region]}
    return sorted(offered if named is None else offered & set(named))


def _machine_products(prices, where, prefix, vm_type):
    """What one filter too few would find is here as well, at other prices."""
    usd = prices.on_demand(vm_type)
    if usd is None:
        return
    usual = {
        **where,
        "instanceType": vm_type,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "operation": "RunInstances",
        "usagetype": f"{prefix}-BoxUsage:{vm_type}",
    }
    others = (
        ({}, usd),
        ({"operatingSystem": "Windows"}, usd * 1.5),
        ({"operatingSystem": "RHEL"}, usd + 0.0288),
        ({"operatingSystem": "SUSE"}, usd + 0.01),
        ({"operatingSystem": "Ubuntu Pro"}, usd + 0.0035),
        ({"preInstalledSw": "SQL Std"}, usd * 3),
        ({"tenancy": "Dedicated"}, usd * 1.1),
        ({"capacitystatus": "UnusedCapacityReservation"}, usd * 1.2),
        ({"capacitystatus": "AllocatedCapacityReservation"}, 0),
        ({"marketoption": "CapacityBlock"}, 0),
    )
    for other, price in others:
        yield _product("Compute Instance", {**usual, **other}, "Hrs", price)


def _volume_products(prices, where, prefix, kind):
    monthly = prices.volume(kind)
    if monthly is None:
        return
    usage = f".{_USAGE[kind]}" if kind in _USAGE else ""
    usual = {**where, "volumeApiName": kind}

    def product(family, usagetype, unit, usd):
        attributes = {**usual, "usagetype": f"{prefix}-EBS:{usagetype}"}
        return _product(family, attributes, unit, usd)

    yield product("Storage", f"VolumeUsage{usage}", "GB-Mo", monthly["gb"])
    for tier, usd in zip(_IO2_TIERS, monthly.get("iops", [])):
        if usd is None:
            continue
        usagetype = f"VolumeP-IOPS{usage}{tier}"
        yield product("System Operation", usagetype, "IOPS-Mo", usd)
    if "gibps" in monthly:
        usagetype = f"VolumeP-Throughput{usage}"
        yield product("Provisioned Throughput", usagetype, "GiBps-mo", monthly["gibps"])
    if kind == "standard":
        yield product("System Operation", "VolumeIOUsage", "IOs", 0.000000058)


def _snapshot_products(where, prefix):
    """Snapshots of the usual kind, and the others that have their family."""
    for usage, usd in (
        ("SnapshotUsage", SNAPSHOT),
        ("SnapshotUsageUnderBilling", 0),
        ("SnapshotArchiveStorage", 0.0131),
    ):
        attributes = {**where, "usagetype": f"{prefix}-EBS:{usage}"}
        yield _product("Storage Snapshot", attributes, "GB-Mo", usd)


def _initialization_products(prices, where, prefix):
    """AWS's lists of usage types do not have it yet: its name here is a guess, its unit
    what the user guide charges by. Beside it stands one that is charged by the size
    alone, which a launcher must not take for it."""
    if prices.initialization is None:
        return
    for usage, unit, usd in (
        ("VolumeInitializationRate", "GiB-MiBps", prices.initialization),
        ("VolumeInitializationRate.copy", "GB", 0.0008),
    ):
        attributes = {**where, "usagetype": f"{prefix}-EBS:{usage}"}
        yield _product("System Operation", attributes, unit, usd)


def _product(family, attributes, unit, usd, service="AmazonEC2"):
    named = json.dumps(attributes, sort_keys=True).encode()
    sku = hashlib.sha256(named).hexdigest()[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${usd:.10f} per {unit}",
        "appliesTo": [],
        "rateCode": rate,
        "pricePerUnit": {"USD": f"{usd:.10f}"},
    }
    product = {"attributes": attributes, "sku": sku}
    if family is not None:
        product["productFamily"] = family
    return {
        "product": product,
        "serviceCode": service,
        "terms": {
            "OnDemand": {
                term: {
                    "priceDimensions": {rate: dimension},
                    "sku": sku,
                    "effectiveDate": "2026-01-01T00:00:00Z",
                    "offerTermCode": "JRTCKXETXF",
                    "termAttributes": {},
                }
            }
        },
        "version": "20260101000000",
        "publicationDate": "2026-01-01T00:00:00Z",
    }
