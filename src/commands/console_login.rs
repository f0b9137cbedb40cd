//! `login` and `logout` with the AWS console's own sign-in, as in `aws login`.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::questions::Prompt;
use crate::{
    cli::LoginArgs,
    error::{Failure, Kind, Result},
    identity::{
        self,
        console_login::{self, ConsoleLogin, LoginFlow, SessionFolder},
        files,
        profiles::{Profile, Profiles},
        sso::config_file,
    },
    settings::AwsSettings,
    terminal::{output::Output, quoting},
};

/// The region that is proposed where none is set; the AWS CLI proposes the same.
const USUAL_REGION: &str = "us-east-1";

/// Whether `login` is for the console: it was asked for, or the profile has it, or there
/// is no other sign-in on this machine and somebody can be asked.
pub fn is_meant(args: &LoginArgs, settings: &AwsSettings, out: Output) -> Result<bool> {
    if args.console || args.remote {
        return Ok(true);
    }
    if args.sso.sso_session.is_some() {
        return Ok(false);
    }
    let profiles = Profiles::load(&settings.files)?;
    let profile = profiles.find(settings.profile_name()).unwrap_or_default();
    let there_are_none = profiles.names().is_empty() && profiles.session_names().is_empty();
    Ok(profile.login_session.is_some() || there_are_none && out.interactive)
}

/// Signs in, keeps the session, and writes the profile.
pub async fn run(args: &LoginArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if !out.interactive && !args.console {
        return Err(Failure::usage(
            "there is no terminal, and nobody may be there to sign in with a browser",
        )
        .hint("add --console to open it anyway"));
    }
    let profiles = Profiles::load(&settings.files)?;
    profiles.warn(out);
    let name = settings.profile_name();
    files::check_name(name)?;
    let profile = profiles.find(name).unwrap_or_default();
    refuse_other_sign_in(name, &profile, settings)?;
    let way = way(args, settings, out)?;
    let region = region(&profile, settings, out).await?;
    let config = identity::unsigned_config(settings, &profiles).await?;
    let console = ConsoleLogin::new(name, &region, settings, &profiles, &config, out)?;
    // Nobody is to open a browser for a session that cannot be kept.
    console.folder().check()?;
    let (session, token) = console_login::sign_in(&console, way).await?;
    if let Some(there) = profile
        .login_session
        .as_ref()
        .filter(|there| **there != session)
    {
        let question = format!("profile {name} is of {there}; change it to {session}");
        if !out.interactive || !out.confirm(&question).await? {
            return Err(Failure::new(
                Kind::NotSignedIn,
                format!("signed in as {session}, and profile {name} is of {there}: nothing was changed"),
            )
            .hint("name another profile with --profile, or sign out of the console in the browser first"));
        }
    }
    console.folder().write(&session, &token, out);
    let is_new = profile.region.is_none();
    let values = [("login_session", session.as_str()), ("region", &region)];
    let values = if is_new { &values[..] } else { &values[..1] };
    let _lock = files::lock(&settings.files, settings.http.time(), out).await;
    if let Err(failure) = files::set_in_config(&settings.files, name, values) {
        // Without a profile the session would be a secret that nobody uses.
        let _ = console.folder().remove(&session);
        return Err(failure);
    }
    let flag = match name {
        "default" => String::new(),
        name => format!(" --profile {}", quoting::word(name)),
    };
    out.say(&format!("try it: inductiva-aws whoami{flag}"));
    let report = ConsoleLoginReport {
        profile: name.to_owned(),
        account: token.account_id().to_owned(),
        login_session: session,
        region,
        expires_at: token.expires_at().to_owned(),
        config_file: settings.files.config.clone(),
    };
    out.result(&report, &[])
}

/// Forgets the session of a profile; None where it has none.
pub fn logout(settings: &AwsSettings) -> Result<Option<ConsoleLogoutReport>> {
    let profile = Profiles::load(&settings.files)?.find(settings.profile_name());
    let Some(login_session) = profile.and_then(|profile| profile.login_session) else {
        return Ok(None);
    };
    let was_signed_in = SessionFolder::new(&settings.login_cache).remove(&login_session)?;
    Ok(Some(ConsoleLogoutReport {
        login_session,
        was_signed_in,
    }))
}

fn way(args: &LoginArgs, settings: &AwsSettings, out: Output) -> Result<LoginFlow> {
    let usual = LoginFlow::usual(settings.desktop);
    let way = if args.remote {
        LoginFlow::Remote
    } else if args.sso.no_browser {
        LoginFlow::Browser { open: false }
    } else {
        usual
    };
    if way == LoginFlow::Remote && !out.interactive {
        return Err(Failure::usage(
            "there is no browser here, and no terminal to paste its code on",
        )
        .hint("run it on a terminal, or add --no-browser to see the address that a browser on this machine has to open"));
    }
    Ok(way)
}

/// Refuses profiles with credentials of another kind, as the AWS CLI does. They would be
/// used instead of the sign-in, or be lost.
fn refuse_other_sign_in(name: &str, profile: &Profile, settings: &AwsSettings) -> Result<()> {
    let other = [
        (profile.web_identity_token_file.is_some(), "a web identity"),
        (profile.is_sso(), "IAM Identity Center"),
        (profile.has_keys, "access keys"),
        (profile.role_arn.is_some(), "a role"),
        (profile.credential_process.is_some(), "credential_process"),
    ];
    match other.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Failure::usage(format!(
            "profile {name} signs in with {what}, in {} or {}",
            settings.files.config.display(),
            settings.files.credentials.display()
        ))
        .hint("name another profile: inductiva-aws login --console --profile NAME")),
        None => Ok(()),
    }
}

async fn region(profile: &Profile, settings: &AwsSettings, out: Output) -> Result<String> {
    let question = Prompt {
        flag: "--region",
        text: "region of the machines",
        default: Some(USUAL_REGION),
        without_terminal: "name the region of your machines: eu-west-2 is London, us-east-1 is N. Virginia",
    };
    let given = settings.region.clone().or_else(|| profile.region.clone());
    question.answer(given, out, config_file::region).await
}

/// A sign-in with the AWS console.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleLoginReport {
    pub profile: String,
    pub account: String,
    /// The ARN of the identity that signed in.
    pub login_session: String,
    pub region: String,
    /// When the keys end; they are refreshed for as long as the session lasts.
    pub expires_at: String,
    pub config_file: PathBuf,
}

impl fmt::Display for ConsoleLoginReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "signed in as {}: profile {} in {}",
            self.login_session,
            self.profile,
            self.config_file.display()
        )
    }
}

/// The end of a sign-in with the AWS console.
#[derive(Clone, Debug, Serialize)]
pub struct ConsoleLogoutReport {
    pub login_session: String,
    /// Whether there was anything to end.
    pub was_signed_in: bool,
}

impl fmt::Display for ConsoleLogoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = &self.login_session;
        if self.was_signed_in {
            writeln!(f, "signed out of {session}")
        } else {
            writeln!(f, "was not signed in as {session}")
        }
    }
}
