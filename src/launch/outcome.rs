//! What becomes of a plan's calls, of one of them, and of one attempt at it.

use crate::{aws::run_instances::NoCapacity, model::machine::Machine};

/// What the calls of a plan came to.
pub enum Launched {
    Machines(Vec<Machine>),
    /// The facts have changed under the plan.
    LookAgain,
    /// The number of the launch was used already, by a launch that is over.
    NumberWasUsed,
}

/// What an attempt of a call came to.
pub enum Attempt {
    Ended(CallOutcome),
    NoCapacity(Box<NoCapacity>),
}

/// What a call came to.
pub enum CallOutcome {
    Launched(Vec<Machine>),
    /// Its token was spent on machines that are gone.
    Spent,
    /// Its token is of machines that the group had before.
    Counted,
    /// Its token was spent on other bytes.
    Mismatch,
    /// The facts have changed under the plan.
    LookAgain,
    /// Not made, as another call has failed.
    NotMade,
}
