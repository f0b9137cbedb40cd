//! The text of a list: the groups first, then their machines.

use std::time::{Duration, SystemTime};

use super::report::{ListReport, ListedMachine, RunnerState};
use crate::{
    commands::report::{DIMMED, or_na},
    plan::{cost, spent::usd_in_words},
    terminal::{
        output::HEADER,
        printable,
        table::{self, Column, shortened, shortening, whole},
        time,
    },
};

const SPENT: &str = "SPENT";

/// How a list is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The width of the terminal; none where nothing is cut.
    pub width: Option<usize>,
    /// Whether every column of the machines is shown, even if they do not fit.
    pub wide: bool,
    /// The most machines to show.
    pub most: Option<usize>,
}

/// The machines of a group in one region.
struct GroupRows<'a> {
    name: &'a str,
    region: &'a str,
    machines: &'a [ListedMachine],
    /// What the group has cost so far; none where that is not known.
    spent_usd: Option<f64>,
    /// When the last of its machines is off at the latest.
    ends: Option<String>,
}

/// Empty if there is no machine.
pub fn text(report: &ListReport, layout: Layout) -> String {
    let groups: Vec<GroupRows<'_>> = report
        .machines
        .chunk_by(|a, b| (&a.region, &a.machine_group) == (&b.region, &b.machine_group))
        .map(|machines| GroupRows {
            name: machines[0].group(),
            region: &machines[0].region,
            machines,
            spent_usd: spent(report, &machines[0]),
            ends: ends(machines).map(|at| time::moment(at, report.now)),
        })
        .collect();
    let mut lines: Vec<String> = Vec::new();
    if report.machines.is_empty() && report.ended.is_empty() {
        return String::new();
    }
    if !groups.is_empty() {
        lines.extend(of_groups(&groups, layout.width));
        lines.push(String::new());
        lines.extend(if layout.wide {
            every_column(report)
        } else {
            of_machines(&groups, layout)
        });
    }
    for ended in &report.ended {
        let wrapped = table::wrapped(&ended.line(), layout.width).into_iter();
        lines.extend(wrapped.map(|line| format!("{DIMMED}{line}{DIMMED:#}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Whether such a text had room for what the groups have cost. Its first line has only
/// headers.
pub fn shows_spent(text: &str) -> bool {
    let headers = text.lines().next().unwrap_or_default();
    headers.contains(SPENT)
}

fn spent(report: &ListReport, machine: &ListedMachine) -> Option<f64> {
    let group = machine.machine_group.as_deref();
    let mut spent = report.spent.iter();
    spent.find(|spent| spent.is_of(group, &machine.region))?.usd
}

/// When the last of the machines is off at the latest; none if one has no deadline.
fn ends(machines: &[ListedMachine]) -> Option<SystemTime> {
    let ends: Option<Vec<SystemTime>> = machines.iter().map(|m| m.off_by).collect();
    ends?.into_iter().max()
}

fn headed(mut lines: Vec<String>) -> Vec<String> {
    if let Some(header) = lines.first_mut() {
        *header = format!("{HEADER}{header}{HEADER:#}");
    }
    lines
}

fn of_groups(groups: &[GroupRows<'_>], width: Option<usize>) -> Vec<String> {
    let some_spent_is_known = groups.iter().any(|group| group.spent_usd.is_some());
    let unknown = if some_spent_is_known { "n/a" } else { "" };
    let rows: Vec<Vec<String>> = groups.iter().map(|group| group.row(unknown)).collect();
    let columns = [
        shortening("GROUP"),
        whole("REGION"),
        whole("MACHINES"),
        shortening("TYPE"),
        whole("AGE"),
        whole("USD/H"),
        whole(SPENT),
        whole("ENDS"),
    ];
    // A column without a single known value is left out.
    let (columns, rows) = without_empty(&columns, rows);
    headed(table::lines(&columns, &rows, width))
}

fn without_empty<'a>(
    columns: &[Column<'a>],
    rows: Vec<Vec<String>>,
) -> (Vec<Column<'a>>, Vec<Vec<String>>) {
    let has_some: Vec<bool> = (0..columns.len())
        .map(|at| rows.iter().any(|row| !row[at].is_empty()))
        .collect();
    let kept = |cells: Vec<String>| {
        let cells = cells.into_iter().zip(&has_some);
        cells
            .filter_map(|(cell, has)| has.then_some(cell))
            .collect()
    };
    let rows = rows.into_iter().map(kept).collect();
    let columns = columns.iter().zip(&has_some);
    let columns = columns.filter_map(|(column, has)| has.then_some(*column));
    (columns.collect(), rows)
}

impl GroupRows<'_> {
    /// `unknown` is the text for a cost that nobody knows.
    fn row(&self, unknown: &str) -> Vec<String> {
        let runners: Option<Vec<RunnerState>> = self.machines.iter().map(|m| m.runner).collect();
        let busy = runners.map(|r| r.iter().filter(|r| **r == RunnerState::Busy).count());
        let number = self.machines.len();
        let mut types: Vec<&str> = self.machines.iter().map(|m| m.vm_type.as_str()).collect();
        types.sort_unstable();
        types.dedup();
        let oldest = self.machines.iter().filter_map(|m| m.age_seconds).max();
        let usd_per_hour = self
            .machines
            .iter()
            .try_fold(0.0, |sum, m| Some(sum + m.cost.usd_per_hour?));
        vec![
            self.name.to_owned(),
            self.region.to_owned(),
            busy.map_or(number.to_string(), |busy| format!("{number}, {busy} busy")),
            types.join(","),
            oldest.map_or("n/a".into(), age),
            usd_per_hour.map_or("n/a".into(), cost::hourly),
            self.spent_usd.map_or(unknown.to_owned(), usd_in_words),
            self.ends.clone().unwrap_or_default(),
        ]
    }

    fn heading(&self, several_regions: bool) -> String {
        // It is one cell, so that a tag cannot forge a row.
        let name = printable::cell(self.name);
        if several_regions {
            format!("{name}, {}", self.region)
        } else {
            name
        }
    }
}

/// The machines below their group's name, where there are several groups.
fn of_machines(groups: &[GroupRows<'_>], layout: Layout) -> Vec<String> {
    let most = layout.most.unwrap_or(usize::MAX);
    let machines = groups.iter().flat_map(|group| group.machines).take(most);
    let rows: Vec<Vec<String>> = machines.map(machine).collect();
    let has_reasons = groups
        .iter()
        .flat_map(|group| group.machines)
        .any(|m| m.reason().is_some());
    let columns = [
        whole("INSTANCE ID"),
        whole("STATE"),
        whole("ZONE"),
        whole("RUNNER"),
        shortening(if has_reasons {
            "TASK OR REASON"
        } else {
            "TASK"
        }),
    ];
    let mut rows = table::lines(&columns, &rows, layout.width).into_iter();
    let mut lines: Vec<String> = headed(rows.by_ref().take(1).collect());
    let several_regions = groups.iter().any(|group| group.region != groups[0].region);
    let mut left = most;
    for group in groups {
        if groups.len() > 1 && left > 0 {
            let heading = group.heading(several_regions);
            let heading = layout
                .width
                .map_or(heading.clone(), |width| shortened(&heading, width));
            lines.push(format!("{HEADER}{heading}{HEADER:#}"));
        }
        let shown = group.machines.len().min(left);
        lines.extend(rows.by_ref().take(shown));
        left -= shown;
    }
    let all: usize = groups.iter().map(|group| group.machines.len()).sum();
    if all > most {
        lines.push(format!("… and {} more", all - most));
    }
    lines
}

fn machine(listed: &ListedMachine) -> Vec<String> {
    let m = &listed.machine;
    let task = listed.current_task_id.as_deref();
    vec![
        m.instance_id.clone(),
        m.state.to_string(),
        or_na(m.availability_zone.as_deref()),
        or_na(listed.runner.map(RunnerState::as_str)),
        task.or(listed.reason()).unwrap_or_default().to_owned(),
    ]
}

fn every_column(report: &ListReport) -> Vec<String> {
    let rows: Vec<Vec<String>> = report
        .machines
        .iter()
        .map(|listed| {
            let m = &listed.machine;
            let launched = listed.launched_at.map(|at| time::moment(at, report.now));
            vec![
                listed.group().to_owned(),
                m.instance_id.clone(),
                listed.vm_type.clone(),
                m.state.to_string(),
                or_na(m.availability_zone.as_deref().or(Some(&listed.region))),
                or_na(m.private_ip.as_deref()),
                or_na(m.public_ip.as_deref()),
                m.market.to_string(),
                or_na(launched.as_deref()),
                listed.age_seconds.map_or("n/a".into(), age),
                listed.cost.usd_per_hour.map_or("n/a".into(), cost::hourly),
                or_na(listed.runner.map(RunnerState::as_str)),
                or_na(listed.current_task_id.as_deref()),
                or_na(listed.reason()),
            ]
        })
        .collect();
    let columns = [
        "MACHINE GROUP",
        "INSTANCE ID",
        "TYPE",
        "STATE",
        "ZONE",
        "PRIVATE IP",
        "PUBLIC IP",
        "MARKET",
        "LAUNCHED",
        "AGE",
        "USD/H",
        "RUNNER",
        "TASK",
        "REASON",
    ];
    headed(table::lines(&columns.map(whole), &rows, None))
}

fn age(seconds: u64) -> String {
    time::span(Duration::from_secs(seconds))
}
