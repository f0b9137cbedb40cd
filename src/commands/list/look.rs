//! One look at the machines, with what Inductiva and AWS's prices tell of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use super::{
    hidden::Hidden,
    notes,
    report::{BudgetLeft, LeftoverGroup, LeftoverSnapshot, ListReport},
};
use crate::{
    aws::Aws,
    commands::report::{EndedMachine, RegionsReport},
    error::{Failure, Kind, Result},
    image::leftovers::{LeftSnapshot, left_snapshots, snapshot_notices},
    inductiva::{self, ApiError, Group},
    machines::{
        everywhere::Survey,
        ledger::{GroupSources, Settled},
        leftovers::View,
        price_book::PriceBook,
        unseen::unseen,
    },
    model::{
        active_group::GroupRecord,
        machine::{Machine, State},
    },
    plan::deadlines::{self, Left},
    terminal::{command_line::command, output::Output},
    values::{GroupName, Target},
};

/// What `list` looks for, and what it remembers from one look to the next.
pub struct ListLook<'a> {
    pub aws: &'a Aws,
    pub api: Option<&'a inductiva::Client>,
    /// The groups and machines that were named; empty for all.
    pub targets: Vec<Target>,
    pub all_regions: bool,
    pub prices: PriceBook,
    pub out: Output,
}

pub struct SeenList {
    pub report: ListReport,
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
    /// Why the report is not all that was asked for.
    pub failure: Option<Failure>,
}

impl ListLook<'_> {
    /// Looks at EC2, and at Inductiva and the prices where that is possible.
    ///
    /// # Errors
    /// There is nothing to show: no region has answered.
    pub async fn look(&mut self) -> Result<SeenList> {
        let Self { aws, out, .. } = *self;
        let found = if self.all_regions {
            Survey::everywhere(aws, out).await?
        } else {
            Survey::here(aws).await?
        };
        let asked_for = || found.machines.iter().filter(|m| self.is_asked_for(m));
        let machines: Vec<Machine> = asked_for()
            .filter(|m| m.state != State::Terminated && m.ended_by_ec2().is_none())
            .cloned()
            .collect();
        let ended = EndedMachine::of(asked_for());
        // For ids only, neither prices nor Inductiva are needed.
        let ids_alone = out.quiet && !out.format.is_document();
        // Inductiva tells whether there may be machines where nobody has looked, and
        // whether a named group has none.
        let may_do_without = ids_alone && found.denied.is_empty() && self.targets.is_empty();
        let api = self.api.filter(|_| !may_do_without);
        let learning = async {
            if !ids_alone {
                self.prices.learn(aws, &machines).await;
            }
        };
        // Snapshots belong to no group.
        let shows_snapshots = !ids_alone && self.targets.is_empty();
        let snapshots = async {
            if shows_snapshots {
                Some(left_snapshots(aws, &found.regions).await)
            } else {
                None
            }
        };
        let (groups, active, (), snapshots) =
            tokio::join!(groups(api, &machines), active(api), learning, snapshots);
        let (groups, why) = groups;
        let now = aws.clock.now();
        let mut settled = if ids_alone {
            Vec::new()
        } else {
            let sources = sources(&machines, &found.machines, api.is_some(), &groups);
            self.prices.settle(aws, &sources, now).await
        };
        note_silent_regions(&mut settled, &found);
        let (active, why) = match active {
            Ok(active) => (active, why),
            Err(error) => (None, Some(error)),
        };
        let warnings = why.map(|error| {
            format!(
                "Inductiva cannot be asked about the machines: {}",
                error.why()
            )
        });
        let view = View {
            machines: &found.machines,
            everywhere: found.everywhere,
            now,
        };
        let left_over = |group: &&Group| self.is_named(&group.name) && view.judge(group).is_some();
        let report = ListReport::of(&machines, &groups, &self.prices, now);
        let mut report = report.with_spent(&settled);
        let unseen = unseen(&found, active.as_deref(), view).map(|failure| {
            failure.hint("ask somebody who may look there to run inductiva-aws list --all-regions")
        });
        let asked_for = Hidden {
            found: &found,
            targets: &self.targets,
            active: active.as_deref().unwrap_or_default(),
            view,
        };
        let alive = asked_for.alive();
        let not_yet_shown = asked_for.not_yet_shown();
        let unknown = not_found(&asked_for);
        report.ended = ended;
        report.leftover_snapshots = snapshots
            .as_ref()
            .map(|left| left.iter().map(LeftoverSnapshot::from).collect());
        let budgets = self.budgets(&found, now).into_iter();
        report.budgets = budgets.map(|left| BudgetLeft::from(&left)).collect();
        report.groups_without_machines = active.as_ref().map(|_| {
            let without = asked_for.without_machines().into_iter();
            without.map(LeftoverGroup::from).collect()
        });
        report.leftover_groups = active.as_ref().map(|active| {
            let left = active.iter().filter(left_over);
            left.map(LeftoverGroup::from).collect()
        });
        report.regions = RegionsReport::from(&found);
        let unknown = both(alive.clone(), unknown);
        let snapshots = snapshots.unwrap_or_default();
        let notes = self.notes(&report, &machines, &found, &snapshots, unknown.is_some());
        if let Some(alive) = alive {
            report.cost.note_unknown(&alive.message);
        }
        Ok(SeenList {
            report,
            warnings: warnings.into_iter().chain(not_yet_shown).collect(),
            notes,
            failure: not_complete(&found).or(unseen).or(unknown),
        })
    }

    /// What to say of the machines, of those that there are not, and of what is left over.
    /// `is_told` is whether a failure says that something was not found.
    fn notes(
        &self,
        report: &ListReport,
        machines: &[Machine],
        found: &Survey,
        snapshots: &[LeftSnapshot],
        is_told: bool,
    ) -> Vec<String> {
        let mut notes = notes::what_costs(report, machines);
        notes.extend(notes::builders(machines));
        notes.extend(snapshot_notices(snapshots));
        let budgets = self.budgets(found, report.now);
        notes.extend(notes::deadlines(machines, &budgets, report.now));
        notes.extend(notes::ended(&self.names_of_ended(report), found));
        let leftovers = notes::leftovers(report, found);
        let is_of_all = self.targets.is_empty();
        let is_told = is_told || self.out.format.is_document();
        if !is_told && (leftovers.is_none() || is_of_all) {
            notes.extend(notes::nothing(report, found, is_of_all));
        }
        notes.extend(leftovers);
        notes
    }

    /// The groups whose ended machines are spoken of: those that were named, and those that
    /// were left without a machine.
    fn names_of_ended<'a>(&'a self, report: &'a ListReport) -> BTreeSet<&'a str> {
        let named = self.targets.iter().filter_map(|target| match target {
            Target::Group(name) => Some(name.as_str()),
            Target::Machine(_) => None,
        });
        let left_over = report.leftover_groups.iter().flatten();
        named
            .chain(left_over.map(|group| group.name.as_str()))
            .collect()
    }

    /// What is left of the budgets of the groups that were asked for.
    fn budgets(&self, found: &Survey, now: SystemTime) -> Vec<Left> {
        let mut budgets = deadlines::left(&found.machines, now);
        budgets.retain(|left| self.is_named(&left.group));
        budgets
    }

    fn is_asked_for(&self, machine: &Machine) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| is_meant(target, machine))
    }

    /// Whether the group is among those that were asked for.
    fn is_named(&self, name: &str) -> bool {
        let is_it = |target: &Target| matches!(target, Target::Group(it) if it.as_str() == name);
        self.targets.is_empty() || self.targets.iter().any(is_it)
    }
}

/// What is known of the groups of the listed machines, to work out their cost. `groups`
/// are those about which Inductiva could be asked.
pub fn sources(
    listed: &[Machine],
    shown: &[Machine],
    has_key: bool,
    groups: &BTreeMap<String, Option<Group>>,
) -> Vec<GroupSources> {
    let names: BTreeSet<&str> = listed.iter().filter_map(Machine::group).collect();
    let source = |name: &str| {
        let machines = shown.iter().filter(|m| m.group() == Some(name));
        let not_asked = if has_key {
            "no answer"
        } else {
            "there is no Inductiva API key"
        };
        let group = groups.get(name);
        GroupSources {
            name: Some(name.to_owned()),
            machines: machines.cloned().collect(),
            before: BTreeMap::new(),
            record: match group {
                Some(group) => Ok(group.as_ref().map(GroupRecord::from)),
                None => Err(not_asked.into()),
            },
            ids: None,
        }
    };
    names.into_iter().map(source).collect()
}

fn is_meant(target: &Target, machine: &Machine) -> bool {
    match target {
        Target::Group(name) => machine.group() == Some(name.as_str()),
        Target::Machine(id) => machine.instance_id == *id,
    }
}

/// Notes that the groups may have machines in regions that did not answer.
fn note_silent_regions(settled: &mut [Settled], found: &Survey) {
    let Some((regions, _)) = found.hole() else {
        return;
    };
    for group in settled {
        group.note_unknown(format!("{regions} did not answer"));
    }
}

fn not_complete(found: &Survey) -> Option<Failure> {
    let (regions, failure) = found.hole()?;
    let failure = Failure {
        kind: Kind::MachinesMayBeRunning,
        message: format!(
            "the list is not complete, {regions} did not answer: {}",
            failure.message
        ),
        ..failure.clone()
    };
    Some(failure.hint("machines may be running there: try again in a minute"))
}

/// The failure for what was named and nobody knows: neither EC2, which shows machines for
/// an hour after their end, nor Inductiva.
fn not_found(asked_for: &Hidden<'_>) -> Option<Failure> {
    let found = asked_for.found;
    let is_shown = |target: &&Target| found.machines.iter().any(|m| is_meant(target, m));
    let hidden = asked_for.targets.iter().filter(|target| !is_shown(target));
    let is_active = |name: &GroupName| {
        let mut active = asked_for.active.iter();
        active.any(|group| group.name == name.as_str())
    };
    let unknown: Vec<String> = hidden
        .filter_map(|target| match target {
            Target::Group(name) if is_active(name) => None,
            Target::Group(name) => Some(format!("machine group {name}")),
            Target::Machine(_) if !asked_for.alive_of(target).is_empty() => None,
            Target::Machine(id) => Some(format!("machine {id}")),
        })
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let message = match found.regions.as_slice() {
        [region] if !found.everywhere => format!("{region} has no {}", unknown.join(", no ")),
        _ => format!("no region has the {}", unknown.join(", or the ")),
    };
    let failure = Failure::new(Kind::NotFound, message);
    Some(failure.hint(format!(
        "{} shows what there is",
        command("list --all-regions")
    )))
}

/// One failure for machines that are alive elsewhere and for what nobody knows.
fn both(alive: Option<Failure>, unknown: Option<Failure>) -> Option<Failure> {
    let (Some(alive), Some(unknown)) = (&alive, &unknown) else {
        return alive.or(unknown);
    };
    Some(Failure {
        message: format!("{}; {}", alive.message, unknown.message),
        ..alive.clone()
    })
}

/// The active groups on Inductiva's side; none without a key.
async fn active(api: Option<&inductiva::Client>) -> Result<Option<Vec<Group>>, ApiError> {
    match api {
        Some(api) => api.groups().await.map(Some),
        None => Ok(None),
    }
}

/// What Inductiva says of the machines' groups, and why one could not be asked about. A
/// group that Inductiva does not have is None.
async fn groups(
    api: Option<&inductiva::Client>,
    machines: &[Machine],
) -> (BTreeMap<String, Option<Group>>, Option<ApiError>) {
    let mut groups = BTreeMap::new();
    let Some(api) = api else {
        return (groups, None);
    };
    let names: BTreeSet<GroupName> = machines
        .iter()
        .filter_map(|m| m.group()?.parse().ok())
        .collect();
    let mut asked = tokio::task::JoinSet::new();
    for name in names {
        let api = api.clone();
        asked.spawn(async move {
            let group = api.group(&name).await;
            (name, group)
        });
    }
    let mut why = None;
    for (name, group) in asked.join_all().await {
        match group {
            Ok(group) => {
                groups.insert(name.to_string(), group);
            }
            Err(error) => why = Some(error),
        }
    }
    (groups, why)
}
