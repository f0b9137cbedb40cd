//! Launches of which EC2 does not show all machines, and what a run does about them
//! before it launches machines of its own. The protocol is in [`crate::plan::protocol`].

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::{
    budget::Budget,
    known::Known,
    launch_tag::LaunchTag,
    tokens::{Base, Call, calls},
};
use crate::model::{
    machine::{Machine, TAG_GROUP_ID},
    visibility::{ARRIVES_WITHIN, MADE_OR_NOT_AFTER, SHOWN_AFTER},
};

/// For so long after the last call that was accepted, a launch with missing machines is
/// waited for or completed. Terminated machines show for about an hour, so nothing is
/// missing for another reason.
pub const YOUNG: Duration = Duration::from_mins(10);

/// A launch with machines that EC2 does not show.
#[derive(Clone, Debug, PartialEq)]
pub struct Underway {
    /// What one of its machines says of it.
    pub tag: LaunchTag,
    /// The image that its machines were launched from.
    pub image_id: Option<String>,
    /// The group's id on Inductiva's side that its machines were given.
    pub group_id: Option<String>,
    pub budget: Option<Known<Budget>>,
    /// What is to be done about it.
    pub standing: Standing,
}

/// What is to be done about a launch of which machines are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Look again: machines that were launched do not show yet.
    Settling,
    /// Make these calls again, with their own tokens.
    Unmade(Vec<Call>),
    /// This many machines were launched and should have shown by now.
    Lost(u32),
}

/// As much of a launch as EC2 shows.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// What one of its machines says of it.
    pub tag: LaunchTag,
    pub machine: &'a Machine,
    /// The time since the last of its calls that shows was accepted.
    pub age: Duration,
    some_live: bool,
    /// The number of machines that show, by call.
    calls: BTreeMap<u32, u32>,
}

/// The launches that `machines` belong to. `now` is EC2's time at which the machines were
/// asked for.
pub fn launches(machines: &[Machine], now: SystemTime) -> impl Iterator<Item = Shown<'_>> {
    let mut launches: BTreeMap<Base, Shown<'_>> = BTreeMap::new();
    for machine in machines {
        let Some(tag) = LaunchTag::of(machine) else {
            continue;
        };
        // A launch time in the future only means that clocks differ: the machine is new.
        let age = machine
            .launched_at
            .and_then(|at| now.duration_since(at).ok())
            .unwrap_or_default();
        let call = tag.call;
        let shown = launches.entry(tag.base.clone()).or_insert(Shown {
            tag,
            machine,
            age,
            some_live: false,
            calls: BTreeMap::new(),
        });
        shown.age = shown.age.min(age);
        shown.some_live |= !machine.state.is_gone();
        *shown.calls.entry(call).or_default() += 1;
    }
    launches.into_values()
}

/// The young launches of which machines are missing. `now` is EC2's time at which the
/// machines were asked for.
pub fn underway(machines: &[Machine], now: SystemTime) -> Vec<Underway> {
    launches(machines, now)
        .filter_map(|shown| {
            let standing = shown.standing(machines.len())?;
            let group_id = shown.machine.tag(TAG_GROUP_ID);
            Some(Underway {
                standing,
                image_id: shown.machine.image_id.clone(),
                budget: Budget::of(shown.machine),
                group_id: group_id.filter(|id| !id.is_empty()).map(str::to_owned),
                tag: shown.tag,
            })
        })
        .collect()
}

impl Shown<'_> {
    /// How many machines of the launch show, ended ones too.
    pub fn machines(&self) -> u32 {
        self.calls.values().sum()
    }

    /// What is to be done; none if nothing. `group` is the number of the group's machines
    /// that show.
    fn standing(&self, group: usize) -> Option<Standing> {
        let seen = |call: &Call| self.calls.get(&call.index).copied().unwrap_or(0);
        let calls = calls(self.tag.total);
        // A call launches all of its machines or none, unless the launch takes fewer.
        let hidden: u32 = calls
            .iter()
            .filter(|call| seen(call) > 0)
            .map(|call| call.number.saturating_sub(seen(call)))
            .sum();
        let unmade: Vec<Call> = calls.into_iter().filter(|call| seen(call) == 0).collect();
        let settled = self.age > SHOWN_AFTER;
        // Machines that were there before the launch are hidden, so EC2 does not show
        // everything that it has shown before.
        let others_hidden = group < (self.tag.known + self.machines()) as usize;
        let may_be_being_made = !unmade.is_empty() && self.age <= MADE_OR_NOT_AFTER;
        if !settled && (hidden > 0 || others_hidden) || may_be_being_made && self.some_live {
            Some(Standing::Settling)
        } else if self.age > YOUNG || (hidden == 0 && unmade.is_empty()) {
            None
        } else if hidden > 0 && !self.tag.or_fewer {
            Some(Standing::Lost(hidden))
        } else if unmade.is_empty() {
            None
        } else if self.some_live {
            Some(Standing::Unmade(unmade))
        } else {
            // It was undone, or ended while it was under way, so none of its calls is
            // made again. But one may still be on its way, with a token that no new
            // launch has.
            (self.age <= ARRIVES_WITHIN).then_some(Standing::Settling)
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
                format!("base call={call} total=5 known=0"),
            )],
            ..Machine::example("i-1", State::Running)
        };
        let first = vec![machine(0, YOUNG + Duration::from_secs(1)); 2];
        let second = vec![machine(1, Duration::from_mins(4)); 2];
        for machines in [[&*first, &*second].concat(), [second, first].concat()] {
            let standings: Vec<Standing> = underway(&machines, now)
                .into_iter()
                .map(|launch| launch.standing)
                .collect();
            let third = Call {
                index: 2,
                number: 1,
            };
            assert_eq!(standings, [Standing::Unmade(vec![third])]);
        }
    }

    #[test]
    fn a_call_of_a_launch_that_was_ended_may_arrive_for_as_long_as_its_signature_lasts() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let standing = |seconds, total: u32| {
            let machine = Machine {
                launched_at: Some(now - Duration::from_secs(seconds)),
                tags: vec![(
                    TAG_LAUNCH.into(),
                    format!("base call=0 total={total} known=0"),
                )],
                ..Machine::example("i-1", State::Terminated)
            };
            let mut launches = underway(&vec![machine; 2], now);
            launches.pop().map(|launch| launch.standing)
        };
        assert_eq!(standing(300, 3), Some(Standing::Settling));
        assert_eq!(standing(301, 3), None);
        // All of its calls were made.
        assert_eq!(standing(0, 2), None);
    }

    #[test]
    fn a_call_of_which_nothing_shows_is_made_again_only_after_three_minutes() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let standing = |seconds| {
            let machine = Machine {
                launched_at: Some(now - Duration::from_secs(seconds)),
                tags: vec![(TAG_LAUNCH.into(), "base call=0 total=3 known=0".into())],
                ..Machine::example("i-1", State::Running)
            };
            let mut launches = underway(&vec![machine; 2], now);
            launches.pop().map(|launch| launch.standing)
        };
        let second = Call {
            index: 1,
            number: 1,
        };
        assert_eq!(standing(0), Some(Standing::Settling));
        assert_eq!(standing(180), Some(Standing::Settling));
        assert_eq!(standing(181), Some(Standing::Unmade(vec![second])));
        assert_eq!(standing(601), None);
    }
}
