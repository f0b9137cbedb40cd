//! Machines that may be running in regions where nobody looked.

use super::{
    everywhere::Survey,
    leftovers::{View, is_instance_id},
};
use crate::{
    error::{Failure, Kind},
    inductiva::Group,
};

/// Why machines may be running in the regions that were left out: Inductiva sees some
/// alive that no region has shown, or cannot be asked. None where nothing speaks for it:
/// whoever may not look in a region may not launch there either.
///
/// `groups` are the active groups whose machines these may be, none where Inductiva
/// cannot be asked. The caller says what to do.
pub fn unseen(found: &Survey, groups: Option<&[Group]>, view: View<'_>) -> Option<Failure> {
    let regions = found.left_out_regions()?;
    let failure = |what: &str| {
        Failure::new(
            Kind::MachinesMayBeRunning,
            format!("machines may be running in {regions}, which could not be asked: {what}"),
        )
    };
    let Some(groups) = groups else {
        return Some(failure("Inductiva cannot be asked either"));
    };
    let unseen = alive(found, groups, view);
    if unseen.is_empty() {
        return None;
    }
    let what = format!("Inductiva sees {} alive", unseen.join(" "));
    Some(failure(&what).machines(unseen))
}

/// The machines of these groups that Inductiva sees alive and no region has shown.
pub fn alive(found: &Survey, groups: &[Group], view: View<'_>) -> Vec<String> {
    let is_shown = |id: &str| found.machines.iter().any(|m| m.instance_id == id);
    let alive = groups.iter().flat_map(|group| view.alive(group));
    alive
        .filter(|host| is_instance_id(host) && !is_shown(host))
        .map(str::to_owned)
        .collect()
}
