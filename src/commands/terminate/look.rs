//! Looking for machines until there is no sign of any that do not show ([`last_look`]).

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{ending::Ending, images::may_be_at_work};
use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    inductiva::Group,
    machines::{
        everywhere::Survey,
        last_look::{self, Sign},
        leftovers::View,
    },
    model::machine::{Machine, State},
    terminal::output::Output,
    values::{GroupName, spans},
};

/// The pause between two looks for machines that do not show yet, or not with their tags.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// The machines of a group in the region.
    Group(&'a GroupName),
    /// All of this program's machines in the region.
    Region,
    AllRegions,
}

/// What a look at all regions has shown.
pub struct Look<'a> {
    pub aws: &'a Aws,
    /// Machines that this run has ended count as gone, whatever EC2 shows.
    pub found: Survey,
}

impl Look<'_> {
    pub fn view(&self) -> View<'_> {
        View {
            machines: &self.found.machines,
            everywhere: self.found.everywhere,
            now: self.aws.clock.now(),
        }
    }

    /// The failure of the regions that did not answer.
    pub fn hole(&self) -> Option<Failure> {
        let (regions, failure) = self.found.hole()?;
        Some(not_asked(&regions, failure))
    }

    /// The failure of this run's own region, if it did not answer.
    pub fn hole_here(&self) -> Option<Failure> {
        let region = &self.aws.region;
        let failure = self.found.hole_in(region)?;
        Some(not_asked(region, failure))
    }

    /// Whether a machine of that group is alive in any region.
    pub fn lives_in(&self, name: &GroupName) -> bool {
        let lives = |m: &Machine| m.group() == Some(name.as_str()) && !m.state.is_gone();
        self.found.machines.iter().any(lives)
    }

    /// The living machines of that group in other regions, by region.
    pub fn elsewhere(&self, name: &GroupName) -> BTreeMap<String, Vec<String>> {
        let mut regions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for m in &self.found.machines {
            let is_of_group = m.group() == Some(name.as_str());
            if is_of_group && !m.state.is_gone() && m.region != self.aws.region {
                let ids = regions.entry(m.region.clone()).or_default();
                ids.push(m.instance_id.clone());
            }
        }
        regions
    }
}

fn not_asked(regions: &str, failure: &Failure) -> Failure {
    Failure {
        kind: Kind::MachinesMayBeRunning,
        message: format!(
            "machines may be running in {regions}, which could not be asked: {}",
            failure.message
        ),
        ..failure.clone()
    }
}

pub struct TerminateLook<'a> {
    pub aws: &'a Aws,
    pub scope: Scope<'a>,
    /// The active groups that the machines may belong to; none if Inductiva cannot be
    /// asked.
    pub groups: Option<Vec<Group>>,
    pub began: Instant,
    /// What has been said already, as looks for several groups go on at the same time.
    pub said: &'a RefCell<BTreeSet<String>>,
    pub out: Output,
    /// The machines that have shown, with their latest state.
    pub seen: BTreeMap<String, Machine>,
    /// When the latest look began, by this computer's clock. What it shows counts from
    /// that time, as the computer may sleep before anything follows from it.
    pub asked_at: SystemTime,
    /// The ids of stopped machines of image builds that are certainly left over.
    pub left_over_builders: BTreeSet<String>,
}

impl<'a> TerminateLook<'a> {
    /// Notes what a look has shown that began at `asked_at`.
    pub fn saw(&mut self, machines: &[Machine], asked_at: SystemTime) {
        self.asked_at = asked_at;
        for m in machines {
            self.seen.insert(m.instance_id.clone(), m.clone());
        }
    }

    /// Whether the group was not among those that were looked for, and no machine of it
    /// shows.
    pub fn is_new(&self, group: &Group) -> bool {
        let known = self.groups.iter().flatten();
        let seen: Vec<Machine> = self.seen.values().cloned().collect();
        !known.into_iter().any(|known| known.id == group.id)
            && last_look::without_machines(&seen, group).is_some()
    }

    /// Those of `machines` that are in the scope.
    pub fn of_scope(&self, machines: &[Machine]) -> Vec<Machine> {
        let here = |m: &Machine| m.region == self.aws.region;
        let is_meant = |m: &&Machine| match self.scope {
            Scope::Group(name) => here(m) && m.group() == Some(name.as_str()),
            Scope::Region => here(m) && !may_be_at_work(m, &self.left_over_builders),
            Scope::AllRegions => !may_be_at_work(m, &self.left_over_builders),
        };
        machines.iter().filter(is_meant).cloned().collect()
    }

    /// Ends `machines`, and whatever of the scope shows after them, until a look finds
    /// nothing and may be the last one. Returns that look.
    pub async fn end_what_shows(
        &mut self,
        machines: Vec<Machine>,
        ending: &mut Ending<'_>,
    ) -> Look<'a> {
        let mut machines = machines;
        let mut said = String::new();
        loop {
            let showing = ending.to_end(&self.of_scope(&machines));
            if !showing.is_empty() {
                ending.end(&showing).await;
            }
            let until = self.until(ending);
            let now = self.aws.time.instant();
            if now < until && !ending.is_hopeless() {
                self.say(ending, &mut said);
                self.aws.time.pause((until - now).min(LOOK_EVERY)).await;
            }
            let looking_since = self.aws.time.instant();
            let asked_at = self.aws.time.now();
            if looking_since < until && !ending.is_hopeless() {
                // The next look makes up for one that fails.
                if let Ok(here) = self.look().await {
                    machines = here;
                    self.saw(&machines, asked_at);
                }
                continue;
            }
            let mut found = Survey::as_far_as_possible(self.aws).await;
            if !matches!(self.scope, Scope::AllRegions) {
                found.require(&self.aws.region);
            }
            machines.clone_from(&found.machines);
            self.saw(&machines, asked_at);
            // It may show a part of a launch whose other machines are still to show.
            let is_last = looking_since >= self.until(ending) || ending.is_hopeless();
            if is_last && ending.to_end(&self.of_scope(&machines)).is_empty() {
                return self.with_ended(found, ending);
            }
        }
    }

    /// The time from which a look may be the last one, by what shows now.
    fn until(&self, ending: &Ending<'_>) -> Instant {
        self.began + last_look::look_for(self.sign(ending).as_ref())
    }

    async fn look(&self) -> Result<Vec<Machine>> {
        match self.scope {
            Scope::Group(name) => self.aws.group_machines(name).await,
            Scope::Region => self.aws.our_machines().await,
            Scope::AllRegions => Ok(Survey::as_far_as_possible(self.aws).await.machines),
        }
    }

    fn sign(&self, ending: &Ending<'_>) -> Option<Sign> {
        let seen: Vec<Machine> = self.seen.values().cloned().collect();
        let of_group: Vec<Machine> = match self.scope {
            // Machines in other regions count, too: they show, and are named.
            Scope::Group(name) => {
                let is_of_group = |m: &Machine| m.group() == Some(name.as_str());
                seen.into_iter().filter(is_of_group).collect()
            }
            Scope::Region | Scope::AllRegions => seen,
        };
        last_look::sign(
            &of_group,
            ending.has_seen_some(),
            self.groups.as_deref(),
            self.aws.clock.at(self.asked_at),
        )
    }

    /// Says what is waited for, once.
    fn say(&self, ending: &Ending<'_>, said: &mut String) {
        let sign = self.sign(ending);
        let limit = spans::in_words(last_look::look_for(sign.as_ref()));
        let says = match &sign {
            Some(sign) => format!("{sign}: looking for up to {limit}"),
            None => {
                format!("looking for machines that EC2 does not show yet, for up to {limit}")
            }
        };
        if *said != says {
            if self.said.borrow_mut().insert(says.clone()) {
                self.out.say(&says);
            }
            *said = says;
        }
    }

    fn with_ended(&self, mut found: Survey, ending: &Ending<'_>) -> Look<'a> {
        let ended = ending.ended();
        for id in ended {
            match found.machines.iter_mut().find(|m| m.instance_id == id) {
                Some(m) if m.state.is_gone() => {}
                Some(m) => m.state = State::ShuttingDown,
                None => {
                    if let Some(m) = self.seen.get(&id) {
                        let state = State::ShuttingDown;
                        found.machines.push(Machine { state, ..m.clone() });
                    }
                }
            }
        }
        Look {
            aws: self.aws,
            found,
        }
    }
}
