//! How long EC2 may take to show what it has done.
//!
//! EC2 is eventually consistent: an answer of its API may not show yet what an
//! earlier answer has said (EC2 developer guide, "Eventual consistency"; it names
//! no bound, and advises to wait for up to some minutes). All waits for machines
//! and tags follow from the one constant here.

use std::time::Duration;

/// A machine, with its tags, shows within this time of its launch. Seconds are
/// the rule.
pub const VISIBLE_WITHIN: Duration = Duration::from_mins(2);

/// What does not show after a wait of this is not there: [`VISIBLE_WITHIN`], and
/// a quarter more for calls on their way.
pub const SHOWN_AFTER: Duration = times(VISIBLE_WITHIN, 5, 4);

/// After this a call of which nothing shows was not made: [`VISIBLE_WITHIN`] and
/// half as much for one that was asked again until then.
pub const MADE_OR_NOT_AFTER: Duration = times(VISIBLE_WITHIN, 3, 2);

/// EC2 refuses a request that was signed longer ago (AWS General Reference, Signature
/// Version 4): after this one that was sent does not launch anything any more.
pub const ARRIVES_WITHIN: Duration = Duration::from_mins(5);

const fn times(duration: Duration, numerator: u64, denominator: u64) -> Duration {
    Duration::from_secs(duration.as_secs() * numerator / denominator)
}
