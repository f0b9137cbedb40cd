//! What groups have cost.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::{
    commands::report::{RegionsReport, rfc_3339},
    machines::ledger::{Settled, SettledMachine},
    model::machine::State,
    plan::{cost::rounded, spent::Spent},
    values::Market,
};

#[derive(Clone, Debug, Serialize)]
pub struct CostReport {
    /// Sorted by name.
    pub groups: Vec<GroupCost>,
    #[serde(flatten)]
    pub all: SpentReport,
    #[serde(flatten)]
    regions: RegionsReport,
}

#[derive(Clone, Debug, Serialize)]
pub struct GroupCost {
    pub machine_group: Option<String>,
    /// The regions that its machines are in, or are taken to have been in.
    pub regions: Vec<String>,
    #[serde(flatten)]
    pub spent: SpentReport,
    /// In the order in which they began.
    pub machines: Vec<MachineCost>,
}

/// How long machines ran, and what that cost. What is not known is null.
#[derive(Clone, Debug, Serialize)]
pub struct SpentReport {
    /// As far as it is known.
    pub hours: f64,
    /// Null if a part of it is not known.
    pub usd: Option<f64>,
    /// The known part of it.
    pub known_usd: f64,
    pub at_most_usd: Option<f64>,
    #[serde(rename = "unknown_because")]
    pub why_unknown: Option<String>,
    #[serde(skip)]
    pub spent: Spent,
}

#[derive(Clone, Debug, Serialize)]
pub struct MachineCost {
    pub instance_id: String,
    /// Null if EC2 no longer shows it.
    pub state: Option<State>,
    pub vm_type: Option<String>,
    pub region: String,
    pub market: Option<Market>,
    /// Its launch, RFC 3339. If EC2 does not show the machine, when it registered.
    began_at: Option<String>,
    /// Null while it runs, and if nobody knows.
    ended_at: Option<String>,
    #[serde(skip)]
    pub began: Option<SystemTime>,
    /// Whether it is known when it ended.
    #[serde(skip)]
    pub is_over: bool,
    #[serde(flatten)]
    pub spent: SpentReport,
}

impl CostReport {
    pub fn of(settled: &[Settled], regions: RegionsReport) -> Self {
        let groups: Vec<GroupCost> = settled.iter().map(GroupCost::from).collect();
        let all = Spent::sum(settled.iter().map(|group| &group.spent));
        Self {
            groups,
            all: all.into(),
            regions,
        }
    }

    /// Notes that there may be more, of which nobody knows.
    pub fn note_unknown(&mut self, why: &str) {
        self.all = self.all.spent.clone().without(why.to_owned()).into();
    }

    pub fn ids(&self) -> Vec<String> {
        let machines = self.groups.iter().flat_map(|group| &group.machines);
        machines.map(|m| m.instance_id.clone()).collect()
    }
}

impl From<&Settled> for GroupCost {
    fn from(group: &Settled) -> Self {
        let mut regions: Vec<String> = group.machines.iter().map(|m| m.region.clone()).collect();
        regions.sort();
        regions.dedup();
        Self {
            machine_group: group.name.clone(),
            regions,
            spent: group.spent.clone().into(),
            machines: group.machines.iter().map(MachineCost::from).collect(),
        }
    }
}

impl From<&SettledMachine> for MachineCost {
    fn from(machine: &SettledMachine) -> Self {
        Self {
            instance_id: machine.id.clone(),
            state: machine.state,
            vm_type: machine.vm_type.clone(),
            region: machine.region.clone(),
            market: machine.market,
            began_at: machine.life.began.map(rfc_3339),
            ended_at: machine.life.ended.map(rfc_3339),
            began: machine.life.began,
            is_over: machine.life.ended.is_some(),
            spent: machine.spent.clone().into(),
        }
    }
}

impl From<Spent> for SpentReport {
    fn from(spent: Spent) -> Self {
        let amount = &spent.amount;
        Self {
            hours: hours(spent.ran),
            usd: amount.usd(),
            known_usd: rounded(amount.known),
            at_most_usd: amount.most.map(rounded),
            why_unknown: amount.why_unknown.clone(),
            spent,
        }
    }
}

/// Hours, rounded to a ten-thousandth, which is less than a second.
fn hours(ran: Duration) -> f64 {
    (ran.as_secs_f64() / 3_600.0 * 1e4).round() / 1e4
}
