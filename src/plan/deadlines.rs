//! When machines end at the latest, and what is left of budgets, as their tags tell.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{
    budget::{Budget, ENDING, cost_of, current_members},
    tagged_settings,
};
use crate::model::machine::Machine;

/// Why a machine ends at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// `--max-lifetime`
    MaxLifetime,
    /// `--max-cost`
    MaxCost,
}

/// When a machine is off at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: SystemTime,
    pub because: Because,
}

impl Deadline {
    /// The machine's deadline: the earlier one if it has two, none if it has neither. A
    /// machine counts from its own start, up to a minute after its launch.
    pub fn of(machine: &Machine) -> Option<Self> {
        if machine.state.is_gone() {
            return None;
        }
        let lifetime = tagged_settings::max_lifetime(machine).and_then(|lifetime| {
            Some(Self {
                at: machine.launched_at? + lifetime,
                because: Because::MaxLifetime,
            })
        });
        let budget = Budget::of(machine).and_then(|budget| {
            Some(Self {
                at: budget.ok()?.ends(machine.launched_at)? + ENDING,
                because: Because::MaxCost,
            })
        });
        let both = lifetime.into_iter().chain(budget);
        both.min_by_key(|deadline| deadline.at)
    }
}

/// What is left of a group's budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    pub region: String,
    pub group: String,
    /// The budget, USD.
    pub max_cost: f64,
    /// What the machines that EC2 shows certainly have not cost yet, USD.
    pub usd: f64,
    /// When the last of its machines is off at the latest.
    pub ends_at: SystemTime,
}

/// The budgets of the groups that have machines which are alive.
pub fn left(machines: &[Machine], now: SystemTime) -> Vec<Left> {
    let mut groups: BTreeMap<(&str, &str), Vec<Machine>> = BTreeMap::new();
    for machine in machines {
        if let Some(group) = machine.group() {
            let place = (machine.region.as_str(), group);
            groups.entry(place).or_default().push(machine.clone());
        }
    }
    let of_group = |((region, group), machines): ((&str, &str), Vec<Machine>)| {
        let mut used = 0.0;
        let mut max_cost = None;
        for machine in current_members(&machines, None) {
            let budget = Budget::of(machine)?.ok()?;
            let until = if machine.state.is_gone() {
                machine.ended_at.unwrap_or(now)
            } else {
                now
            };
            let launched = machine.launched_at?;
            let ran: Duration = until.duration_since(launched).unwrap_or_default();
            used += cost_of(ran, budget.usd_per_hour) + budget.usd_once;
            max_cost = budget.usd.parse::<f64>().ok();
        }
        let max_cost = max_cost?;
        let deadlines = machines.iter().filter_map(Deadline::of);
        Some(Left {
            region: region.to_owned(),
            group: group.to_owned(),
            max_cost,
            usd: (max_cost - used).max(0.0),
            ends_at: deadlines.map(|deadline| deadline.at).max()?,
        })
    };
    groups.into_iter().filter_map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::model::machine::{State, TAG_BUDGET, TAG_GROUP, TAG_LAUNCH, TAG_SETTINGS};

    const LAUNCHED: SystemTime = UNIX_EPOCH;

    fn machine(state: State, budget: &str, settings: &str) -> Machine {
        let tags = [
            (TAG_GROUP, "g"),
            (TAG_LAUNCH, "base call=0 total=1 known=0"),
            (TAG_SETTINGS, settings),
            (TAG_BUDGET, budget),
        ];
        let tags = tags.iter().filter(|(_, value)| !value.is_empty());
        Machine {
            launched_at: Some(LAUNCHED),
            tags: tags.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Machine::example("i-1", state)
        }
    }

    const BUDGET: &str = "usd=2 usd-per-hour=1 seconds=6000";

    #[test]
    fn the_earlier_deadline_counts() {
        let hour = "format=2 max-lifetime=3600s vm-type=t2.micro";
        let day = "format=2 max-lifetime=86400s vm-type=t2.micro";
        let none = "format=2 vm-type=t2.micro";
        for (budget, settings, expected) in [
            ("", none, None),
            ("", hour, Some((3_600, Because::MaxLifetime))),
            (BUDGET, none, Some((6_420, Because::MaxCost))),
            (BUDGET, hour, Some((3_600, Because::MaxLifetime))),
            (BUDGET, day, Some((6_420, Because::MaxCost))),
            (
                "usd=2 usd-per-hour=1 seconds=6000 ends=3000 first=base",
                hour,
                Some((3_420, Because::MaxCost)),
            ),
        ] {
            let deadline = Deadline::of(&machine(State::Running, budget, settings));
            let expected = expected.map(|(seconds, because)| Deadline {
                at: LAUNCHED + Duration::from_secs(seconds),
                because,
            });
            assert_eq!(deadline, expected, "{budget} {settings}");
        }
        assert_eq!(
            Deadline::of(&machine(State::Terminated, BUDGET, hour)),
            None
        );
    }

    #[test]
    fn what_is_left_counts_ended_machines_too() {
        let now = LAUNCHED + Duration::from_mins(30);
        let running = machine(State::Running, BUDGET, "format=2");
        let ended = Machine {
            instance_id: "i-2".into(),
            ended_at: Some(LAUNCHED + Duration::from_mins(15)),
            ..machine(State::Terminated, BUDGET, "format=2")
        };
        let found = left(&[running, ended.clone()], now);
        assert_eq!(found.len(), 1);
        assert!((found[0].usd - 1.25).abs() < 1e-9, "{found:?}");
        // A budget ends with its last machine.
        assert_eq!(left(&[ended], now), []);
    }
}
