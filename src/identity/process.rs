//! `credential_process`: a command that prints keys, and that may be this very
//! program.

use std::path::Path;

use aws_config::credential_process::CredentialProcessProvider;

use super::{
    profiles::{Profile, Profiles},
    settings::AwsSettings,
};
use crate::{
    error::{Failure, Result},
    terminal::quoting,
};

/// Tells this program, when it is run by the command of a profile, which
/// profiles are being signed in with by way of it; a line each.
pub const WITHIN: &str = "INDUCTIVA_AWS_WITHIN_PROFILES";

/// The command of a profile that has nothing but one; the SDK runs it.
///
/// # Errors
/// A usage failure: the command asks this program for the profile's own
/// credentials, by whatever ways. It is not run again.
pub fn provider(
    name: &str,
    profiles: &Profiles,
    settings: &AwsSettings,
) -> Result<Option<CredentialProcessProvider>> {
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
    if cfg!(windows) {
        return Ok(Some(CredentialProcessProvider::new(command.to_owned())));
    }
    let mut within = settings.within_profiles.clone();
    within.push(profile.name.clone());
    let within = quoting::posix(&within.join("\n"));
    // The SDK runs it with `sh -c`.
    Ok(Some(CredentialProcessProvider::new(format!(
        "export {WITHIN}={within}; {command}"
    ))))
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
}
