//! Signing in with the AWS console, in a browser here or on another device.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{
    cache::ConsoleToken,
    dpop,
    service::{ConsoleLogin, Refused, not_permitted, unreadable},
};
use crate::{
    error::{Failure, Kind, Result},
    identity::{
        settings::Desktop,
        sso::browser::{self, Listener},
    },
    terminal::mask,
};

/// The OAuth clients that AWS Sign-In knows.
const SAME_DEVICE: &str = "arn:aws:signin:::devtools/same-device";
const CROSS_DEVICE: &str = "arn:aws:signin:::devtools/cross-device";

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFlow {
    /// In the browser of this machine. The page is opened, or only its address is shown.
    Browser { open: bool },
    /// In a browser on any device. Its page shows a code, which is pasted here.
    Remote,
}

impl LoginFlow {
    /// The browser of this machine where there is one.
    pub fn usual(desktop: Desktop) -> Self {
        if desktop.has_browser() {
            Self::Browser { open: true }
        } else {
            Self::Remote
        }
    }
}

/// Signs in: the identity, and the token to keep.
///
/// # Errors
/// Not signed in: the person or AWS refuses. Usage: what was pasted is no code.
pub async fn sign_in(console: &ConsoleLogin, way: LoginFlow) -> Result<(String, ConsoleToken)> {
    let state = dpop::uuid()?;
    let verifier = browser::random()?;
    let key = dpop::new_key()?;
    mask::know(&verifier);
    let asking = AuthorizationRequest {
        console,
        state: &state,
        verifier: &verifier,
        key: &key,
    };
    match way {
        LoginFlow::Browser { open } => asking.in_browser(open).await,
        LoginFlow::Remote => asking.remotely().await,
    }
}

/// One request to AWS Sign-In for an authorization code.
struct AuthorizationRequest<'a> {
    console: &'a ConsoleLogin,
    state: &'a str,
    /// The secret behind the code challenge (PKCE).
    verifier: &'a str,
    key: &'a str,
}

impl AuthorizationRequest<'_> {
    async fn in_browser(&self, open: bool) -> Result<(String, ConsoleToken)> {
        let out = self.console.out;
        let listener = Listener::bind().await.map_err(|error| {
            Failure::failed(format!(
                "cannot listen on 127.0.0.1 for the browser: {error}"
            ))
            .hint("--remote signs in without")
        })?;
        let redirect = listener.redirect_uri.clone();
        let url = self.authorize_url(SAME_DEVICE, &redirect);
        if open {
            out.prompt(&format!(
                "opening the AWS sign-in page in the browser; if it does not open: {url}"
            ));
            browser::open(&url);
        } else {
            out.prompt(&format!(
                "to sign in, open this page in a browser on this machine: {url}"
            ));
        }
        let (code, page) = listener.code(self.state).await?;
        let session = self.exchange(SAME_DEVICE, &code, &redirect).await;
        page.tell(session.is_ok()).await;
        session
    }

    async fn remotely(&self) -> Result<(String, ConsoleToken)> {
        let out = self.console.out;
        let mut confirmation = self.console.base.clone();
        let path = confirmation.path().trim_end_matches('/').to_owned();
        confirmation.set_path(&format!("{path}/v1/sessions/confirmation"));
        let url = self.authorize_url(CROSS_DEVICE, confirmation.as_str());
        for line in [
            "to sign in, open this page in a browser on any device:",
            "",
            &format!("  {url}"),
            "",
        ] {
            out.prompt(line);
        }
        let pasted = out.ask("authorization code that the page shows: ").await?;
        let code = self.code_in(&pasted)?;
        self.exchange(CROSS_DEVICE, &code, confirmation.as_str())
            .await
    }

    /// The code in the text that the page shows: `state=…&code=…` in base64.
    fn code_in(&self, pasted: &str) -> Result<String> {
        mask::know(pasted);
        let wrong = |why: &str| {
            Failure::usage(format!("this is not the code that the page shows: {why}"))
                .hint("run the command again, and copy all of it")
        };
        let pasted: String = pasted.split_whitespace().collect();
        let text = BASE64_STANDARD
            .decode(&pasted)
            .map_err(|_| wrong("it cannot be read"))?;
        let value = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(&text);
            pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        let (Some(state), Some(code)) = (value("state"), value("code")) else {
            return Err(wrong("a part is missing"));
        };
        if state == self.state {
            Ok(code)
        } else {
            Err(wrong("it is of another sign-in"))
        }
    }

    fn authorize_url(&self, client: &str, redirect: &str) -> Url {
        let mut url = self.console.base.clone();
        let path = format!("{}/v1/authorize", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client)
            .append_pair("state", self.state)
            // AWS's name for what the RFC calls S256.
            .append_pair("code_challenge_method", "SHA-256")
            .append_pair("scope", "openid")
            .append_pair("redirect_uri", redirect)
            .append_pair("code_challenge", &browser::challenge(self.verifier));
        url
    }

    async fn exchange(
        &self,
        client: &str,
        code: &str,
        redirect: &str,
    ) -> Result<(String, ConsoleToken)> {
        mask::know(code);
        let asked = json!({
            "clientId": client,
            "grantType": "authorization_code",
            "code": code,
            "codeVerifier": self.verifier,
            "redirectUri": redirect,
        });
        let console = self.console;
        let answer = console.token_call(&console.base, self.key, &asked).await;
        let answer = answer.map_err(|why| match why {
            Refused::Other(failure) => failure,
            Refused::Because(error, said) if error == "INSUFFICIENT_PERMISSIONS" => {
                not_permitted(&said)
            }
            Refused::Because(error, said) => Failure::new(
                Kind::NotSignedIn,
                format!("AWS Sign-In refused the sign-in: {said} ({error})"),
            )
            .hint("run the command again for a new one"),
        })?;
        let session = login_session(&answer).ok_or_else(unreadable)?;
        let account = session.split(':').nth(4).unwrap_or_default().to_owned();
        let now = console.http.time().now();
        let token = ConsoleToken::new(&answer, &account, client, self.key, &console.region, now);
        Ok((session, token.ok_or_else(unreadable)?))
    }
}

/// The ARN of the identity that signed in, which is the subject of the answer's id token.
/// The token came from AWS over TLS, so checking its signature would add nothing.
fn login_session(answer: &Value) -> Option<String> {
    let payload = answer["idToken"].as_str()?.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let subject = payload["sub"].as_str()?;
    let is_arn = subject.starts_with("arn:") && !subject.contains(char::is_control);
    is_arn.then(|| subject.to_owned())
}
