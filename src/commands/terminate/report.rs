//! What `terminate` ended.

use std::fmt;

use serde::Serialize;

use crate::commands::report::RegionsReport;

#[derive(Clone, Debug, Default, Serialize)]
pub struct TerminateReport {
    pub terminated: Vec<String>,
    /// The names of the groups that were deleted on Inductiva's side.
    pub deleted_machine_groups: Vec<String>,
    pub removed_security_groups: Vec<String>,
    #[serde(flatten)]
    pub regions: RegionsReport,
}

impl TerminateReport {
    /// One report made of several. What two of them name is named once.
    pub fn merged(reports: Vec<Self>) -> Option<Self> {
        let mut reports = reports.into_iter();
        let mut merged = reports.next()?;
        for other in reports {
            add(&mut merged.terminated, other.terminated);
            add(
                &mut merged.deleted_machine_groups,
                other.deleted_machine_groups,
            );
            add(
                &mut merged.removed_security_groups,
                other.removed_security_groups,
            );
            merged.regions.add(other.regions);
        }
        Some(merged)
    }
}

fn add(names: &mut Vec<String>, others: Vec<String>) {
    for other in others {
        if !names.contains(&other) {
            names.push(other);
        }
    }
}

impl fmt::Display for TerminateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terminated
            .iter()
            .try_for_each(|id| writeln!(f, "{id}"))
    }
}
