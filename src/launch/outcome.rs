//! What a plan's calls come to, what one of them comes to, and what one try of it comes
//! to.

use crate::{aws::run_instances::NoCapacity, model::machine::Machine};

/// What the calls of a plan came to.
pub enum Launched {
    Machines(Vec<Machine>),
    /// The facts have changed under the plan.
    LookAgain,
    /// A launch that is over had the number of this one.
    NumberWasUsed,
}

/// What one try of a call came to.
pub enum Attempt {
    Ended(CallOutcome),
    NoCapacity(Box<NoCapacity>),
}

/// What a call came to.
pub enum CallOutcome {
    Launched(Vec<Machine>),
    /// Its token was spent on machines that are gone.
    Spent,
    /// Its token belongs to machines that the group had before.
    Counted,
    /// Its token was spent on other bytes.
    Mismatch,
    /// The facts have changed under the plan.
    LookAgain,
    /// The call was not made, as another one has failed.
    NotMade,
}
