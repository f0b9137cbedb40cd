//! `terminate ID…`: single machines of the region, and a group with its last machine.

use std::collections::BTreeMap;

use super::{
    ending::Ending,
    groups::Claim,
    look::{LOOK_EVERY, Look},
    terminating::{Terminating, unseen},
};
use crate::{
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    machines::{everywhere::Survey, last_look},
    model::{
        machine::{self, Machine, State},
        visibility::VISIBLE_WITHIN,
    },
    values::{GroupName, spans},
};

/// What EC2 shows of the ids that were named.
#[derive(Default)]
pub struct NamedMachines {
    /// This program's machines among them.
    pub machines: Vec<Machine>,
    /// The ids that EC2 does not show, or not yet.
    unknown: Vec<String>,
}

/// Ends the machines. It is done when EC2 says that they are ending. An id that EC2 does
/// not show keeps no other machine running: it is looked for afterwards.
///
/// # Errors
/// EC2 does not know an id; a machine is in another region; or one could not be ended.
pub async fn run(terminating: &Terminating<'_>, found: NamedMachines) -> Result<()> {
    let NamedMachines {
        mut machines,
        unknown,
    } = found;
    let mut ending = terminating.ending(None);
    if !ending.to_end(&machines).is_empty() {
        end(terminating, &machines, &mut ending).await?;
    } else if unknown.is_empty() {
        let gone = "there is nothing to terminate: it is gone already";
        terminating.out.say(gone);
    }
    let mut missing = None;
    if !unknown.is_empty() {
        let (late, failure) = find_late(terminating, unknown, &ending).await;
        missing = failure;
        if !ending.to_end(&late).is_empty() {
            end(terminating, &late, &mut ending).await?;
        }
        machines.extend(late);
    }
    if !machines.is_empty() {
        let (deleted, regions) = delete_emptied(terminating, &machines, &ending).await;
        terminating.report(&ending, &[], &deleted, Vec::new(), regions);
        let ended = &mut terminating.ended.borrow_mut();
        ended.add_single(&ending, &machines);
    }
    let failure = ending.failure(&terminating.lines).or(missing);
    failure.map_or(Ok(()), Err)
}

async fn end(
    terminating: &Terminating<'_>,
    machines: &[Machine],
    ending: &mut Ending<'_>,
) -> Result<()> {
    let mut going = ending.to_end(machines);
    terminating.confirm(&going, &[]).await?;
    while !going.is_empty() {
        ending.end(&going).await;
        going = ending.to_end(machines);
    }
    Ok(())
}

/// The machines that show of these ids, once it is certain whose they are.
///
/// # Errors
/// One of them is not ours. Nothing is ended then.
pub async fn look(terminating: &Terminating<'_>, ids: &[String]) -> Result<NamedMachines> {
    let aws = terminating.aws;
    if ids.is_empty() {
        return Ok(NamedMachines::default());
    }
    let mut said = false;
    loop {
        let looking_since = aws.time.instant();
        let machines = aws.machines_by_id(ids).await;
        let line = terminating.lines.ids(ids, &aws.region);
        let machines = machines.map_err(|failure| terminating.nobody_knows(failure, &line))?;
        let is_over = looking_since >= terminating.began + VISIBLE_WITHIN;
        // Tags may show later than their machine.
        let now = aws.clock.now();
        let is_new = |m: &Machine| {
            let age = m.launched_at.and_then(|at| now.duration_since(at).ok());
            age.is_none_or(|age| age < VISIBLE_WITHIN)
        };
        let others: Vec<&Machine> = machines.iter().filter(|m| !m.is_ours()).collect();
        let may_become_ours = |m: &&Machine| m.tags.is_empty() && is_new(m) && !is_over;
        if let Some(failure) = not_ours(others.iter().filter(|m| !may_become_ours(m))) {
            return Err(failure);
        }
        if others.is_empty() {
            let unknown = without(ids, &machines);
            return Ok(NamedMachines { machines, unknown });
        }
        if !said {
            let others: Vec<String> = others.iter().map(|m| m.instance_id.clone()).collect();
            say_waiting(terminating, &others);
            said = true;
        }
        pause(terminating).await;
    }
}

/// Looks for ids that EC2 did not show, as their launch may have been a moment ago. The
/// machines that show, and why the others do not.
async fn find_late(
    terminating: &Terminating<'_>,
    ids: Vec<String>,
    ending: &Ending<'_>,
) -> (Vec<Machine>, Option<Failure>) {
    let aws = terminating.aws;
    let everywhere = match refuse_elsewhere(terminating, &ids, ending).await {
        Ok(everywhere) => everywhere,
        Err(failure) => return (Vec::new(), Some(failure)),
    };
    let mut machines: Vec<Machine> = Vec::new();
    say_waiting(terminating, &ids);
    loop {
        let looking_since = aws.time.instant();
        let unknown = without(&ids, &machines);
        match Box::pin(look(terminating, &unknown)).await {
            Ok(found) => machines.extend(found.machines),
            Err(failure) => return (machines, Some(failure)),
        }
        let unknown = without(&ids, &machines);
        if unknown.is_empty() {
            return (machines, None);
        }
        if looking_since >= terminating.began + VISIBLE_WITHIN {
            let failure = not_found(terminating, &unknown, ending, &everywhere).await;
            return (machines, Some(failure));
        }
        pause(terminating).await;
    }
}

/// The ids that no machine of `machines` has.
fn without(ids: &[String], machines: &[Machine]) -> Vec<String> {
    let known = machine::ids(machines);
    let unknown = ids.iter().filter(|id| !known.contains(id));
    unknown.cloned().collect()
}

fn say_waiting(terminating: &Terminating<'_>, ids: &[String]) {
    terminating.out.say(&format!(
        "{} does not show {} yet: looking for up to {}",
        terminating.aws.region,
        ids.join(" "),
        spans::in_words(VISIBLE_WITHIN)
    ));
}

/// Waits until the next look for ids.
async fn pause(terminating: &Terminating<'_>) {
    let time = &terminating.aws.time;
    let left = (terminating.began + VISIBLE_WITHIN).saturating_duration_since(time.instant());
    time.pause(left.min(LOOK_EVERY)).await;
}

/// What to add to a failure if this run has ended no machine.
fn nothing_ended(terminating: &Terminating<'_>, ending: &Ending<'_>) -> &'static str {
    if ending.ended().is_empty() && !terminating.several {
        "; nothing was terminated"
    } else {
        ""
    }
}

/// Refuses machines that this program has not launched.
fn not_ours<'a>(others: impl Iterator<Item = &'a &'a Machine>) -> Option<Failure> {
    let others: Vec<&str> = others.map(|m| m.instance_id.as_str()).collect();
    if others.is_empty() {
        return None;
    }
    Some(
        Failure::failed(format!(
            "not launched by inductiva-aws: {}; nothing was terminated",
            others.join(" ")
        ))
        .hint("end other machines in the EC2 console or with the AWS CLI"),
    )
}

/// The failure for ids that no region has, as `look` at all regions shows.
async fn not_found(
    terminating: &Terminating<'_>,
    unknown: &[String],
    ending: &Ending<'_>,
    look: &Look<'_>,
) -> Failure {
    if look.found.left_out_regions().is_some() {
        let line = terminating.lines.ids(unknown, &terminating.aws.region);
        let mut groups = terminating.groups.active().await;
        for group in groups.iter_mut().flatten() {
            let is_meant =
                |host: &Option<String>| host.as_ref().is_some_and(|host| unknown.contains(host));
            group.machines.retain(|m| is_meant(&m.host_name));
        }
        if let Some(failure) = unseen(look, groups.as_deref(), &line) {
            return failure;
        }
        terminating.say_left_out(look);
    }
    Failure::new(
        Kind::NotFound,
        format!(
            "{} does not have {}{}",
            terminating.aws.region,
            unknown.join(" "),
            nothing_ended(terminating, ending)
        ),
    )
    .hint(format!("{} shows what there is", terminating.lines.list()))
}

/// Looks at all regions, to see that no machine of these ids is alive elsewhere.
///
/// # Errors
/// One is.
async fn refuse_elsewhere<'a>(
    terminating: &Terminating<'a>,
    unknown: &[String],
    ending: &Ending<'_>,
) -> Result<Look<'a>> {
    let look = Look {
        aws: terminating.aws,
        found: Survey::as_far_as_possible(terminating.aws).await,
    };
    let found = &look.found;
    let mut regions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for m in &found.machines {
        if unknown.contains(&m.instance_id) && !m.state.is_gone() {
            let ids = regions.entry(m.region.clone()).or_default();
            ids.push(m.instance_id.clone());
        }
    }
    regions.remove(&terminating.aws.region);
    if regions.is_empty() {
        return Ok(look);
    }
    let places: Vec<String> = regions
        .iter()
        .map(|(region, ids)| format!("{} in {region}", ids.join(" ")))
        .collect();
    let lines: Vec<String> = regions
        .iter()
        .map(|(region, ids)| terminating.lines.ids(ids, region))
        .collect();
    Err(Failure::new(
        Kind::MachinesMayBeRunning,
        format!(
            "machines run in another region than {}: {}{}",
            terminating.aws.region,
            places.join(", "),
            nothing_ended(terminating, ending)
        ),
    )
    .hint(format!("end them: {}", lines.join(" && ")))
    .machines(regions.into_values().flatten()))
}

/// Deletes the groups that have lost their last machine. It waits for nothing: if there
/// is a sign of machines that do not show, the group stays. The names of the deleted
/// groups, and the regions that were looked at.
async fn delete_emptied(
    terminating: &Terminating<'_>,
    machines: &[Machine],
    ending: &Ending<'_>,
) -> (Vec<String>, RegionsReport) {
    let ended = ending.ended();
    let mut names: Vec<GroupName> = machines
        .iter()
        .filter(|m| ended.contains(&m.instance_id))
        .filter_map(|m| m.group()?.parse().ok())
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() || terminating.groups.api.is_none() {
        let here = RegionsReport::one(&terminating.aws.region);
        return (Vec::new(), here);
    }
    let asked_at = terminating.aws.time.now();
    let mut found = Survey::as_far_as_possible(terminating.aws).await;
    for m in &mut found.machines {
        if ended.contains(&m.instance_id) {
            m.state = State::ShuttingDown;
        }
    }
    let look = Look {
        aws: terminating.aws,
        found,
    };
    let now = terminating.aws.clock.at(asked_at);
    let mut empty = Vec::new();
    for name in names {
        let is_of_group = |m: &&Machine| m.group() == Some(name.as_str());
        let its: Vec<Machine> = look
            .found
            .machines
            .iter()
            .filter(is_of_group)
            .cloned()
            .collect();
        if look.lives_in(&name) {
            continue;
        }
        match last_look::sign(&its, true, Some(&[]), now) {
            None => empty.push((name, Claim::Emptied)),
            Some(sign) => terminating.groups.say_kept(&[(name, sign.to_string())]),
        }
    }
    let deleted = terminating.groups.delete(&empty, &look).await;
    terminating.groups.say_kept(&deleted.kept);
    (deleted.names, (&look.found).into())
}
