//! `login`: signs in with IAM Identity Center, or with the AWS console.

use std::fmt;

use serde::Serialize;

use super::console_login;
use crate::{
    cli::{LoginArgs, SsoLoginArgs},
    error::Result,
    identity::{self, sso::How},
    settings::AwsSettings,
    terminal::{output::Output, time},
};

/// Signs in to the session that is named, or in the way that the profile has.
pub async fn run(args: &LoginArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if console_login::is_meant(args, settings, out)? {
        return console_login::run(args, settings, out).await;
    }
    let args = &args.sso;
    let sso = identity::sso_session(settings, args.sso_session.as_deref(), out).await?;
    // Nobody is to open a browser for a token that cannot be kept.
    sso.check_cache()?;
    let token = sso.login(how(args, settings)).await?;
    let session = &sso.session;
    let report = LoginReport {
        sso_session: session.name.clone(),
        start_url: session.start_url.clone(),
        region: session.region.clone(),
        expires_at: token.expires_at,
    };
    out.result(&report, &[])
}

/// How to sign in: as was asked for, and as this machine allows.
pub fn how(args: &SsoLoginArgs, settings: &AwsSettings) -> How {
    let usual = How::usual(settings.desktop);
    How {
        // Without a browser here, the code works everywhere.
        device_code: usual.device_code || args.use_device_code || args.no_browser,
        open_browser: usual.open_browser && !args.no_browser,
    }
}

/// A sign-in with IAM Identity Center.
#[derive(Clone, Debug, Serialize)]
pub struct LoginReport {
    /// The session; null for a profile of the older form.
    pub sso_session: Option<String>,
    pub start_url: String,
    /// The region of IAM Identity Center.
    pub region: String,
    /// When the token ends. It is refreshed where that is possible.
    pub expires_at: String,
}

impl fmt::Display for LoginReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sso_session.as_ref().unwrap_or(&self.start_url);
        writeln!(
            f,
            "signed in to {name} until {}",
            time::in_own_zone(&self.expires_at)
        )
    }
}
