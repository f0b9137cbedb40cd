//! `credential_process`: a command that prints keys, and that may be this very
//! program.

use std::{path::Path, time::SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value};

use super::children::{Ended, Helper};
use super::{
    profiles::{Profile, Profiles},
    settings::AwsSettings,
};
use crate::{
    error::{Failure, Kind, Result},
    terminal::output::Output,
    time::Time,
};

/// Tells this program, when it is run by the command of a profile, which
/// profiles are being signed in with by way of it; a line each.
pub const WITHIN: &str = "INDUCTIVA_AWS_WITHIN_PROFILES";

/// The command of a profile that has nothing but one.
///
/// # Errors
/// A usage failure: the command asks this program for the profile's own
/// credentials, by whatever ways. It is not run again.
pub fn provider(
    name: &str,
    profiles: &Profiles,
    settings: &AwsSettings,
    out: Output,
) -> Result<Option<CredentialProcess>> {
    let Some(profile) = profiles.find(name)? else {
        return Ok(None);
    };
    let Some(command) = command_of(&profile) else {
        return Ok(None);
    };
    refuse_circle(&profile, profiles, settings)?;
    if settings.within_profiles.contains(&profile.name) {
        return Err(circle(&profile));
    }
    let mut within = settings.within_profiles.clone();
    within.push(profile.name.clone());
    Ok(Some(CredentialProcess {
        command: command.to_owned(),
        profile: profile.name.clone(),
        within: within.join("\n"),
        time: settings.http.time().clone(),
        out,
    }))
}

/// Whether the keys of a profile are what a command prints.
pub fn is_of(profile: &Profile) -> bool {
    command_of(profile).is_some()
}

/// A command that prints keys, as the SDKs reference guide has it ("Process
/// credential provider").
#[derive(Clone, Debug)]
pub struct CredentialProcess {
    command: String,
    profile: String,
    within: String,
    time: Time,
    out: Output,
}

impl CredentialProcess {
    async fn keys(&self) -> Result<Credentials> {
        let helper = Helper {
            command: &self.command,
            name: format!("credential_process of profile {}", self.profile),
            variables: &[(WITHIN, self.within.clone())],
            shows_stderr: false,
        };
        // Neither what it printed nor its arguments are shown: there may be secrets
        // in them.
        let why = match helper.run(&self.time, self.out).await {
            Ok(Ended::Printed(printed)) => match printed_keys(&printed) {
                Some(keys) => return Ok(keys),
                None => "it printed no credentials in JSON".to_owned(),
            },
            Ok(Ended::Failed(status)) => status.to_string(),
            Ok(Ended::Stopped(why)) => why,
            Err(error) => format!("it could not be run: {error}"),
        };
        Err(Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: {} failed: {why}", helper.name),
        )
        .hint("run the command by itself to see what it says; it has to print {\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}"))
    }
}

impl ProvideCredentials for CredentialProcess {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.keys().await.map_err(CredentialsError::provider_error)
        })
    }
}

/// The keys in a document; the SDKs take its names in whatever case.
fn printed_keys(printed: &[u8]) -> Option<Credentials> {
    let document: Map<String, Value> = serde_json::from_slice(printed).ok()?;
    let get = |wanted: &str| {
        let named = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case(wanted);
        document.iter().find(named).map(|(_, value)| value)
    };
    let text = |name: &str| get(name)?.as_str().map(str::to_owned);
    if get("Version")?.as_u64() != Some(1) {
        return None;
    }
    let expires = match get("Expiration") {
        None | Some(Value::Null) => None,
        Some(_) => {
            let end = DateTime::from_str(&text("Expiration")?, Format::DateTimeWithOffset);
            Some(SystemTime::try_from(end.ok()?).ok()?)
        }
    };
    Some(Credentials::new(
        text("AccessKeyId")?,
        text("SecretAccessKey")?,
        text("SessionToken"),
        expires,
        "CredentialProcess",
    ))
}

/// Follows the commands from profile to profile.
fn refuse_circle(profile: &Profile, profiles: &Profiles, settings: &AwsSettings) -> Result<()> {
    let mut visited: Vec<String> = Vec::new();
    let mut name = profile.name.clone();
    while let Some(next) = profiles
        .find(&name)?
        .as_ref()
        .and_then(command_of)
        .and_then(|command| asks_for(command, settings.profile_in_environment.as_deref()))
    {
        if visited.contains(&next) || next == profile.name {
            return Err(circle(profile));
        }
        visited.push(name);
        name = next;
    }
    Ok(())
}

fn command_of(profile: &Profile) -> Option<&str> {
    let others = profile.role_arn.is_some()
        || profile.sso.is_some()
        || profile.web_identity_token_file.is_some()
        || profile.credential_source.is_some();
    profile.credential_process.as_deref().filter(|_| !others)
}

/// The profile whose credentials a command asks of this program; `default` where
/// it names none.
fn asks_for(command: &str, default: Option<&str>) -> Option<String> {
    let words = words(command);
    let (program, words) = words.split_first()?;
    let program = Path::new(program).file_stem()?;
    if program != env!("CARGO_PKG_NAME") || !words.iter().any(|word| word == "credentials") {
        return None;
    }
    let flag = words
        .windows(2)
        .find(|pair| pair[0] == "--profile")
        .map(|pair| pair[1].as_str())
        .or_else(|| {
            words
                .iter()
                .find_map(|word| word.strip_prefix("--profile="))
        });
    flag.or(default).map(str::to_owned)
}

/// A command as its shell reads it; none if that would refuse it.
fn words(command: &str) -> Vec<String> {
    if cfg!(windows) {
        // There a backslash is part of a path.
        let bare = |word: &str| word.trim_matches(['"', '\'']).to_owned();
        command.split_whitespace().map(bare).collect()
    } else {
        shlex::split(command).unwrap_or_default()
    }
}

fn circle(profile: &Profile) -> Failure {
    Failure::usage(format!(
        "profile {name} gets its credentials from inductiva-aws, which would get them from profile {name}",
        name = profile.name
    ))
    .hint("name another profile in its credential_process: the one that has the keys, the role or the SSO sign-in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_asks_this_program_is_seen_through_its_quotes() {
        let asks_for = |command| asks_for(command, Some("mine"));
        let ana = Some("ana".to_owned());
        for command in [
            "inductiva-aws credentials --profile ana",
            "/usr/bin/inductiva-aws --profile=ana credentials",
            "inductiva-aws credentials --profile 'ana'",
        ] {
            assert_eq!(asks_for(command), ana, "{command}");
        }
        assert_eq!(asks_for("inductiva-aws credentials"), Some("mine".into()));
        assert_eq!(asks_for("aws credentials --profile ana"), None);
        assert_eq!(asks_for("inductiva-aws whoami --profile ana"), None);
        if cfg!(unix) {
            let command = "'/opt/my tools/inductiva-aws' credentials --profile \"a na\"";
            assert_eq!(asks_for(command), Some("a na".into()));
        }
    }

    #[test]
    fn keys_are_read_as_the_sdks_read_them() {
        let read = |text: &str| {
            let keys = printed_keys(text.as_bytes())?;
            let token = keys.session_token().map(str::to_owned);
            Some((
                keys.access_key_id().to_owned(),
                token,
                keys.expiry().is_some(),
            ))
        };
        assert_eq!(
            read(r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}"#),
            Some(("a".into(), None, false))
        );
        assert_eq!(
            read(
                r#"{"version": 1, "accessKeyId": "a", "secretAccessKey": "s", "sessionToken": "t", "expiration": "2030-01-01T00:00:00+01:00", "AccountId": "1"}"#
            ),
            Some(("a".into(), Some("t".into()), true))
        );
        for none in [
            "",
            "[]",
            r#"{"Version": 2, "AccessKeyId": "a", "SecretAccessKey": "s"}"#,
            r#"{"Version": 1, "AccessKeyId": "a"}"#,
            r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": "soon"}"#,
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
