//! Launches of which EC2 does not show all machines: what a run does about them
//! before it launches machines of its own. The protocol is told in [`crate::plan::tokens`].

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::tokens::{Base, Call, LaunchTag, calls};
use crate::model::machine::Machine;

/// A machine shows within this time of its launch: seconds as a rule (EC2 user
/// guide, eventual consistency).
pub const VISIBLE_WITHIN: Duration = Duration::from_mins(1);

/// The start of a launch may still be between two of its calls for so long after
/// the last one that was accepted; it gives a call up earlier. Terminated
/// machines show for about an hour, so that nothing is missing for another reason.
pub const YOUNG: Duration = Duration::from_mins(10);

/// A launch with machines that EC2 does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underway {
    /// Its name.
    pub base: Base,
    /// All its machines.
    pub total: u32,
    /// Machines that the group had before it.
    pub known: u32,
    /// Whether it takes fewer.
    pub or_fewer: bool,
    /// What is to be done about it.
    pub standing: Standing,
}

/// What is to be done about a launch that does not show whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Look again: machines that were launched are not shown yet.
    Settling,
    /// Make these calls again, with their own tokens.
    Unmade(Vec<Call>),
    /// So many machines were launched and should have shown by now.
    Lost(u32),
}

/// The launches of `machines` that are young and do not show whole.
pub fn underway(machines: &[Machine], now: SystemTime) -> Vec<Underway> {
    let mut launches: BTreeMap<Base, Shown> = BTreeMap::new();
    for machine in machines {
        let Some(tag) = LaunchTag::of(machine) else {
            continue;
        };
        // A clock that says that the machine is not launched yet: it is new.
        let age = machine
            .launched_at
            .and_then(|at| now.duration_since(at).ok())
            .unwrap_or_default();
        let shown = launches.entry(tag.base).or_insert(Shown {
            total: tag.total,
            known: tag.known,
            or_fewer: tag.or_fewer,
            age,
            some_live: false,
            calls: BTreeMap::new(),
        });
        shown.age = shown.age.min(age);
        shown.some_live |= !machine.state.is_gone();
        *shown.calls.entry(tag.call).or_default() += 1;
    }
    launches
        .into_iter()
        .filter_map(|(base, shown)| {
            Some(Underway {
                base,
                total: shown.total,
                known: shown.known,
                or_fewer: shown.or_fewer,
                standing: shown.standing(machines.len())?,
            })
        })
        .collect()
}

/// As much of a launch as EC2 shows.
struct Shown {
    total: u32,
    known: u32,
    or_fewer: bool,
    /// Since the last of its calls.
    age: Duration,
    some_live: bool,
    /// Machines by call.
    calls: BTreeMap<u32, u32>,
}

impl Shown {
    /// `group` is the number of the group's machines that show.
    fn standing(&self, group: usize) -> Option<Standing> {
        let seen = |call: &Call| self.calls.get(&call.index).copied().unwrap_or(0);
        let calls = calls(self.total);
        // All or none of a call's machines were launched, or else fewer.
        let hidden: u32 = calls
            .iter()
            .filter(|call| seen(call) > 0)
            .map(|call| call.number.saturating_sub(seen(call)))
            .sum();
        let unmade: Vec<Call> = calls.into_iter().filter(|call| seen(call) == 0).collect();
        let settled = self.age > VISIBLE_WITHIN;
        // Others were there before it: EC2 does not show all it has shown once.
        let own: u32 = self.calls.values().sum();
        let others_hidden = group < (self.known + own) as usize;
        if !settled && (hidden > 0 || others_hidden) {
            Some(Standing::Settling)
        } else if self.age > YOUNG || (hidden == 0 && unmade.is_empty()) {
            None
        } else if hidden > 0 && !self.or_fewer {
            Some(Standing::Lost(hidden))
        } else if unmade.is_empty() {
            None
        } else if self.some_live {
            Some(Standing::Unmade(unmade))
        } else {
            // It was undone, or ended while it was under way: no more is launched
            // of it, but what had been launched may be about to show.
            (!settled).then_some(Standing::Settling)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::{State, TAG_LAUNCH};

    #[test]
    fn a_launch_is_as_young_as_the_last_of_its_calls() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let machine = |call: u32, age: Duration| Machine {
            launched_at: Some(now - age),
            tags: vec![(
                TAG_LAUNCH.into(),
                format!("base call={call} total=250 known=0"),
            )],
            ..Machine::example("i-1", State::Running)
        };
        let first = vec![machine(0, YOUNG + Duration::from_secs(1)); 100];
        let second = vec![machine(1, Duration::from_mins(2)); 100];
        for machines in [[&*first, &*second].concat(), [second, first].concat()] {
            let standings: Vec<Standing> = underway(&machines, now)
                .into_iter()
                .map(|launch| launch.standing)
                .collect();
            let third = Call {
                index: 2,
                number: 50,
            };
            assert_eq!(standings, [Standing::Unmade(vec![third])]);
        }
    }
}
