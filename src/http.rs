//! The program's one HTTP stack, for AWS and for Inductiva: the one that the
//! AWS SDK brings (hyper, rustls, `HTTPS_PROXY` and its like), with the system's
//! certificates read once.

use std::{env, fs, sync::OnceLock, time::Duration};

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
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use url::Url;

use crate::error::causes;

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a whole call may take, but for AWS's: they have their own.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// A client that keeps its connections. Its clones share them; it is set up
/// with the first use.
#[derive(Clone, Debug)]
pub struct Http(SharedHttpConnector);

impl Default for Http {
    fn default() -> Self {
        Self(SharedHttpConnector::new(Connectors::default()))
    }
}

/// Reading the certificates takes milliseconds, which plain HTTP need not wait
/// for: an endpoint of one's own, the instance metadata.
#[derive(Debug, Default)]
struct Connectors {
    plain: OnceLock<SharedHttpConnector>,
    tls: OnceLock<SharedHttpConnector>,
}

impl Connectors {
    fn plain(&self) -> &SharedHttpConnector {
        self.plain
            .get_or_init(|| SharedHttpConnector::new(connector().build_http()))
    }

    fn tls(&self) -> &SharedHttpConnector {
        self.tls.get_or_init(|| {
            let connector = connector()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls_context());
            SharedHttpConnector::new(connector.build())
        })
    }
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let plain = request.uri().starts_with("http:") && !proxied();
        let connector = if plain { self.plain() } else { self.tls() };
        connector.call(request)
    }
}

/// Whether plain HTTP may go through a proxy, which may want TLS itself.
fn proxied() -> bool {
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| env::var_os(name).is_some())
}

/// What the two have in common.
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
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Http {
    /// A client for those of the AWS SDK.
    pub fn sdk_client(&self) -> SharedHttpClient {
        let connector = self.0.clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Makes one call, without a second try.
    ///
    /// # Errors
    /// Why there is no answer, in words without the address and the headers.
    pub async fn call(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&'static str, String)],
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
                        .try_insert(*name, value.clone())
                        .map(drop)
                })
            });
        set_up.map_err(|_| "the call cannot be written as HTTP".to_owned())?;
        let answer = async {
            let response = self.0.call(request).await.map_err(|error| causes(&error))?;
            let status = response.status().as_u16();
            let body = ByteStream::new(response.into_body());
            let body = body.collect().await.map_err(|error| causes(&error))?;
            let body = String::from_utf8_lossy(&body.into_bytes()).into_owned();
            Ok(Answer { status, body })
        };
        tokio::time::timeout(CALL_TIMEOUT, answer)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", CALL_TIMEOUT.as_secs())))
    }
}

/// The certificates to trust. On Linux the bundle, one file with all of them,
/// where OpenSSL would find it (`SSL_CERT_FILE` first): reading the hundreds of
/// files beside it takes longer than a call. Else wherever the platform keeps them.
fn tls_context() -> TlsContext {
    let bundle = cfg!(target_os = "linux")
        .then(openssl_probe::probe)
        .and_then(|found| fs::read(found.cert_file?).ok());
    let bundled = bundle.filter(|pem| !pem.is_empty()).and_then(|pem| {
        let store = TrustStore::empty().with_pem_certificate(pem);
        TlsContext::builder().with_trust_store(store).build().ok()
    });
    bundled.unwrap_or_default()
}
