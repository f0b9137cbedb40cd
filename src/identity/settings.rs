//! What signing in needs to know of the command line and the environment.

use std::{fmt, path::PathBuf, time::Duration};

use super::{older_files::OlderFile, profiles::AwsFiles};
use crate::{aws::Source, http::Http, terminal::command_line::AwsOptions};

/// Which AWS to talk to, and as whom.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// `--region`, `AWS_REGION` or `AWS_DEFAULT_REGION`; else the profile may have one.
    pub region: Option<String>,
    /// `--region` and nothing else.
    pub typed_region: Option<String>,
    /// Whether a region has to be set. Otherwise one is taken that the sign-in works in.
    pub needs_region: bool,
    /// `--profile`, `AWS_DEFAULT_PROFILE` or `AWS_PROFILE`.
    pub profile: Option<String>,
    /// Whether the profile was typed: `--profile` goes before keys in the environment.
    pub profile_is_typed: bool,
    /// `AWS_DEFAULT_PROFILE` or `AWS_PROFILE`.
    pub profile_in_environment: Option<String>,
    /// The profiles whose `credential_process` runs this program.
    pub within_profiles: Vec<String>,
    pub endpoint_url: Option<String>,
    /// The variables among [`super::addresses::variables`] that are set, even to nothing.
    pub endpoint_variables: Vec<(String, String)>,
    pub mfa: MfaSettings,
    /// The HTTP stack of all calls, including those to Inductiva.
    pub http: Http,
    /// The profiles, and the caches beside them.
    pub files: AwsFiles,
    /// The files in which programs before the AWS CLI kept keys.
    pub older_files: Vec<OlderFile>,
    /// `AWS_LOGIN_CACHE_DIRECTORY`, else ~/.aws/login/cache.
    pub login_cache: PathBuf,
    /// `AWS_CA_BUNDLE`: certificates to trust besides the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether there is a browser to sign in with.
    pub desktop: Desktop,
    /// What the environment has to sign in with.
    pub environment: Environment,
    /// `--no-input`: there are no prompts.
    pub no_input: bool,
    /// For completions: only credentials that are at hand. Nothing is refreshed, no
    /// command is run, and no code is asked for or used up.
    pub only_at_hand: bool,
    /// How long a call that signs in may take with all its tries; none where the calls'
    /// own limits are enough.
    pub answered_within: Option<Duration>,
}

impl AwsSettings {
    /// The profile whose settings count, whether or not it has credentials.
    pub fn profile_name(&self) -> &str {
        self.profile.as_deref().unwrap_or("default")
    }

    /// The options that a command line needs to do the same as this run in another shell.
    pub fn options_for_lines(&self) -> AwsOptions {
        let uses_environment = self.environment.access_key_id.is_some();
        self.options_by(!uses_environment)
    }

    /// `is_profiles` tells whether the credentials are the profile's. Where they are not,
    /// a line that named the profile would use other credentials.
    fn options_by(&self, is_profiles: bool) -> AwsOptions {
        let counts = self.profile_is_typed || is_profiles;
        let mut options = AwsOptions {
            variables: Vec::new(),
            region: self.region.clone(),
            profile: self.profile.clone().filter(|_| counts),
            endpoint_url: self.endpoint_url.clone(),
        };
        if options.endpoint_url.is_none() {
            options.set_endpoints(self.endpoint_variables.clone());
        }
        options
    }

    /// The same once the region and the source of the credentials are known.
    pub fn options_for_lines_in(
        &self,
        region: &str,
        source: &Source,
        endpoints_of_profile: Vec<(String, String)>,
    ) -> AwsOptions {
        let is_profiles = matches!(source, Source::Profile(_));
        let mut options = self.options_by(is_profiles).in_region(region);
        let is_set = options.endpoint_url.is_some() || !options.variables.is_empty();
        // A profile that is named says itself where AWS is.
        if options.profile.is_none() && self.profile.is_some() && !is_set {
            options.set_endpoints(endpoints_of_profile);
        }
        options
    }
}

/// MFA as it was typed or set.
#[derive(Clone, Debug, Default)]
pub struct MfaSettings {
    /// `--mfa-serial`; else the profile may name a device.
    pub serial: Option<String>,
    /// `--mfa-code`, whatever was typed.
    pub code: Option<String>,
    /// `AWS_MFA_SERIAL_NUMBER`: counts only where a session has to be made.
    pub serial_variable: Option<String>,
    /// `AWS_MFA_TOKEN_CODE`, likewise.
    pub code_variable: Option<String>,
}

/// The variables that credentials are made of. Empty ones are unset.
#[derive(Clone, Default)]
pub struct Environment {
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<String>,
    /// `AWS_SECURITY_TOKEN`, its name in boto 2, or `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
    /// `AWS_CREDENTIAL_EXPIRATION`.
    pub expiration: Option<String>,
    pub web_identity_token_file: Option<String>,
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
}

/// Without the secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// What speaks for and against a browser on this machine.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub struct Desktop {
    /// The person sits at another machine.
    pub over_ssh: bool,
    /// The browser may run on another machine than this program.
    pub in_container: bool,
    /// Always true on Windows and macOS.
    pub has_display: bool,
    /// `BROWSER` names one.
    pub names_browser: bool,
}

impl Desktop {
    /// Whether a browser can be opened that reaches this machine's 127.0.0.1.
    pub fn has_browser(self) -> bool {
        !self.over_ssh && (self.names_browser || self.has_display && !self.in_container)
    }
}
