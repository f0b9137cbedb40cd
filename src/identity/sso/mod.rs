//! IAM Identity Center: good tokens, and how to get one.

pub mod browser;
mod cache;
pub mod config_file;
pub mod endpoint;
mod oidc;
pub mod portal;
pub mod session;

use std::path::PathBuf;

use aws_config::SdkConfig;

use self::{cache::Cache, oidc::Oidc, portal::Portal};
pub use self::{cache::SsoToken, oidc::ACCOUNT_SCOPE};
use crate::{
    aws::errors,
    error::{Failure, Kind, Result},
    identity::{
        patience::Patience,
        profiles::{AwsFiles, Profiles, SsoSession},
        settings::Desktop,
    },
    terminal::output::Output,
    time::Time,
};

/// A session with less time left is refreshed, as in the AWS SDKs. Console sign-ins go by
/// it, too.
pub const REFRESH_SECONDS: i64 = 5 * 60;

/// How a person signs in.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// With a code on any device, instead of this machine's browser.
    pub device_code: bool,
    pub open_browser: bool,
}

impl How {
    /// The browser of this machine where there is one.
    pub fn usual(desktop: Desktop) -> Self {
        let has_browser = desktop.has_browser();
        Self {
            device_code: !has_browser,
            open_browser: has_browser,
        }
    }
}

/// Why there is no good token.
#[derive(Debug)]
pub enum NoToken {
    /// A person has to sign in.
    SignInNeeded(Failure),
    /// A sign-in would not help.
    Other(Failure),
}

impl From<Failure> for NoToken {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<NoToken> for Failure {
    fn from(why: NoToken) -> Self {
        match why {
            NoToken::SignInNeeded(failure) | NoToken::Other(failure) => failure,
        }
    }
}

/// One session, and what it takes to use it.
#[derive(Clone, Debug)]
pub struct Sso {
    pub session: SsoSession,
    /// The SDK's configuration; it needs neither credentials nor a region.
    pub config: SdkConfig,
    /// The address of the OIDC service that botocore would take from the profile.
    pub oidc_endpoint: Option<String>,
    /// The files beside which the token is kept.
    pub files: AwsFiles,
    /// The command that signs in, for messages.
    pub login_command: String,
    pub time: Time,
    pub patience: Patience,
    pub out: Output,
}

impl Sso {
    /// The portal, for a token of this session.
    pub fn portal<'a>(&'a self, token: &'a SsoToken) -> Portal<'a> {
        Portal::new(
            &self.session.region,
            &token.access_token,
            &self.config,
            &self.patience,
            self.out,
        )
    }

    /// Checks that a sign-in would outlast this run.
    ///
    /// # Errors
    /// Usage: its token could not be kept.
    pub fn check_cache(&self) -> Result<()> {
        self.cache().check()
    }

    /// Signs in, and keeps the token where the AWS CLI and the SDKs look for it.
    pub async fn login(&self, how: How) -> Result<SsoToken> {
        let cache = self.cache();
        let oidc = self.oidc();
        let token = if how.device_code || self.session.name.is_none() {
            oidc.with_device_code(&cache, how.open_browser).await?
        } else {
            oidc.in_browser().await?
        };
        let _lock = cache.lock(&self.time, self.out).await;
        cache.write(self.session.cache_key(), &token, self.out);
        Ok(token)
    }

    /// A token that is good for some minutes at least; it is refreshed if need be.
    pub async fn token(&self) -> Result<SsoToken, NoToken> {
        let cache = self.cache();
        let token = self.kept(&cache)?;
        if token.seconds_left() > REFRESH_SECONDS && token.with_plain_times().is_none() {
            return Ok(token);
        }
        let _lock = cache.lock(&self.time, self.out).await;
        // Another run may have refreshed it while this one waited for the lock.
        let token = self.kept(&cache)?;
        let (token, rewritten) = match token.with_plain_times() {
            Some(plain) => (plain, true),
            None => (token, false),
        };
        if token.seconds_left() > REFRESH_SECONDS {
            if rewritten {
                cache.write(self.session.cache_key(), &token, self.out);
            }
            return Ok(token);
        }
        self.refreshed(&cache, token).await
    }

    /// The kept token, if it is still good.
    pub fn token_at_hand(&self) -> Result<SsoToken, NoToken> {
        let token = self.kept(&self.cache())?;
        if token.seconds_left() > 0 {
            Ok(token)
        } else {
            Err(self.needed("the SSO token has ended"))
        }
    }

    /// Ends the session, forgets its token and the credentials that came of it, and tells
    /// whether there was a token.
    ///
    /// # Errors
    /// Files that cannot be removed. If AWS cannot be told, that is only a warning: the
    /// token is gone from this machine.
    pub async fn logout(&self, profiles: &Profiles) -> Result<bool> {
        // Only a good token can end its session, so a stale one is refreshed first.
        match self.token().await {
            Ok(token) => {
                if let Err(failure) = self.portal(&token).logout().await {
                    self.out.warn(&failure.message);
                }
            }
            Err(NoToken::SignInNeeded(_)) => {}
            Err(NoToken::Other(failure)) => self.out.warn(&failure.message),
        }
        let cache = self.cache();
        let _lock = cache.lock(&self.time, self.out).await;
        for (account_id, role_name) in self.roles(profiles) {
            cache::removed(&self.kept_by_aws_cli(&account_id, &role_name))?;
        }
        cache.remove(self.session.cache_key())
    }

    /// The accounts and roles of the profiles that use the session.
    fn roles(&self, profiles: &Profiles) -> Vec<(String, String)> {
        profiles
            .names()
            .into_iter()
            .filter_map(|name| profiles.find(name))
            .filter(|profile| {
                let session = profiles.sso(profile).ok().flatten();
                session.as_ref() == Some(&self.session)
            })
            .filter_map(|profile| Some((profile.sso_account_id?, profile.sso_role_name?)))
            .collect()
    }

    /// The file in which the AWS CLI keeps a role's credentials. Its name is a digest of
    /// the arguments, in the order of their names.
    fn kept_by_aws_cli(&self, account_id: &str, role_name: &str) -> PathBuf {
        let session = match &self.session.name {
            Some(name) => ("sessionName", name),
            None => ("startUrl", &self.session.start_url),
        };
        let arguments = serde_json::Map::from_iter(
            [
                ("accountId", account_id),
                ("roleName", role_name),
                (session.0, session.1),
            ]
            .map(|(key, value)| (key.to_owned(), value.into())),
        );
        let digest = cache::sha1(&serde_json::Value::from(arguments).to_string());
        self.files.folder.join(format!("cli/cache/{digest}.json"))
    }

    /// The portal no longer accepts the token.
    pub fn ended(&self, said: &str) -> NoToken {
        let path = self.cache().path(self.session.cache_key());
        self.needed(&format!(
            "IAM Identity Center no longer takes the SSO token in {}: {said}",
            path.display()
        ))
    }

    async fn refreshed(&self, cache: &Cache, stale: SsoToken) -> Result<SsoToken, NoToken> {
        let path = cache.path(self.session.cache_key());
        let expired = format!(
            "the SSO token in {} expired at {}",
            path.display(),
            stale.expires_at
        );
        let Some(means) = stale.refreshable() else {
            return if stale.seconds_left() > 0 {
                Ok(stale)
            } else {
                Err(self.needed(&format!("{expired} and cannot be refreshed")))
            };
        };
        let why = match self.oidc().refresh(&stale, means).await {
            Ok(Some(token)) => {
                cache.write(self.session.cache_key(), &token, self.out);
                return Ok(token);
            }
            // The token is good until it ends.
            Ok(None) | Err(_) if stale.seconds_left() > 0 => return Ok(stale),
            Ok(None) => "no token in the answer".to_owned(),
            Err(error) => match errors::code(&error) {
                // An internal error of the service may pass; a sign-in would not help.
                Some(code) if !code.starts_with("Internal") => code.to_owned(),
                _ => {
                    let what = format!("{expired}, and cannot be refreshed");
                    return Err(NoToken::Other(errors::sign_in_failure(
                        &error,
                        &what,
                        &self.session.region,
                    )));
                }
            },
        };
        Err(self.needed(&format!(
            "{expired}, and IAM Identity Center refused to refresh it ({why})"
        )))
    }

    fn kept(&self, cache: &Cache) -> Result<SsoToken, NoToken> {
        let key = self.session.cache_key();
        match cache.read(key) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(self.needed(&format!(
                "there is no SSO token for {key} ({})",
                cache.path(key).display()
            ))),
            Err(failure) => Err(self.needed(&failure.message)),
        }
    }

    /// The failure that asks a person to sign in, because of `why`.
    fn needed(&self, why: &str) -> NoToken {
        NoToken::SignInNeeded(
            Failure::new(Kind::NotSignedIn, format!("not signed in to AWS: {why}"))
                .hint(format!("sign in: {}", self.login_command)),
        )
    }

    fn cache(&self) -> Cache {
        Cache::new(&self.files)
    }

    fn oidc(&self) -> Oidc<'_> {
        Oidc::new(
            &self.session,
            &self.config,
            self.oidc_endpoint.as_deref(),
            self.time.clone(),
            self.patience.clone(),
            self.out,
        )
    }
}
