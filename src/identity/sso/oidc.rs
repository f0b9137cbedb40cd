//! The OIDC service of IAM Identity Center: how this program becomes a client of it,
//! signs a person in, and refreshes tokens. None of its calls is signed.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_ssooidc::{
    Client,
    operation::{
        create_token::{CreateTokenError, CreateTokenOutput},
        start_device_authorization::StartDeviceAuthorizationOutput,
    },
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use url::Url;

use super::{
    browser::{self, Listener, REGISTERED_REDIRECT},
    cache::{self, Cache, Registration, SsoToken},
    endpoint::{Variant, base_url, endpoint_url},
};
use crate::{
    aws::{errors, trace::Trace},
    error::{Failure, Kind, Result},
    identity::{patience::Patience, profiles::SsoSession},
    terminal::{mask, output::Output},
    time::Time,
};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CODE_GRANT: &str = "authorization_code";
const REFRESH_GRANT: &str = "refresh_token";
/// What tokens are for in a session without `sso_registration_scopes`.
pub const ACCOUNT_SCOPE: &str = "sso:account:access";
/// The seconds between two polls where the service names none, and what each `SlowDown`
/// adds (RFC 8628, sections 3.2 and 3.5).
const POLL_SECONDS: u64 = 5;

/// The two ways to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Browser,
    Device,
}

/// The service, for one session.
pub struct Oidc<'a> {
    client: Client,
    endpoint: Option<String>,
    variant: Variant,
    session: &'a SsoSession,
    time: Time,
    patience: Patience,
    out: Output,
}

impl<'a> Oidc<'a> {
    /// `endpoint` is the address that the profile sets under botocore's name for the
    /// service, which the SDK does not know.
    pub fn new(
        session: &'a SsoSession,
        config: &SdkConfig,
        endpoint: Option<&str>,
        time: Time,
        patience: Patience,
        out: Output,
    ) -> Self {
        let endpoint = endpoint_url(config, endpoint);
        let mut client = aws_sdk_ssooidc::config::Builder::from(config)
            .region(Region::new(session.region.clone()))
            .interceptor(Trace(out))
            .interceptor(patience.slow());
        client.set_endpoint_url(endpoint.clone());
        Self {
            client: Client::from_conf(client.build()),
            endpoint,
            variant: Variant::of(config),
            session,
            time,
            patience,
            out,
        }
    }

    /// Signs in with the browser of this machine.
    pub async fn in_browser(&self) -> Result<SsoToken> {
        let listener = Listener::bind().await.map_err(|error| {
            Failure::failed(format!(
                "cannot listen on 127.0.0.1 for the browser: {error}"
            ))
            .hint("--use-device-code signs in without")
        })?;
        // If a kept registration had ended, the browser would stop at an error page.
        let registration = self.register(Flow::Browser).await?;
        let (state, verifier) = (browser::random()?, browser::random()?);
        let url = self
            .authorize_url(&registration, &listener.redirect_uri, &state, &verifier)
            .await?;
        self.out.prompt(&format!(
            "opening the sign-in page in the browser; if it does not open: {url}"
        ));
        browser::open(&url);
        let redirect_uri = listener.redirect_uri.clone();
        let (code, page) = listener.code(&state).await?;
        mask::know(&code);
        mask::know(&verifier);
        let answer = self
            .client
            .create_token()
            .grant_type(CODE_GRANT)
            .client_id(&registration.client_id)
            .client_secret(&registration.client_secret)
            .redirect_uri(redirect_uri)
            .code_verifier(verifier)
            .code(code)
            .send()
            .await;
        let answer = answer.map_err(|error| self.refused(&error));
        let token = answer.and_then(|answer| self.token(answer, &registration));
        page.tell(token.is_ok()).await;
        token
    }

    /// Signs in with a code that is typed, or followed as a link, on any device.
    pub async fn with_device_code(&self, cache: &Cache, open_browser: bool) -> Result<SsoToken> {
        let mut registration = self.kept_registration(cache).await?;
        let started = match self.start_device(&registration).await {
            // A kept registration may have ended.
            Err(error) if errors::code(&error) == Some("InvalidClientException") => {
                cache.forget_registration(&self.registration_key())?;
                registration = self.kept_registration(cache).await?;
                self.start_device(&registration).await
            }
            other => other,
        };
        let started = started.map_err(|error| self.not_begun(&error))?;
        self.show_device_code(&started, open_browser);
        let device_code = started.device_code.unwrap_or_default();
        mask::know(&device_code);
        let patience = Duration::from_secs(u64::try_from(started.expires_in).unwrap_or(0));
        let deadline = self.time.instant() + patience;
        let mut pause = u64::try_from(started.interval).unwrap_or(0);
        if pause == 0 {
            pause = POLL_SECONDS;
        }
        loop {
            self.time.pause(Duration::from_secs(pause)).await;
            let answer = self
                .client
                .create_token()
                .grant_type(DEVICE_GRANT)
                .client_id(&registration.client_id)
                .client_secret(&registration.client_secret)
                .device_code(&device_code)
                .send()
                .await;
            let error = match answer {
                Ok(answer) => return self.token(answer, &registration),
                Err(error) => error,
            };
            match errors::code(&error) {
                Some("AuthorizationPendingException") => {}
                Some("SlowDownException") => pause += POLL_SECONDS,
                // The network may be back at the next poll.
                None if self.time.instant() < deadline => {}
                _ => return Err(self.refused(&error)),
            }
        }
    }

    /// A new token for a stale one; None where AWS gives none.
    pub async fn refresh(
        &self,
        stale: &SsoToken,
        (client_id, client_secret, refresh_token): (&str, &str, &str),
    ) -> Result<Option<SsoToken>, SdkError<CreateTokenError, HttpResponse>> {
        let call = self
            .client
            .create_token()
            .grant_type(REFRESH_GRANT)
            .client_id(client_id)
            .client_secret(client_secret)
            .refresh_token(refresh_token);
        let answer = self.patience.for_call(call.send()).await?;
        let Some(access_token) = answer.access_token else {
            return Ok(None);
        };
        let mut token = stale.clone();
        token.access_token = access_token;
        token.expires_at = cache::seconds_from_now(answer.expires_in.into());
        // Not every answer has a new refresh token.
        token.refresh_token = answer.refresh_token.or(token.refresh_token);
        Ok(Some(token))
    }

    fn show_device_code(&self, started: &StartDeviceAuthorizationOutput, open_browser: bool) {
        let page = started.verification_uri.as_deref().unwrap_or_default();
        let code = started.user_code.as_deref().unwrap_or_default();
        let link = started.verification_uri_complete.as_deref().unwrap_or(page);
        for line in [
            "to sign in, open this page in a browser on any device:",
            "",
            &format!("  {link}"),
            "",
            &format!("and see that it shows the code {code} (or open {page} and type it)"),
        ] {
            self.out.prompt(line);
        }
        if open_browser && let Ok(link) = Url::parse(link) {
            browser::open(&link);
        }
    }

    async fn start_device(
        &self,
        registration: &Registration,
    ) -> Result<
        StartDeviceAuthorizationOutput,
        SdkError<
            aws_sdk_ssooidc::operation::start_device_authorization::StartDeviceAuthorizationError,
            HttpResponse,
        >,
    > {
        self.client
            .start_device_authorization()
            .client_id(&registration.client_id)
            .client_secret(&registration.client_secret)
            .start_url(&self.session.start_url)
            .send()
            .await
    }

    /// The registration for device codes: the kept one, or a new one.
    async fn kept_registration(&self, cache: &Cache) -> Result<Registration> {
        let key = self.registration_key();
        if let Some(kept) = cache.registration(&key) {
            return Ok(kept);
        }
        let registration = self.register(Flow::Device).await?;
        cache.keep_registration(&key, &registration);
        Ok(registration)
    }

    async fn register(&self, flow: Flow) -> Result<Registration> {
        let mut call = self
            .client
            .register_client()
            .client_name(format!("inductiva-aws-{}", self.session.cache_key()))
            .client_type("public");
        for scope in self.scopes() {
            call = call.scopes(scope);
        }
        if flow == Flow::Browser {
            call = call
                .grant_types(CODE_GRANT)
                .grant_types(REFRESH_GRANT)
                .redirect_uris(REGISTERED_REDIRECT)
                .issuer_url(&self.session.start_url);
        }
        let answer = call.send().await.map_err(|error| self.not_begun(&error))?;
        mask::know(answer.client_secret.as_deref().unwrap_or_default());
        Ok(Registration {
            client_id: answer.client_id.unwrap_or_default(),
            client_secret: answer.client_secret.unwrap_or_default(),
            expires_at: cache::timestamp(answer.client_secret_expires_at),
            scopes: self.scopes(),
        })
    }

    /// The name under which a registration is kept. It names the session, so that other
    /// sessions do not depend on this one's client.
    fn registration_key(&self) -> String {
        serde_json::json!({
            "tool": "inductiva-aws",
            "startUrl": self.session.start_url,
            "region": self.session.region,
            "scopes": self.scopes(),
            "session_name": self.session.name,
        })
        .to_string()
    }

    /// Empty for a profile of the older form, whose tokens are not refreshed.
    fn scopes(&self) -> Vec<String> {
        if self.session.name.is_some() && self.session.scopes.is_empty() {
            vec![ACCOUNT_SCOPE.to_owned()]
        } else {
            self.session.scopes.clone()
        }
    }

    async fn authorize_url(
        &self,
        registration: &Registration,
        redirect_uri: &str,
        state: &str,
        verifier: &str,
    ) -> Result<Url> {
        let mut url = self.base_url().await?;
        let path = format!("{}/authorize", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &registration.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", state)
            .append_pair("code_challenge_method", "S256")
            .append_pair("scopes", &self.scopes().join(" "))
            .append_pair("code_challenge", &browser::challenge(verifier));
        Ok(url)
    }

    async fn base_url(&self) -> Result<Url> {
        base_url(&self.session.region, self.variant, self.endpoint.as_deref()).await
    }

    fn token(&self, answer: CreateTokenOutput, registration: &Registration) -> Result<SsoToken> {
        let access_token = answer
            .access_token
            .ok_or_else(|| Failure::failed("IAM Identity Center answered without a token"))?;
        Ok(SsoToken {
            start_url: Some(self.session.start_url.clone()),
            region: Some(self.session.region.clone()),
            access_token,
            expires_at: cache::seconds_from_now(answer.expires_in.into()),
            client_id: Some(registration.client_id.clone()),
            client_secret: Some(registration.client_secret.clone()),
            registration_expires_at: Some(registration.expires_at.clone()),
            refresh_token: answer.refresh_token,
            rest: serde_json::Map::new(),
        })
    }

    /// The failure when a sign-in cannot begin.
    fn not_begun<E>(&self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SsoSession {
            start_url, region, ..
        } = self.session;
        match errors::code(error) {
            Some("InvalidRequestException" | "InvalidRequestRegionException") => Failure::usage(
                format!("IAM Identity Center in {region} does not know the start URL {start_url}"),
            )
            .hint("ask your administrator for the start URL and its region: they are sso_start_url and sso_region in ~/.aws/config"),
            _ => self.refused(error),
        }
    }

    /// The failure when a sign-in does not succeed.
    fn refused<E>(&self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (message, hint) = match errors::code(error) {
            Some("AccessDeniedException") => (
                "the sign-in was denied in the browser",
                "run the command again to sign in after all",
            ),
            Some("ExpiredTokenException") => (
                "the code was not used in time",
                "run the command again for a new one",
            ),
            _ => {
                let what = "cannot sign in with IAM Identity Center";
                return errors::sign_in_failure(error, what, &self.session.region);
            }
        };
        Failure::new(Kind::NotSignedIn, message).hint(hint)
    }
}
