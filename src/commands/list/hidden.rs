//! Machines that were asked for and that EC2 does not show: those that Inductiva sees
//! alive elsewhere, and those that may not show yet.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    error::{Failure, Kind},
    inductiva::Group,
    machines::{
        everywhere::Survey,
        last_look::without_machines,
        leftovers::{View, is_instance_id},
    },
    model::{machine::Machine, visibility::VISIBLE_WITHIN},
    terminal::command_line::{command, named},
    values::{Target, spans},
};

/// A start launches soon after it has made the group. Of an older one that was not named
/// nobody expects machines, as a group of another region is active for as long as it runs.
const NEW_GROUP: Duration = Duration::from_mins(10);

/// What was asked for, and what both sides show of it.
pub struct Hidden<'a> {
    pub found: &'a Survey,
    /// The groups and machines that were named; empty for all.
    pub targets: &'a [Target],
    /// The active groups on Inductiva's side.
    pub active: &'a [Group],
    pub view: View<'a>,
}

impl Hidden<'_> {
    /// The failure for machines of what was named that Inductiva sees alive, and that no
    /// region which was asked shows. None if nothing was named: then only the machines of
    /// these regions were asked for.
    pub fn alive(&self) -> Option<Failure> {
        let mut all = BTreeSet::new();
        let mut messages = Vec::new();
        let mut words = Vec::new();
        for target in self.targets {
            let ids = self.alive_of(target);
            if ids.is_empty() {
                continue;
            }
            messages.push(self.message(target, &ids));
            words.push(word(target));
            all.extend(ids);
        }
        if all.is_empty() {
            return None;
        }
        let hint = if self.found.everywhere {
            "they may be in another AWS account: sign in there, such as with --profile, and look again".to_owned()
        } else {
            format!(
                "{} shows where they run",
                command(&format!("list {} --all-regions", words.join(" ")))
            )
        };
        let failure = Failure::new(Kind::MachinesMayBeRunning, messages.join("; "));
        Some(failure.hint(hint).machines(all))
    }

    /// The machines of the target that Inductiva sees alive and EC2 does not show.
    pub fn alive_of(&self, target: &Target) -> Vec<String> {
        let is_shown = |id: &str| self.view.machines.iter().any(|m| m.instance_id == id);
        let mut ids = BTreeSet::new();
        for group in self.active {
            let alive = self.view.alive(group).into_iter();
            let hidden = alive.filter(|host| is_instance_id(host) && !is_shown(host));
            ids.extend(hidden.filter(|host| match target {
                Target::Group(name) => group.name == name.as_str(),
                Target::Machine(id) => host == id,
            }));
        }
        ids.into_iter().map(str::to_owned).collect()
    }

    fn message(&self, target: &Target, ids: &[String]) -> String {
        let here = match self.found.regions.as_slice() {
            [region] if !self.found.everywhere => Some(region),
            _ => None,
        };
        let does_not_show = here.map_or("no region shows".to_owned(), |region| {
            format!("{region} does not show")
        });
        let shows_none = here.map_or("no region shows a machine".to_owned(), |region| {
            format!("{region} shows no machine")
        });
        match target {
            Target::Machine(id) => format!("Inductiva sees {id} alive, which {does_not_show}"),
            Target::Group(name) => {
                let lives = |m: &Machine| m.group() == Some(name.as_str()) && !m.state.is_gone();
                let (number, ids) = (ids.len(), ids.join(" "));
                if self.view.machines.iter().any(lives) {
                    format!(
                        "Inductiva sees {number} more of {name} alive, which {does_not_show}: {ids}"
                    )
                } else {
                    format!("{shows_none} of {name}, but Inductiva sees {number} alive: {ids}")
                }
            }
        }
    }

    /// The active groups of which no machine shows, though some may have been launched a
    /// moment ago.
    pub fn without_machines(&self) -> Vec<&Group> {
        let may_show = |group: &&Group| {
            let is_named = self
                .targets
                .iter()
                .any(|target| matches!(target, Target::Group(name) if group.name == name.as_str()));
            let is_asked_for =
                is_named || self.targets.is_empty() && group.has_ec2_type() && self.is_new(group);
            is_asked_for
                && group.is_local()
                && group.is_active()
                && self.view.alive(group).is_empty()
                && self.view.judge(group).is_none()
                && without_machines(self.view.machines, group).is_some()
        };
        self.active.iter().filter(may_show).collect()
    }

    fn is_new(&self, group: &Group) -> bool {
        let age = group
            .created_at
            .map(|made| self.view.now.duration_since(made).unwrap_or_default());
        age.is_some_and(|age| age < NEW_GROUP)
    }

    /// What to say of each of these.
    pub fn not_yet_shown(&self) -> Vec<String> {
        let signs = self.without_machines().into_iter();
        let signs = signs.filter_map(|group| without_machines(self.view.machines, group));
        let elsewhere = if self.found.everywhere {
            ""
        } else {
            ", or are in another region"
        };
        signs
            .map(|sign| {
                format!(
                    "{sign}: machines launched in the last {} may be missing{elsewhere}; look again",
                    spans::in_words(VISIBLE_WITHIN)
                )
            })
            .collect()
    }
}

/// The target as a command line names it.
fn word(target: &Target) -> String {
    match target {
        Target::Group(name) => named(name),
        Target::Machine(id) => id.clone(),
    }
}
