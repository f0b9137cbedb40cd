//! AWS as this program uses it: clients, one function an API call, and errors in words.
//! Only this part and identity/ see the types of the SDK.

mod answers;
mod clock;
mod codes;
mod denial;
pub mod errors;
mod hints;
mod images;
pub mod instances;
mod kept_key;
pub mod key_pairs;
mod lookups;
pub mod pages;
pub mod prepared_images;
mod price_cache;
mod price_list;
pub mod pricing;
pub mod quotas;
mod reach;
mod request_prices;
mod retries;
pub mod run_instances;
mod security_groups;
mod send_before;
pub mod slow;
mod source;
mod spot_prices;
pub mod terminate;
pub mod trace;
mod volumes;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::{
    date_time::{DateTime, Format},
    error::metadata::ProvideErrorMetadata,
};

pub use self::{clock::Clock, source::Source};
use crate::{
    error::{Failure, Kind, Result},
    terminal::output::Output,
    time::Time,
    values::spans,
};

/// How long a failure may wait for a denial to be decoded.
const DECODED_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// The account, 12 digits.
    pub account: String,
    pub arn: String,
}

/// The clients for one region.
#[derive(Clone, Debug)]
pub struct Aws {
    ec2: aws_sdk_ec2::Client,
    sts: aws_sdk_sts::Client,
    /// The region that EC2 calls go to.
    pub region: String,
    pub source: Source,
    /// AWS's clock, which is the same in all regions.
    pub clock: Clock,
    pub time: Time,
    config: aws_config::SdkConfig,
    credentials: Credentials,
    out: Output,
}

impl Aws {
    /// `config` has a region and credentials; `credentials` are the ones that it has now.
    pub fn new(
        config: aws_config::SdkConfig,
        region: String,
        source: Source,
        credentials: Credentials,
        clock: Clock,
        out: Output,
    ) -> Self {
        let ec2 = aws_sdk_ec2::config::Builder::from(&config)
            .retry_config(retries::tries())
            .retry_partition(retries::ec2_budget())
            .retry_classifier(retries::NotWithoutConnection)
            .retry_classifier(retries::LaterIfNotNow)
            .timeout_config(retries::time_limits())
            .interceptor(answers::Answers)
            .retry_classifier(answers::Answers)
            .interceptor(trace::Trace(out))
            .interceptor(slow::Slow::new(out, clock.time()))
            .interceptor(pages::Pages::default())
            .interceptor(clock.clone())
            .retry_classifier(clock.clone())
            .build();
        let sts = aws_sdk_sts::config::Builder::from(&config)
            .retry_config(retries::tries())
            .retry_classifier(retries::NotWithoutConnection)
            .retry_classifier(retries::LaterIfNotNow)
            .timeout_config(retries::time_limits())
            .interceptor(answers::Answers)
            .retry_classifier(answers::Answers)
            .interceptor(trace::Trace(out))
            .interceptor(slow::Slow::new(out, clock.time()))
            .interceptor(clock.clone())
            .retry_classifier(clock.clone())
            .build();
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            sts: aws_sdk_sts::Client::from_conf(sts),
            region,
            source,
            time: clock.time().clone(),
            clock,
            config,
            credentials,
            out,
        }
    }

    /// The same identity in another region.
    pub fn in_region(&self, region: &str) -> Self {
        let config = self
            .config
            .to_builder()
            .region(aws_config::Region::new(region.to_owned()))
            .build();
        Self::new(
            config,
            region.to_owned(),
            self.source.clone(),
            self.credentials.clone(),
            self.clock.clone(),
            self.out,
        )
    }

    /// The credentials that this run started with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// `sts:GetCallerIdentity`, which needs no permission.
    pub async fn identity(&self) -> Result<Identity> {
        let answer = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| {
                let what = "cannot tell who is signed in";
                self.renewal(&error, errors::sign_in_failure(&error, what, &self.region))
            })?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    /// Waits for a call of `service`, for no longer than `limit`.
    ///
    /// # Errors
    /// The call's own; out of reach if there is no answer by then.
    pub async fn within<T>(
        &self,
        limit: Option<Duration>,
        service: &str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(limit) = limit else {
            return Box::pin(call).await;
        };
        let answer = self.time.within(limit, Box::pin(call)).await;
        answer.unwrap_or_else(|_| {
            let message = format!(
                "{service} has not answered within {}",
                spans::in_words(limit)
            );
            Err(Failure::new(Kind::Unreachable, message).hint("try again in a minute"))
        })
    }

    /// The failure to do `what`, for this error. A denial is decoded where that is
    /// permitted.
    async fn failure<E>(&self, error: &SdkError<E, HttpResponse>, what: &str) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let decoded = match errors::encoded_denial(error) {
            Some(encoded) => self.decoded(encoded).await,
            None => None,
        };
        let failure = errors::decoded_failure(error, what, &self.region, decoded.as_deref());
        self.renewal(error, failure)
    }

    /// Adds how to get a new session if this one has ended. That depends on where the
    /// credentials came from.
    fn renewal<E>(&self, error: &SdkError<E, HttpResponse>, failure: Failure) -> Failure
    where
        E: ProvideErrorMetadata,
    {
        if errors::is_of_ended_session(error) {
            failure.hint(self.source.renewal())
        } else {
            failure
        }
    }

    /// `sts:DecodeAuthorizationMessage`. It needs a permission of its own, and sessions
    /// of `GetSessionToken` may not call it. Without an answer the message is shown as it
    /// is.
    async fn decoded(&self, encoded: &str) -> Option<String> {
        let call = self
            .sts
            .decode_authorization_message()
            .encoded_message(encoded)
            .send();
        let answer = self.time.within(DECODED_WITHIN, call).await.ok()?.ok()?;
        answer.decoded_message
    }

    /// What a dry run came to. `DryRunOperation` is EC2's yes.
    async fn dry_run_verdict<T, E>(
        &self,
        answer: Result<T, SdkError<E, HttpResponse>>,
        what: &str,
    ) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match answer {
            Ok(_) => Err(Failure::failed(format!(
                "{what}: EC2 took a dry run for the real thing"
            ))),
            Err(error) if errors::code(&error) == Some("DryRunOperation") => Ok(()),
            Err(error) => Err(self.failure(&error, what).await),
        }
    }
}

/// When the credentials end, as RFC 3339; None for keys that do not end.
pub fn expiry(credentials: &Credentials) -> Option<String> {
    let end = DateTime::from(credentials.expiry()?);
    DateTime::from_secs(end.secs()).fmt(Format::DateTime).ok()
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().map(str::to_owned).collect()))
        .build()
}

fn tag_specification(resource: ResourceType, tags: &[(String, String)]) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    TagSpecification::builder()
        .resource_type(resource)
        .set_tags(Some(tags))
        .build()
}
