//! Prepared images: AMIs of the user's own account that `image build` has made, with the
//! container engine and both container images. Their tags say what they contain.

use std::time::SystemTime;

use super::{
    image::{GPU_IMAGE, Image, UBUNTU_IMAGE},
    machine::{LAUNCHER, Machine, TAG_LAUNCHER, TAG_LAUNCHER_VERSION},
    request::Runner,
    user_data::STANDARD_SCRIPT,
};

/// Tag of prepared images: which [`layout`] they were made with.
pub const TAG_LAYOUT: &str = "inductiva:image-layout";
/// Tag: the name of the image that it was made from.
pub const TAG_BASE: &str = "inductiva:image-base";
/// Tag: the container image of the task runner in it.
pub const TAG_TASK_RUNNER: &str = "inductiva:task-runner-image";
/// Tag: the container image of the file tracker in it.
pub const TAG_FILE_TRACKER: &str = "inductiva:file-tracker-image";
/// Tag of machines that prepare an image. They belong to no machine group.
pub const TAG_BUILDER: &str = "inductiva:image-builder";

/// What the names of prepared images begin with. The builder's id follows. EC2 accepts a
/// name only once, so a `CreateImage` that is made again after a lost answer cannot make
/// a second image.
pub const NAME_PREFIX: &str = "inductiva-aws/";

/// The name of the image of a builder.
pub fn name_of(builder_id: &str) -> String {
    format!("{NAME_PREFIX}{builder_id}")
}

/// A number for what the embedded user-data.sh expects of a prepared image.
pub fn layout() -> &'static str {
    let script = std::str::from_utf8(STANDARD_SCRIPT).unwrap_or_default();
    let mut lines = script.lines();
    lines
        .find_map(|line| line.strip_prefix("image_layout="))
        .unwrap_or_default()
}

/// The tags of a prepared image and its snapshots.
pub fn tags(base: &Image, runner: &Runner) -> Vec<(String, String)> {
    let pairs = [
        ("Name", "inductiva-aws prepared image"),
        (TAG_LAUNCHER, LAUNCHER),
        (TAG_LAUNCHER_VERSION, env!("CARGO_PKG_VERSION")),
        (TAG_LAYOUT, layout()),
        (TAG_BASE, &base.name),
        (TAG_TASK_RUNNER, &runner.task_runner_image),
        (TAG_FILE_TRACKER, &runner.file_tracker_image),
    ];
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The tags of a builder, its disk and its network interface.
pub fn builder_tags() -> Vec<(String, String)> {
    let pairs = [
        ("Name", "inductiva-aws image builder"),
        (TAG_LAUNCHER, LAUNCHER),
        (TAG_LAUNCHER_VERSION, env!("CARGO_PKG_VERSION")),
        (TAG_BUILDER, layout()),
    ];
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// A snapshot of a prepared image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// The size of the disk that it was made from.
    pub size_gib: u32,
    /// The bytes in it, which are paid for, where EC2 tells.
    pub full_bytes: Option<u64>,
    /// By EC2's clock.
    pub made_at: Option<SystemTime>,
}

impl Snapshot {
    /// The GiB that are paid for. Where EC2 does not tell, the size of the whole disk.
    pub fn gib(&self) -> f64 {
        const GIB: f64 = 1_073_741_824.0;
        #[expect(clippy::cast_precision_loss, reason = "no disk has 2^53 bytes")]
        let bytes = self.full_bytes.map(|bytes| bytes as f64);
        bytes.map_or(f64::from(self.size_gib), |bytes| bytes / GIB)
    }
}

/// The family of a standard image, by its name.
pub fn family(name: &str) -> Option<&'static str> {
    let families = [UBUNTU_IMAGE, GPU_IMAGE];
    families.into_iter().find(|family| name.starts_with(family))
}

impl Image {
    /// The value of the tag `key`.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether `image build` has made it in this account. Tags would not be enough, as
    /// anybody can tag and share an image.
    pub fn is_prepared(&self, account: &str) -> bool {
        self.owner == account
            && self.name.starts_with(NAME_PREFIX)
            && self.tag(TAG_LAUNCHER) == Some(LAUNCHER)
            && self.tag(TAG_LAYOUT).is_some()
    }
}

impl Machine {
    /// Whether it prepares an image.
    pub fn is_builder(&self) -> bool {
        self.is_ours() && self.tag(TAG_BUILDER).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_a_layout() {
        assert!(layout().parse::<u32>().is_ok(), "{}", layout());
        let script = String::from_utf8_lossy(STANDARD_SCRIPT);
        assert!(script.contains("say \"prepared, layout $image_layout\""));
    }

    #[test]
    fn names_are_of_ec2s_alphabet() {
        // CreateImage, EC2 API reference: 3 to 128 characters.
        let name = name_of("i-0123456789abcdef0");
        assert!((3..=128).contains(&name.len()));
        let may = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
        assert!(name.chars().all(may));
    }
}
