//! `logout`: ends an IAM Identity Center session.

use super::report::LogoutReport;
use crate::{
    cli::LogoutArgs, error::Result, identity, settings::AwsSettings, terminal::output::Output,
};

/// Ends the session that is named, or that the profile belongs to, and no other.
pub async fn run(args: &LogoutArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let sso = identity::sso_session(settings, args.sso_session.as_deref(), out).await?;
    let ended = sso
        .logout(&identity::profiles::Profiles::load(&settings.files).await?)
        .await?;
    let session = &sso.session;
    let report = LogoutReport {
        sso_session: session.name.clone(),
        start_url: session.start_url.clone(),
        was_signed_in: ended,
    };
    out.result(&report, &[])
}
