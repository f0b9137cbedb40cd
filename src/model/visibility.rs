//! How late EC2 shows what it has done.

use std::time::Duration;

/// A machine and its tags show within this time of the launch: seconds as a rule,
/// some minutes in the worst case that AWS's text names ("Eventual consistency in
/// the Amazon EC2 API", EC2 developer guide). What has not shown by then is taken
/// for what is not there; the other waits are computed from it.
pub const VISIBLE_WITHIN: Duration = Duration::from_mins(2);
