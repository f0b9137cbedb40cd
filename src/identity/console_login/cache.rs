//! The sessions in ~/.aws/login/cache, which the AWS CLI and the SDKs share.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    bounds,
    error::{Failure, Result},
    identity::private_files::{self, Lock},
    terminal::{mask, output::Output},
    time::Time,
};

/// A session as its file has it. What other programs keep in it stays.
#[derive(Clone)]
pub struct ConsoleToken(Map<String, Value>);

/// Without the secrets.
impl fmt::Debug for ConsoleToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsoleToken")
    }
}

impl ConsoleToken {
    /// A session that a sign-in has given.
    pub fn new(
        answer: &Value,
        account_id: &str,
        client_id: &str,
        dpop_key: &str,
        region: &str,
        now: SystemTime,
    ) -> Option<Self> {
        let mut fields = Map::new();
        for (name, value) in [
            ("clientId", client_id),
            ("dpopKey", dpop_key),
            ("signInRegion", region),
        ] {
            fields.insert(name.to_owned(), value.into());
        }
        for name in ["tokenType", "idToken"] {
            fields.insert(name.to_owned(), answer[name].as_str()?.into());
        }
        fields.insert("accessToken".into(), json!({"accountId": account_id}));
        Self(fields).refreshed(answer, now)
    }

    /// The same session with the keys of this answer.
    pub fn refreshed(&self, answer: &Value, now: SystemTime) -> Option<Self> {
        let mut fields = self.0.clone();
        let seconds = answer["expiresIn"].as_u64()?;
        let end = DateTime::from(now + Duration::from_secs(seconds));
        let end = DateTime::from_secs(end.secs()).fmt(Format::DateTime).ok()?;
        let keys = &answer["accessToken"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let access_token = json!({
            "accessKeyId": text(&keys["accessKeyId"])?,
            "secretAccessKey": text(&keys["secretAccessKey"])?,
            "sessionToken": text(&keys["sessionToken"])?,
            "accountId": fields.get("accessToken")?["accountId"],
            "expiresAt": end,
        });
        fields.insert("accessToken".into(), access_token);
        fields.insert("refreshToken".into(), text(&answer["refreshToken"])?.into());
        Self::checked(fields)
    }

    /// The session, if the document is complete. Its secrets are masked from now on.
    fn checked(fields: Map<String, Value>) -> Option<Self> {
        let token = Self(fields);
        for secret in [
            token.key("secretAccessKey"),
            token.key("sessionToken"),
            token.refresh_token(),
            token.text("idToken"),
        ] {
            mask::know(secret);
        }
        // Each line of the private key is masked, too.
        token
            .dpop_key()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .for_each(mask::know);
        let needed = [
            token.key("accessKeyId"),
            token.key("secretAccessKey"),
            token.key("sessionToken"),
            token.refresh_token(),
            token.client_id(),
            token.dpop_key(),
        ];
        needed.iter().all(|text| !text.is_empty()).then_some(token)
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn key(&self, name: &str) -> &str {
        let keys = self.0.get("accessToken");
        keys.and_then(|keys| keys[name].as_str())
            .unwrap_or_default()
    }

    pub fn client_id(&self) -> &str {
        self.text("clientId")
    }

    pub fn refresh_token(&self) -> &str {
        self.text("refreshToken")
    }

    /// The private key that the session is bound to, in PEM.
    pub fn dpop_key(&self) -> &str {
        self.text("dpopKey")
    }

    /// The region that the session was made in, where that is known.
    pub fn region(&self) -> Option<&str> {
        self.0.get("signInRegion")?.as_str()
    }

    pub fn account_id(&self) -> &str {
        self.key("accountId")
    }

    /// When the keys end, as the file has it.
    pub fn expires_at(&self) -> &str {
        self.key("expiresAt")
    }

    fn end(&self) -> Option<SystemTime> {
        let end = DateTime::from_str(self.expires_at(), Format::DateTimeWithOffset);
        SystemTime::try_from(end.ok()?).ok()
    }

    /// Seconds until the keys end; negative when they have.
    pub fn seconds_left(&self, now: SystemTime) -> i64 {
        let end = self.end().map(DateTime::from);
        end.map_or(-1, |end| end.secs() - DateTime::from(now).secs())
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::new(
            self.key("accessKeyId"),
            self.key("secretAccessKey"),
            Some(self.key("sessionToken").to_owned()),
            self.end(),
            "Login",
        )
    }
}

/// Sessions of this run that could not be kept.
static UNKEPT: Mutex<BTreeMap<String, ConsoleToken>> = Mutex::new(BTreeMap::new());

/// The folder of the sessions: `AWS_LOGIN_CACHE_DIRECTORY`, else ~/.aws/login/cache.
#[derive(Clone, Debug)]
pub struct SessionFolder(PathBuf);

impl SessionFolder {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The file of a session, by the identity that signed in.
    pub fn path(&self, login_session: &str) -> PathBuf {
        let name = hex::encode(Sha256::digest(login_session.trim().as_bytes()));
        self.0.join(format!("{name}.json"))
    }

    /// Lets one run at a time refresh, as a refresh token works once.
    pub async fn lock(&self, time: &Time, out: Output) -> Option<Lock> {
        Lock::wait(&self.0.join("inductiva-aws.lock"), time, out).await
    }

    /// The session; None where there is no file.
    ///
    /// # Errors
    /// The file has another form.
    pub fn read(&self, login_session: &str) -> Result<Option<ConsoleToken>> {
        let unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = unkept.get(login_session) {
            return Ok(Some(token.clone()));
        }
        let path = self.path(login_session);
        let text = match bounds::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::usage(format!(
                    "cannot read {}: {error}",
                    path.display()
                )));
            }
        };
        // serde's reason would quote from the file.
        let fields = serde_json::from_slice(&text).ok();
        fields
            .and_then(ConsoleToken::checked)
            .map(Some)
            .ok_or_else(|| {
                Failure::usage(format!("{} is not a console sign-in", path.display()))
                    .hint("sign in again, which replaces it")
            })
    }

    /// Keeps a session. If it cannot be written, this run uses it, with a warning.
    pub fn write(&self, login_session: &str, token: &ConsoleToken, out: Output) {
        let path = self.path(login_session);
        let text = Value::from(token.0.clone()).to_string();
        if let Err(error) = private_files::write(&path, text.as_bytes()) {
            out.warn(&format!(
                "cannot write {}: {error}: the sign-in is used for this run only",
                path.display()
            ));
            let mut unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner);
            unkept.insert(login_session.to_owned(), token.clone());
        }
    }

    /// Checks that a session could be kept.
    ///
    /// # Errors
    /// Usage: it could not.
    pub fn check(&self) -> Result<()> {
        let probe = private_files::make_folder(&self.0)
            .and_then(|()| tempfile::NamedTempFile::new_in(&self.0));
        probe.map(drop).map_err(|error| {
            Failure::usage(format!("cannot write to {}: {error}", self.0.display()))
                .hint("the sign-in is kept there, as the AWS CLI keeps it; AWS_LOGIN_CACHE_DIRECTORY names another folder")
        })
    }

    /// Removes a session, and tells whether there was one.
    ///
    /// # Errors
    /// Usage: the file cannot be removed.
    pub fn remove(&self, login_session: &str) -> Result<bool> {
        let path = self.path(login_session);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::usage(format!(
                "cannot remove {}: {error}",
                path.display()
            ))),
        }
    }
}
