//! `terminate --all`: this program's machines of the region or of all regions,
//! and the groups on Inductiva's side that have lost their machines.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    ending::Ending,
    groups::Claim,
    images,
    look::{Look, Scope, TerminateLook},
    security_groups::{Removed, SecurityGroups},
    terminating::{self, Terminating},
};
use crate::{
    error::{Failure, Result},
    inductiva::Group,
    machines::{everywhere::Survey, leftovers::LeftOver, unseen},
    terminal::command_line::deletes,
    values::GroupName,
};

/// Machines of an older group have shown by now. A start may be about to launch those of
/// a younger one.
const NEW_GROUP: Duration = Duration::from_mins(10);

/// Ends everything.
///
/// # Errors
/// Something could not be ended, or a region could not be asked.
pub async fn run(terminating: &Terminating<'_>) -> Result<()> {
    let Terminating {
        aws,
        groups,
        out,
        args,
        ..
    } = *terminating;
    let scope = if args.all_regions {
        Scope::AllRegions
    } else {
        Scope::Region
    };
    let asked_at = aws.time.now();
    let (found, active) = tokio::join!(Survey::as_far_as_possible(aws), groups.active());
    let first = Look { aws, found };
    refuse_blind(terminating, &first)?;
    let left_over = left_over(&first, active.as_deref());
    let mut looking = TerminateLook {
        aws,
        scope,
        groups: active
            .as_ref()
            .map(|active| groups_that_may_have_machines(active, &first)),
        began: terminating.began,
        said: &terminating.said,
        out,
        seen: BTreeMap::new(),
        asked_at,
        left_over_builders: images::left_over_builders(aws, &first.found.machines).await,
    };
    looking.saw(&first.found.machines, asked_at);
    let mut ending = terminating.ending(None);
    let showing = ending.to_end(&looking.of_scope(&first.found.machines));
    let is_something = !showing.is_empty() || !left_over.is_empty();
    if is_something {
        terminating.confirm(&showing, &left_over).await?;
    }
    let look = looking.end_what_shows(showing, &mut ending).await;
    let left_out = left_out(terminating, &look, active.as_deref());
    if !ending.has_seen_some() && left_over.is_empty() && left_out.is_none() {
        out.say("there is nothing to terminate");
    }
    let deleted = groups
        .delete(&emptied(&ending, &look, &left_over), &look)
        .await;
    groups.say_kept(&deleted.kept);
    say_not_certain(terminating, active.as_deref(), &look);
    let left = ending.left();
    let ended = ending.ended();
    let regions = if args.all_regions {
        look.found.regions.clone()
    } else {
        vec![aws.region.clone()]
    };
    let found = Survey {
        regions,
        machines: looking.of_scope(&look.found.machines),
        ..Survey::default()
    };
    let security_groups = SecurityGroups {
        aws,
        found: &found,
        all_regions: args.all_regions,
        ended: &ended,
        out,
    };
    let removed = if args.remove_security_group && left.is_empty() {
        security_groups.remove().await
    } else {
        security_groups.say_kept().await;
        Removed::default()
    };
    images::say_builders(&look.found.machines, &looking.left_over_builders, out);
    images::say_kept(aws, &found.regions, out).await;
    if args.all_regions {
        say_denied(terminating, &look);
    } else {
        terminating.say_left_out(&look);
        say_elsewhere(terminating, &look);
    }
    let looked_at = (&look.found).into();
    let shown = &look.found.machines;
    terminating.report(&ending, shown, &deleted.names, removed.ids, looked_at);
    if let Some(failure) = ending.failure(&terminating.lines) {
        return Err(failure);
    }
    if let Some(failure) = left_out {
        return Err(failure);
    }
    removed.failure.map_or(Ok(()), Err)
}

/// Fails if not one region has answered.
fn refuse_blind(terminating: &Terminating<'_>, look: &Look<'_>) -> Result<()> {
    let found = &look.found;
    let here = |(region, _): &&(String, _)| *region == terminating.aws.region;
    let of_region = found.denied.iter().chain(&found.missing).find(here);
    match of_region {
        Some((_, failure)) if found.regions.is_empty() || !terminating.args.all_regions => {
            let line = terminating.lines.everything();
            Err(terminating.nobody_knows(failure.clone(), &line))
        }
        _ => Ok(()),
    }
}

/// Why machines may be running in regions that were to be asked and could not be.
fn left_out(
    terminating: &Terminating<'_>,
    look: &Look<'_>,
    active: Option<&[Group]>,
) -> Option<Failure> {
    let line = terminating.lines.everything();
    let hole = if terminating.args.all_regions {
        look.hole()
    } else {
        look.hole_here()
    };
    let Some(hole) = hole else {
        let all_regions = terminating.args.all_regions;
        return terminating::unseen(look, active, &line).filter(|_| all_regions);
    };
    let failure = hole.hint(format!("try again: {line}"));
    let alive = unseen::alive(&look.found, active.unwrap_or_default(), look.view());
    if alive.is_empty() {
        return Some(failure);
    }
    let message = format!(
        "{}; Inductiva sees {} alive",
        failure.message,
        alive.join(" ")
    );
    Some(Failure { message, ..failure }.machines(alive))
}

/// The groups that have surely lost their machines.
fn left_over(look: &Look<'_>, active: Option<&[Group]>) -> Vec<Group> {
    let view = look.view();
    let surely = |group: &&Group| view.judge(group) == Some(LeftOver::Surely);
    active
        .into_iter()
        .flatten()
        .filter(surely)
        .cloned()
        .collect()
}

/// The groups that may have machines which do not show.
fn groups_that_may_have_machines(active: &[Group], look: &Look<'_>) -> Vec<Group> {
    let view = look.view();
    let is_new = |group: &Group| {
        let made = group.created_at;
        made.is_some_and(|made| view.now.duration_since(made).unwrap_or_default() < NEW_GROUP)
    };
    active
        .iter()
        .filter(|group| group.is_local() && view.alive(group).is_empty())
        .filter(|group| group.has_ec2_type() || is_new(group))
        .cloned()
        .collect()
}

/// The groups to delete: those that this run has emptied, and those that were left over
/// before.
fn emptied(ending: &Ending<'_>, look: &Look<'_>, left_over: &[Group]) -> Vec<(GroupName, Claim)> {
    let ended: BTreeSet<String> = ending.ended().into_iter().collect();
    let of_ended = look
        .found
        .machines
        .iter()
        .filter(|m| ended.contains(&m.instance_id))
        .filter_map(|m| m.group()?.parse::<GroupName>().ok());
    let names: BTreeSet<GroupName> = of_ended.collect();
    let left_over = left_over
        .iter()
        .filter_map(|group| group.name.parse::<GroupName>().ok())
        .filter(|name| !names.contains(name));
    let left_over: Vec<(GroupName, Claim)> =
        left_over.map(|name| (name, Claim::LeftOver)).collect();
    let emptied = names.into_iter().map(|name| (name, Claim::Emptied));
    emptied.chain(left_over).collect()
}

/// Names groups that look like this program's, and may be somebody else's.
fn say_not_certain(terminating: &Terminating<'_>, active: Option<&[Group]>, look: &Look<'_>) {
    let view = look.view();
    let names: Vec<&str> = active
        .into_iter()
        .flatten()
        .filter(|group| view.judge(group) == Some(LeftOver::Maybe))
        .map(|group| group.name.as_str())
        .collect();
    if !names.is_empty() {
        terminating.out.say(&format!(
            "kept on Inductiva's side, because they may not be from inductiva-aws: {}; {}",
            names.join(", "),
            deletes(&names)
        ));
    }
}

/// Names the regions that may not be asked, in one line. Those that did not answer are in
/// the failure.
fn say_denied(terminating: &Terminating<'_>, look: &Look<'_>) {
    if let Some((regions, failure)) = look.found.denied_regions() {
        let message = format!("left out: {regions} ({})", failure.message);
        terminating.out.warn(&message);
    }
}

/// Names machines that run in other regions, which are not to be ended.
fn say_elsewhere(terminating: &Terminating<'_>, look: &Look<'_>) {
    let here = &terminating.aws.region;
    let mut regions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for m in &look.found.machines {
        if m.region != *here && !m.state.is_gone() {
            let ids = regions.entry(&m.region).or_default();
            ids.push(&m.instance_id);
        }
    }
    if regions.is_empty() {
        return;
    }
    let places: Vec<String> = regions
        .iter()
        .map(|(region, ids)| format!("{} in {region}", ids.join(" ")))
        .collect();
    terminating.out.warn(&format!(
        "machines are still running in other regions: {}; {} ends them",
        places.join(", "),
        terminating.lines.everything()
    ));
}
