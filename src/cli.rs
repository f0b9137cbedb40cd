//! The command line's grammar, and nothing else: clap types stop at
//! [`crate::settings`].

#![expect(clippy::doc_markdown, reason = "these doc comments are the help text")]

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    ArgGroup, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    builder::Resettable, parser::ValueSource,
};

use crate::{
    identity::sso::{ACCOUNT_SCOPE, config_file},
    model::request::Runner,
    terminal::output::Format,
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

impl Cli {
    /// The grammar. Each option may be written with underscores too, as in the
    /// Python launchers: `--vm_type`.
    pub fn grammar() -> clap::Command {
        // They mean nothing to `check`, which takes every option of `start` all the
        // same: `check $OPTIONS && start $OPTIONS`.
        let of_start_alone = ["wait", "timeout", "keep_on_failure", "dry_run"];
        let grammar = Self::command().mut_subcommand("check", |check| {
            of_start_alone
                .into_iter()
                .fold(check, |check, id| check.mut_arg(id, |arg| arg.hide(true)))
        });
        with_underscores(grammar)
    }

    /// What was typed.
    pub fn of_arguments() -> Result<Self, clap::Error> {
        let mut grammar = Self::grammar();
        let matches = grammar.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))
    }

    /// The format that was asked for on a command line with an error in it.
    pub fn format_despite_errors() -> Format {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let grammar = Self::command();
        let output = grammar.get_arguments().find(|arg| arg.get_id() == "output");
        let output_alone = clap::Command::new("")
            .no_binary_name(true)
            .ignore_errors(true)
            .args(output);
        // The parser gives up at the error, wherever that is.
        let typed = (1..arguments.len()).find_map(|from| {
            let rest = arguments[from..].iter();
            let matches = output_alone.clone().try_get_matches_from(rest).ok()?;
            let is_typed = matches.value_source("output") == Some(ValueSource::CommandLine);
            matches.get_one("output").copied().filter(|_| is_typed)
        });
        typed.unwrap_or_default()
    }
}

/// Adds a hidden alias with underscores to each option with hyphens in its name.
fn with_underscores(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            let names: Vec<String> = arg
                .get_long()
                .into_iter()
                .chain(aliases)
                .filter(|name| name.contains('-'))
                .map(|name| name.replace('-', "_"))
                .collect();
            arg.aliases(names)
        })
        .mut_subcommands(with_underscores)
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// AWS region, such as eu-west-2
    ///
    /// Defaults to AWS_REGION, AWS_DEFAULT_REGION or the profile's region.
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// AWS profile to sign in with
    ///
    /// Defaults to AWS_PROFILE or AWS_DEFAULT_PROFILE. A profile that is named takes
    /// precedence over keys in the environment.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Send AWS calls to this address instead of AWS
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// MFA device to sign in with, such as arn:aws:iam::123456789012:mfa/NAME
    ///
    /// Defaults to mfa_serial in the profile.
    #[arg(long, global = true, value_name = "ARN")]
    pub mfa_serial: Option<String>,
    /// Current six-digit code of the MFA device [default: you are asked for it]
    #[arg(long, global = true, value_name = "CODE", visible_alias = "token-code")]
    pub mfa_code: Option<String>,
    /// Format of the results on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: Format,
    /// Print only ids, and no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Show each call and how long it takes
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Never prompt
    #[arg(long, global = true)]
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
    /// Launch machines that run the task runner
    ///
    /// Brings a machine group to --num-machines machines. Machines that the group
    /// already has count: only the missing ones are launched, so you can run the
    /// same command again at any time.
    Start(Box<StartArgs>),
    /// List machine groups and their machines
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show the boot logs (consoles) of machines
    ///
    /// Shows the last 64 KB of each. Consoles are live on Nitro types; on older (Xen)
    /// types such as t2, EC2 posts them some minutes late.
    Logs(LogsArgs),
    /// Terminate a group, single machines, or everything
    Terminate(TerminateArgs),
    /// Check everything that start needs, without launching
    Check(Box<CheckArgs>),
    /// Show the AWS identity in use and where its credentials came from
    Whoami,
    /// Sign in with IAM Identity Center (SSO)
    Login(LoginArgs),
    /// Sign out of IAM Identity Center (SSO)
    Logout(LogoutArgs),
    /// Set up a profile in ~/.aws/config
    Configure {
        /// What kind of profile
        #[command(subcommand)]
        what: Configure,
    },
    /// Print session credentials for other programs
    Credentials(CredentialsArgs),
    /// Print the user data that a machine would get, with secrets hidden
    UserData(UserDataArgs),
    /// Print a completion script for your shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff format
    Man,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("ssh_key").args(["key_name", "create_key_pair"])))]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct StartArgs {
    /// EC2 instance type; several are tried in order when there is no capacity
    ///
    /// Repeat the option, or separate types with commas. Either all of them have an
    /// NVIDIA GPU or none does.
    #[arg(long = "vm-type", value_name = "TYPE", default_value = "t2.micro", value_delimiter = ',', visible_aliases = ["instance-type", "machine-type"])]
    pub vm_types: Vec<VmType>,
    /// Number of machines the group should have, 1 to 1000
    #[arg(short, long, value_name = "N", default_value_t = 1, visible_alias = "count",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub num_machines: u32,
    /// Accept fewer machines, but at least M, if there is no capacity for all
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub min_machines: Option<u32>,
    /// AMI to launch from [default: newest Ubuntu 24.04 amd64 by Canonical; on NVIDIA types AWS's Deep Learning Base GPU image]
    #[arg(long, value_name = "AMI", value_parser = resource_id("ami-"))]
    pub image_id: Option<String>,
    /// Launch spot machines: cheaper, but AWS may reclaim them
    #[arg(long)]
    pub spot: bool,
    /// Launch on demand what spot capacity cannot provide
    #[arg(long, requires = "spot")]
    pub spot_fallback: bool,
    /// Highest spot price to pay, in USD an hour [default: the on-demand price]
    #[arg(long, value_name = "USD", requires = "spot", value_parser = price)]
    pub max_price: Option<String>,
    /// Launch nothing if the group and its disks would cost more than this, in USD an hour
    ///
    /// Uses AWS's list price, or today's highest spot price. If a price is not known,
    /// nothing is launched.
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

    #[command(flatten)]
    pub disk: DiskArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub boot: BootArgs,

    /// Wait until the machines are registered with Inductiva, or just running
    #[arg(long, value_enum, value_name = "UNTIL", num_args = 0..=1, require_equals = true,
          default_missing_value = "registered", help_heading = "Waiting")]
    pub wait: Option<WaitFor>,
    /// Longest time to wait
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = values::duration, help_heading = "Waiting")]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Root disk")]
pub struct DiskArgs {
    /// Root disk size in GiB [default: 50, or the image's own size if that is larger]
    #[arg(long, value_name = "GIB", visible_alias = "disk-size",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub volume_size: Option<u32>,
    /// EBS volume type
    #[arg(long, value_enum, value_name = "TYPE", default_value = "gp3")]
    pub volume_type: VolumeType,
    /// Provisioned IOPS (gp3, io1, io2)
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
    /// Subnet to launch in [default: any of the default VPC]
    #[arg(long, value_name = "SUBNET", value_parser = resource_id("subnet-"))]
    pub subnet_id: Option<String>,
    /// Security group [default: inductiva-aws, which has no inbound rules]
    #[arg(long, value_name = "SG", value_parser = resource_id("sg-"))]
    pub security_group_id: Option<String>,
    /// Availability Zone in the default VPC [default: any]
    #[arg(long, value_name = "ZONE", conflicts_with = "subnet_id")]
    pub availability_zone: Option<String>,
    /// EC2 key pair for SSH [default: none]
    #[arg(long, value_name = "NAME")]
    pub key_name: Option<String>,
    /// Create an EC2 key pair and save its private key in this folder as NAME.pem or NAME.ppk
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
    /// Machine group name [default: aws- and eight random characters]
    ///
    /// Letters, digits, spaces, '.', '_' and '-'; at most 63 characters.
    #[arg(long, value_name = "NAME", display_order = 0, help_heading = Resettable::Reset)]
    pub machine_group_name: Option<GroupName>,
    /// Boot script to use instead of the built-in user-data.sh
    ///
    /// A #! shell script gets the standard variables right after its first line;
    /// anything else (cloud-config, MIME, another interpreter) is sent unchanged.
    #[arg(long, value_name = "FILE")]
    pub user_data_path: Option<PathBuf>,
    #[command(flatten)]
    pub api: ApiArgs,
    /// Task runner container image
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_TASK_RUNNER_IMAGE", default_value = Runner::TASK_RUNNER_IMAGE,
          hide_env_values = true)]
    pub task_runner_image: String,
    /// File tracker container image
    #[arg(long, value_name = "IMAGE", env = "INDUCTIVA_FILE_TRACKER_IMAGE", default_value = Runner::FILE_TRACKER_IMAGE,
          hide_env_values = true)]
    pub file_tracker_image: String,
    /// A machine ends itself after so many minutes without a task; 0 means never
    #[arg(long, value_name = "MINUTES", default_value_t = Runner::MAX_IDLE_MINUTES,
          value_parser = clap::value_parser!(u32).range(0..=525_600))]
    pub max_idle_time: u32,
    /// A machine ends itself at this age, such as 8h or 3d [default: none]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub max_lifetime: Option<Duration>,
    /// A machine ends itself if it has not registered with Inductiva by then
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = values::duration)]
    pub boot_timeout: Duration,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this group
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Include every region that the account has enabled
    #[arg(long)]
    pub all_regions: bool,
    /// Refresh the list every 5 seconds, or every SECONDS, until interrupted
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,
    #[command(flatten)]
    pub api: ApiArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").args(["name", "machine_group_name", "instance_id"]).required(true)))]
pub struct LogsArgs {
    /// Machine group
    #[arg(value_name = "NAME")]
    pub name: Option<GroupName>,
    /// Machine group
    #[arg(long, value_name = "NAME")]
    pub machine_group_name: Option<GroupName>,
    /// Single machine
    #[arg(long, value_name = "ID", value_parser = resource_id("i-"))]
    pub instance_id: Option<String>,
    /// Keep showing new lines until interrupted
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are bools")]
#[command(group(ArgGroup::new("which").args(["name", "machine_group_name", "instance_ids", "all"]).required(true)))]
pub struct TerminateArgs {
    /// Machine group
    #[arg(value_name = "NAME")]
    pub name: Option<GroupName>,
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
    #[arg(long)]
    pub all: bool,
    /// With --all: in every region that the account has enabled
    #[arg(long, requires = "all",
          conflicts_with_all = ["name", "machine_group_name", "instance_ids"])]
    pub all_regions: bool,
    /// With --all: also remove the security groups that inductiva-aws created
    ///
    /// Waits until the machines are gone, because they use them until then.
    #[arg(long, requires = "all",
          conflicts_with_all = ["name", "machine_group_name", "instance_ids"])]
    pub remove_security_group: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// What is needed to ask Inductiva.
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
        default_value = "https://api.inductiva.ai",
        hide_env_values = true
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
    /// sso-session in ~/.aws/config to sign in to [default: the profile's]
    #[arg(long, value_name = "NAME")]
    pub sso_session: Option<String>,
    /// Sign in with a code on any device instead of the browser on this one
    ///
    /// Always the case over SSH, in a container, without a display, and for profiles
    /// that have no sso-session.
    #[arg(long)]
    pub use_device_code: bool,
    /// Do not open a browser; show an address and a code instead
    #[arg(long)]
    pub no_browser: bool,
}

#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// sso-session in ~/.aws/config to sign out of [default: the profile's]
    #[arg(long, value_name = "NAME")]
    pub sso_session: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Configure {
    /// A profile that signs in with IAM Identity Center
    ///
    /// Asks for what you do not give, signs in, and adds the profile (--profile) and
    /// its sso-session to ~/.aws/config. What the file already has is not changed.
    /// --region is the region that the profile launches machines in.
    Sso(Box<ConfigureSsoArgs>),
}

#[derive(Debug, Args)]
pub struct ConfigureSsoArgs {
    /// Start URL of IAM Identity Center, such as https://d-1234567890.awsapps.com/start
    #[arg(long, value_name = "URL", alias = "start-url", value_parser = config_file::start_url)]
    pub sso_start_url: Option<String>,
    /// Region of IAM Identity Center
    #[arg(long, value_name = "REGION", value_parser = config_file::region)]
    pub sso_region: Option<String>,
    /// Account to use, 12 digits
    #[arg(long, value_name = "ID", alias = "account-id", value_parser = account)]
    pub sso_account_id: Option<String>,
    /// Role to use in it
    #[arg(long, value_name = "NAME", alias = "role-name")]
    pub sso_role_name: Option<String>,
    /// Scopes to request; repeat the option, or separate them with commas
    #[arg(long = "sso-registration-scopes", value_name = "SCOPE", value_delimiter = ',', default_value = ACCOUNT_SCOPE, value_parser = scope)]
    pub sso_registration_scopes: Vec<String>,
    #[command(flatten)]
    pub login: LoginArgs,
}

#[derive(Debug, Args)]
pub struct CredentialsArgs {
    /// Format of the credentials
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: CredentialsFormat,
    /// Print them even to a terminal
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
    /// For a machine with an NVIDIA GPU
    #[arg(long)]
    pub gpu: bool,
    /// Print secrets too
    #[arg(long)]
    pub show_secrets: bool,
    #[command(flatten)]
    pub boot: BootArgs,
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
    use super::Cli;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::grammar().debug_assert();
    }

    #[test]
    fn every_option_may_be_written_with_underscores() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments() {
                let names = arg.get_long_and_visible_aliases().unwrap_or_default();
                let all = arg.get_all_aliases().unwrap_or_default();
                for name in names.iter().filter(|name| name.contains('-')) {
                    let other = name.replace('-', "_");
                    assert!(all.contains(&other.as_str()), "--{name}");
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::grammar());
    }
}
