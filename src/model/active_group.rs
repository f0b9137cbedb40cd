//! A group that is active on Inductiva's side, as far as a budget goes by it.

use std::time::SystemTime;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveGroup {
    pub id: String,
    pub created_at: Option<SystemTime>,
    pub machines: Vec<Record>,
}

/// What Inductiva keeps of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub host_name: String,
    /// When it registered.
    pub started_at: Option<SystemTime>,
    pub ended_at: Option<SystemTime>,
}
