//! AWS's clock, as its answers show it (the `Date` header).

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
            context::{BeforeDeserializationInterceptorContextMut, InterceptorContext},
            dyn_dispatch_hint,
        },
        orchestrator::HttpResponse,
        retries::{
            RequestAttempts,
            classifiers::{ClassifyRetry, RetryAction},
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    config_bag::ConfigBag,
    date_time::{DateTime, Format},
    retry::ErrorKind,
};

use super::codes;
use crate::time::Time;

/// Below this AWS takes no offence (as the SDK has it), so that a refusal has
/// another reason.
const TOLERATED_SECONDS: u64 = 4 * 60;

/// How far AWS's clock is ahead of this machine's. Clones share what was seen.
#[derive(Clone, Debug)]
pub struct Clock {
    ahead_seconds: Arc<AtomicI64>,
    time: Time,
}

impl Clock {
    /// A clock that has seen no answer yet. `time` is this machine's.
    pub fn new(time: Time) -> Self {
        Self {
            ahead_seconds: Arc::default(),
            time,
        }
    }

    pub fn time(&self) -> &Time {
        &self.time
    }

    /// Whole seconds that AWS's clock is ahead of this machine's, by its last
    /// answer; negative when it is behind, 0 before any answer.
    pub fn ahead_seconds(&self) -> i64 {
        self.ahead_seconds.load(Ordering::Relaxed)
    }

    /// The time by AWS's clock: what the ages of machines are measured with.
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
        context.response_mut().add_extension(Seen { tries, ahead });
        Ok(())
    }
}

/// What was seen of an answer.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Which try of its call it is to, from 1.
    tries: u32,
    /// As in [`Clock::ahead_seconds`].
    ahead: Option<i64>,
}

/// The SDK signs by AWS's clock as soon as it has seen it, but does not try
/// again after a `RequestExpired`: nothing has happened then. One more try, by
/// the right clock, tells whether that was the reason.
impl ClassifyRetry for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let code = context
            .response()
            .filter(|response| minutes_off(response).is_some())
            .and_then(codes::code_in)
            .filter(|code| codes::may_be_the_clock(code));
        let seen: Option<&Seen> = context.response().and_then(|response| response.extension());
        let first = seen.is_none_or(|seen| seen.tries <= 1);
        match code {
            Some("RequestExpired") if first => RetryAction::retryable_error(ErrorKind::ClientError),
            Some(_) if !first => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }
}

/// By how many minutes this machine's clock differs from that of the answer, if
/// AWS may refuse calls for that; negative when it is behind.
pub fn minutes_off(response: &HttpResponse) -> Option<i64> {
    let ahead = match response.extension() {
        Some(Seen { ahead, .. }) => (*ahead)?,
        None => ahead_seconds(response, SystemTime::now())?,
    };
    (ahead.unsigned_abs() > TOLERATED_SECONDS).then_some(-ahead / 60)
}

fn ahead_seconds(response: &HttpResponse, now: SystemTime) -> Option<i64> {
    let date = response.headers().get("date")?;
    let there = DateTime::from_str(date, Format::HttpDate).ok()?;
    Some(there.secs() - DateTime::from(now).secs())
}
