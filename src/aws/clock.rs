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
            Intercept, context::BeforeDeserializationInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    config_bag::ConfigBag,
    date_time::{DateTime, Format},
};

/// How far AWS's clock is ahead of this machine's. Clones share what was seen.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// Whole seconds that AWS's clock is ahead of this machine's, by its last
    /// answer; negative when it is behind, 0 before any answer.
    pub fn ahead_seconds(&self) -> i64 {
        self.ahead_seconds.load(Ordering::Relaxed)
    }

    /// The time by AWS's clock: what the ages of machines are measured with.
    pub fn now(&self) -> SystemTime {
        let ahead = self.ahead_seconds();
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            SystemTime::now().checked_sub(by).unwrap_or(UNIX_EPOCH)
        } else {
            SystemTime::now() + by
        }
    }
}

/// The time that an RFC 3339 text tells; without a zone it is UTC.
pub fn instant(text: &str) -> Option<SystemTime> {
    let format = Format::DateTimeWithOffset;
    let time = DateTime::from_str(text, format)
        .or_else(|_| DateTime::from_str(&format!("{text}Z"), format));
    SystemTime::try_from(time.ok()?).ok()
}

#[dyn_dispatch_hint]
impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context
            .response()
            .headers()
            .get("date")
            .and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(date) = date {
            let here = DateTime::from(SystemTime::now());
            self.ahead_seconds
                .store(date.secs() - here.secs(), Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let time = UNIX_EPOCH + Duration::from_millis(1_764_000_000_500);
        for text in [
            "2025-11-24T16:00:00.5Z",
            "2025-11-24T18:00:00.500000+02:00",
            "2025-11-24T16:00:00.5",
        ] {
            assert_eq!(instant(text), Some(time), "{text}");
        }
        assert_eq!(instant("yesterday"), None);
    }
}
