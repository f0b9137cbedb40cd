//! How patiently calls are made: all but `RunInstances`, whose launcher knows
//! more of what a try means.

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

/// Tries of a call. The pauses between them grow to five seconds and come to
/// half a minute on average: throttling lasts for seconds, EC2's bad moments for
/// tens of them.
const TRIES: u32 = 18;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A single try that has no answer by then is given up.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// A call is given up by then, with all its tries. Their pauses are by chance, 39 s on
/// average and more than this in one of twenty thousand calls: what AWS said last is
/// told, and not that it did not answer in time.
const DONE_WITHIN: Duration = Duration::from_mins(1);
/// The SDK lets the calls of a process share so many tries; what is asked here
/// at once may need more.
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

/// No second try where there is no connection to be had: the user is told at
/// once, and the steps that must not be given up have tries of their own.
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

/// Another try where AWS says that nothing was done, with whatever code: the SDK
/// knows some of them.
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
