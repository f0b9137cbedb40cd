//! The text of costs: the groups first, then their machines, and then the sum.

use std::time::SystemTime;

use super::report::{CostReport, GroupCost, MachineCost, SpentReport};
use crate::{
    commands::report::or_na,
    machines::ledger::WITHOUT_GROUP,
    model::machine::State,
    plan::spent::{Spent, usd_in_words},
    terminal::{
        output::HEADER,
        printable,
        table::{self, shortening, whole},
        time::{moment, span},
    },
};

/// Empty if there is no machine.
pub fn text(report: &CostReport, width: Option<usize>, now: SystemTime) -> String {
    if report.groups.is_empty() {
        return String::new();
    }
    let mut lines = of_groups(&report.groups, width);
    if report.groups.iter().any(|group| !group.machines.is_empty()) {
        lines.push(String::new());
        lines.extend(of_machines(&report.groups, width, now));
    }
    lines.push(String::new());
    let mut say = |line: &str| lines.extend(table::wrapped(line, width));
    for group in &report.groups {
        say(&line(&name(group), &group.spent.spent));
    }
    if report.groups.len() > 1 {
        say(&line("all", &report.all.spent));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// `wind: 2 machines ran 5h12m in all: about 0.13 USD`
fn line(whose: &str, spent: &Spent) -> String {
    format!("{whose}: {}", spent.in_words(span))
}

/// The name as one cell, so that a tag cannot forge a row.
fn name(group: &GroupCost) -> String {
    let name = group.machine_group.as_deref();
    printable::cell(name.unwrap_or(WITHOUT_GROUP))
}

fn headed(mut lines: Vec<String>) -> Vec<String> {
    if let Some(header) = lines.first_mut() {
        *header = format!("{HEADER}{header}{HEADER:#}");
    }
    lines
}

fn of_groups(groups: &[GroupCost], width: Option<usize>) -> Vec<String> {
    let columns = [
        shortening("GROUP"),
        whole("REGION"),
        whole("MACHINES"),
        whole("RAN"),
        whole("USD"),
        whole("AT MOST"),
    ];
    let row = |group: &GroupCost| {
        let mut cells = vec![name(group), group.regions.join(","), machines(group)];
        cells.extend(amounts(&group.spent));
        cells
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    headed(table::lines(&columns, &rows, width))
}

/// How many there are, how many of them run, and of how many nobody knows that.
fn machines(group: &GroupCost) -> String {
    let count = |is_meant: fn(&MachineCost) -> bool| {
        let machines = group.machines.iter();
        machines.filter(|m| is_meant(m)).count()
    };
    let number = group.machines.len();
    let live = count(|m| m.state.is_some_and(State::is_live));
    // EC2 no longer shows machines that ended long ago, and Inductiva tells when.
    match count(|m| m.state.is_none() && !m.is_over) {
        0 if number == 0 && group.spent.spent.ran_longer => "none shown here".to_owned(),
        0 => format!("{number}, {live} running"),
        unknown if unknown == number => format!("{number}, none shown here"),
        unknown => format!("{number}, {live} running, {unknown} not shown"),
    }
}

/// How long it ran, what it cost, and the most that it can have cost.
fn amounts(spent: &SpentReport) -> [String; 3] {
    let usd = |usd: Option<f64>| usd.map_or("n/a".to_owned(), usd_in_words);
    [
        spent
            .spent
            .ran_in_words(span)
            .unwrap_or_else(|| "n/a".to_owned()),
        usd(spent.usd),
        usd(spent.at_most_usd),
    ]
}

/// The machines below their group's name, where there are several groups.
fn of_machines(groups: &[GroupCost], width: Option<usize>, now: SystemTime) -> Vec<String> {
    let columns = [
        whole("INSTANCE ID"),
        whole("STATE"),
        shortening("TYPE"),
        whole("BEGAN"),
        whole("RAN"),
        whole("USD"),
        whole("AT MOST"),
    ];
    let row = |m: &MachineCost| {
        let mut cells = vec![
            m.instance_id.clone(),
            // EC2 no longer shows the state: it ended an hour ago or earlier.
            m.state
                .map_or("not shown".to_owned(), |state| state.to_string()),
            or_na(m.vm_type.as_deref()),
            m.began.map_or("n/a".to_owned(), |at| moment(at, now)),
        ];
        cells.extend(amounts(&m.spent));
        cells
    };
    let machines = groups.iter().flat_map(|group| &group.machines);
    let rows: Vec<Vec<String>> = machines.map(row).collect();
    let mut rows = table::lines(&columns, &rows, width).into_iter();
    let mut lines: Vec<String> = headed(rows.by_ref().take(1).collect());
    for group in groups {
        if groups.len() > 1 {
            lines.push(format!("{HEADER}{}{HEADER:#}", name(group)));
        }
        lines.extend(rows.by_ref().take(group.machines.len()));
    }
    lines
}
