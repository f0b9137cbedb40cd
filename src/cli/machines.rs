//! Commands about machines that exist or existed: `list`, `logs`, `terminate` and `cost`.

use clap::{ArgGroup, Args};

use super::{
    boot::ApiArgs,
    parsers::{resource_id, seconds},
};
use crate::values::{GroupName, Target};

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only these groups, by name, and machines, by id
    #[arg(value_name = "NAME|ID")]
    pub targets: Vec<Target>,
    /// Only this group, too
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Include every region that the account has enabled
    #[arg(long)]
    pub all_regions: bool,
    /// Show every column, however wide
    #[arg(long)]
    pub wide: bool,
    /// Refresh the list every 5 seconds, or as often as this says, until interrupted
    #[arg(short, long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "5s",
          value_parser = seconds)]
    pub watch: Option<u64>,
    #[command(flatten)]
    pub api: ApiArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").args(["target", "machine_group_name", "instance_id"]).required(true)))]
pub struct LogsArgs {
    /// Machine group, by name, or machine, by id
    #[arg(value_name = "NAME|ID")]
    pub target: Option<Target>,
    /// Machine group
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Single machine
    #[arg(long, value_name = "ID", value_parser = resource_id("i-"))]
    pub instance_id: Option<String>,
    /// Keep showing new lines until interrupted, or until all machines have ended
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools")]
#[command(group(ArgGroup::new("which").args(["targets", "machine_group_name", "instance_ids", "all"]).required(true).multiple(true)))]
pub struct TerminateArgs {
    /// Machine groups, by name, and machines, by id
    ///
    /// What looks like an id is one; a group with such a name is named with
    /// --machine-group-name.
    #[arg(value_name = "NAME|ID")]
    pub targets: Vec<Target>,
    /// Machine group
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Single machines; repeat the option, or separate ids with commas
    #[arg(long = "instance-id", value_name = "ID", value_delimiter = ',', alias = "instance-ids",
          value_parser = resource_id("i-"))]
    pub instance_ids: Vec<String>,
    /// Every machine that inductiva-aws launched in the region, and their groups
    ///
    /// Also deletes groups on Inductiva's side that have no machines left, if they
    /// are certain to be this program's.
    #[arg(long, conflicts_with_all = ["targets", "machine_group_name", "instance_ids"])]
    pub all: bool,
    /// With --all: in every region that the account has enabled
    #[arg(long, requires = "all",
          conflicts_with_all = ["targets", "machine_group_name", "instance_ids"])]
    pub all_regions: bool,
    /// With --all: also remove the security groups that inductiva-aws created
    ///
    /// Waits until the machines are gone, because they use them until then.
    #[arg(long, requires = "all",
          conflicts_with_all = ["targets", "machine_group_name", "instance_ids"])]
    pub remove_security_group: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub api: ApiArgs,
}

#[derive(Debug, Args)]
pub struct CostArgs {
    /// Only these groups, by name, and machines, by id
    #[arg(value_name = "NAME|ID")]
    pub targets: Vec<Target>,
    /// Only this group, too
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Include every region that the account has enabled
    #[arg(long)]
    pub all_regions: bool,
    #[command(flatten)]
    pub api: ApiArgs,
}
