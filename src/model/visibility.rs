//! How long EC2 may take to show what it has done.
//!
//! EC2 is eventually consistent: an answer may not show yet what an earlier answer has
//! said (EC2 developer guide, "Eventual consistency", which names no bound, and advises
//! to wait for up to some minutes). All waits for machines and tags follow from the one
//! constant here.

use std::time::Duration;

/// By this time after its launch a machine shows, with its tags. Usually it takes
/// seconds.
pub const VISIBLE_WITHIN: Duration = Duration::from_mins(2);

/// What does not show after this wait does not exist. It is [`VISIBLE_WITHIN`] and a
/// quarter more, for calls that are on their way.
pub const SHOWN_AFTER: Duration = times(VISIBLE_WITHIN, 5, 4);

/// A call of which nothing shows after this time was not carried out. It is
/// [`VISIBLE_WITHIN`] and half as much again, for a call that was repeated until then.
pub const MADE_OR_NOT_AFTER: Duration = times(VISIBLE_WITHIN, 3, 2);

/// After this time a request that was sent can no longer launch anything: EC2 refuses
/// older signatures (AWS General Reference, Signature Version 4).
pub const ARRIVES_WITHIN: Duration = Duration::from_mins(5);

const fn times(duration: Duration, numerator: u64, denominator: u64) -> Duration {
    Duration::from_secs(duration.as_secs() * numerator / denominator)
}
