//! What `list` found.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;

use crate::{
    commands::report::{EndedMachine, MachineReport, RegionsReport, rfc_3339},
    image::leftovers::LeftSnapshot,
    inductiva::Group,
    machines::{
        ledger::Settled,
        price_book::{HourlyCost, PriceBook},
    },
    model::machine::Machine,
    plan::{
        cost::{hourly, rounded},
        deadlines::{Because, Deadline, Left},
        known::Known,
    },
};

#[derive(Clone, Debug, Serialize)]
pub struct ListedMachine {
    #[serde(flatten)]
    pub(super) machine: MachineReport,
    pub(super) machine_group: Option<String>,
    /// Whether it prepares an image, and so is of no group.
    #[serde(skip)]
    is_builder: bool,
    pub(super) vm_type: String,
    pub(super) region: String,
    launch_time: Option<String>,
    #[serde(skip)]
    pub(super) launched_at: Option<SystemTime>,
    pub(super) age_seconds: Option<u64>,
    #[serde(flatten)]
    pub(super) cost: MachineCostReport,
    /// When it is off at the latest, RFC 3339; none without a deadline.
    ends_at: Option<String>,
    /// The same, as a time.
    #[serde(skip)]
    pub(super) off_by: Option<SystemTime>,
    ends_because: Option<Because>,
    pub(super) runner: Option<RunnerState>,
    pub(super) current_task_id: Option<String>,
    /// Why it is stopped or is ending, as EC2 says.
    state_reason: Option<String>,
}

impl ListedMachine {
    /// What stands for its group in a text.
    pub fn group(&self) -> &str {
        match &self.machine_group {
            Some(name) => name,
            // No group can have this name.
            None if self.is_builder => "(image build)",
            None => "n/a",
        }
    }

    /// The same in EC2's words, without the code.
    pub fn reason(&self) -> Option<&str> {
        let reason = self.state_reason.as_deref();
        reason.map(|reason| reason.split_once(": ").map_or(reason, |(_, words)| words))
    }
}

/// A group on Inductiva's side that has no machines any more, or none yet.
#[derive(Clone, Debug, Serialize)]
pub struct LeftoverGroup {
    pub name: String,
    pub id: String,
}

impl From<&Group> for LeftoverGroup {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            id: group.id.clone(),
        }
    }
}

/// A snapshot of a prepared image that no longer exists.
#[derive(Clone, Debug, Serialize)]
pub struct LeftoverSnapshot {
    snapshot_id: String,
    region: String,
}

impl From<&LeftSnapshot> for LeftoverSnapshot {
    fn from(left: &LeftSnapshot) -> Self {
        Self {
            snapshot_id: left.id.clone(),
            region: left.region.clone(),
        }
    }
}

/// A machine's task runner, as Inductiva sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunnerState {
    /// It is not, or no longer, one of the group's machines.
    NotRegistered,
    Idle,
    Busy,
}

impl RunnerState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRegistered => "not registered",
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// What a machine costs an hour now. A price that is not known is none.
#[derive(Clone, Debug, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "they are JSON's names, with their unit"
)]
pub(super) struct MachineCostReport {
    /// The sum of the parts.
    pub(super) usd_per_hour: Option<f64>,
    machine_usd_per_hour: Option<f64>,
    disks_usd_per_hour: Option<f64>,
    address_usd_per_hour: Option<f64>,
}

impl From<&HourlyCost> for MachineCostReport {
    fn from(cost: &HourlyCost) -> Self {
        let told = |usd: Known<f64>| usd.ok().map(rounded);
        Self {
            usd_per_hour: told(cost.whole()),
            machine_usd_per_hour: told(cost.machine.clone()),
            disks_usd_per_hour: told(cost.disks.clone()),
            address_usd_per_hour: told(cost.address.clone()),
        }
    }
}

/// What is left of a group's budget.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetLeft {
    machine_group: String,
    region: String,
    max_cost: f64,
    usd_left: f64,
    /// RFC 3339.
    ends_at: String,
}

impl From<&Left> for BudgetLeft {
    fn from(left: &Left) -> Self {
        Self {
            machine_group: left.group.clone(),
            region: left.region.clone(),
            max_cost: left.max_cost,
            usd_left: rounded(left.usd),
            ends_at: rfc_3339(left.ends_at),
        }
    }
}

/// What a group has cost so far, ended machines too, as in `cost`.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSpent {
    machine_group: String,
    region: String,
    /// None if a part of it is not known.
    pub(super) usd: Option<f64>,
    at_most_usd: Option<f64>,
}

impl GroupSpent {
    /// Whether this is about that group.
    pub(super) fn is_of(&self, name: Option<&str>, region: &str) -> bool {
        name == Some(self.machine_group.as_str()) && self.region == region
    }

    /// None for a group that has had machines in several regions.
    fn of(settled: &Settled) -> Option<Self> {
        let region = &settled.machines.first()?.region;
        let is_of_one = settled.machines.iter().all(|m| m.region == *region);
        is_of_one.then_some(Self {
            machine_group: settled.name.clone()?,
            region: region.clone(),
            usd: settled.spent.amount.usd(),
            at_most_usd: settled.spent.amount.most.map(rounded),
        })
    }
}

/// What all machines cost an hour now. A price that is not known is none.
#[derive(Clone, Debug, Serialize)]
pub struct ListCost {
    /// The sum of the parts.
    pub usd_per_hour: Option<f64>,
    pub machines_usd_per_hour: Option<f64>,
    pub disks_usd_per_hour: Option<f64>,
    pub addresses_usd_per_hour: Option<f64>,
    /// Why the sum is not known.
    #[serde(rename = "cost_unknown_because")]
    pub why_unknown: Option<String>,
}

impl ListCost {
    fn of(costs: &[HourlyCost]) -> Self {
        // The sum of no floats is -0.
        let sum = |part: &dyn Fn(&HourlyCost) -> Known<f64>| {
            costs.iter().map(part).sum::<Known<f64>>().map(rounded)
        };
        let whole = sum(&HourlyCost::whole);
        Self {
            usd_per_hour: whole.clone().ok(),
            machines_usd_per_hour: sum(&|cost| cost.machine.clone()).ok(),
            disks_usd_per_hour: sum(&|cost| cost.disks.clone()).ok(),
            addresses_usd_per_hour: sum(&|cost| cost.address.clone()).ok(),
            why_unknown: whole.err(),
        }
    }

    /// Notes that machines run whose cost is not in it.
    pub fn note_unknown(&mut self, why: &str) {
        *self = Self {
            usd_per_hour: None,
            machines_usd_per_hour: None,
            disks_usd_per_hour: None,
            addresses_usd_per_hour: None,
            why_unknown: Some(why.to_owned()),
        };
    }

    /// `about 0.1 USD an hour`, as far as it is known.
    pub fn in_words(&self) -> String {
        let why = self.why_unknown.as_deref().unwrap_or("no price");
        let running = self.machines_usd_per_hour.zip(self.addresses_usd_per_hour);
        match (self.usd_per_hour, running) {
            (Some(usd), _) => format!("about {} USD an hour", hourly(usd)),
            (None, Some((machines, addresses))) => format!(
                "about {} USD an hour without disks ({why})",
                hourly(machines + addresses)
            ),
            (None, None) => format!("at n/a USD an hour ({why})"),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct ListReport {
    /// Sorted by region, group, launch and id.
    pub machines: Vec<ListedMachine>,
    #[serde(flatten)]
    pub cost: ListCost,
    /// Machines that EC2 ended and still shows.
    pub ended: Vec<EndedMachine>,
    /// None where Inductiva was not asked.
    pub leftover_groups: Option<Vec<LeftoverGroup>>,
    /// Active groups whose machines may have been launched, and do not show yet. None where
    /// Inductiva was not asked.
    pub groups_without_machines: Option<Vec<LeftoverGroup>>,
    /// In the regions that answer; none where something was named.
    pub leftover_snapshots: Option<Vec<LeftoverSnapshot>>,
    /// Only of groups with a budget and machines.
    pub budgets: Vec<BudgetLeft>,
    /// Only of groups with machines.
    pub spent: Vec<GroupSpent>,
    #[serde(flatten)]
    pub regions: RegionsReport,
    /// By AWS's clock.
    #[serde(skip)]
    pub now: SystemTime,
}

impl ListReport {
    /// The list of `machines` at the time `now`, with what Inductiva says of those in
    /// `groups`. It may not have some of them.
    pub fn of(
        machines: &[Machine],
        groups: &BTreeMap<String, Option<Group>>,
        prices: &PriceBook,
        now: SystemTime,
    ) -> Self {
        let age = |launched| now.duration_since(launched).unwrap_or_default().as_secs();
        let mut sorted: Vec<&Machine> = machines.iter().collect();
        sorted.sort_by_key(|m| (&m.region, m.group(), &m.launch_time, &m.instance_id));
        let listed = |m: &&Machine| {
            let known = m.group().and_then(|name| groups.get(name));
            let registered =
                known.map(|group| group.as_ref().and_then(|g| g.machine(&m.instance_id)));
            let deadline = Deadline::of(m);
            ListedMachine {
                machine: MachineReport::from(*m),
                machine_group: m.group().map(str::to_owned),
                is_builder: m.is_builder(),
                vm_type: m.vm_type.clone(),
                region: m.region.clone(),
                launch_time: m.launch_time.clone(),
                launched_at: m.launched_at,
                age_seconds: m.launched_at.map(age),
                cost: MachineCostReport::from(&prices.cost(m)),
                ends_at: deadline.map(|deadline| rfc_3339(deadline.at)),
                off_by: deadline.map(|deadline| deadline.at),
                ends_because: deadline.map(|deadline| deadline.because),
                runner: registered.map(|machine| match machine {
                    None => RunnerState::NotRegistered,
                    Some(machine) if machine.current_task_id.is_some() => RunnerState::Busy,
                    Some(_) => RunnerState::Idle,
                }),
                current_task_id: registered.flatten().and_then(|m| m.current_task_id.clone()),
                state_reason: m
                    .state_reason
                    .clone()
                    .filter(|reason| !m.state.is_live() && !reason.is_empty()),
            }
        };
        let costs: Vec<HourlyCost> = machines.iter().map(|m| prices.cost(m)).collect();
        let machines: Vec<ListedMachine> = sorted.iter().map(listed).collect();
        Self {
            cost: ListCost::of(&costs),
            machines,
            ended: Vec::new(),
            leftover_groups: None,
            groups_without_machines: None,
            leftover_snapshots: None,
            budgets: Vec::new(),
            spent: Vec::new(),
            regions: RegionsReport::default(),
            now,
        }
    }

    /// The same list with what the groups have cost.
    pub fn with_spent(mut self, settled: &[Settled]) -> Self {
        self.spent = settled.iter().filter_map(GroupSpent::of).collect();
        self
    }

    /// The ids, in the list's order.
    pub fn ids(&self) -> Vec<String> {
        self.machines
            .iter()
            .map(|m| m.machine.instance_id.clone())
            .collect()
    }
}

impl ListReport {
    /// The tasks that the machines run.
    pub fn tasks(&self) -> Vec<String> {
        let tasks = self.machines.iter();
        tasks.filter_map(|m| m.current_task_id.clone()).collect()
    }
}
