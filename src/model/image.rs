//! Amazon Machine Images, and which of them are taken.

/// The owner of Ubuntu's images (Canonical's AWS account).
pub const CANONICAL: &str = "099720109477";

/// The name of Ubuntu 24.04 images for amd64, up to their date.
pub const UBUNTU_IMAGE: &str = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-";

/// The name of AWS's images with NVIDIA driver, Docker and container toolkit,
/// up to their date.
pub const GPU_IMAGE: &str = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`
    pub id: String,
    pub name: String,
    /// The owner's account.
    pub owner: String,
    /// `amazon` and the like.
    pub owner_alias: Option<String>,
    /// RFC 3339, so that text order is time order.
    pub creation_date: String,
    /// `x86_64`, `arm64`.
    pub architecture: String,
    /// `/dev/sda1`.
    pub root_device: String,
    /// The root device's snapshot, GiB; the least size of the root disk.
    pub snapshot_gib: u32,
}
