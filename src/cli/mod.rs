//! The command line's grammar, and nothing else. clap's types stay in here: what was
//! typed becomes plain values, and [`crate::settings`] gives them their meaning.

#![expect(clippy::doc_markdown, reason = "these doc comments are the help text")]

mod boot;
pub mod examples;
mod image;
mod machines;
mod packaging;
mod parsers;
mod sign_in;
mod start;
mod tips;
mod types;
mod value_enums;
mod version;
mod without_effect;

use std::ffi::OsString;

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    parser::ValueSource,
};

pub use self::{
    boot::{ApiArgs, BootArgs, UserDataArgs},
    image::{ImageBuildArgs, ImageCommand, ImageListArgs, ImageRemoveArgs, SNAPSHOT},
    machines::{CostArgs, ListArgs, LogsArgs, TerminateArgs},
    packaging::{CompleteWordsArgs, CompletingShell, CompletionsArgs, ManArgs},
    sign_in::{
        Configure, ConfigureSsoArgs, CredentialsArgs, CredentialsFormat, LoginArgs, LogoutArgs,
        SsoLoginArgs,
    },
    start::{CheckArgs, NetworkArgs, StartArgs},
    types::TypesArgs,
};
use crate::{error::Kind, terminal::output::Format};

/// Machines of your own AWS account on the Inductiva platform
///
/// Launches EC2 machines that install and start Inductiva's task runner, lists
/// them and ends them. Machines end themselves when they are idle, when they
/// fail to boot, or at their maximum lifetime.
#[derive(Debug, Parser)]
#[command(
    name = "inductiva-aws",
    version = version::version(),
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
        // `check` does nothing with these. It takes every option of `start` so that
        // `check $OPTIONS && start $OPTIONS` works.
        let of_start_alone = [
            "wait",
            "timeout",
            "keep_on_failure",
            "allow_other_regions",
            "dry_run",
        ];
        let grammar = Self::command().mut_subcommand("check", |check| {
            of_start_alone
                .into_iter()
                .fold(check, |check, id| check.mut_arg(id, |arg| arg.hide(true)))
        });
        // If an option of one value is given twice, the last one counts, as scripts add
        // theirs to `$OPTIONS`.
        with_underscores(examples::added(grammar.after_long_help(Kind::exit_codes())))
            .args_override_self(true)
    }

    /// What was typed.
    pub fn of_arguments() -> Result<Self, clap::Error> {
        let typed: Vec<OsString> = std::env::args_os().collect();
        Self::of(&typed)
    }

    /// The same of these arguments, the program's name first.
    fn of(typed: &[OsString]) -> Result<Self, clap::Error> {
        let mut grammar = Self::grammar();
        let parsed = grammar
            .try_get_matches_from_mut(typed)
            .and_then(|matches| without_effect::refuse(&matches).map(|()| matches))
            .and_then(|matches| Self::from_arg_matches(&matches));
        parsed.map_err(|error| tips::added(error, &mut grammar, typed))
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

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// AWS region, such as eu-west-2
    ///
    /// Defaults to AWS_REGION, AWS_DEFAULT_REGION or the profile's region.
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// AWS profile to sign in with
    ///
    /// Takes precedence over keys in the environment, as in the AWS CLI. Defaults to
    /// AWS_DEFAULT_PROFILE or AWS_PROFILE. Those do not take precedence: if the
    /// environment has keys, only the profile's region and other settings are used.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Send AWS calls to this address instead of AWS
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// MFA device to sign in with, such as arn:aws:iam::123456789012:mfa/NAME
    ///
    /// Defaults to AWS_MFA_SERIAL_NUMBER, if a new session is needed, or to mfa_serial
    /// in the profile.
    #[arg(long, global = true, value_name = "ARN")]
    pub mfa_serial: Option<String>,
    /// Current six-digit code of the MFA device [default: you are asked for it]
    ///
    /// Always makes a new session. AWS_MFA_TOKEN_CODE is used only if there is no
    /// session yet.
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
    /// Show what groups have cost so far, ended machines too
    ///
    /// Without a name: all groups of the region. It counts how long the machines ran, by
    /// EC2 and by Inductiva, at the prices of now, and says what neither knows.
    Cost(CostArgs),
    /// List the amd64 types of the region, with what they have and cost
    ///
    /// Prices are for Linux, without disks and addresses; the spot price is that of the
    /// cheapest zone now. Accounts on AWS's free plan may launch only the types that the
    /// column FREE PLAN marks.
    Types(TypesArgs),
    /// Prepared images, from which machines boot in seconds
    Image {
        #[command(subcommand)]
        image: ImageCommand,
    },
    /// Check everything that start needs, without launching
    Check(Box<CheckArgs>),
    /// Show the AWS identity in use and where its credentials came from
    Whoami,
    /// Sign in with IAM Identity Center (SSO) or the AWS console
    Login(LoginArgs),
    /// Sign out of IAM Identity Center (SSO) or the AWS console
    Logout(LogoutArgs),
    /// Store access keys, the region and the Inductiva API key
    ///
    /// Asks for each; an empty answer keeps what is there. The files are those of
    /// `aws configure` (the profile is --profile, else the default one) and of
    /// `inductiva auth login`, and nothing else in them is changed.
    Configure {
        /// Another kind of profile
        #[command(subcommand)]
        what: Option<Configure>,
    },
    /// Print session credentials for other programs
    Credentials(CredentialsArgs),
    /// Print the user data that a machine would get, with secrets hidden
    UserData(UserDataArgs),
    /// Print a completion script for your shell
    ///
    /// In bash, zsh and fish it completes profiles, regions, machine groups and ids of
    /// machines, too: it asks AWS with credentials that are there already, for a second
    /// at most, and never signs in. PowerShell and elvish complete commands and options.
    Completions(CompletionsArgs),
    /// Print what a command line can go on with, for the scripts of `completions`
    #[command(hide = true)]
    CompleteWords(CompleteWordsArgs),
    /// Print the manual page of the program or of a command, in roff format
    Man(ManArgs),
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
