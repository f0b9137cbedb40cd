//! What `terminate` ended.

use std::fmt;

use serde::Serialize;

use crate::commands::report::RegionsReport;

#[derive(Clone, Debug, Default, Serialize)]
pub struct TerminateReport {
    /// The ids of machines.
    pub terminated: Vec<String>,
    /// The names of the groups that were deleted on Inductiva's side.
    pub deleted_machine_groups: Vec<String>,
    pub removed_security_groups: Vec<String>,
    #[serde(flatten)]
    pub regions: RegionsReport,
}

impl fmt::Display for TerminateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terminated
            .iter()
            .try_for_each(|id| writeln!(f, "{id}"))
    }
}
