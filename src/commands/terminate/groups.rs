//! The groups on Inductiva's side of machines that have ended. Machines are what
//! costs: what fails here is a warning.

use std::collections::BTreeSet;

use super::report::TerminateReport;
use crate::{
    aws::Aws,
    error::{Failure, Result},
    inductiva::{self, ApiError, Group},
    machines::{
        everywhere::Found,
        leftovers::{LeftOver, View},
    },
    model::machine::Machine,
    terminal::output::Output,
    values::GroupName,
};

pub struct Groups<'a> {
    pub aws: &'a Aws,
    /// None without a key.
    pub api: Option<&'a inductiva::Client>,
    pub found: &'a Found,
    pub out: Output,
}

impl Groups<'_> {
    fn view(&self) -> View<'_> {
        View {
            machines: &self.found.machines,
            everywhere: self.found.everywhere,
            now: self.aws.clock.now(),
        }
    }

    /// The groups that have surely lost their machines, by [`View::judge`].
    pub async fn left_over(&self) -> Vec<Group> {
        let Some(api) = self.api else {
            return Vec::new();
        };
        let view = self.view();
        match api.groups().await {
            Ok(groups) => groups
                .into_iter()
                .filter(|group| view.judge(group) == Some(LeftOver::Surely))
                .collect(),
            Err(error) => {
                self.out.warn(&format!(
                    "Inductiva cannot be asked about groups without machines: {}",
                    error.why()
                ));
                Vec::new()
            }
        }
    }

    /// Deletes groups without machines, each after one more look at it.
    pub async fn delete_left_over(&self, groups: &[Group]) -> Vec<String> {
        let mut deleted = Vec::new();
        let Some(api) = self.api else {
            return deleted;
        };
        for group in groups {
            let Ok(name) = group.name.parse::<GroupName>() else {
                continue;
            };
            let still = match api.group(&name).await {
                Ok(now) => now.filter(|now| {
                    now.id == group.id && self.view().judge(now) == Some(LeftOver::Surely)
                }),
                Err(error) => {
                    self.stays(&name, error.why());
                    continue;
                }
            };
            if still.is_none() {
                continue;
            }
            match api.delete_group(&group.id).await {
                Ok(()) => {
                    self.out.say(&format!(
                        "deleted the machine group {name}, which had no machine any more"
                    ));
                    deleted.push(group.name.clone());
                }
                Err(error) => self.stays(&name, error.why()),
            }
        }
        deleted
    }

    /// Deletes the groups that have lost their last machine.
    pub async fn delete_emptied(&self, going: &[Machine], ended: &[String]) -> Vec<String> {
        let mut deleted = Vec::new();
        let Some(api) = self.api else {
            return deleted;
        };
        let names: BTreeSet<GroupName> = going
            .iter()
            .filter(|m| ended.contains(&m.instance_id))
            .filter_map(|m| m.group()?.parse().ok())
            .collect();
        for name in names {
            match self.delete_if_empty(api, &name, going, ended).await {
                Ok(true) => deleted.push(name.to_string()),
                Ok(false) => {}
                Err(why) => self.stays(&name, &why),
            }
        }
        deleted
    }

    /// Whether the group was there and was deleted.
    async fn delete_if_empty(
        &self,
        api: &inductiva::Client,
        name: &GroupName,
        going: &[Machine],
        ended: &[String],
    ) -> Result<bool, String> {
        let regions: BTreeSet<&str> = going
            .iter()
            .filter(|m| m.group() == Some(name.as_str()))
            .map(|m| m.region.as_str())
            .collect();
        for region in regions {
            let machines = self.aws.in_region(region).group_machines(name).await;
            let machines = machines.map_err(|failure| failure.message)?;
            let goes_on = |m: &Machine| !m.state.is_gone() && !ended.contains(&m.instance_id);
            if machines.iter().any(goes_on) {
                return Ok(false);
            }
        }
        let why = |error: ApiError| error.why().to_owned();
        let Some(group) = api.group(name).await.map_err(why)? else {
            return Ok(false);
        };
        if !group.is_active() {
            return Ok(false);
        }
        let others: Vec<&str> = self
            .view()
            .alive(&group)
            .into_iter()
            .filter(|host| !ended.iter().any(|id| id == host))
            .collect();
        refuse_used(&group, &others)?;
        api.delete_group(&group.id).await.map_err(why)?;
        Ok(true)
    }

    fn stays(&self, name: &GroupName, why: &str) {
        self.out.warn(&format!(
            "the machine group {name} stays on Inductiva's side: {why}"
        ));
    }

    /// Deletes a group that has no machine in the region; asks first.
    pub async fn end_without_machines(
        &self,
        name: &GroupName,
        yes: bool,
    ) -> Result<TerminateReport> {
        let (region, out) = (&self.aws.region, self.out);
        let group = match self.api {
            Some(api) => api.group(name).await,
            None => Ok(None),
        };
        match (group, self.api) {
            (Ok(Some(group)), Some(api)) if group.is_active() => {
                refuse_used(&group, &self.view().alive(&group)).map_err(|why| {
                    Failure::failed(format!("the machine group {name} was not deleted: {why}"))
                        .hint("inductiva-aws list --all-regions shows its machines on AWS")
                })?;
                let question = format!(
                    "The group {name} has no machine in {region}. Delete it on Inductiva's side"
                );
                if !yes && !out.confirm(&question).await? {
                    return Err(Failure::failed("not confirmed: nothing was deleted"));
                }
                api.delete_group(&group.id).await?;
                out.say(&format!(
                    "deleted the machine group {name}, which had no machine in {region}"
                ));
                return Ok(TerminateReport {
                    deleted_machine_groups: vec![name.to_string()],
                    ..TerminateReport::default()
                });
            }
            (Ok(Some(_)), _) => {
                out.say(&format!("the machine group {name} is gone already"));
                return Ok(TerminateReport::default());
            }
            (Ok(None), _) => {}
            (Err(error), _) => out.warn(&format!(
                "cannot look up the group {name} on Inductiva's side: {}",
                error.why()
            )),
        }
        if self.found.machines.is_empty() {
            return Err(
                Failure::failed(format!("{region} has no machine group {name}"))
                    .hint("inductiva-aws list --all-regions shows the groups there are"),
            );
        }
        out.say("there is nothing to terminate: it is gone already");
        Ok(TerminateReport::default())
    }
}

/// A group of another provider's, or one with machines that are not known to be
/// gone, is not ours to delete.
fn refuse_used(group: &Group, alive: &[&str]) -> Result<(), String> {
    if group.is_of_another_provider() {
        let provider = group.provider_id.as_deref().unwrap_or_default();
        return Err(format!("its machines are not of AWS, but of {provider}"));
    }
    match alive {
        [] => Ok(()),
        hosts => Err(format!(
            "it has machines elsewhere, by what Inductiva says: {}",
            hosts.join(" ")
        )),
    }
}
