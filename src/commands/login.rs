//! `login`: signs in with IAM Identity Center.

use super::report::LoginReport;
use crate::{
    cli::LoginArgs,
    error::Result,
    identity::{self, sso::How},
    settings::AwsSettings,
    terminal::output::Output,
};

/// Signs in to the session that is named, or that the profile belongs to.
pub async fn run(args: &LoginArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let sso = identity::sso_session(settings, args.sso_session.as_deref(), out).await?;
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

/// How to sign in, by what was asked for and by where this runs.
pub fn how(args: &LoginArgs, settings: &AwsSettings) -> How {
    let usual = How::usual(settings.desktop);
    How {
        // Without a browser here, the code is the way that works everywhere.
        device_code: usual.device_code || args.use_device_code || args.no_browser,
        open_browser: usual.open_browser && !args.no_browser,
    }
}
