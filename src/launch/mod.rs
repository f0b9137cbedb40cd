//! Carrying a plan out: the group on Inductiva's side, what is made only once,
//! `RunInstances`, and the way back when it fails.

mod calls;
mod capacity;
pub mod key_pair;
pub mod look_up;
mod pace;
mod undo;
mod walk;

use std::cell::{Cell, RefCell};

use tokio::sync::OnceCell;

pub use self::calls::interrupted;
use self::{calls::Calls, key_pair::NewKeyPair, look_up::GroupLookup, pace::Pace};
use crate::{
    aws::Aws,
    error::{Failure, Result},
    inductiva::{self, ApiError},
    model::{
        machine::{Machine, TAG_GROUP_ID},
        request::Request,
    },
    plan::decision::{LaunchPlan, SecurityGroupChoice},
    terminal::{interrupt::Interrupt, output::Output},
};

/// Everything that the launches of a run work with, and what they have made.
pub struct Launcher<'a> {
    aws: &'a Aws,
    api: &'a inductiva::Client,
    request: &'a Request,
    /// A key pair to make for it.
    key_pair: Option<&'a NewKeyPair>,
    /// `--keep-on-failure`.
    keep_on_failure: bool,
    interrupt: &'a Interrupt,
    out: Output,
    pace: Pace,
    /// Which zones offer the types, once it is asked; none when it cannot be told.
    offerings: OnceCell<Option<Vec<(String, String)>>>,
    made: Made,
}

/// What a run has made so far: what is taken back when it fails.
#[derive(Default)]
struct Made {
    /// Machines that EC2 answered its calls with.
    machines: RefCell<Vec<Machine>>,
    /// Other runs' machines that EC2 has told of without showing them.
    told: RefCell<Vec<Machine>>,
    /// The id of a group on Inductiva's side.
    group: RefCell<Option<String>>,
    /// The key pair.
    key_pair: Cell<bool>,
    /// A security group, which stays.
    security_group: Cell<bool>,
}

/// What machines are told of their group.
enum GroupOnInductivasSide {
    /// Its id; none where the API is out of reach, and they look for its name.
    Id(Option<String>),
    /// Another start made it after this one had looked: it is to look again.
    MadeMeanwhile,
}

impl<'a> Launcher<'a> {
    /// A run that has made nothing yet.
    pub fn new(
        aws: &'a Aws,
        api: &'a inductiva::Client,
        request: &'a Request,
        key_pair: Option<&'a NewKeyPair>,
        keep_on_failure: bool,
        interrupt: &'a Interrupt,
        out: Output,
    ) -> Self {
        Self {
            aws,
            api,
            request,
            key_pair,
            keep_on_failure,
            interrupt,
            out,
            pace: Pace::new(&aws.time),
            offerings: OnceCell::new(),
            made: Made::default(),
        }
    }

    /// Launches what the plan says: the machines and the group's id on
    /// Inductiva's side, or none when the facts have changed under the plan.
    ///
    /// # Errors
    /// Whatever failed. What this run has made is there still, see [`Self::clean_up`].
    pub async fn launch(
        &self,
        plan: &LaunchPlan,
        lookup: &GroupLookup,
    ) -> Result<Option<(Vec<Machine>, Option<String>)>> {
        let (group_id, security_group) =
            tokio::join!(self.group(plan, lookup), self.security_group(plan));
        let security_group_id = security_group?;
        let GroupOnInductivasSide::Id(group_id) = group_id? else {
            return Ok(None);
        };
        if let Some(key_pair) = self.key_pair.filter(|_| !self.made.key_pair.get()) {
            key_pair.make(self.aws, self.out).await?;
            self.made.key_pair.set(true);
        }
        let user_data = plan.user_data(self.request, group_id.as_deref())?;
        let calls = Calls::new(
            self,
            plan,
            group_id.as_deref(),
            &security_group_id,
            user_data,
        );
        let Some(launched) = calls.run().await? else {
            return Ok(None);
        };
        if self.interrupt.fired() {
            return Err(interrupted());
        }
        let have = plan.existing.len() + launched.len();
        if plan.or_fewer && plan.is_new() && have < self.request.least() as usize {
            return Err(calls.no_capacity());
        }
        let ids: Vec<&str> = launched.iter().map(|m| m.instance_id.as_str()).collect();
        self.out.say(&format!("launched {}", ids.join(" ")));
        Ok(Some((launched, group_id)))
    }

    /// Machines that this run knows of whether EC2 shows them or not.
    pub fn known(&self) -> Vec<Machine> {
        let (made, told) = (self.made.machines.borrow(), self.made.told.borrow());
        made.iter().chain(told.iter()).cloned().collect()
    }

    /// How many of `machines` this run has launched.
    pub fn launched_of(&self, machines: &[Machine]) -> usize {
        let made = self.made.machines.borrow();
        let is_ours = |m: &&Machine| made.iter().any(|ours| ours.instance_id == m.instance_id);
        machines.iter().filter(is_ours).count()
    }

    /// Remembers machines that EC2 has answered this run's calls with.
    fn made(&self, machines: &[Machine]) {
        self.interrupt
            .launched(machines.iter().map(|m| &m.instance_id));
        self.made.machines.borrow_mut().extend_from_slice(machines);
    }

    /// Whether EC2 may not know yet of something that this run has made.
    fn made_something_new(&self) -> bool {
        self.made.security_group.get() || self.made.key_pair.get()
    }

    /// Takes back a group on Inductiva's side that none of the machines is of:
    /// another start was faster.
    pub async fn drop_unused_group(&self, machines: &[Machine]) {
        let made = self.made.group.borrow().clone();
        // Machines without an id look for the group by its name: it may be this one.
        let is_of_another = |m: &Machine, id: &str| {
            m.tag(TAG_GROUP_ID)
                .is_some_and(|other| !other.is_empty() && other != id)
        };
        let unused = |id: &String| machines.iter().all(|m| is_of_another(m, id));
        if let Some(id) = made.filter(unused) {
            self.made.group.take();
            self.delete_group(&id).await;
        }
    }

    /// Takes back a group on Inductiva's side whose machines have all ended while
    /// they booted: none has joined it, so none deletes it.
    pub async fn drop_deserted_group(&self) {
        let Some(id) = self.made.group.take() else {
            return;
        };
        match self.aws.group_machines(&self.request.group).await {
            Ok(machines) if machines.iter().any(|m| !m.state.is_gone()) => {}
            Ok(_) => self.delete_group(&id).await,
            Err(failure) => self.warn_of_group(&id, &failure.message),
        }
    }

    /// Remembers machines of other runs.
    fn told(&self, machines: Vec<Machine>) {
        self.made.told.borrow_mut().extend(machines);
    }

    /// The group's id: the one that is there, or a new one's. Without the API,
    /// machines find the group by its name.
    async fn group(
        &self,
        plan: &LaunchPlan,
        lookup: &GroupLookup,
    ) -> Result<GroupOnInductivasSide> {
        use GroupOnInductivasSide::{Id, MadeMeanwhile};
        let out_of_reach = |why: &str| {
            let known = plan
                .existing
                .iter()
                .filter_map(|m| m.tag(TAG_GROUP_ID))
                .find(|id| !id.is_empty());
            self.out.warn(&format!(
                "Inductiva's API is out of reach ({why}): launching all the same, the machines look for the group {} themselves",
                self.request.group
            ));
            Id(known.map(str::to_owned))
        };
        if let Some(id) = &*self.made.group.borrow() {
            return Ok(Id(Some(id.clone())));
        }
        match lookup {
            GroupLookup::Active(group) => return Ok(Id(Some(group.id.clone()))),
            GroupLookup::OutOfReach(why) => return Ok(out_of_reach(why)),
            GroupLookup::Absent => {}
        }
        let created = self
            .api
            .create_group(
                &self.request.group,
                &self.request.vm_type,
                &plan.vm_type,
                plan.volume_gib,
            )
            .await;
        let id = match created {
            Ok(id) => id,
            Err(ApiError::OutOfReach(why)) => {
                // It may have been made although the answer did not come.
                match self.api.group_to_join(&self.request.group).await {
                    Ok(Some(group)) => group.id,
                    _ => return Ok(out_of_reach(&why)),
                }
            }
            Err(error) => {
                // Another start was faster: its machines may be there, too.
                if matches!(error, ApiError::NameTaken(_))
                    && let Ok(Some(_)) = self.api.group_to_join(&self.request.group).await
                {
                    return Ok(MadeMeanwhile);
                }
                return Err(Failure::from(error).while_doing("cannot make the machine group"));
            }
        };
        *self.made.group.borrow_mut() = Some(id.clone());
        Ok(Id(Some(id)))
    }

    async fn delete_group(&self, id: &str) {
        if let Err(error) = self.api.delete_group(id).await {
            self.warn_of_group(id, error.why());
        }
    }

    fn warn_of_group(&self, id: &str, why: &str) {
        self.out.warn(&format!(
            "the machine group {} ({id}) is left on Inductiva's side: {why}",
            self.request.group
        ));
    }

    async fn security_group(&self, plan: &LaunchPlan) -> Result<String> {
        match &plan.security_group {
            SecurityGroupChoice::Existing(id) => Ok(id.clone()),
            SecurityGroupChoice::New { name, vpc_id } => {
                self.made.security_group.set(true);
                self.aws
                    .create_security_group(name, vpc_id, self.request.ssh_from.as_ref())
                    .await
            }
        }
    }
}
