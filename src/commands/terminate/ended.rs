//! What a run has ended: by groups, and single machines.

use std::collections::{BTreeMap, BTreeSet};

use super::{ending::Ending, groups::Groups};
use crate::{machines::ledger::GroupSources, model::machine::Machine};

/// Ids that stand for single machines; of more it is their number.
const MOST_IDS: usize = 3;

/// What this run has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Of groups, or of all, by the name.
    groups: BTreeMap<String, Vec<Machine>>,
    /// Those that were named by their ids.
    single: BTreeMap<String, Machine>,
}

impl Ended {
    /// Adds what `ending` has ended, with the other machines of the same groups.
    pub fn add(&mut self, ending: &Ending<'_>, shown: &[Machine]) {
        let ended: BTreeSet<String> = ending.ended().into_iter().collect();
        let machines = ending.with_ended(shown);
        let has_ended = |m: &&Machine| ended.contains(&m.instance_id);
        let names = machines.iter().filter(has_ended).filter_map(Machine::group);
        let names: BTreeSet<&str> = names.collect();
        for name in names {
            let of_group = machines.iter().filter(|m| m.group() == Some(name));
            self.groups
                .insert(name.to_owned(), of_group.cloned().collect());
        }
    }

    /// Adds machines that were named by their ids.
    pub fn add_single(&mut self, ending: &Ending<'_>, machines: &[Machine]) {
        let ended = ending.ended();
        let machines = ending.with_ended(machines).into_iter();
        let single = machines.filter(|m| ended.contains(&m.instance_id));
        self.single
            .extend(single.map(|m| (m.instance_id.clone(), m)));
    }

    /// What there is to know of them, in groups; `known` is what Inductiva has of the
    /// active ones.
    pub fn sources(&self, known: &Groups<'_>) -> Vec<GroupSources> {
        let of_groups = self.groups.iter().map(|(name, machines)| GroupSources {
            name: Some(name.clone()),
            machines: machines.clone(),
            record: known.known(name),
            ids: None,
        });
        let mut all: Vec<GroupSources> = of_groups.collect();
        let is_of_none = |m: &&Machine| m.group().is_none_or(|g| !self.groups.contains_key(g));
        let single: Vec<Machine> = self.single.values().filter(is_of_none).cloned().collect();
        if !single.is_empty() {
            let ids: BTreeSet<String> = single.iter().map(|m| m.instance_id.clone()).collect();
            let named = ids.iter().take(MOST_IDS).cloned().collect::<Vec<_>>();
            all.push(GroupSources {
                name: Some(match ids.len() - named.len() {
                    0 => named.join(" "),
                    more => format!("{} and {more} more", named.join(" ")),
                }),
                machines: single,
                record: Ok(None),
                ids: Some(ids),
            });
        }
        all
    }
}
