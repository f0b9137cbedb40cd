//! The part of a sign-in that happens in a browser: opening a page, and hearing from it
//! on 127.0.0.1 (authorization code with PKCE; RFC 7636 and RFC 8252).

use std::{
    env, io,
    process::{Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use url::Url;

use crate::{
    error::{Failure, Kind, Result},
    identity::inherited::without_secrets,
    terminal::{mask, printable::printable},
    values::spans,
};

/// The address that is registered for the browser to come back to. A port may be added to
/// it.
pub const REGISTERED_REDIRECT: &str = "http://127.0.0.1/oauth/callback";
const PATH: &str = "/oauth/callback";
/// The variable that tells a run of this program to open a page and nothing else.
const PAGE: &str = "INDUCTIVA_AWS_OPEN_PAGE";
/// Long enough to find a password and a second factor.
const PATIENCE: Duration = Duration::from_mins(10);
/// Browsers open connections that they may never use.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REQUEST: usize = 16 * 1024;

/// 256 bits of randomness in 43 characters that need no quoting.
pub fn random() -> Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// # Errors
/// The system has no randomness.
pub fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::failed(format!(
            "the system has no randomness to sign in with: {error}"
        ))
    })?;
    Ok(bytes)
}

/// What the page is told of the verifier (PKCE).
pub fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// Opens a page in the user's browser. If that fails nothing is lost: the address has
/// been shown.
pub fn open(url: &Url) {
    if !matches!(url.scheme(), "http" | "https") {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    // This program is run again to open it: a browser inherits the environment of whoever
    // opens it, and keeps it for days.
    let mut opener = Command::new(program);
    opener
        .env(PAGE, url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    without_secrets(&mut opener);
    // Some browsers return only when they are closed.
    tokio::task::spawn_blocking(move || opener.status());
}

/// Opens a page if this run is to do only that, and tells whether it was.
pub fn opens_a_page() -> bool {
    let Some(url) = env::var(PAGE).ok().and_then(|url| Url::parse(&url).ok()) else {
        return false;
    };
    if matches!(url.scheme(), "http" | "https") {
        let mut options = webbrowser::BrowserOptions::new();
        options.with_suppress_output(true);
        let _ = webbrowser::open_browser_with_options(
            webbrowser::Browser::Default,
            url.as_str(),
            &options,
        );
    }
    true
}

/// Waits for the browser to come back.
pub struct Listener {
    socket: TcpListener,
    /// The address that the browser comes back to.
    pub redirect_uri: String,
}

impl Listener {
    /// Listens on a free port of 127.0.0.1, and nowhere else.
    pub async fn bind() -> io::Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = socket.local_addr()?.port();
        Ok(Self {
            socket,
            redirect_uri: format!("http://127.0.0.1:{port}{PATH}"),
        })
    }

    /// The authorization code, and the page that waits to hear what comes of it. An
    /// answer without our `state` does not belong to our question, and is ignored.
    ///
    /// # Errors
    /// Not signed in: the page says why, or no answer came in time.
    pub async fn code(self, state: &str) -> Result<(String, BrowserPage)> {
        let (sender, mut answers) = mpsc::channel(8);
        let accept = async {
            loop {
                match self.socket.accept().await {
                    Ok((stream, _)) => {
                        let sender = sender.clone();
                        let state = state.to_owned();
                        tokio::spawn(async move {
                            let heard = tokio::time::timeout(REQUEST_TIMEOUT, hear(stream, &state));
                            if let Ok(Ok(Some(answer))) = heard.await {
                                let _ = sender.send(answer).await;
                            }
                        });
                    }
                    // The cause may be too many open files, which passes.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::select! {
            Some(answer) = answers.recv() => answer,
            () = accept => Err(too_late()),
            () = tokio::time::sleep(PATIENCE) => Err(too_late()),
        }
    }
}

fn too_late() -> Failure {
    Failure::new(
        Kind::NotSignedIn,
        format!("nobody signed in within {}", spans::in_words(PATIENCE)),
    )
    .hint("run the command again; --use-device-code signs in with a browser on any device")
}

/// A browser's page that waits to hear what came of its answer.
#[derive(Debug)]
pub struct BrowserPage(TcpStream);

impl BrowserPage {
    /// Tells the page. The answer counts whether or not the browser shows it.
    pub async fn tell(mut self, is_signed_in: bool) {
        let text = if is_signed_in {
            "Signed in: go back to the terminal. You can close this page."
        } else {
            "Not signed in: the terminal says why. You can close this page."
        };
        show(&mut self.0, "200 OK", text).await;
    }
}

async fn show(stream: &mut TcpStream, status: &str, text: &str) {
    let page =
        format!("<!doctype html><meta charset=utf-8><title>inductiva-aws</title><p>{text}</p>\n");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
        page.len()
    );
    let _ = stream.write_all(format!("{head}{page}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Reads one request, and answers it: the page's answer, if it is one.
async fn hear(
    mut stream: TcpStream,
    state: &str,
) -> io::Result<Option<Result<(String, BrowserPage)>>> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST || stream.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    }
    match answer(&request, state) {
        Some(Ok(code)) => Ok(Some(Ok((code, BrowserPage(stream))))),
        Some(Err(why)) => {
            BrowserPage(stream).tell(false).await;
            Ok(Some(Err(why)))
        }
        None => {
            let text = "inductiva-aws waits for a sign-in here, and this is not one.";
            show(&mut stream, "404 Not Found", text).await;
            Ok(None)
        }
    }
}

/// What a request says, if it answers the question with this `state`.
fn answer(request: &[u8], state: &str) -> Option<Result<String>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(request).ok()?;
    let url = Url::parse("http://127.0.0.1")
        .ok()?
        .join(parsed.path?)
        .ok()?;
    let value = |name: &str| {
        url.query_pairs()
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    if parsed.method != Some("GET") || url.path() != PATH || value("state")? != state {
        return None;
    }
    if let Some(error) = value("error") {
        let why = value("error_description").map_or(String::new(), |why| format!("{why} "));
        let message = format!("the sign-in was refused: {why}({error})");
        return Some(Err(Failure::new(
            Kind::NotSignedIn,
            printable(&mask::foreign(&message)),
        )
        .hint("run the command again to sign in after all")));
    }
    value("code").map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(target: &str) -> Option<Result<String, String>> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        answer(request.as_bytes(), "s/+").map(|answer| answer.map_err(|failure| failure.message))
    }

    #[test]
    fn only_an_answer_with_our_state_counts() {
        assert_eq!(
            answer_to("/oauth/callback?code=c%2F1&state=s%2F%2B"),
            Some(Ok("c/1".into()))
        );
        for other in [
            "/oauth/callback?code=c&state=t",
            "/oauth/callback?code=c",
            "/oauth/callback?state=s%2F%2B",
            "/favicon.ico?code=c&state=s%2F%2B",
            "/oauth/callback?error=access_denied&state=t",
        ] {
            assert_eq!(answer_to(other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_told_without_what_a_terminal_would_obey() {
        assert_eq!(
            answer_to(
                "/oauth/callback?error=access_denied&error_description=no%1b%5B2J&state=s%2F%2B"
            ),
            Some(Err("the sign-in was refused: no[2J (access_denied)".into()))
        );
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        // From appendix B of the RFC.
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
