//! AWS's clock, as the `Date` header of its answers shows it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
                FinalizerInterceptorContextMut, InterceptorContext,
            },
            dyn_dispatch_hint,
        },
        orchestrator::HttpResponse,
        result::SdkError,
        retries::{
            RequestAttempts,
            classifiers::{ClassifyRetry, RetryAction},
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    config_bag::{ConfigBag, Storable, StoreReplace},
    date_time::{DateTime, Format},
    retry::ErrorKind,
};

use super::codes;
use crate::time::{Time, signed_at_seconds};

/// AWS tolerates a smaller difference (the SDK's number), so a refusal has another reason
/// then.
const TOLERATED_SECONDS: u64 = 4 * 60;

/// How far AWS's clock is ahead of this computer's. All clones share what was seen.
#[derive(Clone, Debug)]
pub struct Clock {
    ahead_seconds: Arc<AtomicI64>,
    time: Time,
}

impl Clock {
    /// A clock that has seen no answer yet. `time` is this computer's.
    pub fn new(time: Time) -> Self {
        Self {
            ahead_seconds: Arc::default(),
            time,
        }
    }

    pub fn time(&self) -> &Time {
        &self.time
    }

    /// The whole seconds that AWS's clock is ahead of this computer's, by its last
    /// answer. It is negative if AWS is behind, and 0 before any answer.
    pub fn ahead_seconds(&self) -> i64 {
        self.ahead_seconds.load(Ordering::Relaxed)
    }

    /// The time by AWS's clock, which the ages of machines are measured by.
    pub fn now(&self) -> SystemTime {
        self.at(self.time.now())
    }

    /// What AWS's clock showed when this computer's showed `local`.
    pub fn at(&self, local: SystemTime) -> SystemTime {
        let ahead = self.ahead_seconds();
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            local.checked_sub(by).unwrap_or(UNIX_EPOCH)
        } else {
            local + by
        }
    }

    /// What this computer's clock shows when AWS's shows `there`.
    pub fn local(&self, there: SystemTime) -> SystemTime {
        let ahead = self.ahead_seconds();
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            there + by
        } else {
            there.checked_sub(by).unwrap_or(UNIX_EPOCH)
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let stamp = context.request().headers().get("x-amz-date");
        if let Some(seconds) = stamp.and_then(signed_at_seconds) {
            cfg.interceptor_state().store_put(SignedAt(seconds));
        }
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signed_at = cfg.load::<SignedAt>().map(|at| at.0);
        let (Some(response), Some(signed_at)) = (context.response_mut(), signed_at) else {
            return Ok(());
        };
        let refused = codes::code_in(response).is_some_and(codes::may_be_the_clock);
        let off =
            date_seconds(response).is_some_and(|date| date.abs_diff(signed_at) > TOLERATED_SECONDS);
        if refused && off {
            let first = cfg.load::<Expired>().is_none();
            cfg.interceptor_state().store_put(Expired { first });
            response.add_extension(Expired { first });
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let ahead = ahead_seconds(context.response(), self.time.now());
        if let Some(ahead) = ahead {
            self.ahead_seconds.store(ahead, Ordering::Relaxed);
        }
        let tries = cfg
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        context
            .response_mut()
            .add_extension(SeenTime { tries, ahead });
        Ok(())
    }
}

/// What an answer has shown.
#[derive(Clone, Copy, Debug)]
struct SeenTime {
    /// The number of the try that it answers, from 1.
    tries: u32,
    /// As in [`Clock::ahead_seconds`].
    ahead: Option<i64>,
}

/// When a try was signed, by `X-Amz-Date`, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct SignedAt(i64);

impl Storable for SignedAt {
    type Storer = StoreReplace<Self>;
}

/// AWS refused a try for the time of its signature. Either this computer's clock is off,
/// or the computer slept between the signature and the sending. Nothing has been done
/// then.
#[derive(Clone, Copy, Debug)]
struct Expired {
    /// Whether it is the first such refusal of this call.
    first: bool,
}

impl Storable for Expired {
    type Storer = StoreReplace<Self>;
}

/// Whether AWS refused the signature as too old or too new. The SDK signs the next try by
/// the clock of the answer.
pub fn has_expired<E>(error: &SdkError<E, HttpResponse>) -> bool {
    error
        .raw_response()
        .is_some_and(|response| response.extension::<Expired>().is_some())
}

/// One more try with a new signature tells whether the time was the reason. The SDK makes
/// it only for some codes, and only if this computer's clock is off.
impl ClassifyRetry for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response() else {
            return RetryAction::NoActionIndicated;
        };
        if let Some(Expired { first }) = response.extension() {
            return if *first {
                RetryAction::retryable_error(ErrorKind::ClientError)
            } else {
                RetryAction::RetryForbidden
            };
        }
        // It was signed by the right clock, and refused all the same.
        let seen: Option<&SeenTime> = response.extension();
        let again = seen.is_some_and(|seen| seen.tries > 1);
        let is_refusal = || codes::code_in(response).is_some_and(codes::may_be_the_clock);
        if again && minutes_off(response).is_some() && is_refusal() {
            return RetryAction::RetryForbidden;
        }
        RetryAction::NoActionIndicated
    }
}

/// By how many minutes this computer's clock differs from the answer's, if AWS may refuse
/// calls for it. It is negative if this computer is behind.
pub fn minutes_off(response: &HttpResponse) -> Option<i64> {
    let ahead = match response.extension() {
        Some(SeenTime { ahead, .. }) => (*ahead)?,
        None => ahead_seconds(response, SystemTime::now())?,
    };
    (ahead.unsigned_abs() > TOLERATED_SECONDS).then_some(-ahead / 60)
}

fn ahead_seconds(response: &HttpResponse, now: SystemTime) -> Option<i64> {
    Some(date_seconds(response)? - DateTime::from(now).secs())
}

/// The answer's `Date`, in seconds since 1970.
fn date_seconds(response: &HttpResponse) -> Option<i64> {
    let date = response.headers().get("date")?;
    Some(DateTime::from_str(date, Format::HttpDate).ok()?.secs())
}
