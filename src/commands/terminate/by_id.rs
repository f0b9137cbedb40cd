//! `terminate --instance-id`: single machines of the region, and the group with
//! its last one.

use std::{collections::BTreeMap, time::Duration};

use super::{ending::Ending, groups::Claim, look::Look, terminating::Terminating};
use crate::{
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    machines::{everywhere::Survey, last_look},
    model::{
        machine::{Machine, State},
        visibility::VISIBLE_WITHIN,
    },
    values::GroupName,
};

/// Between two looks for ids that EC2 does not know, or shows without tags.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Ends the machines. They are done when EC2 says that they are ending.
///
/// # Errors
/// An id that EC2 does not know, or that is not ours: then nothing is ended.
pub async fn run(terminating: &Terminating<'_>, ids: &[String]) -> Result<()> {
    let Terminating { aws, out, .. } = *terminating;
    let machines = find(terminating, ids).await?;
    let mut ending = Ending::new(aws, terminating.interrupt, out);
    let mut going = ending.to_end(&machines);
    if going.is_empty() {
        out.say("there is nothing to terminate: it is gone already");
    } else if !terminating.args.yes {
        terminating.confirm(&going, &[]).await?;
    }
    while !going.is_empty() {
        ending.end(&going).await;
        going = ending.to_end(&machines);
    }
    let (deleted, regions) = delete_emptied(terminating, &machines, &ending).await;
    terminating.report(&ending, &deleted, Vec::new(), regions)?;
    ending.failure(&terminating.lines).map_or(Ok(()), Err)
}

/// The machines of these ids, when EC2 shows all of them, and whose they are.
async fn find(terminating: &Terminating<'_>, ids: &[String]) -> Result<Vec<Machine>> {
    let Terminating { aws, out, .. } = *terminating;
    let mut said = false;
    let mut asked_everywhere = false;
    loop {
        let looking_since = aws.time.instant();
        let found = aws.machines_by_id(ids).await;
        let line = terminating.lines.ids(ids, &aws.region);
        let found = found.map_err(|failure| terminating.nobody_knows(failure, &line))?;
        let is_over = looking_since >= terminating.began + VISIBLE_WITHIN;
        let unknown: Vec<String> = ids
            .iter()
            .filter(|id| !found.iter().any(|m| m.instance_id == **id))
            .cloned()
            .collect();
        // Tags may show later than their machine.
        let now = aws.clock.now();
        let is_new = |m: &Machine| {
            let age = m.launched_at.and_then(|at| now.duration_since(at).ok());
            age.is_none_or(|age| age < VISIBLE_WITHIN)
        };
        let others: Vec<&Machine> = found.iter().filter(|m| !m.is_ours()).collect();
        let may_become_ours = |m: &&Machine| m.tags.is_empty() && is_new(m) && !is_over;
        if let Some(failure) = not_ours(others.iter().filter(|m| !may_become_ours(m))) {
            return Err(failure);
        }
        if unknown.is_empty() && others.is_empty() {
            return Ok(found);
        }
        if !unknown.is_empty() && !asked_everywhere {
            refuse_elsewhere(terminating, &unknown).await?;
            asked_everywhere = true;
        }
        if is_over {
            return Err(not_found(terminating, &unknown));
        }
        if !said {
            let waited_for: Vec<&str> = unknown
                .iter()
                .map(String::as_str)
                .chain(others.iter().map(|m| m.instance_id.as_str()))
                .collect();
            out.say(&format!(
                "{} does not show {} yet: looking for up to {} s",
                aws.region,
                waited_for.join(" "),
                VISIBLE_WITHIN.as_secs()
            ));
            said = true;
        }
        let left =
            (terminating.began + VISIBLE_WITHIN).saturating_duration_since(aws.time.instant());
        aws.time.pause(left.min(LOOK_EVERY)).await;
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

fn not_found(terminating: &Terminating<'_>, unknown: &[String]) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!(
            "{} does not have {}; nothing was terminated",
            terminating.aws.region,
            unknown.join(" ")
        ),
    )
    .hint(format!("{} shows what there is", terminating.lines.list()))
}

/// Machines of these ids that live in another region.
async fn refuse_elsewhere(terminating: &Terminating<'_>, unknown: &[String]) -> Result<()> {
    let found = Survey::as_far_as_possible(terminating.aws).await;
    let mut regions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for m in &found.machines {
        if unknown.contains(&m.instance_id) && !m.state.is_gone() {
            let ids = regions.entry(m.region.clone()).or_default();
            ids.push(m.instance_id.clone());
        }
    }
    regions.remove(&terminating.aws.region);
    if regions.is_empty() {
        return Ok(());
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
            "machines run in another region than {}: {}; nothing was terminated",
            terminating.aws.region,
            places.join(", ")
        ),
    )
    .hint(format!("end them: {}", lines.join(" && ")))
    .machines(regions.into_values().flatten()))
}

/// Deletes the groups that have lost their last machine. Nothing is waited for:
/// where something speaks for machines that do not show, the group stays. The names
/// of the deleted groups, and the regions that were looked at.
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
