//! Amazon Machine Images, and which of them are taken.

use std::time::SystemTime;

use crate::values::VmType;

/// The owner of Ubuntu's images (Canonical's AWS account).
pub const CANONICAL: &str = "099720109477";

/// Ubuntu's owner in partitions of AWS where it is another account, by the beginning of
/// their regions' names; none where it is not known (canonical/ubuntu-cloud-docs issue
/// 40, rancher/quickstart issue 172).
const CANONICAL_ELSEWHERE: &[(&str, Option<&str>)] = &[
    ("us-gov-", Some("513442679011")),
    ("cn-", Some("837727238323")),
    ("eusc-", None),
    ("us-iso", None),
    ("eu-iso", None),
];

/// The owner of Ubuntu's images in a region; none where it is not known.
pub fn canonical(region: &str) -> Option<&'static str> {
    let elsewhere = CANONICAL_ELSEWHERE.iter();
    let partition = elsewhere
        .clone()
        .find(|(prefix, _)| region.starts_with(prefix));
    partition.map_or(Some(CANONICAL), |(_, owner)| *owner)
}

/// The name of Ubuntu 24.04 images for amd64, up to their date.
pub const UBUNTU_IMAGE: &str = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-";

/// The name of AWS's images with NVIDIA driver, Docker and container toolkit, up to their
/// date.
///
/// They have NVIDIA's open driver, for G4dn, G5, G6, Gr6, G6e, G7, P4d, P4de, P5, P5e,
/// P5en and P6 (`supported_ec2_instances` in its release notes, AWS Deep Learning AMIs
/// developer guide, 2026).
pub const GPU_IMAGE: &str = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) ";

/// The families whose NVIDIA GPUs are too old for the open driver, with these GPUs. The
/// driver is for Turing and later (README of NVIDIA's open-gpu-kernel-modules,
/// "Compatible GPUs"; the GPUs by "Accelerated computing instances", EC2 instance types
/// guide).
const OLD_GPU_FAMILIES: &[(&str, &str)] = &[
    ("g2", "GRID K520 (Kepler)"),
    ("g3", "Tesla M60 (Maxwell)"),
    ("g3s", "Tesla M60 (Maxwell)"),
    ("p2", "Tesla K80 (Kepler)"),
    ("p3", "Tesla V100 (Volta)"),
    ("p3dn", "Tesla V100 (Volta)"),
];

/// The type's GPU, if the driver of [`GPU_IMAGE`] does not support it.
pub fn old_gpu(vm_type: &VmType) -> Option<&'static str> {
    let family = vm_type.as_str().split('.').next().unwrap_or_default();
    let mut old = OLD_GPU_FAMILIES.iter();
    old.find_map(|(name, gpu)| (*name == family).then_some(*gpu))
}

/// Where in its life an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    Pending,
    /// Machines can be launched from it.
    Available,
    /// It will never be available.
    Failed,
}

/// A disk of an image beside the root disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDisk {
    /// `/dev/sdb`
    pub device: String,
    pub size_gib: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`
    pub id: String,
    pub name: String,
    pub owner: String,
    /// `amazon` and the like.
    pub owner_alias: Option<String>,
    /// RFC 3339, so that the order of texts is that of times.
    pub creation_date: String,
    /// The same as a time, if it can be read.
    pub created_at: Option<SystemTime>,
    pub state: ImageState,
    pub tags: Vec<(String, String)>,
    /// The snapshots of its disks, as far as EC2 tells.
    pub snapshot_ids: Vec<String>,
    /// Whether the account has to subscribe to a product first.
    pub is_of_marketplace: bool,
    /// `x86_64`, `arm64`.
    pub architecture: String,
    /// `/dev/sda1`.
    pub root_device: String,
    /// The size of the root device's snapshot in GiB, which is the least for a root disk.
    pub snapshot_gib: u32,
    /// The other disks that each of its machines has.
    pub other_disks: Vec<ImageDisk>,
    pub is_windows: bool,
    /// The operating system that EC2 bills: `Linux/UNIX`, `Red Hat Enterprise Linux`.
    pub platform_details: String,
}

impl Image {
    /// Whether it is AWS's Bottlerocket, which does not run cloud-init's scripts.
    pub fn is_bottlerocket(&self) -> bool {
        self.owner_alias.as_deref() == Some("amazon") && self.name.starts_with("bottlerocket-")
    }

    /// The operating system, if its packages are installed in a way that the script does
    /// not know ("AMI billing information fields", EC2 user guide).
    pub fn other_linux(&self) -> Option<&str> {
        let others = ["Red Hat", "SUSE"];
        let details = self.platform_details.as_str();
        others
            .iter()
            .any(|other| details.starts_with(other))
            .then_some(details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_has_an_account_in_each_partition_that_is_known() {
        for (region, owner) in [
            ("eu-west-2", Some(CANONICAL)),
            ("mx-central-1", Some(CANONICAL)),
            ("us-gov-west-1", Some("513442679011")),
            ("cn-north-1", Some("837727238323")),
            ("eusc-de-east-1", None),
            ("us-isob-east-1", None),
        ] {
            assert_eq!(canonical(region), owner, "{region}");
        }
    }

    #[test]
    fn the_open_driver_is_for_turing_and_later() {
        for (name, is_old) in [
            ("p3.2xlarge", true),
            ("p3dn.24xlarge", true),
            ("g3.4xlarge", true),
            ("g2.2xlarge", true),
            ("g3s.xlarge", true),
            ("p2.xlarge", true),
            ("g4dn.xlarge", false),
            ("g5.xlarge", false),
            ("p4d.24xlarge", false),
            ("p6-b300.48xlarge", false),
        ] {
            assert_eq!(
                old_gpu(&name.parse().expect("a type")).is_some(),
                is_old,
                "{name}"
            );
        }
    }
}
