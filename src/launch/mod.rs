//! Carrying a request out: looking and planning, the group on Inductiva's side, what is
//! made only once, `RunInstances`, and the undo when a launch fails.

mod announced;
mod attempt;
mod calls;
mod capacity;
mod elsewhere;
#[cfg(test)]
mod histories;
pub mod key_pair;
pub mod look_up;
mod marker;
mod outcome;
mod pace;
mod private_key;
mod regions;
mod rounds;
mod run;
#[cfg(test)]
mod simulation;
mod undo;
mod walk;
pub mod world;

use std::{
    cell::{Cell, RefCell},
    time::{Duration, SystemTime},
};

pub use self::run::{LaunchOptions, NOTHING_LAUNCHED};
use self::{
    calls::Calls,
    key_pair::NewKeyPair,
    look_up::{Found, GroupLookup},
    marker::GroupOnInductivasSide,
    outcome::Launched,
    run::{Run, interrupted, look_again_after},
    world::World,
};
use crate::{
    error::{Failure, Kind, Result},
    model::{
        machine::{self, Machine, TAG_GROUP_ID},
        request::Request,
        visibility::{ARRIVES_WITHIN, MADE_OR_NOT_AFTER},
    },
    plan::{
        choices::SecurityGroupChoice,
        decision::{self, Plan},
        launch_plan::LaunchPlan,
    },
    terminal::{interrupt::Interrupt, output::Output},
    values::VmType,
};

/// How often a plan is made anew because the facts have changed under it.
const MOST_PLANS: u32 = 20;
/// How many numbers of an hour's launches may turn out to be used. So many are no
/// accident.
const MOST_USED_NUMBERS: u32 = 50;
/// The pause before the next plan.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// By then a launch whose machines do not all show is settled.
const SETTLED_WITHIN: Duration = Duration::from_secs(ARRIVES_WITHIN.as_secs() + 60);

/// Everything that the launches of a run work with.
pub struct Launcher<'a, W> {
    run: Run<'a, W>,
    /// The types that the start turned out to be about, where the user named none.
    other_types: RefCell<Option<Vec<VmType>>>,
}

/// What the group is made of now.
pub struct Filled {
    pub found: Found,
    /// The group's id on Inductiva's side.
    pub group_id: Option<String>,
    /// The image that the machines were launched from.
    pub image_id: Option<String>,
    pub machines: Vec<Machine>,
}

/// What carrying out a plan came to.
enum Step {
    Launched(Vec<Machine>, Option<String>),
    PlanAgain,
    NumberWasUsed,
}

impl<'a, W: World> Launcher<'a, W> {
    /// A run that has made nothing yet.
    pub fn new(
        world: &'a W,
        request: &'a Request,
        key_pair: Option<&'a NewKeyPair>,
        options: LaunchOptions,
        interrupt: &'a Interrupt,
        out: Output,
    ) -> Self {
        let run = Run::new(world, request, key_pair, options, interrupt, out);
        Self {
            run,
            other_types: RefCell::default(),
        }
    }

    /// Looks and plans once no earlier launch of the group has machines that may still
    /// show.
    ///
    /// # Errors
    /// Something could not be looked up, the request is impossible, or the group does not
    /// settle.
    pub async fn decide(&self) -> Result<(Found, Plan)> {
        let run = &self.run;
        let mut waiting_since = None;
        loop {
            let found = run.look().await?;
            let mut plan = decision::plan(run.request, &found.facts, run.used_number())?;
            if let Plan::OtherTypes(types) = plan {
                return Err(self.begin_anew_with(types));
            }
            if let Plan::Launch(plan) = &mut plan {
                run.keep_image(plan);
                run.refuse_other_regions(&found).await?;
            }
            if !matches!(plan, Plan::Settling) {
                return Ok((found, plan));
            }
            let waiting_since = *waiting_since.get_or_insert_with(|| {
                run.out.say(
                    "an earlier start of this group may be under way: waiting for its machines to show",
                );
                found.asked_at
            });
            let waited = found
                .asked_at
                .duration_since(waiting_since)
                .unwrap_or_default();
            if waited > SETTLED_WITHIN {
                return Err(self.keeps_changing());
            }
            run.pause(look_again_after(waiting_since, found.asked_at))
                .await?;
        }
    }

    /// Plans and launches until the group has its machines, or there is no capacity for
    /// them.
    async fn round(&self, approve: &impl Fn(&Found, &LaunchPlan) -> Result<()>) -> Result<Filled> {
        let has_waited = Cell::new(false);
        let (mut plans, mut used_numbers) = (0, 0);
        while plans < MOST_PLANS && used_numbers < MOST_USED_NUMBERS {
            let (found, plan) = self.decide().await?;
            let plan = match plan {
                Plan::Settling | Plan::OtherTypes(_) => continue,
                Plan::Complete(machines) => return Ok(self.complete(found, machines)),
                Plan::Launch(plan) => plan,
            };
            approve(&found, &plan)?;
            match self.launch(&plan, &found, &has_waited).await? {
                Step::Launched(new, group_id)
                    if self.is_enough(&plan, plan.existing.len() + new.len()) =>
                {
                    return Ok(Filled {
                        group_id,
                        image_id: Some(plan.image.id.clone()),
                        machines: plan.existing.into_iter().chain(new).collect(),
                        found,
                    });
                }
                Step::NumberWasUsed => used_numbers += 1,
                Step::Launched(..) | Step::PlanAgain => {
                    plans += 1;
                    self.run.pause(AGAIN_AFTER).await?;
                }
            }
        }
        Err(self.keeps_changing())
    }

    /// The failure after which the run begins anew with a request for these types.
    fn begin_anew_with(&self, types: Vec<VmType>) -> Failure {
        let names: Vec<&str> = types.iter().map(VmType::as_str).collect();
        let failure = Failure::failed(format!(
            "the group {} is of {}",
            self.run.request.group,
            names.join(",")
        ))
        .hint(format!("the same line with --vm-type {}", names.join(",")));
        // Once this run has made something, it was of the types of its request.
        if self.run.known().is_empty() {
            self.other_types.replace(Some(types));
        }
        failure
    }

    /// The types to begin anew with after [`Self::decide`] or [`Self::fill`] has failed,
    /// where the user named none.
    pub fn other_types(&self) -> Option<Vec<VmType>> {
        self.other_types.take()
    }

    fn keeps_changing(&self) -> Failure {
        Failure::failed(format!(
            "the group {} keeps changing while it is looked at",
            self.run.request.group
        ))
        .hint("is another start of the group running? try again when it is done")
    }

    /// A group that has its machines.
    fn complete(&self, found: Found, machines: Vec<Machine>) -> Filled {
        if self.run.known().is_empty() {
            self.run.out.say(&format!(
                "the group {} has {} already, nothing to launch",
                self.run.request.group,
                machine::count(machines.len())
            ));
        }
        Filled {
            group_id: group_id(&found, &machines),
            image_id: machines.first().and_then(|m| m.image_id.clone()),
            machines,
            found,
        }
    }

    /// Whether the group has its machines, or as many as there was capacity for.
    fn is_enough(&self, plan: &LaunchPlan, have: usize) -> bool {
        let (run, wanted) = (&self.run, self.run.request.num_machines as usize);
        let enough = plan.tag.or_fewer && plan.is_new() && have >= run.request.least() as usize;
        if enough && have < wanted {
            run.out.say(&format!(
                "the group has {} of the {wanted} asked for: there was no capacity for more (the same line later tries again)",
                machine::count(have)
            ));
        }
        enough || have == wanted
    }

    async fn launch(
        &self,
        plan: &LaunchPlan,
        found: &Found,
        has_waited: &Cell<bool>,
    ) -> Result<Step> {
        let run = &self.run;
        // A key pair that cannot be used is found out before anything is made.
        if let Some(key_pair) = run.key_pair.filter(|_| !run.made_key_pair.get()) {
            run.world.look_at_key_pair(key_pair).await?;
        }
        let (group, security_group) = tokio::join!(
            run.group(plan, found, has_waited.get()),
            self.security_group(plan)
        );
        let security_group_id = security_group?;
        let GroupOnInductivasSide::Id(group_id) = group? else {
            has_waited.set(true);
            return Ok(Step::PlanAgain);
        };
        if self.waits_for_the_hour_before(plan).await? {
            return Ok(Step::PlanAgain);
        }
        self.make_key_pair().await?;
        let user_data = plan.user_data(run.request, group_id.as_deref())?;
        let calls = Calls::new(
            run,
            plan,
            found,
            group_id.as_deref(),
            &security_group_id,
            user_data,
        );
        // This is asked beside the launch, as only a launch that shows no machines needs
        // the answer.
        let (launched, _) = tokio::join!(calls.run(), run.is_only_group());
        let launched = match launched? {
            Launched::Machines(machines) => machines,
            Launched::LookAgain => return Ok(Step::PlanAgain),
            Launched::NumberWasUsed => return Ok(Step::NumberWasUsed),
        };
        if run.interrupt.fired() {
            return Err(interrupted());
        }
        let have = plan.existing.len() + launched.len();
        if plan.tag.or_fewer && plan.is_new() && have < run.request.least() as usize {
            return Err(calls.no_capacity());
        }
        run.out.say(&announced::launched(&launched, run.request));
        let is_told = !plan.is_new() || run.group_tells(found, group_id.as_deref());
        if (calls.has_walked.get() || !is_told) && !run.may_stay(plan, &launched).await? {
            return Ok(Step::PlanAgain);
        }
        Ok(Step::Launched(launched, group_id))
    }

    /// Right after the turn of the hour a new launch waits for those of the hour before,
    /// unless no other start can be under way. Tells whether it has waited.
    async fn waits_for_the_hour_before(&self, plan: &LaunchPlan) -> Result<bool> {
        let run = &self.run;
        let Some(intent) = plan.intent() else {
            return Ok(false);
        };
        let until = intent.begins + MADE_OR_NOT_AFTER;
        let looked_at = plan.looked_at;
        if looked_at >= until || run.is_sole_maker(plan).await {
            return Ok(false);
        }
        run.out.say(
            "the hour of this group's client tokens has just begun: waiting for machines of the last one to show, some three minutes at most",
        );
        let until = run.world.local_time(until) + spread(run.world.time().now());
        run.something_shows_until(&plan.seen, until).await?;
        Ok(true)
    }

    async fn security_group(&self, plan: &LaunchPlan) -> Result<String> {
        match &plan.security_group {
            SecurityGroupChoice::Existing(id) => Ok(id.clone()),
            SecurityGroupChoice::New { name, vpc_id } => {
                self.run.world.make_security_group(name, vpc_id).await
            }
        }
    }

    async fn make_key_pair(&self) -> Result<()> {
        let run = &self.run;
        if let Some(key_pair) = run.key_pair.filter(|_| !run.made_key_pair.get()) {
            let is_made = run.world.make_key_pair(key_pair, run.out).await?;
            run.made_key_pair.set(is_made);
        }
        Ok(())
    }

    /// How many of `machines` this run has launched.
    pub fn launched_of(&self, machines: &[Machine]) -> usize {
        machines.iter().filter(|m| self.run.has_made(m)).count()
    }

    /// Deletes a group on Inductiva's side that none of the machines belongs to: another
    /// start was faster.
    pub async fn drop_unused_group(&self, machines: &[Machine]) {
        self.run.drop_unused_group(machines).await;
    }

    /// Deletes a group on Inductiva's side whose machines have all ended while they
    /// booted.
    pub async fn drop_deserted_group(&self) {
        self.run.drop_deserted_group().await;
    }

    /// Undoes what this run has launched and made, and says what it could not undo.
    pub async fn clean_up(&self, failure: Failure) -> Failure {
        let run = &self.run;
        let failure = run.undo(failure).await;
        if failure.kind != Kind::MachinesMayBeRunning
            && let Some(key_pair) = run.key_pair.filter(|_| run.made_key_pair.get())
        {
            run.world.unmake_key_pair(key_pair, run.out).await;
        }
        failure
    }
}

/// Up to ten seconds, taken from the fraction of a second at which the run comes to wait.
/// Several starts that wait for the same moment launch at different times so.
fn spread(now: SystemTime) -> Duration {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
    Duration::from_millis(u64::from(since_1970.unwrap_or_default().subsec_millis()) * 10)
}

/// The group's id: Inductiva's answer, else the machines' own tag.
pub fn group_id(found: &Found, machines: &[Machine]) -> Option<String> {
    match &found.group {
        GroupLookup::Active(group) => Some(group.id.clone()),
        _ => machines
            .iter()
            .filter_map(|m| m.tag(TAG_GROUP_ID))
            .find(|id| !id.is_empty())
            .map(str::to_owned),
    }
}
