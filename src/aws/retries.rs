//! How calls are tried again. `RunInstances` is different: its launcher knows more about
//! what a try means.

use std::time::Duration;

use aws_sdk_ec2::config::{
    retry::{ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket},
    timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;

use super::{
    codes::{Sort, code_in, sort_of_answer},
    errors::never_connected,
};

/// How many tries a call gets. The pauses between them grow to five seconds and add up to
/// half a minute on average: throttling lasts for seconds, and EC2's bad moments for tens
/// of seconds.
const TRIES: u32 = 18;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A try without an answer is given up after this time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// A call with all its tries is given up after this time. The random pauses add up to 39
/// s on average, and to more than this in one of twenty thousand calls. So a failure says
/// what AWS said last, and not that there was no answer in time.
const DONE_WITHIN: Duration = Duration::from_mins(1);
/// The SDK lets all calls of a process share this many tries. What is asked here at once
/// may need more than its default.
const SHARED_TRIES: usize = 5_000;

/// How often and how fast a call is tried again.
pub fn tries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(TRIES)
        .with_max_backoff(LONGEST_PAUSE)
}

/// How many tries all calls of EC2 may take together.
pub fn ec2_budget() -> RetryPartition {
    RetryPartition::custom("inductiva-aws")
        .token_bucket(TokenBucket::builder().capacity(SHARED_TRIES).build())
        .build()
}

pub fn time_limits() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(ANSWERED_WITHIN)
        .operation_timeout(DONE_WITHIN)
        .build()
}

/// Makes no second try where there is no connection. The user is told at once, and steps
/// that must not be given up have tries of their own.
#[derive(Debug)]
pub struct NotWithoutConnection;

impl ClassifyRetry for NotWithoutConnection {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = match context.output_or_error() {
            Some(Err(error)) => error.as_connector_error(),
            _ => None,
        };
        if error.is_some_and(never_connected) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "NotWithoutConnection"
    }
}

/// Makes another try where AWS says that nothing was done, with any code. The SDK knows
/// only some of these codes.
#[derive(Debug)]
pub struct LaterIfNotNow;

impl ClassifyRetry for LaterIfNotNow {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            return RetryAction::NoActionIndicated;
        };
        let sort = sort_of_answer(code_in(response), response.status().as_u16());
        match sort {
            Sort::NotNow => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "LaterIfNotNow"
    }
}
