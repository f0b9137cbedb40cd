//! `logout`: ends an IAM Identity Center session, or forgets a console sign-in.

use std::fmt;

use serde::Serialize;

use super::console_login;
use crate::{
    cli::LogoutArgs, error::Result, identity, settings::AwsSettings, terminal::output::Output,
};

/// Ends the session that is named or that the profile belongs to, and no other.
pub async fn run(args: &LogoutArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if args.sso_session.is_none()
        && let Some(report) = console_login::logout(settings)?
    {
        return out.result(&report, &[]);
    }
    let sso = identity::sso_session(settings, args.sso_session.as_deref(), out).await?;
    let profiles = identity::profiles::Profiles::load(&settings.files)?;
    let ended = sso.logout(&profiles).await?;
    let session = &sso.session;
    let report = LogoutReport {
        sso_session: session.name.clone(),
        start_url: session.start_url.clone(),
        was_signed_in: ended,
    };
    out.result(&report, &[])
}

/// The end of a sign-in with IAM Identity Center.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutReport {
    /// The session; null for a profile of the older form.
    pub sso_session: Option<String>,
    pub start_url: String,
    /// Whether there was anything to end.
    pub was_signed_in: bool,
}

impl fmt::Display for LogoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sso_session.as_ref().unwrap_or(&self.start_url);
        if self.was_signed_in {
            writeln!(f, "signed out of {name}")
        } else {
            writeln!(f, "was not signed in to {name}")
        }
    }
}
