//! AWS Sign-In: its calls, and when keys are refreshed.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_types::service_config::ServiceConfigKey;
use serde_json::{Value, json};
use url::Url;

use super::{
    address::usual_address,
    cache::{ConsoleToken, SessionFolder},
    dpop,
};
use crate::{
    error::{Failure, Kind, Result},
    http::Http,
    identity::{
        patience::Patience,
        profiles::Profiles,
        settings::AwsSettings,
        sso::{REFRESH_SECONDS, endpoint::Variant},
    },
    terminal::{command_line::sign_in_command, mask, output::Output, quoting},
};

/// AWS Sign-In in one region, and the folder that keeps its sessions.
#[derive(Clone, Debug)]
pub struct ConsoleLogin {
    pub base: Url,
    pub region: String,
    variant: Variant,
    pub http: Http,
    folder: SessionFolder,
    /// The command that signs in again, for messages.
    login_command: String,
    patience: Patience,
    pub out: Output,
}

/// Why there are no keys.
pub enum NoKeys {
    /// A person has to sign in.
    SignInNeeded(Failure),
    /// A sign-in would not help.
    Other(Failure),
}

impl From<Failure> for NoKeys {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Why AWS Sign-In gave no token.
pub enum Refused {
    /// It refused: its `error`, and its description.
    Because(String, String),
    /// Anything else, such as no answer.
    Other(Failure),
}

impl ConsoleLogin {
    /// The service in a region, for a profile.
    ///
    /// # Errors
    /// Usage: the region has no AWS Sign-In.
    pub fn new(
        profile: &str,
        region: &str,
        settings: &AwsSettings,
        profiles: &Profiles,
        config: &SdkConfig,
        out: Output,
    ) -> Result<Self> {
        let variant = Variant::of(config);
        let set = endpoint(config).or_else(|| profiles.service_endpoint(profile, "signin"));
        let base = set.unwrap_or_else(|| usual_address(region, variant));
        let base = Url::parse(&base).map_err(|_| {
            Failure::usage(format!("{region:?} has no sign-in page")).hint("check --region")
        })?;
        let flag = if profile == "default" && settings.profile.is_none() {
            String::new()
        } else {
            format!(" --profile {}", quoting::word(profile))
        };
        Ok(Self {
            base,
            region: region.to_owned(),
            variant,
            http: settings.http.clone(),
            folder: SessionFolder::new(&settings.login_cache),
            login_command: sign_in_command(&format!("login --console{flag}")),
            patience: Patience::new(settings, out),
            out,
        })
    }

    /// Where the sessions are kept.
    pub fn folder(&self) -> &SessionFolder {
        &self.folder
    }

    /// Keys of a session that are good for some minutes at least; they are refreshed if
    /// need be.
    pub async fn credentials(&self, login_session: &str) -> Result<Credentials, NoKeys> {
        let now = || self.http.time().now();
        let token = self.kept(login_session)?;
        if token.seconds_left(now()) > REFRESH_SECONDS {
            return Ok(token.credentials());
        }
        let _lock = self.folder.lock(self.http.time(), self.out).await;
        // Another run or program may have refreshed them while this one waited for the
        // lock.
        let token = self.kept(login_session)?;
        if token.seconds_left(now()) > REFRESH_SECONDS {
            return Ok(token.credentials());
        }
        let why = match self.refreshed(&token).await {
            Ok(fresh) => {
                self.folder.write(login_session, &fresh, self.out);
                return Ok(fresh.credentials());
            }
            // The keys are good until they end.
            Err(_) if token.seconds_left(now()) > 0 => return Ok(token.credentials()),
            Err(Refused::Other(failure)) => return Err(NoKeys::Other(failure)),
            Err(Refused::Because(error, said)) => (error, said),
        };
        // The AWS CLI does not know our lock. If it was faster, its token is in the file.
        let again = self.kept(login_session)?;
        if again.refresh_token() != token.refresh_token() && again.seconds_left(now()) > 0 {
            return Ok(again.credentials());
        }
        Err(match why.0.as_str() {
            "INSUFFICIENT_PERMISSIONS" => NoKeys::Other(not_permitted(&why.1)),
            "USER_CREDENTIALS_CHANGED" => self.needed("the password has changed since the sign-in"),
            _ => self.needed(&format!(
                "the console sign-in in {} has ended ({})",
                self.folder.path(login_session).display(),
                why.0
            )),
        })
    }

    /// The kept keys, if they are still good.
    pub fn credentials_at_hand(&self, login_session: &str) -> Result<Credentials, NoKeys> {
        let token = self.kept(login_session)?;
        if token.seconds_left(self.http.time().now()) > 0 {
            Ok(token.credentials())
        } else {
            Err(self.needed("the keys of the console sign-in have ended"))
        }
    }

    fn kept(&self, login_session: &str) -> Result<ConsoleToken, NoKeys> {
        match self.folder.read(login_session) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(self.needed(&format!(
                "there is no console sign-in of {login_session} ({})",
                self.folder.path(login_session).display()
            ))),
            Err(failure) => Err(self.needed(&failure.message)),
        }
    }

    /// The failure that asks a person to sign in, because of `why`.
    fn needed(&self, why: &str) -> NoKeys {
        NoKeys::SignInNeeded(
            Failure::new(Kind::NotSignedIn, format!("not signed in to AWS: {why}"))
                .hint(format!("sign in: {}", self.login_command)),
        )
    }

    async fn refreshed(&self, token: &ConsoleToken) -> Result<ConsoleToken, Refused> {
        let usual = |region: &str| usual_address(region, self.variant);
        // A token names the region of its session. One that an older program wrote does
        // not.
        let base = match token.region() {
            Some(region) if self.base.as_str() == with_slash(&usual(&self.region)) => {
                Url::parse(&usual(region)).unwrap_or_else(|_| self.base.clone())
            }
            _ => self.base.clone(),
        };
        let asked = json!({
            "clientId": token.client_id(),
            "grantType": "refresh_token",
            "refreshToken": token.refresh_token(),
        });
        let answer = self.token_call(&base, token.dpop_key(), &asked).await?;
        token
            .refreshed(&answer, self.http.time().now())
            .ok_or_else(|| Refused::Other(unreadable()))
    }

    /// `CreateOAuth2Token`. It is not signed; it carries the proof that the key is here.
    pub async fn token_call(&self, base: &Url, key: &str, asked: &Value) -> Result<Value, Refused> {
        let mut url = base.clone();
        url.set_path(&format!("{}/v1/token", base.path().trim_end_matches('/')));
        let proof = dpop::proof(key, &url, self.http.time().now()).map_err(Refused::Other)?;
        mask::know(&proof);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("dpop", proof),
        ];
        let body = Some(asked.to_string());
        let call = self.http.call("POST", &url, &headers, body);
        let called = ("AWS Sign-In", "CreateOAuth2Token");
        let answer = self.patience.for_answer(called, call).await;
        self.out.trace(&format!(
            "Signin CreateOAuth2Token: {}",
            answer.as_ref().map_or_else(
                |_| "no answer".to_owned(),
                |answer| answer.status.to_string()
            )
        ));
        let answer = answer.map_err(|why| {
            Refused::Other(
                Failure::new(
                    Kind::Unreachable,
                    format!(
                        "cannot sign in with the AWS console: cannot reach AWS Sign-In in {}: {}",
                        self.region,
                        mask::foreign(&why)
                    ),
                )
                .hint("check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url"),
            )
        })?;
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(document);
        }
        let text = |name: &str| document[name].as_str().map(mask::foreign);
        let said = text("message").unwrap_or_else(|| "no reason given".into());
        Err(match text("error") {
            Some(error) if (400..500).contains(&answer.status) => Refused::Because(error, said),
            _ => Refused::Other(Failure::new(
                Kind::NotSignedIn,
                format!(
                    "cannot sign in with the AWS console: AWS Sign-In answered {}: {said}",
                    answer.status
                ),
            )),
        })
    }
}

/// The failure when the user may not sign in in this way.
pub fn not_permitted(said: &str) -> Failure {
    Failure::new(
        Kind::NotPermitted,
        format!("AWS Sign-In gives no keys for this console user: {said}"),
    )
    .hint("an administrator has to attach the AWS managed policy SignInLocalDevelopmentAccess to the user, group or role")
}

/// The failure when the answer cannot be used.
pub fn unreadable() -> Failure {
    Failure::failed("AWS Sign-In's answer cannot be read")
}

fn with_slash(address: &str) -> String {
    format!("{address}/")
}

/// The address that is set for this service, or for all services.
fn endpoint(config: &SdkConfig) -> Option<String> {
    if config.get_origin("endpoint_url").is_client_config() {
        return config.endpoint_url().map(str::to_owned);
    }
    let key = ServiceConfigKey::builder()
        .service_id("Signin")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    key.ok()
        .and_then(|key| config.service_config()?.load_config(key))
}
