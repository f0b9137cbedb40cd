//! `credential_process`: a command that prints keys, and that may be this very program.

use std::{path::Path, time::SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value};

use super::{
    children::{Helper, Program, ProgramEnd},
    profiles::{Profile, Profiles},
    settings::AwsSettings,
    words,
};
use crate::{
    error::{Failure, Kind, Result},
    terminal::{mask, output::Output, printable::printable},
    time::Time,
};

/// The variable that tells this program, when a profile's command runs it, which profiles
/// that command is part of: one a line.
pub const WITHIN: &str = "INDUCTIVA_AWS_WITHIN_PROFILES";

/// A command that prints keys (AWS SDKs reference guide, "Process credential provider").
#[derive(Clone, Debug)]
pub struct CredentialProcess {
    words: Vec<String>,
    profile: String,
    within: String,
    time: Time,
    out: Output,
}

impl CredentialProcess {
    /// The command of a profile, if it has one.
    ///
    /// # Errors
    /// Usage: a quote that is not closed, or a command that asks this program for the
    /// profile's own credentials, directly or by way of others. Such a command is not
    /// run.
    pub fn of(
        profile: &Profile,
        profiles: &Profiles,
        settings: &AwsSettings,
        out: Output,
    ) -> Result<Option<Self>> {
        let Some(command) = &profile.credential_process else {
            return Ok(None);
        };
        let words = words(command).map_err(|why| {
            Failure::usage(format!(
                "credential_process of profile {} {why}",
                profile.name
            ))
            .hint(format!("correct it in {}", profiles.places()))
        })?;
        refuse_circle(profile, profiles, settings)?;
        if settings.within_profiles.contains(&profile.name) {
            return Err(circle(profile));
        }
        let mut within = settings.within_profiles.clone();
        within.push(profile.name.clone());
        Ok(Some(Self {
            words,
            profile: profile.name.clone(),
            within: within.join("\n"),
            time: settings.http.time().clone(),
            out,
        }))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Not signed in: it fails, or prints no keys that are good now.
    pub async fn keys(&self) -> Result<Credentials> {
        let helper = Helper {
            program: Program::Words(&self.words),
            name: format!("credential_process of profile {}", self.profile),
            variables: &[(WITHIN, self.within.clone())],
        };
        // Neither its output nor its arguments are shown, as there may be secrets in
        // them.
        let why = match helper.run(&self.time, self.out).await {
            Ok(ProgramEnd::Printed(printed)) => match printed_keys(&printed, self.time.now()) {
                Ok(keys) => return Ok(keys),
                Err(why) => why,
            },
            Ok(ProgramEnd::Failed(status, said)) => match printable(&mask::foreign(said.trim())) {
                said if said.is_empty() => status.to_string(),
                said => format!("{status}: {said}"),
            },
            Ok(ProgramEnd::Stopped(why)) => why,
            Err(error) => format!("it could not be run: {error}"),
        };
        Err(Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: {} failed: {why}", helper.name),
        )
        .hint("run the command by itself to see what it says; it has to print {\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}, and no shell reads it: $, ~, | and > are nothing special in it"))
    }
}

/// The keys in a document, if they are good now. As in the SDKs, the case of its names
/// does not matter.
///
/// # Errors
/// Why there are none, in words that follow the command.
fn printed_keys(printed: &[u8], now: SystemTime) -> Result<Credentials, String> {
    let document: Map<String, Value> =
        serde_json::from_slice(printed).map_err(|_| "it printed no credentials in JSON")?;
    let get = |wanted: &str| {
        let named = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case(wanted);
        let value = document.iter().find(named).map(|(_, value)| value);
        value.filter(|value| !value.is_null())
    };
    let text = |name: &str| {
        get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let need = |name: &str| text(name).ok_or_else(|| format!("it printed no {name}"));
    match get("Version") {
        Some(version) if version.as_u64() == Some(1) => {}
        Some(version) => {
            let version = mask::foreign(&version.to_string());
            return Err(format!(
                "it printed Version {version}, and 1 is the only one there is"
            ));
        }
        None => return Err("it printed no Version".into()),
    }
    let mut expires = None;
    if get("Expiration").is_some() {
        let end = text("Expiration").unwrap_or_default();
        let time = DateTime::from_str(end, Format::DateTimeWithOffset);
        let time = time.ok().and_then(|time| SystemTime::try_from(time).ok());
        let time = time.ok_or("it printed an Expiration that is not a time")?;
        if time <= now {
            return Err(format!("the keys that it printed ended at {end}"));
        }
        expires = Some(time);
    }
    Ok(Credentials::new(
        need("AccessKeyId")?,
        need("SecretAccessKey")?,
        text("SessionToken").map(str::to_owned),
        expires,
        "CredentialProcess",
    ))
}

/// Refuses commands that lead back to their own profile, from profile to profile.
fn refuse_circle(profile: &Profile, profiles: &Profiles, settings: &AwsSettings) -> Result<()> {
    let mut visited: Vec<String> = Vec::new();
    let mut name = profile.name.clone();
    while let Some(next) = profiles
        .find(&name)
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
        || profile.is_sso()
        || profile.web_identity_token_file.is_some()
        || profile.credential_source.is_some();
    profile.credential_process.as_deref().filter(|_| !others)
}

/// The profile whose credentials a command asks this program for; `default` where it
/// names none.
fn asks_for(command: &str, default: Option<&str>) -> Option<String> {
    let words = words(command).ok()?;
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

/// A command's program and arguments.
///
/// # Errors
/// What is not closed, in words that follow the command.
fn words(command: &str) -> Result<Vec<String>, &'static str> {
    if cfg!(windows) {
        // On Windows a backslash is part of a path.
        return words::split(&command.replace('\\', "\\\\"));
    }
    words::split(command)
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
        let now = SystemTime::now();
        let read = |text: &str| -> Result<_, String> {
            let keys = printed_keys(text.as_bytes(), now)?;
            let token = keys.session_token().map(str::to_owned);
            Ok((
                keys.access_key_id().to_owned(),
                token,
                keys.expiry().is_some(),
            ))
        };
        assert_eq!(
            read(r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}"#),
            Ok(("a".into(), None, false))
        );
        assert_eq!(
            read(
                r#"{"version": 1, "accessKeyId": "a", "secretAccessKey": "s", "sessionToken": "t", "expiration": "2099-01-01T00:00:00+01:00", "AccountId": "1"}"#
            ),
            Ok(("a".into(), Some("t".into()), true))
        );
        for (none, why) in [
            ("", "no credentials in JSON"),
            ("[]", "no credentials in JSON"),
            (
                r#"{"Version": 2, "AccessKeyId": "a", "SecretAccessKey": "s"}"#,
                "Version 2",
            ),
            (
                r#"{"AccessKeyId": "a", "SecretAccessKey": "s"}"#,
                "no Version",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "a"}"#,
                "no SecretAccessKey",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": "soon"}"#,
                "not a time",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}"#,
                "ended at 2020",
            ),
        ] {
            let told = read(none).expect_err(none);
            assert!(told.contains(why), "{told}");
        }
    }
}
