"""Spot requests: a RunInstances for spot machines makes one for each."""

from moto.core.utils import utcnow
from moto.ec2.utils import random_spot_request_id

from .aws_errors import AwsError


def check_market(parameters):
    """The spot options of a launch; None for one on demand. Raises AwsError."""
    options = parameters.get("InstanceMarketOptions")
    if not options:
        return None
    market = options.get("MarketType")
    if market != "spot":
        raise AwsError(
            "InvalidParameterValue", f"Invalid value '{market}' for MarketType."
        )
    return options.get("SpotOptions") or {}


def check_price(options, price):
    """Raises AwsError when the most that is offered is below the price."""
    most = options.get("MaxPrice")
    if most is None or price is None:
        return
    try:
        offered = float(most)
    except ValueError:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{most}' for spotPrice. Value must be a number.",
        ) from None
    if offered < price:
        raise AwsError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {most} is lower than the minimum required "
            f"Spot request fulfillment price of {price}.",
        )


class SpotRequests:
    """What DescribeSpotInstanceRequests shows."""

    def __init__(self):
        self._requests = []

    def add(self, backend, instance, options, tags):
        request_id = random_spot_request_id()
        instance.spot_instance_request_id = request_id
        if tags:
            backend.create_tags([request_id], tags)
        self._requests.append(_SpotRequest(request_id, instance, options))

    def of(self, backend):
        return [r for r in self._requests if r.instance.ec2_backend is backend]


class _SpotRequest:
    def __init__(self, request_id, instance, options):
        self.id = request_id
        self.instance = instance
        self.ec2_backend = instance.ec2_backend
        self._options = options
        self._created = utcnow()
        # They leave a terminated instance.
        self._zone = instance.availability_zone

    @property
    def state(self):
        ended = self.instance.state in ("shutting-down", "terminated")
        return "closed" if ended else "active"

    def attributes(self):
        return {
            "instance-id": self.instance.id,
            "launched-availability-zone": self._zone,
            "spot-instance-request-id": self.id,
            "state": self.state,
            "type": self._options.get("SpotInstanceType") or "one-time",
        }

    def as_answer(self):
        active = self.state == "active"
        code = "fulfilled" if active else "instance-terminated-by-user"
        return {
            "CreateTime": self._created,
            "InstanceId": self.instance.id,
            "InstanceInterruptionBehavior": "terminate",
            "LaunchedAvailabilityZone": self._zone,
            "ProductDescription": "Linux/UNIX",
            "SpotInstanceRequestId": self.id,
            "SpotPrice": self._options.get("MaxPrice"),
            "State": self.state,
            "Status": {
                "Code": code,
                "Message": "Your spot request is fulfilled."
                if active
                else "Your Spot instance was terminated by you.",
                "UpdateTime": self._created,
            },
            "Tags": [
                {"Key": key, "Value": value}
                for key, value in self.ec2_backend.tags.get(self.id, {}).items()
            ],
            "Type": self._options.get("SpotInstanceType") or "one-time",
        }
