//! What `cost` asks of EC2 and of Inductiva.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::report::CostReport;
use crate::{
    aws::Aws,
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    inductiva::{self, Group},
    machines::{
        everywhere::Survey,
        ledger::{GroupSources, Settled},
        price_book::PriceBook,
    },
    model::{active_group::GroupRecord, machine::Machine},
    plan::known::Known,
    terminal::{command_line::command, output::Output},
    values::{GroupName, Target, is_machine_id},
};

const NO_KEY: &str = "there is no Inductiva API key";
const NOT_ASKED: &str =
    "Inductiva cannot be asked for groups whose machines EC2 does not show any more";

pub struct CostLook<'a> {
    pub aws: &'a Aws,
    pub api: Option<&'a inductiva::Client>,
    /// The groups and machines that were named; empty for all.
    pub targets: Vec<Target>,
    pub all_regions: bool,
    pub out: Output,
}

pub struct SeenCost {
    pub report: CostReport,
    pub notes: Vec<String>,
    /// Why the report is not all that was asked for.
    pub failure: Option<Failure>,
}

/// The groups to look at, and the machines of each that were named; none for all.
type WantedMachines = BTreeMap<Option<String>, Option<BTreeSet<String>>>;

impl CostLook<'_> {
    /// Looks at EC2, and at Inductiva where that is possible.
    ///
    /// # Errors
    /// There is nothing to show: no region has answered.
    pub async fn look(&self) -> Result<SeenCost> {
        let Self { aws, out, .. } = *self;
        let surveying = async {
            if self.all_regions {
                Survey::everywhere(aws, out).await
            } else {
                Survey::here(aws).await
            }
        };
        let (found, active) = tokio::join!(surveying, self.active());
        let found = found?;
        let groups = active.as_ref().and_then(|active| active.as_deref().ok());
        let (wanted, unknown_ids) = self.wanted(&found, groups.unwrap_or_default());
        let not_asked = active.and_then(Result::err);
        let mut prices = PriceBook::default();
        let there: Vec<Machine> = found
            .machines
            .iter()
            .filter(|m| !m.state.is_gone() && wanted.contains_key(&m.group().map(str::to_owned)))
            .cloned()
            .collect();
        // For ids only, no prices are needed.
        let ids_alone = out.quiet && !out.format.is_document();
        let learning = async {
            if !ids_alone {
                prices.learn(aws, &there).await;
            }
        };
        let (groups, ()) = tokio::join!(self.groups(wanted, &found), learning);
        let (groups, unknown) = self.known(groups);
        let now = aws.clock.now();
        let mut settled = if ids_alone {
            prices.settle_as_known(&BTreeMap::new(), &groups, &aws.region, now)
        } else {
            prices.settle(aws, &groups, now).await
        };
        let failure = not_complete(&found);
        for (group, settled) in groups.iter().zip(&mut settled) {
            if let Some(why) = why_not_complete(&found, group, settled, failure.as_ref()) {
                settled.note_unknown(why);
            }
        }
        let mut notes = self.notes(&found, &settled);
        let mut report = CostReport::of(&settled, RegionsReport::from(&found));
        if let Some(failure) = &failure {
            report.note_unknown(&failure.message);
        }
        let everything = self.targets.is_empty() && self.all_regions;
        if let Some(why) = not_asked.as_ref().filter(|_| everything) {
            let why = format!("{NOT_ASKED}: {why}");
            report.note_unknown(&why);
            // If Inductiva failed, there was a warning already.
            if self.api.is_none() {
                notes.push(why);
            }
        }
        // A user without a key knows that Inductiva is not asked.
        let not_asked = not_asked.filter(|_| self.api.is_some());
        let failure = failure
            .or_else(|| not_found(&found, unknown, unknown_ids, not_asked.clone()))
            .or_else(|| {
                let why = not_asked.filter(|_| everything && settled.is_empty())?;
                let failure = Failure::failed(format!("{NOT_ASKED}: {why}"));
                Some(failure.hint("try again later"))
            });
        Ok(SeenCost {
            report,
            notes,
            failure,
        })
    }

    /// The active groups on Inductiva's side; none where they are not needed.
    async fn active(&self) -> Option<Known<Vec<Group>>> {
        let ids = self.targets.iter().any(|t| matches!(t, Target::Machine(_)));
        let everything = self.targets.is_empty() && self.all_regions;
        if !ids && !everything {
            return None;
        }
        let Some(api) = self.api else {
            return Some(Err(NO_KEY.into()));
        };
        let groups = api.groups().await.map_err(|error| error.why().to_owned());
        if let Err(why) = &groups {
            self.out.warn(&format!("{NOT_ASKED}: {why}"));
        }
        Some(groups)
    }

    /// The groups and machines to look at, and the ids that nobody knows.
    fn wanted(&self, found: &Survey, active: &[Group]) -> (WantedMachines, Vec<String>) {
        let mut wanted = WantedMachines::new();
        let mut unknown = Vec::new();
        if self.targets.is_empty() {
            let shown = found.machines.iter().map(|m| m.group().map(str::to_owned));
            let gone = active.iter().filter(|group| had_machines_on_ec2(group));
            let gone = gone.map(|group| Some(group.name.clone()));
            wanted.extend(shown.chain(gone).map(|name| (name, None)));
        }
        for target in &self.targets {
            match target {
                Target::Group(name) => {
                    wanted.insert(Some(name.to_string()), None);
                }
                Target::Machine(id) => {
                    // EC2 or Inductiva tells which group the machine is of.
                    let shown = found.machines.iter().find(|m| m.instance_id == *id);
                    let shown = shown.map(|m| m.group().map(str::to_owned));
                    let gone = active.iter().find(|group| had(group, id));
                    let gone = gone.map(|group| Some(group.name.clone()));
                    let Some(name) = shown.or(gone) else {
                        unknown.push(id.clone());
                        continue;
                    };
                    let ids = wanted.entry(name).or_insert_with(|| Some(BTreeSet::new()));
                    if let Some(ids) = ids {
                        ids.insert(id.clone());
                    }
                }
            }
        }
        (wanted, unknown)
    }

    /// What both sides know of the groups.
    async fn groups(&self, wanted: WantedMachines, found: &Survey) -> Vec<GroupSources> {
        let asked = wanted.into_iter().map(|(name, ids)| async move {
            let record = match name.as_ref().map(|name| name.parse::<GroupName>()) {
                Some(Ok(group)) => self.record(&group).await,
                // Inductiva has no group of this name.
                Some(Err(_)) | None => Ok(None),
            };
            let machines = found.machines.iter();
            let machines = machines.filter(|m| m.group() == name.as_deref());
            GroupSources {
                machines: machines.cloned().collect(),
                before: BTreeMap::new(),
                name,
                record,
                ids,
            }
        });
        join_all(asked).await
    }

    async fn record(&self, name: &GroupName) -> Known<Option<GroupRecord>> {
        let api = self.api.ok_or(NO_KEY)?;
        let group = api.group(name).await;
        let group = group.map_err(|error| error.why().to_owned())?;
        let group = group.filter(|group| !group.is_of_another_provider());
        Ok(group.as_ref().map(GroupRecord::from))
    }

    /// The groups that somebody knows; and the others, each with the reason if Inductiva
    /// could not be asked about it.
    fn known(
        &self,
        groups: Vec<GroupSources>,
    ) -> (Vec<GroupSources>, Vec<(String, Option<String>)>) {
        let (known, unknown): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| !group.machines.is_empty() || matches!(group.record, Ok(Some(_))));
        let unknown = unknown.into_iter().map(|group| {
            let why = group.record.err().filter(|_| self.api.is_some());
            (group.name.unwrap_or_default(), why)
        });
        (known, unknown.collect())
    }

    fn notes(&self, found: &Survey, settled: &[Settled]) -> Vec<String> {
        let mut notes = Vec::new();
        let hides = |m: &crate::machines::ledger::SettledMachine| {
            m.state.is_none() && m.life.ended.is_none()
        };
        let mut machines = settled.iter().flat_map(|group| &group.machines);
        let is_empty = |group: &Settled| group.machines.is_empty();
        if !found.everywhere && (machines.any(hides) || settled.iter().any(is_empty)) {
            notes.push(match found.left_out_regions() {
                None => format!(
                    "machines that EC2 does not show in {} may be in another region: {} looks everywhere",
                    found.regions.join(", "),
                    command("cost --all-regions")
                ),
                Some(left_out) => format!(
                    "machines that EC2 does not show may be in {left_out}, which could not be asked: {} shows them to somebody who may look there",
                    command("cost --all-regions")
                ),
            });
        }
        if settled.is_empty() && self.targets.is_empty() {
            notes.push(match found.regions.as_slice() {
                [region] if !found.everywhere => format!(
                    "no machines in {region}; {} looks everywhere",
                    command("cost --all-regions")
                ),
                _ => "no machines in any region".to_owned(),
            });
        }
        notes
    }
}

/// Whether machines of EC2's have been in the group, which only this program's groups
/// have.
fn had_machines_on_ec2(group: &Group) -> bool {
    let mut hosts = group.machines.iter().filter_map(|m| m.host_name.as_deref());
    group.is_local() && hosts.any(is_machine_id)
}

/// Whether the group had the machine of this id.
fn had(group: &Group, id: &str) -> bool {
    let mut hosts = group.machines.iter().map(|m| m.host_name.as_deref());
    hosts.any(|host| host == Some(id))
}

/// Why a group's cost may not be complete: it may have machines where nobody has looked.
/// None if machines were named and found.
fn why_not_complete(
    found: &Survey,
    group: &GroupSources,
    settled: &Settled,
    not_complete: Option<&Failure>,
) -> Option<String> {
    let are_shown = settled.machines.iter().all(|m| m.state.is_some());
    if let Some(failure) = not_complete {
        let is_whole = group.ids.is_some() && are_shown;
        return (!is_whole).then(|| failure.message.clone());
    }
    // Inductiva knows a machine only once it has registered.
    if found.everywhere || !settled.machines.is_empty() {
        return None;
    }
    Some(match found.left_out_regions() {
        None => format!("EC2 shows no machine of it in {}", found.regions.join(", ")),
        Some(left_out) => {
            format!("EC2 shows no machine of it, and {left_out} could not be asked")
        }
    })
}

fn not_complete(found: &Survey) -> Option<Failure> {
    let (regions, failure) = found.hole()?;
    let failure = Failure {
        kind: Kind::MachinesMayBeRunning,
        message: format!(
            "not all costs are known, {regions} did not answer: {}",
            failure.message
        ),
        ..failure.clone()
    };
    Some(failure.hint("machines may be running there: try again in a minute"))
}

/// The failure for what was named and nobody knows: neither EC2, which shows machines for
/// an hour after their end, nor Inductiva. `not_asked` is why Inductiva could not be
/// asked about the ids.
fn not_found(
    found: &Survey,
    names: Vec<(String, Option<String>)>,
    ids: Vec<String>,
    not_asked: Option<String>,
) -> Option<Failure> {
    let not_asked = not_asked.filter(|_| !ids.is_empty());
    let not_asked = names.iter().find_map(|(_, why)| why.clone()).or(not_asked);
    let names = names
        .into_iter()
        .map(|(name, _)| format!("machine group {name}"));
    let all = names.chain(ids.into_iter().map(|id| format!("machine {id}")));
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return None;
    }
    let message = match found.regions.as_slice() {
        [region] if !found.everywhere => format!("{region} has no {}", all.join(", no ")),
        _ => format!("no region has the {}", all.join(", or the ")),
    };
    if let Some(why) = not_asked {
        let failure = Failure::failed(format!(
            "{message}, and Inductiva cannot be asked what it had: {why}"
        ));
        return Some(failure.hint("try again later"));
    }
    let failure = Failure::new(Kind::NotFound, message);
    Some(failure.hint(format!(
        "{} shows what there is",
        command("list --all-regions")
    )))
}
