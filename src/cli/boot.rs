//! What decides the user data, and `user-data`, which prints it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::Resettable};

use super::parsers::{duration, minutes, new_group_name};
use crate::{
    model::request::Runner,
    values::{GroupName, KeyPlace, spans},
};

/// What decides the user data.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task runner")]
pub struct BootArgs {
    /// Machine group name [default: aws- and eight random characters]
    ///
    /// Letters, digits, spaces, '.', '_' and '-'; at most 63 characters. Not the id of a
    /// machine.
    #[arg(long, value_name = "NAME", display_order = 0, help_heading = Resettable::Reset,
          value_parser = new_group_name)]
    pub machine_group_name: Option<GroupName>,
    /// Boot script to use instead of the built-in user-data.sh
    ///
    /// A #! shell script gets the standard variables right after its first line;
    /// anything else (cloud-config, MIME, another interpreter) is sent unchanged.
    #[arg(long, value_name = "FILE")]
    pub user_data_path: Option<PathBuf>,
    #[command(flatten)]
    pub api: ApiArgs,
    /// Let machines fetch the API key themselves: ssm:NAME or secretsmanager:NAME
    ///
    /// The role of --instance-profile must be allowed to read it. Without this option
    /// the key is in the user data, which everybody with
    /// ec2:DescribeInstanceAttribute can read.
    #[arg(long, value_name = "PLACE")]
    pub api_key_from: Option<KeyPlace>,
    /// HTTP proxy for everything that machines send out
    ///
    /// If the address has a password, set INDUCTIVA_AWS_PROXY instead: other users of
    /// this computer can see command lines.
    #[arg(
        long,
        value_name = "URL",
        env = "INDUCTIVA_AWS_PROXY",
        hide_env_values = true
    )]
    pub proxy: Option<String>,
    /// Keep tasks and images on the root disk even if the type has local NVMe disks
    #[arg(long)]
    pub no_local_disks: bool,
    #[command(flatten)]
    pub containers: ContainerArgs,
    /// A machine ends itself after so long without a task, such as 30m or 2h; 0 means never
    ///
    /// In whole minutes; a number without a unit is minutes too.
    #[arg(long, value_name = "DURATION", default_value = max_idle_time(), value_parser = minutes)]
    pub max_idle_time: u32,
    /// A machine ends itself at this age, such as 8h or 3d [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_lifetime: Option<Duration>,
    /// A machine ends itself if it has not registered with Inductiva within this time
    #[arg(long, value_name = "DURATION", default_value = boot_timeout(), value_parser = duration)]
    pub boot_timeout: Duration,
}

/// The containers that a machine runs, and that a prepared image has.
#[derive(Debug, Args)]
pub struct ContainerArgs {
    /// Task runner container image
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_TASK_RUNNER_IMAGE", default_value = Runner::TASK_RUNNER_IMAGE,
          hide_env_values = true)]
    pub task_runner_image: String,
    /// File tracker container image
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_FILE_TRACKER_IMAGE", default_value = Runner::FILE_TRACKER_IMAGE,
          hide_env_values = true)]
    pub file_tracker_image: String,
}

#[derive(Debug, Args)]
pub struct ApiArgs {
    /// Inductiva API key [default: the one in ~/.inductiva/api_key]
    #[arg(
        long,
        value_name = "KEY",
        env = "INDUCTIVA_API_KEY",
        hide_env_values = true
    )]
    pub api_key: Option<String>,
    /// Inductiva API address
    #[arg(
        long,
        value_name = "URL",
        env = "INDUCTIVA_API_URL",
        default_value = Runner::API_URL,
        hide_env_values = true
    )]
    pub api_url: String,
    /// Allow an http:// API address, to which the key is sent unencrypted
    #[arg(long)]
    pub insecure: bool,
}

#[derive(Debug, Args)]
pub struct UserDataArgs {
    /// For a machine with an NVIDIA GPU
    #[arg(long)]
    pub gpu: bool,
    /// Print secrets too
    #[arg(long)]
    pub show_secrets: bool,
    #[command(flatten)]
    pub boot: BootArgs,
}

/// [`Runner::MAX_IDLE_MINUTES`] as it is typed.
fn max_idle_time() -> String {
    spans::typed(Duration::from_mins(Runner::MAX_IDLE_MINUTES.into()))
}

/// [`Runner::BOOT_TIMEOUT`] as it is typed.
pub(super) fn boot_timeout() -> String {
    spans::typed(Runner::BOOT_TIMEOUT)
}
