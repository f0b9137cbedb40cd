//! Machines that EC2 ends as soon as they are launched: no key for the disk, a quota of
//! disks that is used up, no room after all ("Instance terminates immediately", EC2
//! user guide). `RunInstances` does not tell.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    aws::Aws,
    error::Failure,
    model::machine::{self, Machine, remedy},
};

/// A launch that is done is not kept waiting by a look that fails.
const LOOKS_FOR: Duration = Duration::from_secs(2);

/// Looks once at machines that were just launched, and brings those up to date that
/// EC2 has ended. Their failure, with EC2's reasons and what to do; none if there are
/// none that show by now.
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
