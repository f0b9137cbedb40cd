//! Signing in: `login`, `logout`, `configure` and `credentials`.

use clap::{Args, Subcommand, ValueEnum};

use super::parsers::{account, scope};
use crate::identity::sso::{ACCOUNT_SCOPE, config_file};

#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Sign in with the AWS console's own sign-in, as `aws login` does
    ///
    /// Needs neither access keys nor IAM Identity Center; your user needs the AWS
    /// managed policy SignInLocalDevelopmentAccess, which root and administrators need
    /// not have. Writes the profile (--profile, else the default one), but never over
    /// other credentials. On a terminal it is the default where there are no profiles.
    #[arg(long, conflicts_with = "sso_session")]
    pub console: bool,
    /// Sign in with the console on another device, by pasting a code from its browser
    #[arg(long, conflicts_with_all = ["sso_session", "use_device_code", "no_browser"])]
    pub remote: bool,
    #[command(flatten)]
    pub sso: SsoLoginArgs,
}

#[derive(Debug, Args)]
pub struct SsoLoginArgs {
    /// sso-session in ~/.aws/config to sign in to [default: the profile's]
    #[arg(long, value_name = "NAME")]
    pub sso_session: Option<String>,
    /// Sign in with a code on any device instead of the browser on this one
    ///
    /// This is the default over SSH, in a container, without a display, and for
    /// profiles that have no sso-session.
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
    pub login: SsoLoginArgs,
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
