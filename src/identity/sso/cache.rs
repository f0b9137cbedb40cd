//! The token files in ~/.aws/sso/cache, which the AWS CLI and the SDKs share.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use aws_smithy_types::date_time::{DateTime, Format};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha1::{Digest as _, Sha1};

use crate::{
    bounds,
    error::{Failure, Result},
    identity::{private_files, profiles::AwsFiles},
    terminal::{mask, output::Output},
    time::Time,
};

/// What a sign-in gave, as it is kept. Times have whole seconds and end in `Z`, as the
/// Rust SDK reads no others.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsoToken {
    pub start_url: Option<String>,
    pub region: Option<String>,
    pub access_token: String,
    pub expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What other programs keep in the file.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A registration of this program with the OIDC service. It is kept for the next sign-in,
/// as the AWS CLI keeps its own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    pub client_id: String,
    pub client_secret: String,
    pub expires_at: String,
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Without the secrets.
impl fmt::Debug for SsoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsoToken")
            .field("start_url", &self.start_url)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Without the secrets.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl SsoToken {
    /// Has its secrets masked from now on.
    fn know(&self) {
        mask::know(&self.access_token);
        for secret in [&self.client_secret, &self.refresh_token] {
            mask::know(secret.as_deref().unwrap_or_default());
        }
    }

    /// Seconds until the token ends; negative when it has ended.
    pub fn seconds_left(&self) -> i64 {
        seconds_until(&self.expires_at)
    }

    /// What it takes to refresh the token, if all of it is there and still good.
    pub fn refreshable(&self) -> Option<(&str, &str, &str)> {
        let until = self.registration_expires_at.as_deref()?;
        (seconds_until(until) > 0).then_some((
            self.client_id.as_deref()?,
            self.client_secret.as_deref()?,
            self.refresh_token.as_deref()?,
        ))
    }

    /// The same with times that the Rust SDK reads: older AWS CLIs wrote `UTC`, other
    /// programs write `+00:00`. None where nothing changes.
    pub fn with_plain_times(&self) -> Option<Self> {
        let mut plain = self.clone();
        plain.expires_at = plain_time(&self.expires_at)?;
        if let Some(until) = &self.registration_expires_at {
            plain.registration_expires_at = Some(plain_time(until)?);
        }
        (plain.expires_at != self.expires_at
            || plain.registration_expires_at != self.registration_expires_at)
            .then_some(plain)
    }
}

/// Tokens of this run that could not be kept, by the names that their files would have.
static UNKEPT: Mutex<BTreeMap<String, SsoToken>> = Mutex::new(BTreeMap::new());

/// The folder of the token files.
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub fn new(files: &AwsFiles) -> Self {
        Self {
            folder: files.folder.join("sso/cache"),
        }
    }

    /// The file of the session of this name, or of this start URL.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{}.json", sha1(key)))
    }

    /// Lets one run at a time refresh or replace tokens, as a refresh token works once.
    pub async fn lock(&self, time: &Time, out: Output) -> Option<private_files::Lock> {
        let path = self.folder.join("inductiva-aws.lock");
        private_files::Lock::wait(&path, time, out).await
    }

    /// The token; None where there is no file.
    ///
    /// # Errors
    /// The file has another form.
    pub fn read(&self, key: &str) -> Result<Option<SsoToken>> {
        let unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = unkept.get(key) {
            return Ok(Some(token.clone()));
        }
        let path = self.path(key);
        let text = match bounds::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        // serde's reason would quote from the file.
        let token = serde_json::from_slice::<SsoToken>(&text).map_err(|_| {
            Failure::usage(format!("{} is not an SSO token file", path.display()))
                .hint("sign in again, which replaces it")
        })?;
        token.know();
        Ok(Some(token))
    }

    /// Keeps a token. Where the folder cannot be written, this run keeps it in memory,
    /// with a warning: the token may have cost a person a sign-in, or the refresh token
    /// before it.
    pub fn write(&self, key: &str, token: &SsoToken, out: Output) {
        token.know();
        if let Err(failure) = write_json(&self.path(key), token) {
            out.warn(&format!(
                "{}: it is used for this run only",
                failure.message
            ));
            let mut unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner);
            unkept.insert(key.to_owned(), token.clone());
        }
    }

    /// Checks that a token could be kept.
    ///
    /// # Errors
    /// Usage: it could not.
    pub fn check(&self) -> Result<()> {
        let probe = private_files::make_folder(&self.folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(&self.folder));
        probe
            .map(drop)
            .map_err(|error| cannot("write to", &self.folder, &error))
    }

    /// Removes the token, and tells whether there was one.
    pub fn remove(&self, key: &str) -> Result<bool> {
        removed(&self.path(key))
    }

    /// The registration for such a sign-in, if it is good for as long as one takes.
    pub fn registration(&self, kind: &str) -> Option<Registration> {
        let text = bounds::read(&self.path(kind)).ok()?;
        let kept: Registration = serde_json::from_slice(&text).ok()?;
        mask::know(&kept.client_secret);
        (seconds_until(&kept.expires_at) > 15 * 60).then_some(kept)
    }

    /// Keeps a registration. If that fails, the next sign-in makes another.
    pub fn keep_registration(&self, kind: &str, registration: &Registration) {
        let _ = write_json(&self.path(kind), registration);
    }

    pub fn forget_registration(&self, kind: &str) -> Result<bool> {
        removed(&self.path(kind))
    }
}

fn write_json(path: &Path, document: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(document).map_err(anyhow::Error::new)?;
    private_files::write(path, &text).map_err(|error| cannot("write", path, &error))
}

/// The time in so many seconds, in the file's form.
pub fn seconds_from_now(seconds: i64) -> String {
    timestamp(DateTime::from(SystemTime::now()).secs() + seconds)
}

/// A time in the file's form, from seconds since 1970.
pub fn timestamp(seconds: i64) -> String {
    DateTime::from_secs(seconds)
        .fmt(Format::DateTime)
        .unwrap_or_default()
}

/// The SHA-1 in lower-case hexadecimal digits.
pub fn sha1(text: &str) -> String {
    format!("{:x}", Sha1::digest(text.as_bytes()))
}

/// Removes a file, and tells whether there was one.
pub fn removed(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("remove", path, &error)),
    }
}

/// A time that cannot be read counts as over.
fn seconds_until(text: &str) -> i64 {
    let now = DateTime::from(SystemTime::now()).secs();
    parsed(text).map_or(-1, |at| at.secs() - now)
}

fn parsed(text: &str) -> Option<DateTime> {
    let text = text.strip_suffix("UTC").unwrap_or(text);
    let text = text.strip_suffix('Z').unwrap_or(text);
    DateTime::from_str(&format!("{text}Z"), Format::DateTime)
        .or_else(|_| DateTime::from_str(text, Format::DateTimeWithOffset))
        .ok()
}

fn plain_time(text: &str) -> Option<String> {
    parsed(text).map(|at| timestamp(at.secs()))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot {what} {}: {error}", path.display()))
        .hint("signing in with IAM Identity Center keeps its token there, as the AWS CLI does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_writers_are_read_and_written_in_one_form() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00UTC",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00.123456Z",
            "2026-01-01T02:00:00+02:00",
        ] {
            assert_eq!(
                plain_time(text).as_deref(),
                Some("2026-01-01T00:00:00Z"),
                "{text}"
            );
        }
        assert_eq!(plain_time("yesterday"), None);
    }

    #[test]
    fn files_are_named_as_the_aws_cli_names_them() {
        let cache = Cache::new(&AwsFiles {
            folder: "/home/x/.aws".into(),
            ..AwsFiles::default()
        });
        // echo -n my-sso | sha1sum
        assert_eq!(
            cache.path("my-sso").display().to_string(),
            "/home/x/.aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json"
        );
    }
}
