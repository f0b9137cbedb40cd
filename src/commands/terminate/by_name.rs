//! `terminate NAME`: a group in the region, and the group on Inductiva's side.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ending::Ending,
    groups::{Claim, Side, refuse_used},
    look::{Look, Scope, TerminateLook},
    terminating::{Terminating, unseen},
};
use crate::{
    error::{Failure, Kind, Result},
    inductiva::Group,
    machines::{everywhere::Survey, leftovers::is_instance_id},
    model::machine::Machine,
    values::GroupName,
};

/// Ends the group.
///
/// # Errors
/// Nobody knows the name; the group has machines in other regions, or may have some in
/// regions that cannot be asked; or something could not be ended.
pub async fn run<'a>(terminating: &Terminating<'a>, name: &'a GroupName) -> Result<()> {
    let Terminating {
        aws, groups, out, ..
    } = *terminating;
    let asked_at = aws.time.now();
    let here = aws.group_machines(name).await;
    let line = terminating.lines.group(name, &aws.region);
    let here = here.map_err(|failure| terminating.nobody_knows(failure, &line))?;
    let mut ending = terminating.ending(Some(name));
    let showing = ending.to_end(&here);
    // Machines that show are ended before Inductiva is waited for.
    let side = if showing.is_empty() {
        groups.side(name).await
    } else {
        terminating.confirm(&showing, &[]).await?;
        tokio::join!(groups.side(name), ending.end(&showing)).0
    };
    let mut looking = TerminateLook {
        aws,
        scope: Scope::Group(name),
        groups: match &side {
            Side::Active(group) => Some(vec![group.clone()]),
            Side::Ended | Side::Absent => Some(Vec::new()),
            Side::NotAsked(_) => None,
        },
        began: terminating.began,
        said: &terminating.said,
        out,
        seen: BTreeMap::new(),
        asked_at,
        left_over_builders: BTreeSet::new(),
    };
    looking.saw(&here, asked_at);
    if showing.is_empty() {
        let asked_at = aws.time.now();
        let look = Look {
            aws,
            found: Survey::as_far_as_possible(aws).await,
        };
        looking.saw(&look.found.machines, asked_at);
        refuse_elsewhere(terminating, name, &look)?;
        if matches!(side, Side::Absent) && !knows(&look.found.machines, name) {
            terminating.say_left_out(&look);
            return Err(not_found(terminating, name));
        }
        if let Side::Active(group) = &side {
            refuse_others_machines(group, &look, terminating)?;
            let question = format!(
                "The group {name} has no machine in {}. Delete it on Inductiva's side",
                aws.region
            );
            if !terminating.confirmed.get() {
                terminating.ask(&question).await?;
                terminating.confirmed.set(true);
            }
        }
    }
    let mut look = looking.end_what_shows(here, &mut ending).await;
    // Another start may have made the group anew meanwhile. Its machines are looked for,
    // too.
    let mut side = groups.side(name).await;
    while let Side::Active(group) = &side
        && looking.is_new(group)
    {
        looking.began = aws.time.instant();
        looking.groups = Some(vec![group.clone()]);
        look = looking.end_what_shows(Vec::new(), &mut ending).await;
        side = groups.side(name).await;
    }
    finish(terminating, name, side, &ending, &look).await
}

/// Deletes the group, reports, and says what is left.
async fn finish(
    terminating: &Terminating<'_>,
    name: &GroupName,
    side: Side,
    ending: &Ending<'_>,
    look: &Look<'_>,
) -> Result<()> {
    let Terminating {
        aws, groups, out, ..
    } = *terminating;
    let failure = ending.failure(&terminating.lines);
    let may_go = failure.is_none();
    let deleted = if may_go {
        groups.delete(&[(name.clone(), Claim::Typed)], look).await
    } else {
        super::groups::Deleted::default()
    };
    let nothing_showed = !ending.has_seen_some();
    if nothing_showed && !deleted.names.is_empty() {
        out.say(&format!(
            "deleted the machine group {name}, which had no machine in {}",
            aws.region
        ));
    }
    if !nothing_showed {
        groups.say_kept(&deleted.kept);
    }
    let line = terminating.lines.group(name, &aws.region);
    if look.hole_here().is_none() {
        terminating.say_left_out(look);
    }
    let shown = &look.found.machines;
    let regions = (&look.found).into();
    terminating.report(ending, shown, &deleted.names, Vec::new(), regions);
    if let Some(failure) = failure {
        return Err(failure);
    }
    refuse_elsewhere(terminating, name, look)?;
    if let Some(failure) = look.hole_here() {
        return Err(failure.hint(format!("try again: {line}")));
    }
    let groups = match &side {
        Side::Active(group) => Some(std::slice::from_ref(group)),
        Side::Ended | Side::Absent => Some(&[][..]),
        Side::NotAsked(_) => None,
    };
    if let Some(failure) = unseen(look, groups, &line) {
        return Err(failure);
    }
    if !nothing_showed || !deleted.names.is_empty() {
        return Ok(());
    }
    if let Some((name, why)) = deleted.kept.into_iter().next()
        && !matches!(side, Side::NotAsked(_))
    {
        let hint = match look.hole() {
            Some(_) => format!("try again: {line}"),
            None => format!("{} shows its machines on AWS", terminating.lines.list()),
        };
        return Err(
            Failure::failed(format!("the machine group {name} was not deleted: {why}")).hint(hint),
        );
    }
    let is_known = knows(&look.found.machines, name);
    match side {
        Side::NotAsked(why) if is_known => {
            out.warn(&format!(
                "cannot look up the group {name} on Inductiva's side: {why}"
            ));
        }
        Side::NotAsked(why) => {
            return Err(Failure::new(
                Kind::MachinesMayBeRunning,
                format!(
                    "no machine of the group {name} shows, and Inductiva cannot be asked whether there are any ({why}): they may be running"
                ),
            )
            .hint(format!("try again: {line}")));
        }
        Side::Absent if !is_known => return Err(not_found(terminating, name)),
        Side::Ended => {
            out.say(&format!("the machine group {name} is gone already"));
            return Ok(());
        }
        Side::Absent | Side::Active(_) => {}
    }
    out.say("there is nothing to terminate: it is gone already");
    Ok(())
}

fn knows(machines: &[Machine], name: &GroupName) -> bool {
    machines.iter().any(|m| m.group() == Some(name.as_str()))
}

/// The failure for a name that nobody knows.
fn not_found(terminating: &Terminating<'_>, name: &GroupName) -> Failure {
    let region = &terminating.aws.region;
    Failure::new(
        Kind::NotFound,
        format!("{region} has no machine group {name}"),
    )
    .hint(format!(
        "{} shows the groups there are",
        terminating.lines.list()
    ))
}

/// Refuses a group with living machines in another region.
fn refuse_elsewhere(
    terminating: &Terminating<'_>,
    name: &GroupName,
    look: &Look<'_>,
) -> Result<()> {
    let elsewhere = look.elsewhere(name);
    if elsewhere.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = elsewhere
        .iter()
        .map(|(region, ids)| format!("{} in {region}", ids.join(" ")))
        .collect();
    let lines: Vec<String> = elsewhere
        .keys()
        .map(|region| terminating.lines.group(name, region))
        .collect();
    Err(Failure::new(
        Kind::MachinesMayBeRunning,
        format!(
            "machines of the group {name} run in another region than {}: {}",
            terminating.aws.region,
            places.join(", ")
        ),
    )
    .hint(format!("end them: {}", lines.join(" && ")))
    .machines(elsewhere.into_values().flatten()))
}

/// Refuses a group that Inductiva shows in use by machines which EC2 will never show.
/// There is nothing to wait for.
fn refuse_others_machines(
    group: &Group,
    look: &Look<'_>,
    terminating: &Terminating<'_>,
) -> Result<()> {
    let mut alive = look.view().alive(group);
    alive.retain(|host| !is_instance_id(host));
    refuse_used(group, &alive).map_err(|why| {
        Failure::failed(format!(
            "the machine group {} was not deleted: {why}",
            group.name
        ))
        .hint(format!(
            "{} shows its machines on AWS",
            terminating.lines.list()
        ))
    })
}
