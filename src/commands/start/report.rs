//! What `start` came to.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::{
    commands::report::{BudgetReport, GroupReport, MachineReport, or_na},
    model::machine::Machine,
    plan::cost::Cost,
    terminal::{
        command_line::command,
        output::table_within,
        quoting,
        table::{Column, whole},
    },
};

/// On a terminal more machines are counted. A pipe, `-q` and JSON have them all.
const MOST_ROWS: usize = 20;

#[derive(Clone, Debug, Serialize)]
pub struct StartedMachine {
    #[serde(flatten)]
    machine: MachineReport,
    vm_type: String,
}

impl From<&Machine> for StartedMachine {
    fn from(machine: &Machine) -> Self {
        Self {
            machine: MachineReport::from(machine),
            vm_type: machine.vm_type.clone(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    pub machine_group: GroupReport,
    pub account: String,
    pub region: String,
    /// The EC2 type, or types in order of preference.
    pub vm_type: String,
    /// How many machines were asked for.
    pub requested: u32,
    /// The image that the machines run.
    pub image_id: Option<String>,
    /// Machines that this run launched.
    pub launched: usize,
    /// Machines that the group had before.
    pub existing: usize,
    pub machines: Vec<StartedMachine>,
    /// Whether one of several types is taken, so that the type is worth showing.
    #[serde(skip)]
    pub one_of_several_types: bool,
    /// The width of the terminal; none where nothing is cut.
    #[serde(skip)]
    pub width: Option<usize>,
    pub cost: Cost,
    /// None without `--max-cost`, and if nothing was launched.
    pub budget: Option<BudgetReport>,
}

impl StartReport {
    /// How many machines are of which kind, where nobody reads a row for each.
    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<[String; 4], usize> = BTreeMap::new();
        for started in &self.machines {
            let m = &started.machine;
            let kind = [
                m.state.to_string(),
                or_na(m.availability_zone.as_deref()),
                started.vm_type.clone(),
                m.market.to_string(),
            ];
            *counts.entry(kind).or_default() += 1;
        }
        let row = |(kind, number): (&[String; 4], &usize)| {
            let mut row = vec![number.to_string()];
            row.extend(kind.iter().cloned());
            row
        };
        let rows: Vec<Vec<String>> = counts.iter().map(row).collect();
        let columns = ["MACHINES", "STATE", "ZONE", "TYPE", "MARKET"].map(whole);
        f.write_str(&table_within(self.width, &columns, &rows))?;
        let name = quoting::word(self.machine_group.name.as_str());
        let list = command(&format!("list {name}"));
        writeln!(
            f,
            "in account {}, {}; {list} shows each",
            self.account, self.region
        )
    }
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.width.is_some() && self.machines.len() > MOST_ROWS {
            return self.counts(f);
        }
        // The type is a column only if it was not known before.
        let vm_type = |m: &StartedMachine| m.vm_type.clone();
        let first = self.machines.first().map(vm_type);
        let several = self.one_of_several_types
            || self
                .machines
                .iter()
                .any(|m| Some(&m.vm_type) != first.as_ref());
        let column = |cell: String| several.then_some(cell);
        let rows: Vec<Vec<String>> = self
            .machines
            .iter()
            .map(|started| {
                let m = &started.machine;
                let cells = [
                    Some(m.instance_id.clone()),
                    Some(m.state.to_string()),
                    Some(or_na(m.availability_zone.as_deref())),
                    column(vm_type(started)),
                    Some(or_na(m.private_ip.as_deref())),
                    Some(or_na(m.public_ip.as_deref())),
                    Some(m.market.to_string()),
                ];
                cells.into_iter().flatten().collect()
            })
            .collect();
        // Where there is no room, the least important column goes first.
        let headers = [
            Some("INSTANCE ID"),
            Some("STATE"),
            Some("ZONE"),
            several.then_some("TYPE"),
            Some("PRIVATE IP"),
            Some("PUBLIC IP"),
            Some("MARKET"),
        ];
        let columns: Vec<Column<'_>> = headers.into_iter().flatten().map(whole).collect();
        f.write_str(&table_within(self.width, &columns, &rows))?;
        writeln!(f, "in account {}, {}", self.account, self.region)
    }
}
