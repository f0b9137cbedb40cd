//! What is known of a machine's life: when it began and ended, and how long it ran.

use std::time::{Duration, SystemTime};

/// How long something lasted: the time that is certain, and the longest that it can be;
/// none where nobody knows a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub known: Duration,
    pub most: Option<Duration>,
}

impl Span {
    pub fn exactly(duration: Duration) -> Self {
        Self {
            known: duration,
            most: Some(duration),
        }
    }
}

/// The life of a machine so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its launch. For a machine that EC2 does not show, the time when it registered.
    pub began: Option<SystemTime>,
    /// None while it exists, and where nobody knows.
    pub ended: Option<SystemTime>,
    /// The time that it was paid for as a machine.
    pub ran: Span,
    /// The time that its disks existed: longer, if it was stopped.
    pub had_disks: Span,
    /// Why [`Span::known`] is not all of it.
    pub why_unknown: Option<String>,
}

/// What lives are worked out from, beside what is shown of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// By AWS's clock.
    pub now: SystemTime,
    /// How long a machine may take to register.
    pub boot_timeout: Duration,
    /// When the group on Inductiva's side was made, which is before its machines.
    pub group_made: Option<SystemTime>,
}

/// The time between the two; zero if it would be negative, as clocks differ.
pub fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// When a machine's run ended: the earliest and the latest time, and why they differ.
#[derive(Clone)]
pub struct End {
    pub earliest: SystemTime,
    pub latest: SystemTime,
    pub why_unknown: Option<String>,
}

impl End {
    pub fn at(time: SystemTime) -> Self {
        Self {
            earliest: time,
            latest: time,
            why_unknown: None,
        }
    }
}

/// A life of which nothing is known, and why.
pub fn nothing_known(why: String) -> Life {
    Life {
        began: None,
        ended: None,
        ran: Span::default(),
        had_disks: Span::default(),
        why_unknown: Some(why),
    }
}
