"""DescribeSpotPriceHistory: today's spot prices, and that they were others before."""

from datetime import timedelta, timezone

from .aws_errors import AwsError
from .ec2_filters import matches
from .networks import offered_zones

# Products, and what each costs in relation to Linux.
_PRODUCTS = {
    "Linux/UNIX": 1,
    "Red Hat Enterprise Linux": 1.2,
    "SUSE Linux": 1.1,
    "Windows": 1.5,
}
# When prices changed, and what they were until then in relation to today's.
_CHANGES = ((timedelta(hours=2), 1), (timedelta(hours=26), 2))


def spot_price_history(region, prices, names, products, zone, since, filters, now):
    """The entries, the newest first, as EC2 lists them. Raises AwsError.

    A price from before `since` is told only when it was still the one then
    ("DescribeSpotPriceHistory", API reference).
    """
    unknown = [name for name in names if not offered_zones(region, name)]
    if unknown:
        raise AwsError(
            "InvalidParameterValue", f"Invalid instance type: {', '.join(unknown)}"
        )
    if not names:
        raise AwsError(
            "NotImplemented", "the sandbox tells no spot prices of all types", 501
        )
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=timezone.utc)
    wanted = set(products or _PRODUCTS)
    entries = []
    for name in names:
        for offered in offered_zones(region, name):
            usd = prices.spot(name, offered)
            if usd is None or (zone and zone != offered):
                continue
            for product, factor in _PRODUCTS.items():
                if product in wanted:
                    entries += _entries(name, offered, product, usd * factor, since, now)
    entries = [e for e in entries if matches(filters, _attributes(e), {})]
    return sorted(entries, key=lambda e: e["Timestamp"], reverse=True)


def _entries(name, zone, product, usd, since, now):
    for ago, factor in _CHANGES:
        yield {
            "AvailabilityZone": zone,
            "InstanceType": name,
            "ProductDescription": product,
            "SpotPrice": f"{usd * factor:.6f}",
            "Timestamp": now - ago,
        }
        if since is not None and now - ago <= since:
            return


def _attributes(entry):
    return {
        "availability-zone": entry["AvailabilityZone"],
        "instance-type": entry["InstanceType"],
        "product-description": entry["ProductDescription"],
        "spot-price": entry["SpotPrice"],
    }
