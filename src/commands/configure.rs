//! `configure`: asks for access keys, region and Inductiva API key, and stores them where
//! `aws configure` and `inductiva auth login` do.

use std::{fmt, path::PathBuf};

use aws_credential_types::Credentials;
use serde::Serialize;

use super::questions::{NONE, Prompt, last_four, secret};
use crate::{
    error::{Failure, Result},
    identity::{
        files, private_files,
        profiles::{Profile, Profiles},
        sso::config_file,
    },
    settings::{self, AwsSettings},
    terminal::{mask, output::Output, quoting},
};

/// The answers. None is for a value that stays as it is.
struct NewValues {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    region: Option<String>,
    api_key: Option<String>,
}

/// Asks for each value, and stores the answers.
pub async fn run(settings: &AwsSettings, out: Output) -> Result<()> {
    if !out.interactive {
        return Err(
            Failure::usage("`inductiva-aws configure` asks, and there is no terminal to ask on")
                .hint("set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and INDUCTIVA_API_KEY instead"),
        );
    }
    let name = settings.profile_name();
    files::check_name(name)?;
    let profiles = Profiles::load(&settings.files)?;
    profiles.warn(out);
    let profile = profiles.find(name).unwrap_or_default();
    refuse_other_sign_in(name, &profile, settings)?;
    let keys = profiles.keys_in_credentials_file(name).ok().flatten();
    // Everything is asked before anything is written, so that an interruption changes
    // nothing.
    let answers = asked(keys.as_ref(), &profile, settings, out).await?;
    let report = store(&answers, name, settings, out).await?;
    let has_token = keys.is_some_and(|keys| keys.session_token().is_some());
    if has_token && report.credentials_file.is_some() {
        out.warn(&format!(
            "profile {name} has a session token in {}, which does not go with other keys: take the line away",
            settings.files.credentials.display()
        ));
    }
    let flag = match &settings.profile {
        Some(name) => format!(" --profile {}", quoting::word(name)),
        None => String::new(),
    };
    out.say(&format!("try it: inductiva-aws whoami{flag}"));
    out.result(&report, &[])
}

async fn asked(
    keys: Option<&Credentials>,
    profile: &Profile,
    settings: &AwsSettings,
    out: Output,
) -> Result<NewValues> {
    let secret_there = keys.map(Credentials::secret_access_key);
    let key_there = settings::stored_api_key()?;
    for known in [secret_there, key_there.as_deref()] {
        mask::know(known.unwrap_or_default());
    }
    let id_there = keys.map(|keys| last_four(keys.access_key_id()));
    let id = Prompt {
        flag: "AWS_ACCESS_KEY_ID",
        text: "AWS access key id",
        default: Some(id_there.as_deref().unwrap_or(NONE)),
        without_terminal: "",
    };
    let parse = |text: &str| kept_or(text, id_there.as_deref(), access_key_id);
    let access_key_id = id.answer(None, out, parse).await?;
    let secret_key = secret(
        "AWS secret access key",
        secret_there,
        out,
        secret_access_key,
    )
    .await?;
    if access_key_id.is_some() && secret_key.is_none() {
        return Err(Failure::usage(
            "a new access key id needs its own secret access key: nothing was changed",
        )
        .hint("both are shown together, once, where the key is made in the IAM console"));
    }
    let region = Prompt {
        flag: "--region",
        text: "region of the machines",
        default: Some(profile.region.as_deref().unwrap_or(NONE)),
        without_terminal: "",
    };
    let parse = |text: &str| kept_or(text, profile.region.as_deref(), config_file::region);
    let region = region
        .answer(settings.typed_region.clone(), out, parse)
        .await?;
    Ok(NewValues {
        access_key_id,
        secret_access_key: secret_key,
        region,
        api_key: secret(
            "Inductiva API key",
            key_there.as_deref(),
            out,
            inductiva_key,
        )
        .await?,
    })
}

async fn store(
    answers: &NewValues,
    name: &str,
    settings: &AwsSettings,
    out: Output,
) -> Result<ConfigureReport> {
    let NewValues {
        access_key_id,
        secret_access_key,
        region,
        api_key,
    } = answers;
    let files = &settings.files;
    let _lock = files::lock(files, settings.http.time(), out).await;
    let keys: Vec<(&str, &str)> = [
        ("aws_access_key_id", access_key_id),
        ("aws_secret_access_key", secret_access_key),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    .collect();
    if !keys.is_empty() {
        files::set_in_credentials(files, name, &keys)?;
    }
    if let Some(region) = region {
        files::set_in_config(files, name, &[("region", region)])?;
    }
    let api_key_file = settings::api_key_file().filter(|_| api_key.is_some());
    if let (Some(key), Some(path)) = (api_key, &api_key_file) {
        private_files::replace(path, key.as_bytes(), true)
            .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(ConfigureReport {
        profile: name.to_owned(),
        credentials_file: (!keys.is_empty()).then(|| files.credentials.clone()),
        config_file: region.is_some().then(|| files.config.clone()),
        api_key_file,
    })
}

/// Refuses a profile with another sign-in: one of the two would hide the other.
fn refuse_other_sign_in(name: &str, there: &Profile, settings: &AwsSettings) -> Result<()> {
    let other = [
        (there.is_sso(), "IAM Identity Center"),
        (there.login_session.is_some(), "`aws login`"),
        (there.credential_process.is_some(), "credential_process"),
        (there.role_arn.is_some(), "a role"),
    ];
    match other.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Failure::usage(format!(
            "profile {name} signs in with {what} in {}",
            settings.files.config.display()
        ))
        .hint("name another profile with --profile, or remove that one first")),
        None => Ok(()),
    }
}

/// None where the answer is the value that the question shows.
fn kept_or(
    text: &str,
    shown: Option<&str>,
    parse: impl Fn(&str) -> Result<String, String>,
) -> Result<Option<String>, String> {
    if text == shown.unwrap_or(NONE) {
        return Ok(None);
    }
    parse(text).map(Some)
}

/// An access key id: 16 to 128 letters and digits (IAM API reference, `AccessKey`).
fn access_key_id(text: &str) -> Result<String, String> {
    let is_one =
        (16..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("an access key id is one word of at least 16 letters and digits, such as AKIAIOSFODNN7EXAMPLE".into())
    }
}

fn secret_access_key(text: &str) -> Result<String, String> {
    one_word(
        text,
        "a secret access key is one word of letters, digits, + and /",
    )
}

fn inductiva_key(text: &str) -> Result<String, String> {
    one_word(
        text,
        "an Inductiva API key is one word; copy it from your account at https://inductiva.ai/",
    )
}

fn one_word(text: &str, otherwise: &str) -> Result<String, String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(otherwise.to_owned())
    }
}

/// What was stored. Null is for what stayed as it was.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigureReport {
    pub profile: String,
    /// The file with the access keys.
    pub credentials_file: Option<PathBuf>,
    /// The file with the region.
    pub config_file: Option<PathBuf>,
    /// The file with the Inductiva API key.
    pub api_key_file: Option<PathBuf>,
}

impl fmt::Display for ConfigureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = [
            ("access keys", &self.credentials_file),
            ("region", &self.config_file),
            ("Inductiva API key", &self.api_key_file),
        ];
        let stored: Vec<_> = stored
            .iter()
            .filter_map(|(what, file)| Some((what, file.as_ref()?)))
            .collect();
        for (what, file) in &stored {
            writeln!(f, "stored the {what} in {}", file.display())?;
        }
        if stored.is_empty() {
            writeln!(f, "nothing was changed")?;
        }
        Ok(())
    }
}
