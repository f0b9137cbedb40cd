//! Machines that EC2 ends as soon as they are launched, such as for lack of a key for the
//! disk, of a quota of disks, or of room after all ("Instance terminates immediately",
//! EC2 user guide). `RunInstances` does not tell.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    aws::Aws,
    error::Failure,
    model::machine::{self, Machine, remedy},
};

/// A launch that has succeeded does not wait longer for this look.
const LOOKS_FOR: Duration = Duration::from_secs(2);

/// Looks once at machines that were just launched, and updates those that EC2 has ended.
/// Returns their failure, with EC2's reasons and what to do; none if no such machine
/// shows by now.
pub async fn ended_at_once(aws: &Aws, machines: &mut [Machine]) -> Option<Failure> {
    let ids = machine::ids(machines);
    let looking = aws.time.within(LOOKS_FOR, aws.machines_by_id(&ids));
    let seen = looking.await.ok()?.ok()?;
    let mut ended = Vec::new();
    let mut reasons = BTreeSet::new();
    for seen in seen {
        let Some(reason) = seen.ended_by_ec2() else {
            continue;
        };
        reasons.insert(reason.to_owned());
        ended.push(seen.instance_id.clone());
        let id = &seen.instance_id;
        if let Some(known) = machines.iter_mut().find(|m| m.instance_id == *id) {
            *known = seen;
        }
    }
    if ended.is_empty() {
        return None;
    }
    let remedies: BTreeSet<&str> = reasons.iter().map(|reason| remedy(reason)).collect();
    let failure = Failure::failed(format!(
        "EC2 ended {} of {} at once: {} ({})",
        ended.len(),
        machine::count(ids.len()),
        ended.join(" "),
        Vec::from_iter(reasons).join("; ")
    ));
    Some(failure.hint(Vec::from_iter(remedies).join("; ")))
}
