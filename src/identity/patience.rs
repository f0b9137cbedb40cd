//! How long the services that sign in are waited for, and what is said meanwhile.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::error::CredentialsError};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use super::settings::AwsSettings;
use crate::{
    aws::slow::Slow,
    http::Answer,
    terminal::{output::Output, slow},
    time::Time,
    values::spans,
};

/// The patience of one run.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The limit for a call with all its tries; none where the calls' own limits are
    /// enough.
    limit: Option<Duration>,
    time: Time,
    out: Output,
}

impl Patience {
    pub fn new(settings: &AwsSettings, out: Output) -> Self {
        Self {
            limit: settings.answered_within,
            time: settings.http.time().clone(),
            out,
        }
    }

    /// The interceptor that says so when an SDK's call is slow.
    pub fn slow(&self) -> Slow {
        Slow::new(self.out, &self.time)
    }

    /// Waits for an SDK's call.
    ///
    /// # Errors
    /// The call's own; or there was no answer in time.
    pub async fn for_call<T, E>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>> {
        match self.within(call).await {
            Ok(answer) => answer,
            Err(_) => Err(SdkError::timeout_error("no answer in time")),
        }
    }

    /// Waits for the SDK's provider for this container or machine.
    ///
    /// # Errors
    /// As [`Self::for_call`].
    pub async fn for_provider(
        &self,
        call: impl Future<Output = Result<Credentials, CredentialsError>>,
    ) -> Result<Credentials, CredentialsError> {
        let keys = self.within(call).await;
        keys.unwrap_or_else(|limit| Err(CredentialsError::provider_timed_out(limit)))
    }

    /// Waits for a call of `service` that no SDK makes.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn for_answer(
        &self,
        (service, operation): (&str, &str),
        call: impl Future<Output = Result<Answer, String>>,
    ) -> Result<Answer, String> {
        let call = slow::watched(self.out, &self.time, (service, operation), call);
        let answer = self.within(call).await;
        answer.unwrap_or_else(|limit| Err(format!("no answer within {}", spans::in_words(limit))))
    }

    /// # Errors
    /// The limit, when it is over.
    async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Duration> {
        let call = Box::pin(call);
        let Some(limit) = self.limit else {
            return Ok(call.await);
        };
        self.time.within(limit, call).await.map_err(|_| limit)
    }
}
