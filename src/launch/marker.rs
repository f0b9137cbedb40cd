//! The group on Inductiva's side. Machines are told to join it, and while it is empty it
//! marks that a launch is under way ([`crate::plan::protocol`]).

use std::{cell::Cell, rc::Rc, time::Duration};

use tokio::sync::OnceCell;

use super::{
    look_up::{Found, GroupLookup},
    run::{OwnGroup, Run},
    world::World,
};
use crate::{
    error::{Failure, Result},
    inductiva::{ApiError, Group},
    model::machine::{Machine, TAG_GROUP_ID},
    plan::launch_plan::LaunchPlan,
};

/// An empty group on Inductiva's side that is younger than this may belong to a start
/// that is under way.
const YOUNG: Duration = Duration::from_mins(10);

/// What machines are told of their group on Inductiva's side.
pub enum GroupOnInductivasSide {
    /// The group's id. None where the API is out of reach: the machines look for its name
    /// then.
    Id(Option<String>),
    /// Another start is or was under way, and its machines may show now.
    LookAgain,
}

impl<W: World> Run<'_, W> {
    /// The group that the machines of a plan are to join: the one that exists, or a new
    /// one. `has_waited` tells whether the run has waited for another start's machines
    /// already.
    pub async fn group(
        &self,
        plan: &LaunchPlan,
        found: &Found,
        has_waited: bool,
    ) -> Result<GroupOnInductivasSide> {
        use GroupOnInductivasSide::{Id, LookAgain};
        if !plan.is_new() {
            self.refuse_ended_group(plan, found).await?;
            return Ok(Id(plan.group_id.clone()));
        }
        let has_made_one = self.own_group.borrow().is_some();
        if let Some(own) = self.own_group_still_there(&found.group).await {
            return Ok(Id(Some(own.id.clone())));
        }
        if has_made_one && self.is_later_round.get() {
            return Err(self.ended_while_it_waited());
        }
        let may_wait = plan.existing.is_empty() && !has_waited;
        match &found.group {
            GroupLookup::Active(group) => {
                if may_wait && is_a_start_under_way(group, found) {
                    return self.wait_for_another_start(plan).await.map(|()| LookAgain);
                }
                return Ok(Id(Some(group.id.clone())));
            }
            GroupLookup::OutOfReach(why) => return Ok(Id(self.out_of_reach(plan, why))),
            GroupLookup::Absent => {}
        }
        match self.world.make_group(&plan.vm_type, plan.volume_gib).await {
            Ok(id) => {
                *self.own_group.borrow_mut() = Some(Rc::new(OwnGroup {
                    id: id.clone(),
                    is_only_one: OnceCell::new(),
                    has_had_machines: Cell::default(),
                }));
                Ok(Id(Some(id)))
            }
            Err(ApiError::OutOfReach(why)) => match self.world.group().await {
                // The answer was lost. This run's group may have been made all the same,
                // or another run has made one.
                Ok(_) if may_wait => self.wait_for_another_start(plan).await.map(|()| LookAgain),
                Ok(Some(group)) if group.is_active() => Ok(Id(Some(group.id))),
                _ => Ok(Id(self.out_of_reach(plan, &why))),
            },
            Err(ApiError::NameTaken(why)) => match self.world.group().await {
                // Another start was faster, and may have launched machines already.
                Ok(Some(group)) if group.is_active() && !may_wait => Ok(LookAgain),
                Ok(Some(group)) if group.is_active() => {
                    self.wait_for_another_start(plan).await.map(|()| LookAgain)
                }
                _ => Err(Failure::from(ApiError::NameTaken(why))
                    .while_doing("cannot make the machine group")),
            },
            Err(error) => Err(Failure::from(error).while_doing("cannot make the machine group")),
        }
    }

    /// Refuses to go on with a launch whose group was ended on Inductiva's side. Its
    /// machines could join no group, and the next start has a group of its own.
    async fn refuse_ended_group(&self, plan: &LaunchPlan, found: &Found) -> Result<()> {
        let Some(id) = &plan.group_id else {
            return Ok(());
        };
        if self.is_active(id, &found.group).await {
            return Ok(());
        }
        let why = "was ended while a start of it was under way";
        Err(self.passed_over(why, &plan.existing))
    }

    /// Whether machines can still join the group of this id, as far as Inductiva tells.
    async fn is_active(&self, id: &str, lookup: &GroupLookup) -> bool {
        match lookup {
            GroupLookup::Active(group) if group.id == id => true,
            // Inductiva may have made two groups of one name, and looked up the other
            // one.
            GroupLookup::Active(_) => match self.world.active_groups().await {
                Ok(groups) => groups.iter().any(|group| group.id == id),
                Err(_) => true,
            },
            GroupLookup::OutOfReach(_) => true,
            GroupLookup::Absent => false,
        }
    }

    /// The failure when somebody has ended the group between two rounds: whoever did so
    /// wants no machines.
    fn ended_while_it_waited(&self) -> Failure {
        Failure::failed(format!(
            "the group {} was ended while this start waited for capacity",
            self.request.group
        ))
        .hint("nothing was launched; run the same line again to start the group again")
    }

    /// Whether another start has launched machines of this run's own group, in any
    /// region, while this run waited for capacity.
    pub async fn others_use_own_group(&self) -> bool {
        let own = self.own_group.borrow().clone();
        let Some(own) = own.filter(|_| self.is_later_round.get()) else {
            return false;
        };
        let (everywhere, group) = tokio::join!(self.world.everywhere(), self.world.group());
        let is_of_it = |m: &Machine| m.tag(TAG_GROUP_ID) == Some(own.id.as_str());
        let machines = everywhere.map(|survey| survey.machines).unwrap_or_default();
        let is_used = machines.iter().any(|m| m.state.is_live() && is_of_it(m));
        is_used || matches!(group, Ok(Some(group)) if !group.machines.is_empty())
    }

    /// The group that this run made, if nobody has deleted it meanwhile.
    async fn own_group_still_there(&self, lookup: &GroupLookup) -> Option<Rc<OwnGroup>> {
        let own = self.own_group.borrow().clone()?;
        let is_there = match lookup {
            GroupLookup::Active(group) if !self.is_later_round.get() => group.id == own.id,
            lookup => self.is_active(&own.id, lookup).await,
        };
        if !is_there {
            self.own_group.take();
        }
        is_there.then_some(own)
    }

    /// Says that machines will find the group by its name. The id that they can be told
    /// anyway, if there is one.
    fn out_of_reach(&self, plan: &LaunchPlan, why: &str) -> Option<String> {
        self.out.warn(&format!(
            "Inductiva's API is out of reach ({why}): launching anyway; the machines look for the group {} themselves",
            self.request.group
        ));
        let mut ids = plan.existing.iter().filter_map(|m| m.tag(TAG_GROUP_ID));
        ids.find(|id| !id.is_empty()).map(str::to_owned)
    }

    async fn wait_for_another_start(&self, plan: &LaunchPlan) -> Result<()> {
        self.out.say(
            "another start of this group seems to be under way: waiting for its machines to show, two and a half minutes at most",
        );
        self.something_shows(&plan.seen).await.map(|_| ())
    }

    /// Whether the group on Inductiva's side tells a `terminate` of the launch while EC2
    /// shows none of its machines. It does so only while it has no other machines
    /// ([`last_look`](crate::machines::last_look)).
    pub fn group_tells(&self, found: &Found, group_id: Option<&str>) -> bool {
        let is_own = self.own_group.borrow().is_some();
        let is_there = is_own || matches!(found.group, GroupLookup::Active(_));
        let mut others = found.facts.machines.iter();
        is_there && !others.any(|m| m.tag(TAG_GROUP_ID) == group_id)
    }

    /// Whether no other start can be under way. That is so if this run made the group on
    /// Inductiva's side, the group is the only one of its name, and no machine of it has
    /// been known.
    pub async fn is_sole_maker(&self, plan: &LaunchPlan) -> bool {
        let own = self.own_group.borrow().clone();
        let is_new = own.is_some_and(|own| !own.has_had_machines.get());
        let is_new = is_new && !self.is_later_round.get();
        is_new && plan.existing.is_empty() && self.is_only_group().await && !self.has_slept()
    }

    /// Asks, once in a run, whether the group that this run made is the only one of its
    /// name.
    pub async fn is_only_group(&self) -> bool {
        let Some(own) = self.own_group.borrow().clone() else {
            return false;
        };
        let ask = || async {
            let groups = self.world.active_groups().await.unwrap_or_default();
            groups.iter().all(|group| group.id == own.id) && !groups.is_empty()
        };
        *own.is_only_one.get_or_init(ask).await
    }

    /// Deletes the group that this run made on Inductiva's side if none of the machines
    /// belongs to it: another start was faster.
    pub async fn drop_unused_group(&self, machines: &[Machine]) {
        let made = self.own_group.borrow().clone();
        // Machines without an id look for the group by its name, and may find this one.
        let is_of_another = |m: &Machine, id: &str| {
            m.tag(TAG_GROUP_ID)
                .is_some_and(|other| !other.is_empty() && other != id)
        };
        if let Some(own) = made
            && machines.iter().all(|m| is_of_another(m, &own.id))
        {
            self.drop_own_group().await;
        }
    }

    /// Deletes the group that this run made on Inductiva's side if all its machines have
    /// ended while they booted. None of them has joined it, so none deletes it.
    pub async fn drop_deserted_group(&self) {
        let Some(own) = self.own_group.borrow().clone() else {
            return;
        };
        match self.world.machines().await {
            Ok(machines) if machines.iter().any(|m| !m.state.is_gone()) => {}
            Ok(_) => self.drop_own_group().await,
            Err(failure) => self.warn_of_group(&own.id, &failure.message),
        }
    }

    /// Deletes the group that this run made on Inductiva's side.
    pub async fn drop_own_group(&self) {
        let Some(own) = self.own_group.take() else {
            return;
        };
        if let Err(error) = self.world.delete_group(&own.id).await {
            self.warn_of_group(&own.id, error.why());
        }
    }

    fn warn_of_group(&self, id: &str, why: &str) {
        self.out.warn(&format!(
            "the machine group {} ({id}) is left on Inductiva's side: {why}",
            self.request.group
        ));
    }
}

/// Whether an empty group may belong to a start that is under way.
fn is_a_start_under_way(group: &Group, found: &Found) -> bool {
    let facts = &found.facts;
    let is_young = group.created_at.is_some_and(|made| {
        // A time in the future only means that the clocks differ a little.
        let age = facts.looked_at.duration_since(made).unwrap_or_default();
        age < YOUNG
    });
    let mut ids = facts.machines.iter().filter_map(|m| m.tag(TAG_GROUP_ID));
    is_young && !ids.any(|id| id == group.id)
}
