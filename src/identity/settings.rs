//! What signing in needs to know of the command line and the environment.

use std::path::PathBuf;

use super::profiles::AwsFiles;
use crate::http::Http;

/// Which AWS to talk to, and as whom.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    pub region: Option<String>,
    /// The region where nothing names one; else there has to be one.
    pub fallback_region: Option<&'static str>,
    /// `--profile`, `AWS_PROFILE` or `AWS_DEFAULT_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_PROFILE` or `AWS_DEFAULT_PROFILE`.
    pub profile_in_environment: Option<String>,
    /// The profiles whose `credential_process` this run is part of.
    pub within_profiles: Vec<String>,
    pub endpoint_url: Option<String>,
    /// The variables among [`super::addresses::variables`] that are set, even to nothing.
    pub endpoint_variables: Vec<(String, String)>,
    /// `--mfa-serial`; else the profile may name a device.
    pub mfa_serial: Option<String>,
    /// `--mfa-code`, whatever was typed.
    pub mfa_code: Option<String>,
    /// The HTTP stack of all calls, those to Inductiva too.
    pub http: Http,
    /// The profiles, and the caches beside them.
    pub files: AwsFiles,
    /// `AWS_CA_BUNDLE`: certificates to trust besides the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether there is a browser to sign in with.
    pub desktop: Desktop,
    /// Whether the environment has keys, which a named profile goes before.
    pub keys_in_environment: bool,
    /// Whether those keys are a session's (`AWS_SESSION_TOKEN`).
    pub session_in_environment: bool,
    /// `--no-input`: nobody is asked for anything.
    pub no_input: bool,
}

/// What speaks for and against a browser on this machine, for this person.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub struct Desktop {
    /// Somebody sits at another machine.
    pub over_ssh: bool,
    /// The browser's machine may be another one than this.
    pub in_container: bool,
    /// Windows and macOS always have one.
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
