//! Which session of IAM Identity Center a profile or a command means.

use aws_config::SdkConfig;

use super::Sso;
use crate::{
    error::{Failure, Result},
    identity::{
        config::unsigned_config,
        patience::Patience,
        profiles::{Profile, Profiles, SsoSession},
        settings::AwsSettings,
    },
    terminal::{command_line::sign_in_command, output::Output, quoting},
};

/// The sign-in of a profile that has one.
///
/// # Errors
/// Usage: it is not complete.
pub fn sso_of(
    profile: &Profile,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Result<Sso> {
    let session = profiles.sso(profile)?.ok_or_else(|| {
        Failure::usage(format!(
            "profile {} signs in with IAM Identity Center, but has neither sso_session nor sso_start_url",
            profile.name
        ))
        .hint(format!(
            "add one in {}, or make a profile with `inductiva-aws configure sso`",
            settings.files.config.display()
        ))
    })?;
    let command = login_command(settings, &profile.name);
    Ok(sso(session, command, settings, profiles, config, out))
}

/// The session that a command is about: the one that it names, or the profile's.
///
/// # Errors
/// Usage: neither names one. Not signed in: the profile does not exist.
pub async fn sso_session(
    settings: &AwsSettings,
    session: Option<&str>,
    out: Output,
) -> Result<Sso> {
    let profiles = Profiles::load(&settings.files)?;
    profiles.warn(out);
    let (session, command) = if let Some(name) = session {
        (profiles.get_session(name)?, login_to_session(name))
    } else {
        let name = settings.profile_name();
        if settings.profile.is_some() {
            profiles.get(name)?;
        }
        let Some((base, session)) = profiles.sso_base(name)? else {
            return Err(no_session(name, settings, &profiles));
        };
        (session, login_command(settings, &base.name))
    };
    let config = unsigned_config(settings, &profiles).await?;
    Ok(sso(session, command, settings, &profiles, &config, out))
}

/// A session with what it takes to speak to it.
pub fn sso(
    session: SsoSession,
    login_command: String,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Sso {
    let profile = settings.profile_name();
    Sso {
        session,
        config: config.clone(),
        oidc_endpoint: profiles.service_endpoint(profile, "sso_oidc"),
        files: settings.files.clone(),
        time: settings.http.time().clone(),
        patience: Patience::new(settings, out),
        login_command,
        out,
    }
}

/// The failure of a profile that does not sign in with IAM Identity Center.
fn no_session(profile: &str, settings: &AwsSettings, profiles: &Profiles) -> Failure {
    let message = if settings.profile.is_some() {
        format!("profile {profile} does not sign in with IAM Identity Center")
    } else {
        "no profile is named, and the default one does not sign in with IAM Identity Center".into()
    };
    let with_sso = |name: &&str| profiles.sso_base(name).is_ok_and(|base| base.is_some());
    let names: Vec<&str> = profiles.names().into_iter().filter(with_sso).collect();
    let hint = if names.is_empty() {
        "`inductiva-aws configure sso` makes a profile that does".to_owned()
    } else {
        format!("name one that does with --profile: {}", names.join(", "))
    };
    let console = sign_in_command("login --console");
    Failure::usage(message).hint(format!(
        "{hint}; or sign in with the AWS console: {console}"
    ))
}

/// The command that signs in to a session, for messages.
pub fn login_to_session(name: &str) -> String {
    sign_in_command(&format!("login --sso-session {}", quoting::word(name)))
}

/// The command that signs in again, for messages.
fn login_command(settings: &AwsSettings, profile: &str) -> String {
    if settings.profile.is_none() && profile == "default" {
        sign_in_command("login")
    } else {
        sign_in_command(&format!("login --profile {}", quoting::word(profile)))
    }
}
