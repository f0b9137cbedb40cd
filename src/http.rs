//! HTTP for what is not an AWS call: the stack that the AWS SDK brings (hyper,
//! rustls, the system's certificates, `HTTPS_PROXY` and its like), so that the
//! program has one, and reads the certificates once.

use std::time::Duration;

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use url::Url;

use crate::error::causes;

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that a whole call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub struct Http(SharedHttpConnector);

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Http {
    /// A client; it connects with the first call.
    pub fn new() -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        Self(SharedHttpConnector::new(connector))
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
