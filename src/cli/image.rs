//! `image`: prepared images.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::{
    boot::{ContainerArgs, boot_timeout},
    parsers::{account, duration, resource_id},
    start::{DiskArgs, PlaceArgs},
};
use crate::values::VmType;

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Make an image from which machines boot in seconds
    ///
    /// Launches one machine, without a key or anything secret, which installs the
    /// container engine and pulls both container images; makes an AMI of it and ends
    /// it. Takes some minutes. `start` uses the newest image that fits. Ctrl-C undoes it
    /// (exit code 130) until the image is complete; from then on the image stays (0).
    Build(Box<ImageBuildArgs>),
    /// List the prepared images
    #[command(visible_alias = "ls")]
    List(ImageListArgs),
    /// Remove prepared images with their snapshots
    Remove(ImageRemoveArgs),
}

#[derive(Debug, Args)]
pub struct ImageBuildArgs {
    /// For types with an NVIDIA GPU: from AWS's Deep Learning Base GPU image
    #[arg(long)]
    pub gpu: bool,
    /// Type of the machine that prepares the image [default: t3.small; with --gpu g4dn.xlarge]
    ///
    /// A Nitro type, as its console is read live. With --gpu one with an NVIDIA GPU.
    #[arg(long, value_name = "TYPE", visible_aliases = ["instance-type", "machine-type"])]
    pub vm_type: Option<VmType>,
    #[command(flatten)]
    pub containers: ContainerArgs,
    /// The machine ends itself if it has not finished within this time
    #[arg(long, value_name = "DURATION", default_value = boot_timeout(), value_parser = duration)]
    pub boot_timeout: Duration,
    /// Refuse to work in any other AWS account
    #[arg(long, value_name = "ID", value_parser = account)]
    pub expect_account: Option<String>,
    #[command(flatten)]
    pub disk: DiskArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// HTTP proxy for everything that the machine sends out; it is not in the image
    #[arg(
        long,
        value_name = "URL",
        env = "INDUCTIVA_AWS_PROXY",
        hide_env_values = true,
        help_heading = "Network and access"
    )]
    pub proxy: Option<String>,
}

#[derive(Debug, Args)]
pub struct ImageListArgs {
    /// Include every region that the account has enabled
    #[arg(long)]
    pub all_regions: bool,
}

fn image_or_snapshot_id(text: &str) -> Result<String, String> {
    let is_snapshot = text.starts_with(SNAPSHOT);
    resource_id(if is_snapshot { SNAPSHOT } else { "ami-" })(text)
}

/// How the ids of snapshots begin.
pub const SNAPSHOT: &str = "snap-";

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which_images").args(["ids", "all"]).required(true)))]
pub struct ImageRemoveArgs {
    /// The images; or snapshots that have lost theirs, which `list` names
    #[arg(value_name = "AMI", value_parser = image_or_snapshot_id)]
    pub ids: Vec<String>,
    /// Every prepared image of the region
    #[arg(long)]
    pub all: bool,
    /// With --all: in every region that the account has enabled
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub all_regions: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}
