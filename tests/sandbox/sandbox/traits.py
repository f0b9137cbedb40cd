"""What accounts have that others do not: their plan with AWS, and what is set in
them for all launches."""

from dataclasses import asdict, dataclass, field, fields

from .aws_errors import AwsError

# The types that a new account's free plan has, of those that a launcher may want
# ("Explore AWS services with AWS Free Tier", since 15 July 2025); and what accounts
# of before have.
_ELIGIBLE = {
    "paid": (
        *("t3.micro", "t3.small", "t4g.micro", "t4g.small"),
        *("c7i-flex.large", "m7i-flex.large"),
    ),
    "legacy": ("t2.micro",),
}
_ELIGIBLE["free"] = _ELIGIBLE["paid"]


@dataclass
class Traits:
    """
    plan        legacy: of an account made before July 2025 · paid: of one made since
                · free: the same, which launches nothing but what is eligible
    lacks       types that its regions do not offer
    metadata_endpoint  enabled · disabled: the account's default for launches that do not
                say ("ModifyInstanceMetadataDefaults", API reference)
    block_public_access  off · block-bidirectional · block-ingress: of internet gateways,
                in all subnets but `excluded_subnets` ("VPC Block Public Access", VPC
                user guide)
    allowed_images  disabled · audit-mode: images of others than `allowed_owners` are
                marked · enabled: they are hidden ("Allowed AMIs", EC2 user guide)
    ends_at_once  code and message of the reason for which EC2 ends new instances before
                they run, [] for none
    has_spot_role  whether the service-linked role of EC2 Spot is there; where it is
                not, this identity may not make it
    ends_at_lifetime  whether machines power off at the MAX_LIFETIME_SECONDS of their user
                data, as user-data.sh does
    groups_known_after_seconds  how long a new security group is not known to the calls
                after the one that made it ("Eventual consistency", developer guide)
    images_fail  whether new images come to `failed` instead of `available`
    """

    plan: str = "legacy"
    lacks: list = field(default_factory=list)
    metadata_endpoint: str = "enabled"
    has_spot_role: bool = True
    allowed_images: str = "disabled"
    allowed_owners: list = field(default_factory=list)
    ends_at_once: list = field(default_factory=list)
    ends_at_lifetime: bool = False
    groups_known_after_seconds: float = 0
    block_public_access: str = "off"
    excluded_subnets: list = field(default_factory=list)
    images_fail: bool = False

    def change(self, given):
        """Raises ValueError at an unknown trait or value."""
        unknown = set(given) - {field.name for field in fields(self)}
        if unknown:
            raise ValueError(f"unknown {sorted(unknown)}")
        if given.get("plan", "paid") not in _ELIGIBLE:
            raise ValueError(f"unknown plan; known: {sorted(_ELIGIBLE)}")
        for name, value in given.items():
            setattr(self, name, value)

    def as_json(self):
        return asdict(self)

    def is_eligible(self, instance_type):
        return instance_type in _ELIGIBLE[self.plan]

    def allows(self, image):
        if self.allowed_images == "disabled":
            return True
        return bool({image.owner_id, image.owner_alias} & set(self.allowed_owners))

    def hides(self, image):
        return self.allowed_images == "enabled" and not self.allows(image)

    def block_mode(self, subnet_id):
        excluded = subnet_id in self.excluded_subnets
        return "off" if excluded else self.block_public_access

    def check_launch(self, launch):
        if launch.spot is not None and not self.has_spot_role:
            raise AwsError(
                "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                "The provided credentials do not have permission to create the "
                "service-linked role for EC2 Spot Instances.",
                403,
            )
        if launch.image.product_codes:
            raise AwsError(
                "OptInRequired",
                "In order to use this AWS Marketplace product you need to accept terms "
                "and subscribe. To do so please visit https://aws.amazon.com/marketplace/"
                f"pp?sku={launch.image.product_codes[0]['ProductCodeId']}",
                401,
            )
        if self.plan == "free" and not self.is_eligible(launch.instance_type):
            raise AwsError(
                "InvalidParameterCombination",
                "The specified instance type is not eligible for Free Tier. For a "
                "list of Free Tier instance types, run 'describe-instance-types' with "
                "the filter 'free-tier-eligible=true'.",
            )
