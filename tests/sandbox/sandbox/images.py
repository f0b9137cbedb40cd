"""The images that every region has.

Beside each image that the launcher should choose stand those that it must not:
older ones, a newer one of another architecture, and one of a stranger with a
name that matches and a date that is newer still.
"""

from dataclasses import dataclass
from datetime import datetime

GOVCLOUD_REGIONS = ("us-gov-west-1",)

CANONICAL = "099720109477"
CANONICAL_IN_GOVCLOUD = "513442679011"
AMAZON = "898082745236"
STRANGER = "123123123123"

UBUNTU = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{}-server-{}"
GPU = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) {}"


@dataclass(frozen=True)
class Image:
    image_id: str
    name: str
    owner_id: str
    created: str  # YYYY-MM-DD
    architecture: str = "x86_64"
    root_device: str = "/dev/sda1"
    snapshot_gib: int = 8
    product_code: str = ""  # of AWS Marketplace
    platform: str = ""
    platform_details: str = "Linux/UNIX"
    more_disks: tuple = ()  # (device, GiB), which outlive their machines

    def register(self, backend):
        """This image as moto's, in the backend of one account and region."""
        from moto.ec2.models.amis import Ami

        # Canonical's images carry Amazon's alias too, as verified ones do.
        alias = "amazon" if self.owner_id in (CANONICAL, AMAZON) else None
        owner_id = self.owner_id
        if owner_id == CANONICAL and backend.region_name in GOVCLOUD_REGIONS:
            owner_id = CANONICAL_IN_GOVCLOUD
        image = Ami(
            backend,
            self.image_id,
            name=self.name,
            description=self.name,
            owner_id=owner_id,
            owner_alias=alias,
            public=True,
            virtualization_type="hvm",
            architecture=self.architecture,
            creation_date=datetime.strptime(self.created, "%Y-%m-%d"),
            image_location=f"{alias or self.owner_id}/{self.name}",
            hypervisor="xen",
            platform=self.platform or None,
            root_device_type="ebs",
            root_device_name=self.root_device,
            boot_mode="uefi-preferred",
        )
        image.product_codes = [
            {"ProductCodeId": code, "ProductCodeType": "marketplace"}
            for code in [self.product_code]
            if code
        ]
        image.platform_details = self.platform_details
        image.more_disks = self.more_disks
        snapshot = image.ebs_snapshot
        del backend.snapshots[snapshot.id]
        # One image has one snapshot, whatever the account that looks at it.
        snapshot.id = self.image_id.replace("ami-", "snap-")
        snapshot.volume.size = self.snapshot_gib
        backend.snapshots[snapshot.id] = snapshot
        return image


def _ubuntu(number, date, owner=CANONICAL, arch="amd64"):
    return Image(
        image_id=f"ami-0ab{number:014x}",
        name=UBUNTU.format(arch, date.replace("-", "")),
        owner_id=owner,
        created=date,
        architecture={"amd64": "x86_64", "arm64": "arm64"}[arch],
    )


def _gpu(number, date, owner=AMAZON):
    return Image(
        image_id=f"ami-0cd{number:014x}",
        name=GPU.format(date.replace("-", "")),
        owner_id=owner,
        created=date,
        snapshot_gib=75,
    )


# Not in the order of their dates, for EC2 answers in no order.
CATALOGUE = (
    _ubuntu(2, "2025-09-10"),
    _ubuntu(3, "2025-10-22"),  # the one that the launcher takes
    _ubuntu(1, "2025-05-14"),
    _ubuntu(4, "2025-11-05", arch="arm64"),
    _ubuntu(5, "2025-11-12", owner=STRANGER),
    _gpu(2, "2025-10-17"),  # the one that the launcher takes for NVIDIA types
    _gpu(1, "2025-08-01"),
    _gpu(3, "2025-11-11", owner=STRANGER),
    Image(
        "ami-0ef00000000000001",
        "al2023-ami-2023.9.20251020.0-kernel-6.1-x86_64",
        AMAZON,
        "2025-10-20",
        root_device="/dev/xvda",
    ),
    Image(
        "ami-0ef00000000000002",
        "simulators with 100 GiB of data",
        STRANGER,
        "2025-03-03",
        snapshot_gib=100,
    ),
    Image(
        "ami-0ef00000000000003",
        "a simulator of AWS Marketplace",
        STRANGER,
        "2025-03-03",
        product_code="aw0evgkw8e5c1q413zgy5pjce",
    ),
    Image(
        "ami-0ef00000000000004",
        "Windows_Server-2025-English-Full-Base-2025.10.15",
        AMAZON,
        "2025-10-15",
        platform="windows",
        platform_details="Windows",
    ),
    Image(
        "ami-0ef00000000000005",
        "bottlerocket-aws-k8s-1.33-x86_64-v1.49.0-713f44ce",
        AMAZON,
        "2025-10-15",
        root_device="/dev/xvda",
        snapshot_gib=2,
        more_disks=(("/dev/xvdb", 20),),
    ),
    Image(
        "ami-0ef00000000000006",
        "RHEL-10.0.0_HVM-20250519-x86_64-0-Hourly2-GP3",
        STRANGER,
        "2025-05-19",
        platform_details="Red Hat Enterprise Linux",
    ),
    Image(
        "ami-0ef00000000000007",
        "a laboratory's own, with its data",
        STRANGER,
        "2025-06-01",
        more_disks=(("/dev/sdf", 30), ("/dev/sdg", 10)),
    ),
)


def publish_newer(account):
    """Publishes, in every region, a newer image of each kind that the launcher
    takes; returns their ids."""
    from .moto_library import KNOWN_REGIONS, backend

    published = []
    for make, known in ((_ubuntu, "ami-0ab"), (_gpu, "ami-0cd")):
        for region in KNOWN_REGIONS:
            images = backend(account, region).amis
            number = 1 + sum(image_id.startswith(known) for image_id in images)
            image = make(number, f"2026-01-{number:02}")
            images[image.image_id] = image.register(backend(account, region))
        published.append(image.image_id)
    return published
