//! The program's one HTTP stack, for AWS and for Inductiva. It is the one that the AWS
//! SDK brings (hyper, rustls, `HTTPS_PROXY` and the like), with the system's certificates
//! read once.

mod bounded;
mod date;
mod xml;

use std::{
    env, fs, io,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector, http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::RootCertStore;
use url::Url;

use self::bounded::UnreadBody;
pub use self::date::TIME_REFUSALS;
use crate::{
    bounds,
    error::{Failure, causes, find_cause},
    time::Time,
    values::spans,
};

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a whole call may take. AWS's calls have limits of their own.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// How the HTTP stack tells a connection to a proxy, whose errors are of private types.
const TO_THE_PROXY: &str = "tunnel error";

/// A client that keeps its connections. Its clones share them. It is set up when it is
/// first used.
#[derive(Clone, Debug, Default)]
pub struct Http {
    connectors: Arc<Connectors>,
    time: Time,
}

/// Two connectors, as reading the certificates takes milliseconds, for which plain HTTP
/// need not wait: a local endpoint, the instance metadata.
#[derive(Debug, Default)]
struct Connectors {
    plain: OnceLock<SharedHttpConnector>,
    tls: OnceLock<SharedHttpConnector>,
    more_certificates: OnceLock<Vec<u8>>,
}

impl Connectors {
    fn plain(&self) -> &SharedHttpConnector {
        self.plain
            .get_or_init(|| SharedHttpConnector::new(connector().build_http()))
    }

    fn tls(&self) -> &SharedHttpConnector {
        self.tls.get_or_init(|| self.with_tls(connector()))
    }

    fn with_tls(&self, connector: ConnectorBuilder) -> SharedHttpConnector {
        let connector = connector
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls_context(self.more_certificates.get()));
        SharedHttpConnector::new(connector.build())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let plain = request.uri().starts_with("http:") && !proxied();
        let connector = if plain {
            self.connectors.plain()
        } else {
            self.connectors.tls()
        };
        let Some(call) = self.time.call() else {
            return connector.call(request);
        };
        let connector = connector.clone();
        HttpConnectorFuture::new(async move {
            let response = connector.call(request).await?;
            call.answered(response.headers());
            Ok(response)
        })
    }
}

/// Passes on only complete answers, and of their dates only those that can be true.
///
/// HTTP does not always show that an answer was cut: `Content-Length` may be too short,
/// and an HTTP/1.0 answer ends with its connection. The SDK's XML reader takes what is
/// there for everything: if one of two machines is cut off, there would be one machine. A
/// JSON reader fails on a document that was cut.
#[derive(Debug)]
struct WholeAnswers(SharedHttpConnector);

impl HttpConnector for WholeAnswers {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let signed_at = request.headers().get("x-amz-date").map(str::to_owned);
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let body = match bounded::read(body, bounds::AWS_ANSWER).await {
                Ok(body) => body,
                Err(UnreadBody::BrokeOff(why)) => return Err(broken_off(&why)),
                Err(why @ UnreadBody::TooLarge(_)) => {
                    return Err(ConnectorError::other(why.into(), None));
                }
            };
            if xml::is_cut(&body) {
                return Err(broken_off("its end is missing"));
            }
            let status = response.status().as_u16();
            let is_believed = |date| date::is_believed(date, signed_at.as_deref(), status, &body);
            // The SDK would sign the next calls by it.
            if !response.headers().get("date").is_some_and(is_believed) {
                response.headers_mut().remove("date");
            }
            *response.body_mut() = SdkBody::from(body);
            Ok(response)
        })
    }
}

/// The error when only a part of an answer arrived. The call may be made again where that
/// does no harm.
fn broken_off(why: &str) -> ConnectorError {
    let failure = Failure::failed(format!("AWS's answer broke off: {why}"));
    ConnectorError::other(failure.into(), Some(ErrorKind::TransientError))
}

/// Whether plain HTTP may go through a proxy, which may itself want TLS.
fn proxied() -> bool {
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| env::var_os(name).is_some())
}

/// What both connectors share.
fn connector() -> ConnectorBuilder {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    Connector::builder()
        .connector_settings(settings)
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .proxy_config(ProxyConfig::from_env())
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// When to try again (`Retry-After` in seconds, RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
}

impl Http {
    /// The clock of the run that makes these calls.
    pub fn time(&self) -> &Time {
        &self.time
    }

    /// Trusts the certificates in a PEM file besides the system's own. Only the first
    /// such file counts.
    ///
    /// # Errors
    /// Usage: the file cannot be read, or is not PEM. `named_by` is what names it.
    pub fn trust(&self, bundle: &Path, named_by: &str) -> Result<(), Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("cannot use {} ({named_by}): {why}", bundle.display())).hint(
                "it has to be a file with certificates between lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----",
            )
        };
        let pem = bounds::read(bundle).map_err(|error| wrong(error.to_string()))?;
        let good = certificates(&pem);
        if good.is_empty() {
            return Err(wrong("there is no certificate in it".into()));
        }
        let _ = self.connectors.more_certificates.set(good);
        Ok(())
    }

    /// A client for the clients of the AWS SDK.
    pub fn sdk_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        let connector = SharedHttpConnector::new(WholeAnswers(connector));
        http_client_fn(move |_, _| connector.clone())
    }

    /// A client for the services that give credentials to this machine or container. It
    /// passes by any proxy, and has the SDK's short time limits.
    pub fn nearby_client(&self) -> SharedHttpClient {
        let connectors = Arc::clone(&self.connectors);
        http_client_fn(move |settings, _| {
            let connector = Connector::builder()
                .connector_settings(settings.clone())
                .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new());
            SharedHttpConnector::new(WholeAnswers(connectors.with_tls(connector)))
        })
    }

    /// Makes one call, without a second try.
    ///
    /// # Errors
    /// Why there is no answer, in words without the address and the headers.
    pub async fn call(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, String)],
        body: Option<String>,
    ) -> Result<Answer, String> {
        let mut request = HttpRequest::new(body.map_or(SdkBody::empty(), SdkBody::from));
        let set_up = request
            .set_method(method)
            .and_then(|()| request.set_uri(url.as_str()))
            .and_then(|()| {
                headers.iter().try_for_each(|(name, value)| {
                    request
                        .headers_mut()
                        .try_insert((*name).to_owned(), value.clone())
                        .map(drop)
                })
            });
        set_up.map_err(|_| "the call cannot be written as HTTP".to_owned())?;
        let answer = async {
            let response = HttpConnector::call(self, request)
                .await
                .map_err(|error| why_unreached(&error))?;
            let status = response.status().as_u16();
            let seconds = response.headers().get("retry-after");
            let retry_after =
                seconds.and_then(|text| Some(Duration::from_secs(text.trim().parse().ok()?)));
            let body = bounded::read(response.into_body(), bounds::INDUCTIVA_ANSWER).await;
            let body = body.map_err(|why| why.to_string())?;
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer {
                status,
                body,
                retry_after,
            })
        };
        self.time
            .within(CALL_TIMEOUT, answer)
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "no answer within {}",
                    spans::in_words(CALL_TIMEOUT)
                ))
            })
    }
}

/// Why a call was not answered. What the system says of the connection is enough, such as
/// `connection refused`; where it is the one to the proxy, the other words tell that.
fn why_unreached(error: &ConnectorError) -> String {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    let all = causes(error);
    match find_cause::<io::Error>(error).map(io::Error::kind) {
        Some(
            kind @ (ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable),
        ) if !all.contains(TO_THE_PROXY) => kind.to_string(),
        _ => all,
    }
}

/// The certificates to trust. On Linux it is the bundle where OpenSSL would look for it
/// (`SSL_CERT_FILE` first): reading the hundreds of files beside it takes longer than a
/// call. Elsewhere the platform is asked.
fn tls_context(more: Option<&Vec<u8>>) -> TlsContext {
    let bundle = cfg!(target_os = "linux")
        .then(openssl_probe::probe)
        .and_then(|found| fs::read(found.cert_file?).ok())
        .map(|pem| certificates(&pem))
        .filter(|pem| !pem.is_empty());
    let mut store = match bundle {
        Some(pem) => TrustStore::empty().with_pem_certificate(pem),
        None => TrustStore::default(),
    };
    if let Some(more) = more {
        store.add_pem_certificate(more.as_slice());
    }
    TlsContext::builder()
        .with_trust_store(store)
        .build()
        .unwrap_or_default()
}

/// The certificates in a PEM file. Anything else in it is left out, as the HTTP stack
/// panics at it.
fn certificates(pem: &[u8]) -> Vec<u8> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let good = text.split(BEGIN).skip(1).filter_map(|block| {
        let (body, _) = block.split_once(END)?;
        let body: String = body.split_whitespace().collect();
        let der = BASE64_STANDARD.decode(&body).ok()?;
        let is_good = RootCertStore::empty().add(der.into()).is_ok();
        is_good.then(|| format!("{BEGIN}\n{body}\n{END}\n"))
    });
    good.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_left_out_of_a_bundle() {
        // openssl req -x509, with a P-256 key and the subject CN=example.
        let good = "\
            MIIBfDCCASGgAwIBAgIULBjcg2zNiimARTDU4uSZAlzLXYUwCgYIKoZIzj0EAwIwEjEQMA\
            4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjYyMzUxMjBaGA8yMTI2MTEwMjIzNTEyMFowEjEQ\
            MA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIzReMb4NsWIhc\
            O22ivcT2qoE/fiFH5agrQhixY9CMpUr31+X4dQ489qB0QvT8VwkpZL6b4KJSaSMhfuRFi5\
            4g+jUzBRMB0GA1UdDgQWBBTv8zva+BjAAzEbk5NRzYeWzUyxRzAfBgNVHSMEGDAWgBTv8z\
            va+BjAAzEbk5NRzYeWzUyxRzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYC\
            IQCARQFU4DwaJiE71hOGVDK5rDPOwEMK+ybNwo5bJ+AO4QIhAPdzUmWUKaO+YM65ttoLGA\
            GiOipydlBXhOo2UKnS+oJv";
        // It has the form of a certificate without anything signed in it.
        let empty = BASE64_STANDARD.encode([0x30, 9, 0x30, 2, 5, 0, 0x30, 0, 0x03, 1, 0]);
        let block = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let pem = format!(
            "# a CA\n{}{}{}{}{}-----BEGIN CERTIFICATE-----\n{good}",
            block("AAAA"),
            block(good),
            block(&empty),
            block("no base64!"),
            block(&BASE64_STANDARD.encode([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])),
        );
        assert_eq!(
            String::from_utf8_lossy(&certificates(pem.as_bytes())),
            block(good)
        );
        assert_eq!(certificates(b"PK\x03\x04"), b"");
    }
}
