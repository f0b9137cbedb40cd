//! The command line's grammar, and nothing else: clap types stop at
//! [`crate::settings`].

#![expect(clippy::doc_markdown, reason = "these doc comments are the help text")]

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::{
    identity::sso::{ACCOUNT_SCOPE, config_file},
    output::Format,
    plan::Runner,
    values::{self, Cidr, GroupName, Tag, VmType, Volume, VolumeType},
};

/// Machines of your own AWS account on the Inductiva platform
///
/// Launches EC2 machines that install and start Inductiva's task runner, lists
/// them and ends them. Machines end themselves when they are idle, when they
/// fail to boot, or at their maximum lifetime.
///
/// Exit codes: 0 done; 1 refused or failed, nothing of this run is left; 2 usage;
/// 3 failed or partly done, machines may be running (they are named); 4 not signed
/// in or not permitted; 5 no capacity or quota; 6 timed out waiting; 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "inductiva-aws",
    version,
    arg_required_else_help = true,
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// AWS region, such as eu-west-2
    ///
    /// Else AWS_REGION, AWS_DEFAULT_REGION, or the profile's region.
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of ~/.aws/config and ~/.aws/credentials to sign in with
    ///
    /// Else AWS_PROFILE or AWS_DEFAULT_PROFILE. A named profile is used even when there are keys in the
    /// environment.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Address to send AWS calls to instead of AWS's own
    #[arg(long, global = true, value_name = "URL", alias = "endpoint_url")]
    pub endpoint_url: Option<String>,
    /// MFA device to sign in with, such as arn:aws:iam::123456789012:mfa/NAME
    ///
    /// Else mfa_serial of the profile.
    #[arg(long, global = true, value_name = "ARN", alias = "mfa_serial")]
    pub mfa_serial: Option<String>,
    /// Six digits that the MFA device shows now; else they are asked for
    #[arg(long, global = true, value_name = "CODE", visible_alias = "token-code", aliases = ["mfa_code", "token_code"])]
    pub mfa_code: Option<String>,
    /// Form of the results on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: Format,
    /// Print ids alone, and no conversation
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say which calls are made and how long they take
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Never ask anything
    #[arg(long, global = true, alias = "no_input")]
    pub no_input: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a machine group have N machines running the task runner
    ///
    /// Machines of the group that are there already count; only what is missing is
    /// launched, so the same line can be run again at any time.
    Start(Box<StartArgs>),
    /// List groups and machines
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show what machines say on their consoles while they boot
    ///
    /// The last 64 KB of each. Live on Nitro types; on older (Xen) types, such as
    /// t2, EC2 posts the console some minutes late.
    Logs(LogsArgs),
    /// End machines: a group, single ones, or all
    Terminate(TerminateArgs),
    /// Try everything that start would need, without launching
    Check(Box<CheckArgs>),
    /// Show the AWS identity in use and where it comes from
    Whoami,
    /// Sign in with IAM Identity Center (SSO)
    Login(LoginArgs),
    /// End an IAM Identity Center (SSO) session
    Logout(LogoutArgs),
    /// Write what later commands sign in with to ~/.aws/config
    Configure {
        /// What to write
        #[command(subcommand)]
        what: Configure,
    },
    /// Print session credentials for other programs
    Credentials(CredentialsArgs),
    /// Print what a machine would be given at its first boot, secrets hidden
    UserData(UserDataArgs),
    /// Print a shell's completion script
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("ssh_key").args(["key_name", "create_key_pair"])))]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct StartArgs {
    /// EC2 instance type; several are tried in this order when there is no capacity
    ///
    /// May be repeated, or separated by commas. Either all of them have an NVIDIA
    /// GPU or none has.
    #[arg(long = "vm-type", value_name = "TYPE", default_value = "t2.micro", value_delimiter = ',', visible_aliases = ["instance-type", "machine-type"],
          aliases = ["vm_type", "instance_type", "machine_type"])]
    pub vm_types: Vec<VmType>,
    /// Machines that the group is to have, 1 to 1000
    #[arg(short, long, value_name = "N", default_value_t = 1, visible_alias = "count", alias = "num_machines",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub num_machines: u32,
    /// Take fewer machines, down to so many, where there is no capacity for all
    #[arg(long, value_name = "M", alias = "min_machines", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub min_machines: Option<u32>,
    /// Image to launch from [default: newest Ubuntu 24.04 amd64 by Canonical; on NVIDIA types AWS's Deep Learning Base GPU image]
    #[arg(long, value_name = "AMI", alias = "image_id", value_parser = resource_id("ami-"))]
    pub image_id: Option<String>,
    /// Spot machines: cheaper, and AWS may take them back
    #[arg(long)]
    pub spot: bool,
    /// Launch on demand what there is no spot capacity for
    #[arg(long, requires = "spot", alias = "spot_fallback")]
    pub spot_fallback: bool,
    /// Most to pay for a spot machine, in USD an hour [default: the on-demand price]
    #[arg(long, value_name = "USD", requires = "spot", alias = "max_price", value_parser = price)]
    pub max_price: Option<String>,
    /// Launch nothing if all machines of the group and their disks would cost more, in USD an hour
    ///
    /// By AWS's list price, or today's highest spot price. Where the price cannot be
    /// known nothing is launched either.
    #[arg(long, value_name = "USD", alias = "max_cost_per_hour", value_parser = usd)]
    pub max_cost_per_hour: Option<f64>,
    /// Tag for machines, disks and network interfaces; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<Tag>,

    #[command(flatten)]
    pub disk: DiskArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub boot: BootArgs,

    /// Wait until the machines are registered with Inductiva, or only running
    #[arg(long, value_enum, value_name = "UNTIL", num_args = 0..=1, require_equals = true,
          default_missing_value = "registered", help_heading = "Waiting")]
    pub wait: Option<WaitFor>,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = values::duration, help_heading = "Waiting")]
    pub timeout: Duration,
    /// Leave what was launched when the launch fails part-way
    #[arg(long, alias = "keep_on_failure")]
    pub keep_on_failure: bool,
    /// Refuse to launch in any other AWS account
    #[arg(long, value_name = "ID", alias = "expect_account", value_parser = account)]
    pub expect_account: Option<String>,
    /// Show the plan and whether EC2 would permit it; launch and make nothing
    #[arg(long, alias = "dry_run")]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Root disk")]
pub struct DiskArgs {
    /// Size of the root disk in GiB [default: 50, or the image's own size if that is larger]
    #[arg(long, value_name = "GIB", visible_alias = "disk-size", aliases = ["volume_size", "disk_size"],
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub volume_size: Option<u32>,
    /// EBS volume type
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        default_value = "gp3",
        alias = "volume_type"
    )]
    pub volume_type: VolumeType,
    /// I/O operations per second (gp3, io1, io2)
    #[arg(long, value_name = "N")]
    pub iops: Option<u32>,
    /// Throughput in MiB/s (gp3)
    #[arg(long, value_name = "MIBPS")]
    pub throughput: Option<u32>,
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Network and access")]
pub struct NetworkArgs {
    /// Subnet to launch in [default: the default VPC]
    #[arg(long, value_name = "SUBNET", alias = "subnet_id", value_parser = resource_id("subnet-"))]
    pub subnet_id: Option<String>,
    /// Security group of the machines [default: inductiva-aws, with no inbound rule]
    #[arg(long, value_name = "SG", alias = "security_group_id", value_parser = resource_id("sg-"))]
    pub security_group_id: Option<String>,
    /// Availability Zone of the default VPC [default: any]
    #[arg(
        long,
        value_name = "ZONE",
        alias = "availability_zone",
        conflicts_with = "subnet_id"
    )]
    pub availability_zone: Option<String>,
    /// EC2 key pair for SSH [default: none]
    #[arg(long, value_name = "NAME", alias = "key_name")]
    pub key_name: Option<String>,
    /// Make an EC2 key pair and save its private key in this folder, as NAME.pem or NAME.ppk
    #[arg(long, value_name = "NAME", alias = "create_key_pair", value_parser = file_stem)]
    pub create_key_pair: Option<String>,
    /// Format of the private key: pem for OpenSSH, ppk for PuTTY
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        alias = "key_format"
    )]
    pub key_format: KeyFormat,
    /// Open port 22 to this block of addresses, and nothing else
    #[arg(
        long,
        value_name = "CIDR",
        alias = "ssh_from",
        requires = "ssh_key",
        conflicts_with = "security_group_id"
    )]
    pub ssh_from: Option<Cidr>,
    /// IAM instance profile of the machines [default: none]
    #[arg(long, value_name = "NAME", alias = "instance_profile")]
    pub instance_profile: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeyFormat {
    /// OpenSSH
    #[default]
    Pem,
    /// PuTTY
    Ppk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// Known to Inductiva as a machine of the group
    Registered,
    /// Up, as EC2 sees it
    Running,
}

/// What decides the user data.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task runner")]
pub struct BootArgs {
    /// Name of the machine group [default: aws- and eight random characters]
    ///
    /// Letters, digits, spaces, '.', '_' and '-'; at most 63.
    #[arg(long, value_name = "NAME", alias = "machine_group_name")]
    pub machine_group_name: Option<GroupName>,
    /// Boot script instead of the standard user-data.sh
    ///
    /// A #! shell script gets the standard variables right after its first line;
    /// anything else (cloud-config, MIME, another interpreter) is sent as it is.
    #[arg(long, value_name = "FILE", alias = "user_data_path")]
    pub user_data_path: Option<PathBuf>,
    #[command(flatten)]
    pub api: ApiArgs,
    /// Container image of the task runner
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_TASK_RUNNER_IMAGE", default_value = Runner::TASK_RUNNER_IMAGE,
          hide_env_values = true, alias = "task_runner_image")]
    pub task_runner_image: String,
    /// Container image of the file tracker
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_FILE_TRACKER_IMAGE", default_value = Runner::FILE_TRACKER_IMAGE,
          hide_env_values = true, alias = "file_tracker_image")]
    pub file_tracker_image: String,
    /// A machine without a task for so long ends itself; 0: never
    #[arg(long, value_name = "MINUTES", default_value_t = Runner::MAX_IDLE_MINUTES, alias = "max_idle_time",
          value_parser = clap::value_parser!(u32).range(0..=525_600))]
    pub max_idle_time: u32,
    /// A machine ends itself at this age, such as 8h or 3d [default: none]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, alias = "max_lifetime")]
    pub max_lifetime: Option<Duration>,
    /// A machine that is not registered by then ends itself
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = values::duration, alias = "boot_timeout")]
    pub boot_timeout: Duration,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this group
    #[arg(long, value_name = "NAME", alias = "machine_group_name")]
    pub machine_group_name: Option<GroupName>,
    /// All regions that the account has enabled
    #[arg(long, alias = "all_regions")]
    pub all_regions: bool,
    /// Show the list again every so many seconds, until interrupted
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,
    #[command(flatten)]
    pub api: ApiArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").args(["name", "machine_group_name", "instance_id"]).required(true)))]
pub struct LogsArgs {
    /// The machine group
    #[arg(value_name = "NAME")]
    pub name: Option<GroupName>,
    /// The machine group
    #[arg(long, value_name = "NAME", alias = "machine_group_name")]
    pub machine_group_name: Option<GroupName>,
    /// A single machine
    #[arg(long, value_name = "ID", alias = "instance_id", value_parser = resource_id("i-"))]
    pub instance_id: Option<String>,
    /// Go on showing what is new, until interrupted
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools")]
#[command(group(ArgGroup::new("which").args(["name", "machine_group_name", "instance_ids", "all"]).required(true)))]
pub struct TerminateArgs {
    /// The machine group
    #[arg(value_name = "NAME")]
    pub name: Option<GroupName>,
    /// The machine group
    #[arg(long, value_name = "NAME", alias = "machine_group_name")]
    pub machine_group_name: Option<GroupName>,
    /// Single machines; may be repeated, or separated by commas
    #[arg(long = "instance-id", value_name = "ID", value_delimiter = ',', aliases = ["instance_id", "instance-ids"],
          value_parser = resource_id("i-"))]
    pub instance_ids: Vec<String>,
    /// All machines that inductiva-aws launched in the region, and their groups
    ///
    /// Groups on Inductiva's side that have no machine any more go too, where it is
    /// sure that they were this program's.
    #[arg(long)]
    pub all: bool,
    /// With --all: in all regions that the account has enabled
    #[arg(long, alias = "all_regions", requires = "all",
          conflicts_with_all = ["name", "machine_group_name", "instance_ids"])]
    pub all_regions: bool,
    /// With --all: the security groups that inductiva-aws made, too
    ///
    /// Waits until the machines are gone, as they need theirs until then.
    #[arg(long, alias = "remove_security_group", requires = "all",
          conflicts_with_all = ["name", "machine_group_name", "instance_ids"])]
    pub remove_security_group: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// What is needed to ask Inductiva.
#[derive(Debug, Args)]
pub struct ApiArgs {
    /// Inductiva API key; else ~/.inductiva/api_key
    #[arg(
        long,
        value_name = "KEY",
        env = "INDUCTIVA_API_KEY",
        hide_env_values = true,
        alias = "api_key"
    )]
    pub api_key: Option<String>,
    /// Address of the Inductiva API
    #[arg(
        long,
        value_name = "URL",
        env = "INDUCTIVA_API_URL",
        default_value = "https://api.inductiva.ai",
        hide_env_values = true,
        alias = "api_url"
    )]
    pub api_url: String,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub start: StartArgs,
}

#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The sso-session of ~/.aws/config to sign in to [default: the profile's]
    #[arg(long, value_name = "NAME", alias = "sso_session")]
    pub sso_session: Option<String>,
    /// Sign in with a code on any device, instead of the browser of this one
    ///
    /// As it is done anyway over SSH, in a container, without a display, and with
    /// profiles that have no sso-session.
    #[arg(long, alias = "use_device_code")]
    pub use_device_code: bool,
    /// Open no browser: show an address and a code for any device
    #[arg(long, alias = "no_browser")]
    pub no_browser: bool,
}

#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The sso-session of ~/.aws/config to end [default: the profile's]
    #[arg(long, value_name = "NAME", alias = "sso_session")]
    pub sso_session: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Configure {
    /// A profile that signs in with IAM Identity Center
    ///
    /// Asks for what is not given, signs in, and adds the profile (--profile) and
    /// its sso-session to ~/.aws/config. What is there already stays as it is.
    /// --region is where the profile's machines are.
    Sso(Box<ConfigureSsoArgs>),
}

#[derive(Debug, Args)]
pub struct ConfigureSsoArgs {
    /// Start URL of IAM Identity Center, such as https://d-1234567890.awsapps.com/start
    #[arg(long, value_name = "URL", aliases = ["start-url", "sso_start_url"], value_parser = config_file::start_url)]
    pub sso_start_url: Option<String>,
    /// Region of IAM Identity Center
    #[arg(long, value_name = "REGION", alias = "sso_region", value_parser = config_file::region)]
    pub sso_region: Option<String>,
    /// Account to use, 12 digits
    #[arg(long, value_name = "ID", aliases = ["account-id", "sso_account_id"], value_parser = account)]
    pub sso_account_id: Option<String>,
    /// Role to use in it
    #[arg(long, value_name = "NAME", aliases = ["role-name", "sso_role_name"])]
    pub sso_role_name: Option<String>,
    /// What the sign-in is for; may be repeated, or separated by commas
    #[arg(long = "sso-registration-scopes", value_name = "SCOPE", value_delimiter = ',', default_value = ACCOUNT_SCOPE,
          alias = "sso_registration_scopes", value_parser = scope)]
    pub sso_registration_scopes: Vec<String>,
    #[command(flatten)]
    pub login: LoginArgs,
}

#[derive(Debug, Args)]
pub struct CredentialsArgs {
    /// Form of the credentials
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: CredentialsFormat,
    /// Print them to a terminal too
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CredentialsFormat {
    /// JSON for credential_process
    #[default]
    Process,
    /// export lines for a POSIX shell
    Env,
    /// set lines for fish
    Fish,
    /// Lines for PowerShell
    Powershell,
    /// JSON with account and ARN too
    Json,
}

#[derive(Debug, Args)]
pub struct UserDataArgs {
    #[command(flatten)]
    pub boot: BootArgs,
    /// As for a machine with an NVIDIA GPU
    #[arg(long)]
    pub gpu: bool,
    /// Show secrets instead of hiding them
    #[arg(long, alias = "show_secrets")]
    pub show_secrets: bool,
}

/// An id of EC2's: the prefix and hexadecimal digits.
fn resource_id(prefix: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text: &str| {
        let digits = text.strip_prefix(prefix).unwrap_or_default();
        if (8..=17).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            Ok(text.to_owned())
        } else {
            Err(format!("an id looks like {prefix}0123456789abcdef0"))
        }
    }
}

fn scope(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":_-./".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a scope looks like sso:account:access".into())
    }
}

fn account(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() == 12 && digits.chars().all(|c| c.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err("an AWS account id has 12 digits".into())
    }
}

/// A price as EC2 takes it.
fn price(text: &str) -> Result<String, String> {
    usd(text).map(|_| text.to_owned())
}

fn usd(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(usd)
            if usd > 0.0
                && usd.is_finite()
                && text.chars().all(|c| c.is_ascii_digit() || c == '.') =>
        {
            Ok(usd)
        }
        _ => Err("a price in USD an hour looks like 0.05".into()),
    }
}

/// A name that is a file's name too.
fn file_stem(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
        Err("the name is that of a file too: no '/', and no '.' in front".into())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_grammar_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
