//! EC2's request buckets: how fast calls go out, and for how long they are tried again.

use std::{cell::RefCell, time::Duration};

use tokio::time::Instant;

use crate::time::Time;

/// The bucket of `RunInstances` requests that EC2 keeps for an account and region: 5
/// requests at most, refilled with 2 a second (EC2 developer guide, "Request
/// throttling"). Tries after the first take from it too.
pub struct Pace {
    bucket: RefCell<Bucket>,
    time: Time,
}

struct Bucket {
    requests: f64,
    at: Instant,
}

impl Pace {
    const FULL: f64 = 5.0;
    /// A little less than 2, so that a call never arrives before the bucket has room for
    /// it.
    const A_SECOND: f64 = 1.95;

    /// A full bucket.
    pub fn new(time: &Time) -> Self {
        Self {
            bucket: RefCell::new(Bucket {
                requests: Self::FULL,
                at: time.instant(),
            }),
            time: time.clone(),
        }
    }

    /// Waits until the next request may go out.
    pub async fn next(&self) {
        let wait = {
            let mut bucket = self.bucket.borrow_mut();
            let now = self.time.instant();
            let refilled = now.duration_since(bucket.at).as_secs_f64() * Self::A_SECOND;
            // It is below zero while requests wait for their turn.
            bucket.requests = (bucket.requests + refilled).min(Self::FULL) - 1.0;
            bucket.at = now;
            Duration::from_secs_f64((-bucket.requests).max(0.0) / Self::A_SECOND)
        };
        self.time.pause(wait).await;
    }
}

/// Pauses that grow, for as long as another try makes sense.
pub struct Backoff {
    left: Duration,
    until: Instant,
    next: Duration,
    time: Time,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(5);

    /// For calls that fail: EC2's bad moments last seconds, or tens of seconds.
    pub fn with_failures(time: &Time) -> Self {
        Self::of(time, Duration::from_secs(30))
    }

    /// For calls that are throttled: the room for a hundred machines comes back in 50
    /// seconds.
    pub fn with_throttling(time: &Time) -> Self {
        Self::of(time, Duration::from_secs(90))
    }

    /// For machines that are not visible yet.
    pub fn with_visibility(time: &Time) -> Self {
        Self::of(time, Duration::from_secs(90))
    }

    /// Pauses of `pauses` in all; with the calls between them it takes three times as
    /// long at most.
    fn of(time: &Time, pauses: Duration) -> Self {
        Self {
            left: pauses,
            until: time.instant() + pauses * 3,
            next: Self::FIRST,
            time: time.clone(),
        }
    }

    /// The pause before the next try; none when there is to be no further try.
    pub fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.left = self.left.checked_sub(pause)?;
        self.next = (pause * 2).min(Self::LONGEST);
        (self.time.instant() + pause < self.until).then_some(pause)
    }
}
