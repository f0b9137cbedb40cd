//! The groups on Inductiva's side of machines that have ended. Only machines cost, so a
//! failure here is a warning.

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::stream::{self, StreamExt as _};

use super::look::Look;
use crate::{
    inductiva::{self, ApiError, Group},
    machines::{
        last_look,
        leftovers::{LeftOver, has_id_of, is_of},
    },
    model::{active_group::GroupRecord, machine::Machine},
    plan::known::Known,
    terminal::{command_line::terminate_command, output::Output},
    values::GroupName,
};

/// How many groups are asked for and deleted at a time.
const SIDE_BY_SIDE: usize = 16;
/// From this number on the progress is shown.
const MANY: usize = 10;

/// What Inductiva says of a name.
pub enum Side {
    Active(Group),
    /// There was a group, which is no longer active.
    Ended,
    Absent,
    /// Why Inductiva could not be asked.
    NotAsked(String),
}

/// The reason for deleting a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Its name was typed.
    Typed,
    /// This run has ended machines of it.
    Emptied,
    /// It was [`LeftOver::Surely`] before this run.
    LeftOver,
}

#[derive(Default)]
pub struct Deleted {
    pub names: Vec<String>,
    /// The groups that stay, and why.
    pub kept: Vec<(GroupName, String)>,
}

pub struct Groups<'a> {
    /// None if there is no key that can be used.
    pub api: Option<&'a inductiva::Client>,
    pub out: Output,
    /// What Inductiva has answered last for each name.
    known: RefCell<BTreeMap<String, Known<Option<GroupRecord>>>>,
    /// Why Inductiva could not be asked for all groups.
    not_asked: RefCell<Option<String>>,
}

impl<'a> Groups<'a> {
    pub fn new(api: Option<&'a inductiva::Client>, out: Output) -> Self {
        Self {
            api,
            out,
            known: RefCell::default(),
            not_asked: RefCell::default(),
        }
    }

    /// What Inductiva keeps of a group, as far as it was asked in this run.
    pub fn known(&self, name: &str) -> Known<Option<GroupRecord>> {
        if let Some(record) = self.known.borrow().get(name) {
            return record.clone();
        }
        // Only active groups are listed, and the name may be of one that has ended.
        let not_asked = || "Inductiva was not asked about it".to_owned();
        Err(match self.api {
            Some(_) => self.not_asked.borrow().clone().unwrap_or_else(not_asked),
            None => "there is no Inductiva API key".to_owned(),
        })
    }

    fn note(&self, name: &str, answer: Result<Option<&Group>, &ApiError>) {
        let record = answer.map(|group| group.map(GroupRecord::from));
        let record = record.map_err(|error| error.why().to_owned());
        self.known.borrow_mut().insert(name.to_owned(), record);
    }

    pub async fn side(&self, name: &GroupName) -> Side {
        let Some(api) = self.api else {
            return Side::NotAsked("there is no key to ask with".into());
        };
        let answer = api.group(name).await;
        self.note(name.as_str(), answer.as_ref().map(Option::as_ref));
        match answer {
            Ok(Some(group)) if group.is_active() => Side::Active(group),
            Ok(Some(_)) => Side::Ended,
            Ok(None) => Side::Absent,
            Err(error) => Side::NotAsked(error.why().to_owned()),
        }
    }

    /// The active groups; none if Inductiva cannot be asked.
    pub async fn active(&self) -> Option<Vec<Group>> {
        match self.api?.groups().await {
            Ok(groups) => {
                for group in &groups {
                    self.note(&group.name, Ok(Some(group)));
                }
                Some(groups)
            }
            Err(error) => {
                *self.not_asked.borrow_mut() = Some(error.why().to_owned());
                self.out.warn(&format!(
                    "Inductiva cannot be asked about groups without machines: {}",
                    error.why()
                ));
                None
            }
        }
    }

    /// Deletes those groups that are this program's and have lost their machines. They
    /// are deleted side by side, each after one more look at it.
    pub async fn delete(&self, groups: &[(GroupName, Claim)], look: &Look<'_>) -> Deleted {
        let mut deleted = Deleted::default();
        let Some(api) = self.api else {
            return deleted;
        };
        let deleting = groups.iter().map(|(name, claim)| async move {
            let result = Deleting { api, look, name }.delete(*claim).await;
            (name, *claim, result)
        });
        let mut deleting = stream::iter(deleting).buffered(SIDE_BY_SIDE);
        let mut progress = (groups.len() >= MANY).then(|| self.out.progress());
        let mut done = 0;
        while let Some((name, claim, result)) = deleting.next().await {
            done += 1;
            if let Some(progress) = &mut progress {
                progress.update(format!("machine groups: {done} of {}", groups.len()));
            }
            match result {
                Ok(true) => {
                    if claim == Claim::LeftOver {
                        let said =
                            format!("deleted the machine group {name}, which had no machines left");
                        match &progress {
                            Some(progress) => progress.note(&said),
                            None => self.out.say(&said),
                        }
                    }
                    deleted.names.push(name.to_string());
                }
                Ok(false) => {}
                Err(why) => deleted.kept.push((name.clone(), why)),
            }
        }
        deleted
    }

    pub fn say_kept(&self, kept: &[(GroupName, String)]) {
        for (name, why) in kept {
            self.out.warn(&format!(
                "the machine group {name} stays on Inductiva's side: {why}"
            ));
        }
    }
}

struct Deleting<'a> {
    api: &'a inductiva::Client,
    look: &'a Look<'a>,
    name: &'a GroupName,
}

impl Deleting<'_> {
    /// Deletes the group, and tells whether there was one.
    async fn delete(&self, claim: Claim) -> Result<bool, String> {
        if self.look.lives_in(self.name) {
            return Ok(false);
        }
        let why = |error: ApiError| error.why().to_owned();
        let group = self.api.group(self.name).await.map_err(why)?;
        let Some(group) = group.filter(Group::is_active) else {
            return Ok(false);
        };
        let view = self.look.view();
        if claim == Claim::LeftOver && view.judge(&group) != Some(LeftOver::Surely) {
            return Ok(false);
        }
        refuse_used(&group, &view.alive(&group))?;
        // Another start may have made the group meanwhile.
        let sign = last_look::without_machines(&self.look.found.machines, &group);
        if let (Claim::Emptied, Some(sign)) = (claim, sign) {
            return Err(sign.to_string());
        }
        // A group that was named and whose machines show here is not in another region.
        let (found, region) = (&self.look.found, &self.look.aws.region);
        let is_here = |m: &Machine| m.region == *region && is_of(m, &group);
        let is_elsewhere = claim != Claim::Typed || !found.machines.iter().any(is_here);
        let matters = is_elsewhere || found.hole_in(region).is_some();
        if let Some((regions, _)) = found.hole().filter(|_| matters) {
            return Err(format!("{regions} could not be asked for its machines"));
        }
        self.refuse_others(&group, claim).await?;
        self.api.delete_group(&group.id).await.map_err(why)?;
        Ok(true)
    }

    /// Refuses a group that is not certainly this program's or the one that was asked
    /// for: Inductiva may have answered with another one.
    async fn refuse_others(&self, group: &Group, claim: Claim) -> Result<(), String> {
        let machines = &self.look.found.machines;
        let is_of_another = |m: &&Machine| has_id_of(m, group) && !is_of(m, group);
        if let Some(other) = machines.iter().find(is_of_another) {
            return Err(format!(
                "Inductiva answers with the id of the group {}",
                other.group().unwrap_or_default()
            ));
        }
        if machines.iter().any(|m| is_of(m, group)) {
            return Ok(());
        }
        let is_ours = self.look.view().had_a_machine_of_ours(group) || group.has_ec2_type();
        if claim != Claim::Typed && !is_ours {
            return Err(format!(
                "it is not certain to be this program's ({} deletes it)",
                terminate_command(self.name)
            ));
        }
        let all = self.api.groups().await;
        let all = all.map_err(|error| error.why().to_owned())?;
        let same = |other: &Group| other.id == group.id && other.name == group.name;
        if group.id.is_empty() || !all.iter().any(same) {
            return Err("Inductiva's answers do not agree on its id".into());
        }
        Ok(())
    }
}

/// Refuses a group of another provider, and one with machines that are not known to be
/// gone: they are not ours to delete.
pub fn refuse_used(group: &Group, alive: &[&str]) -> Result<(), String> {
    if group.is_of_another_provider() {
        let provider = group.provider_id.as_deref().unwrap_or_default();
        return Err(format!("its machines are not on AWS but on {provider}"));
    }
    match alive {
        [] => Ok(()),
        hosts => Err(format!(
            "according to Inductiva, it has machines elsewhere: {}",
            hosts.join(" ")
        )),
    }
}
