//! The notes beside a list: what it costs, and what is left over.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::report::ListReport;
use crate::{
    image::leftovers::builder_notice,
    machines::everywhere::Survey,
    model::machine::{self, Machine, State},
    plan::deadlines::{Because, Deadline, Left},
    terminal::{
        command_line::{AwsOptions, command, deletes, named},
        time::moment,
    },
};

/// How many machines run and what they cost, and that stopped ones cost, too.
pub fn what_costs(report: &ListReport, machines: &[Machine]) -> Vec<String> {
    let mut notes = Vec::new();
    let running = machines.iter().filter(|m| m.state.is_live()).count();
    let verb = |number| if number == 1 { "runs" } else { "run" };
    if running > 0 {
        notes.push(format!(
            "{} {}, {}",
            machine::count(running),
            verb(running),
            report.cost.in_words()
        ));
    }
    let stopped: Vec<&str> = machines
        .iter()
        .filter(|m| matches!(m.state, State::Stopping | State::Stopped))
        .map(|m| m.instance_id.as_str())
        .collect();
    if !stopped.is_empty() {
        notes.push(format!(
            "stopped machines run nothing, but their disks still cost money: {}",
            command(&format!("terminate {}", stopped.join(" ")))
        ));
    }
    notes
}

/// Says that there is no machine, and where else there may be some.
pub fn nothing(report: &ListReport, found: &Survey, is_of_all: bool) -> Option<String> {
    if !report.machines.is_empty() || !report.ended.is_empty() {
        return None;
    }
    let what = if is_of_all {
        "machines"
    } else {
        "such machines"
    };
    if found.everywhere {
        return Some(format!("no {what} in any region"));
    }
    let regions = found.regions.join(", ");
    match found.regions.as_slice() {
        [] => None,
        [_] => Some(format!(
            "no {what} in {regions}; {} looks everywhere",
            command("list --all-regions")
        )),
        _ => Some(format!("no {what} in {regions}")),
    }
}

/// The machines that prepare images, or that a killed build has left behind.
pub fn builders(machines: &[Machine]) -> Vec<String> {
    let builders = machines
        .iter()
        .filter(|m| m.is_builder() && !m.state.is_gone());
    builders.map(builder_notice).collect()
}

/// Groups on Inductiva's side that have no machine.
pub fn leftovers(report: &ListReport, found: &Survey) -> Option<String> {
    let names: Vec<&str> = report
        .leftover_groups
        .iter()
        .flatten()
        .map(|group| group.name.as_str())
        .collect();
    if names.is_empty() {
        return None;
    }
    let place = if found.everywhere {
        "any region".into()
    } else {
        found.regions.join(", ")
    };
    Some(format!(
        "left over on Inductiva's side, without a machine in {place}: {}; {}",
        names.join(", "),
        deletes(&names)
    ))
}

/// How many machines of these groups have ended, a line for each group and region. Those
/// that EC2 ended have lines of their own.
pub fn ended(groups: &BTreeSet<&str>, found: &Survey) -> Vec<String> {
    let mut ended: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for m in &found.machines {
        let group = m.group().filter(|name| groups.contains(name));
        let is_told = m.state != State::Terminated || m.ended_by_ec2().is_some();
        if let Some(group) = group.filter(|_| !is_told) {
            *ended.entry((group, m.region.as_str())).or_default() += 1;
        }
    }
    let options = AwsOptions::of_this_run();
    ended
        .into_iter()
        .filter_map(|((group, region), number)| {
            let name = named(&group.parse().ok()?);
            let options = options.in_region(region);
            Some(format!(
                "{group}: {} {} ended: {} shows why",
                machine::count(number),
                if number == 1 { "has" } else { "have" },
                options.command(&format!("logs {name}"))
            ))
        })
        .collect()
}

/// When and why machines end at the latest, a line for each group, and what is left of
/// its budget.
pub fn deadlines(machines: &[Machine], budgets: &[Left], now: SystemTime) -> Vec<String> {
    let mut notes: Vec<String> = budgets
        .iter()
        .map(|left| {
            format!(
                "{} ends by {}, when its budget is used up: about {:.2} of {} USD left",
                left.group,
                moment(left.ends_at, now),
                left.usd,
                left.max_cost
            )
        })
        .collect();
    let mut lifetimes: BTreeMap<&str, SystemTime> = BTreeMap::new();
    for machine in machines {
        let deadline = Deadline::of(machine);
        let by_lifetime = deadline.filter(|d| d.because == Because::MaxLifetime);
        if let (Some(group), Some(deadline)) = (machine.group(), by_lifetime) {
            let last = lifetimes.entry(group).or_insert(deadline.at);
            *last = deadline.at.max(*last);
        }
    }
    for (group, at) in lifetimes {
        let is_told = budgets.iter().any(|left| left.group == group);
        if !is_told {
            let moment = moment(at, now);
            notes.push(format!("{group} ends by {moment} (--max-lifetime)"));
        }
    }
    notes
}
