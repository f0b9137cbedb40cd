//! `start`, and `check`, which takes what `start` takes.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::{
    boot::BootArgs,
    parsers::{
        account, budget, duration, file_stem, from_to, price, resource_id, up_to_a_day, usd,
        whole_number,
    },
};
use crate::model::request::Request;
use crate::values::{Cidr, KeyFormat, Tag, VmType, Volume, VolumeType, WaitFor};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("ssh_key").args(["key_name", "create_key_pair"])))]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct StartArgs {
    /// EC2 instance type; several are tried in order when there is no capacity
    /// [default: that of the group's machines, or t3.micro,t2.micro]
    ///
    /// Repeat the option, or separate types with commas. Either all of them have an
    /// NVIDIA GPU or none does.
    #[arg(long = "vm-type", value_name = "TYPE", value_delimiter = ',', visible_aliases = ["instance-type", "machine-type"])]
    pub vm_types: Vec<VmType>,
    /// Threads on each core: 1 turns off hyper-threading [default: the type's own]
    #[arg(long, value_name = "N", value_parser = from_to(1..=2))]
    pub threads_per_core: Option<u32>,
    /// Number of machines the group should have, 1 to 1000
    #[arg(short, long, value_name = "N", default_value_t = 1, visible_alias = "count",
          value_parser = from_to(1..=1000))]
    pub num_machines: u32,
    /// Accept fewer machines, but at least M, if there is no capacity for all
    #[arg(long, value_name = "M", value_parser = from_to(1..=1000))]
    pub min_machines: Option<u32>,
    /// If there is no capacity, try again for up to this long (at most 24h)
    ///
    /// The pauses grow to ten minutes. Every try looks at the group anew; image and
    /// script stay those of the first one. If more than 100 machines are missing,
    /// --min-machines of at most 100 is needed. Interrupting it leaves nothing.
    #[arg(long, value_name = "DURATION", value_parser = up_to_a_day)]
    pub wait_for_capacity: Option<Duration>,
    /// AMI to launch from [default: newest Ubuntu 24.04 amd64 by Canonical; on NVIDIA types AWS's Deep Learning Base GPU image]
    #[arg(long, value_name = "AMI", value_parser = resource_id("ami-"))]
    pub image_id: Option<String>,
    /// Launch from the standard image even if there is a prepared one (see `image build`)
    #[arg(long)]
    pub no_prepared_image: bool,
    /// Use no prepared image that is older than this
    #[arg(long, value_name = "DURATION", default_value = prepared_image_age(), value_parser = duration,
          conflicts_with = "no_prepared_image")]
    pub prepared_image_age: Duration,
    /// Launch spot machines: cheaper, but AWS may reclaim them
    #[arg(long)]
    pub spot: bool,
    /// Launch on demand what spot capacity cannot provide
    #[arg(long, requires = "spot")]
    pub spot_fallback: bool,
    /// Highest spot price to pay, in USD an hour [default: the on-demand price]
    #[arg(long, value_name = "USD", requires = "spot", value_parser = price)]
    pub max_price: Option<String>,
    /// Let T2, T3 and T3a machines run at their baseline once their CPU credits are used up
    ///
    /// With this option T3 and T3a begin without credits, and a boot takes ten minutes or
    /// more. Without it AWS's default holds, which is `unlimited` for T3 and T3a: what
    /// they use above their baseline costs some cents an hour.
    #[arg(long)]
    pub standard_credits: bool,
    /// Budget of the group, in USD: its machines end before it is used up
    ///
    /// Counts machines, disks, public addresses and surplus CPU credits at the most that
    /// they can cost, from the group's first launch to its end. Machines that are
    /// launched later end with the others. It is kept on the machines, so it holds when
    /// this computer is off. If a price is not known, nothing is launched.
    #[arg(long, value_name = "USD", value_parser = budget, conflicts_with = "allow_other_regions")]
    pub max_cost: Option<String>,
    /// Launch nothing if the group can cost more than this, in USD an hour
    ///
    /// Counts machines, disks, public addresses and surplus CPU credits, at AWS's list
    /// prices; a spot machine at its --max-price or the on-demand price. If a price is
    /// not known, nothing is launched.
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub max_cost_per_hour: Option<f64>,
    /// Tag for machines, disks and network interfaces; can be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<Tag>,
    /// Show the plan and ask EC2 whether it is permitted; launch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Refuse to launch in any other AWS account
    #[arg(long, value_name = "ID", value_parser = account)]
    pub expect_account: Option<String>,
    /// If the launch fails part-way, keep the machines that it launched
    #[arg(long)]
    pub keep_on_failure: bool,
    /// Launch here even if the group has, or may have, machines in another region
    #[arg(long)]
    pub allow_other_regions: bool,

    #[command(flatten)]
    pub disk: DiskArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub boot: BootArgs,

    /// Wait until the machines are registered with Inductiva, or just running
    ///
    /// Ctrl-C or the timeout ends only the waiting: the machines go on.
    #[arg(long, value_enum, value_name = "UNTIL", num_args = 0..=1, require_equals = true,
          default_missing_value = "registered", help_heading = "Waiting")]
    pub wait: Option<WaitFor>,
    /// Longest time to wait
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration, help_heading = "Waiting")]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Root disk")]
pub struct DiskArgs {
    /// Root disk size in GiB [default: 50, or the image's own size if that is larger]
    #[arg(long, value_name = "GIB", visible_alias = "disk-size",
          value_parser = from_to(1..=65_536))]
    pub volume_size: Option<u32>,
    /// EBS volume type
    #[arg(long, value_enum, value_name = "TYPE", default_value = "gp3")]
    pub volume_type: VolumeType,
    /// Provisioned IOPS (gp3, io1, io2)
    #[arg(long, value_name = "N", value_parser = whole_number)]
    pub iops: Option<u32>,
    /// Throughput in MiB/s (gp3)
    #[arg(long, value_name = "MIBPS", value_parser = whole_number)]
    pub throughput: Option<u32>,
    /// Copy the image to the disk at this rate, in MiB/s, 100 to 300 [default: as it is read]
    ///
    /// EBS reads the blocks of a new disk when they are first used, which is slow. AWS
    /// charges once for each disk, by the GiB of the image's data and by the rate.
    #[arg(long, value_name = "MIBPS", value_parser = from_to(100..=300))]
    pub initialization_rate: Option<u32>,
}

impl DiskArgs {
    pub fn volume(&self) -> Volume {
        Volume {
            size_gib: self.volume_size,
            kind: self.volume_type,
            iops: self.iops,
            throughput_mibps: self.throughput,
        }
    }
}

/// Where machines are launched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network and access")]
pub struct PlaceArgs {
    /// Subnet to launch in [default: any of the default VPC]
    #[arg(long, value_name = "SUBNET", value_parser = resource_id("subnet-"))]
    pub subnet_id: Option<String>,
    /// Security group [default: inductiva-aws, which has no inbound rules]
    #[arg(long, value_name = "SG", value_parser = resource_id("sg-"))]
    pub security_group_id: Option<String>,
    /// Availability Zone in the default VPC [default: any]
    #[arg(long, value_name = "ZONE", conflicts_with = "subnet_id")]
    pub availability_zone: Option<String>,
    /// Launch although machines cannot reach the internet from there
    ///
    /// Without it, subnets that certainly have no way out are refused: the task runner
    /// could not be installed.
    #[arg(long)]
    pub allow_no_internet: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network and access")]
pub struct NetworkArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// EC2 key pair for SSH [default: none]
    #[arg(long, value_name = "NAME")]
    pub key_name: Option<String>,
    /// Create an EC2 key pair and save its private key in this folder as NAME.pem or NAME.ppk;
    /// if that file exists, use its key pair
    #[arg(long, value_name = "NAME", value_parser = file_stem)]
    pub create_key_pair: Option<String>,
    /// Private key format: pem for OpenSSH, ppk for PuTTY
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub key_format: KeyFormat,
    /// Allow SSH (port 22) from this block of addresses only
    #[arg(
        long,
        value_name = "CIDR",
        requires = "ssh_key",
        conflicts_with = "security_group_id"
    )]
    pub ssh_from: Option<Cidr>,
    /// IAM instance profile [default: none]
    #[arg(long, value_name = "NAME")]
    pub instance_profile: Option<String>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub start: StartArgs,
}

/// [`Request::PREPARED_IMAGE_AGE`] as it is typed.
fn prepared_image_age() -> String {
    format!("{}d", Request::PREPARED_IMAGE_AGE.as_secs() / 86_400)
}
