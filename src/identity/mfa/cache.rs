//! Sessions on disk, in the AWS CLI's form. Sessions of roles are kept where the AWS CLI
//! keeps them, so that each finds the other's. Those of `GetSessionToken` are in a folder
//! of this program's own.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::{
    bounds,
    identity::{credentials_check, private_files, profiles::Profile},
};

/// A session with less time left is not used, so that commands can finish with it.
const LEAST_LEFT: Duration = Duration::from_mins(5);

/// The file of one session.
#[derive(Clone, Debug)]
pub struct SessionFile {
    pub path: PathBuf,
    /// Held while a run looks for a session and makes one.
    pub lock: PathBuf,
}

/// This program's own folder in ~/.aws.
pub fn folder(aws_folder: &Path) -> PathBuf {
    aws_folder.join("inductiva-aws").join("cache")
}

impl SessionFile {
    /// The file of a `GetSessionToken` session of these keys and this device.
    pub fn of_keys(aws_folder: &Path, access_key_id: &str, serial: &str) -> Self {
        let name = sha256(&format!("{access_key_id}\n{serial}"));
        Self::named(aws_folder, &folder(aws_folder), &name)
    }

    /// The file of an `AssumeRole` session, which is the AWS CLI's own.
    pub fn of_role(
        aws_folder: &Path,
        role_arn: &str,
        profile: &Profile,
        serial: Option<&str>,
    ) -> Self {
        let name = role_key(role_arn, profile, serial);
        Self::named(aws_folder, &aws_folder.join("cli").join("cache"), &name)
    }

    fn named(aws_folder: &Path, sessions: &Path, name: &str) -> Self {
        Self {
            path: sessions.join(format!("{name}.json")),
            lock: folder(aws_folder).join(format!("{name}.lock")),
        }
    }

    /// The kept session, if it lasts for a while yet.
    pub fn read(&self, now: SystemTime) -> Option<Credentials> {
        let session: Value = serde_json::from_slice(&bounds::read(&self.path).ok()?).ok()?;
        let text = |name: &str| session["Credentials"][name].as_str().map(str::to_owned);
        let expires = time(&text("Expiration")?)?;
        (expires > now + LEAST_LEFT).then_some(())?;
        let keys = Credentials::new(
            text("AccessKeyId")?,
            text("SecretAccessKey")?,
            Some(text("SessionToken")?),
            Some(expires),
            "Mfa",
        );
        credentials_check::can_sign(&keys).then_some(keys)
    }

    /// Keeps a session, readable by its owner alone. `role` is AWS's `AssumedRoleUser`.
    pub fn write(&self, session: &Credentials, role: Option<Value>) -> std::io::Result<()> {
        let expires = session.expiry().unwrap_or(UNIX_EPOCH);
        let mut kept = json!({"Credentials": {
            "AccessKeyId": session.access_key_id(),
            "SecretAccessKey": session.secret_access_key(),
            "SessionToken": session.session_token(),
            "Expiration": python_time(expires),
        }});
        if let Some(role) = role {
            kept["AssumedRoleUser"] = role;
        }
        private_files::write(&self.path, kept.to_string().as_bytes())
    }
}

/// Reads `2026-01-01T00:00:00Z`, and what Python writes: `UTC` or `+00:00` at the end.
fn time(text: &str) -> Option<SystemTime> {
    let text = match text.strip_suffix("UTC") {
        Some(text) => format!("{text}Z"),
        None => text.to_owned(),
    };
    let time = DateTime::from_str(&text, Format::DateTimeWithOffset).ok()?;
    time.try_into().ok()
}

/// The AWS CLI writes times in the form `%Y-%m-%dT%H:%M:%S%Z`.
fn python_time(time: SystemTime) -> String {
    let whole = DateTime::from_secs(DateTime::from(time).secs());
    let text = whole.fmt(Format::DateTime).unwrap_or_default();
    format!("{}UTC", text.trim_end_matches('Z'))
}

/// The name of the AWS CLI's file for a role's session: the SHA-1 of the call's arguments
/// as Python's `json.dumps(arguments, sort_keys=True)` writes them (botocore,
/// `AssumeRoleCredentialFetcher`). A session name that was made up is not among them.
fn role_key(role_arn: &str, profile: &Profile, serial: Option<&str>) -> String {
    let texts = [
        ("ExternalId", profile.external_id.as_deref()),
        ("RoleArn", Some(role_arn)),
        ("RoleSessionName", profile.role_session_name.as_deref()),
        ("SerialNumber", serial),
    ];
    let mut arguments: Map<String, Value> = texts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
        .collect();
    if let Some(seconds) = profile.duration_seconds {
        arguments.insert("DurationSeconds".into(), json!(seconds));
    }
    let arguments: Vec<String> = arguments
        .iter()
        .map(|(name, value)| format!("\"{name}\": {}", ascii(&value.to_string())))
        .collect();
    let text = format!("{{{}}}", arguments.join(", "));
    hex::encode(Sha1::digest(text.as_bytes()))
}

/// Escapes what is not ASCII as Python does, in UTF-16.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

pub fn sha256(text: &str) -> String {
    hex::encode(<Sha256 as sha2::Digest>::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "arn:aws:iam::123456789012:mfa/ana";
    const ROLE: &str = "arn:aws:iam::123456789012:role/launcher";

    #[test]
    fn a_role_has_the_aws_clis_own_key() {
        // botocore 1.43's `AssumeRoleCredentialFetcher` gives this for the same
        // arguments.
        let mut profile = Profile::default();
        assert_eq!(
            role_key(ROLE, &profile, Some(SERIAL)),
            "1210f4dc5141fdb89813e2b7195bb1ce8346196d"
        );
        profile.duration_seconds = Some(7200);
        profile.external_id = Some("größe \"x\" \u{1F600}".into());
        profile.role_session_name = Some("ana".into());
        assert_eq!(
            role_key(ROLE, &profile, None),
            "5807b8ef949c48f79c0f850ebc61fe4e90bb21f2"
        );
    }

    #[test]
    fn a_session_is_read_back_until_shortly_before_its_end() {
        let home = tempfile::tempdir().expect("a folder");
        let file = SessionFile::of_keys(home.path(), "AKIA", SERIAL);
        let now = UNIX_EPOCH + Duration::from_hours(500_000);
        let lasting = |seconds| now + Duration::from_secs(seconds);
        let session =
            |end| Credentials::new("ASIA", "secret", Some("token".into()), Some(end), "x");
        assert!(file.read(now).is_none());
        file.write(&session(lasting(301)), None).expect("written");
        let read = file.read(now).expect("a session");
        assert_eq!(read.session_token(), Some("token"));
        assert_eq!(read.expiry(), Some(lasting(301)));
        file.write(&session(lasting(300)), None).expect("written");
        assert!(file.read(now).is_none());
    }

    #[test]
    fn times_are_read_as_python_and_as_others_write_them() {
        let new_year = UNIX_EPOCH + Duration::from_hours(490_896);
        for text in [
            "2026-01-01T00:00:00UTC",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00+00:00",
        ] {
            assert_eq!(time(text), Some(new_year), "{text}");
        }
        assert_eq!(time("tomorrow"), None);
        assert_eq!(
            python_time(new_year + Duration::from_millis(600)),
            "2026-01-01T00:00:00UTC"
        );
    }
}
