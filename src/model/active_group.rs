//! A group on Inductiva's side, as far as budgets and costs need it.

use std::time::SystemTime;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveGroup {
    pub id: String,
    pub created_at: Option<SystemTime>,
    pub machines: Vec<Record>,
}

/// The newest group of a name, active or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRecord {
    pub created_at: Option<SystemTime>,
    /// The type that it was made with: its machines' first choice.
    pub vm_type: Option<String>,
    /// The root disk that it was made with.
    pub disk_gib: Option<u32>,
    pub machines: Vec<Record>,
}

/// What Inductiva keeps of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The name that the machine gives itself: its instance id, if it is on EC2.
    pub host_name: String,
    /// When it registered.
    pub started_at: Option<SystemTime>,
    pub ended_at: Option<SystemTime>,
    /// When it last asked for a task.
    pub last_seen_at: Option<SystemTime>,
}
