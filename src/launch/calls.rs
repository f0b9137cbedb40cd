//! The `RunInstances` calls of a launch: as [`crate::plan::tokens`] tells.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, SystemTime},
};

use super::{
    Launcher,
    pace::{Patience, side_by_side},
    walk::Walk,
};
use crate::{
    aws::run_instances::{Launch, LaunchError, NoCapacity, Remedy},
    error::{Failure, Kind, Result, Tried},
    model::{
        machine::{self, Machine},
        place::{Candidate, Place},
    },
    plan::{
        decision::{LaunchId, LaunchPlan},
        tokens::{Base, Call},
        underway::{VISIBLE_WITHIN, YOUNG},
    },
    terminal::{command_line::terminate_command, output::Progress},
};

/// Between two looks for machines that are to show.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Launches of one group within the life of their tokens that were other
/// launches' already: so many are no accident.
const MOST_GENERATIONS: u32 = 50;

/// The calls of a plan, and what they share.
pub struct Calls<'a> {
    pub(super) launcher: &'a Launcher<'a>,
    pub(super) plan: &'a LaunchPlan,
    group_id: Option<&'a str>,
    security_group_id: &'a str,
    user_data: Vec<u8>,
    /// The facts of the plan may be old by then: a computer that slept.
    since: SystemTime,
    /// One of the calls has failed: no other is to begin.
    failed: Cell<bool>,
    /// Where there was no capacity.
    pub(super) tried: RefCell<Vec<Tried>>,
    /// The last answer of a call that has not got all its machines.
    pub(super) short: RefCell<Option<Failure>>,
}

/// What a call came to.
enum End {
    /// Its machines.
    Launched(Vec<Machine>),
    /// Its token was spent on machines that are gone.
    Spent,
    /// Its token was spent on other bytes.
    Mismatch,
    /// The facts have changed under the plan.
    Again,
    /// Not made, as another call has failed.
    NotMade,
}

/// What an attempt of a call came to.
enum Attempt {
    Ended(End),
    NoCapacity(Box<NoCapacity>),
}

impl<'a> Calls<'a> {
    pub fn new(
        launcher: &'a Launcher<'a>,
        plan: &'a LaunchPlan,
        group_id: Option<&'a str>,
        security_group_id: &'a str,
        user_data: Vec<u8>,
    ) -> Self {
        Self {
            launcher,
            plan,
            group_id,
            security_group_id,
            user_data,
            since: launcher.aws.time.now(),
            failed: Cell::new(false),
            tried: RefCell::default(),
            short: RefCell::default(),
        }
    }

    /// Makes them; none when the facts have changed under the plan.
    pub async fn run(&self) -> Result<Option<Vec<Machine>>> {
        let mut calls: &[Call] = &self.plan.calls;
        let mut launched = Vec::new();
        let mut base = self.plan.launch.base(0);
        if let (LaunchId::New(_), Some((first, rest))) = (&self.plan.launch, calls.split_first()) {
            let Some((accepted, machines)) = self.first(*first).await? else {
                return Ok(None);
            };
            // Where the first call got fewer, there are none for the others.
            let all = machines.len() == first.number as usize;
            (base, calls) = (accepted, if all { rest } else { &[] });
            launched.extend(machines);
        }
        self.others(&base, calls, launched).await
    }

    /// The call that decides the generation, and its machines.
    async fn first(&self, call: Call) -> Result<Option<(Base, Vec<Machine>)>> {
        for generation in 0..MOST_GENERATIONS {
            let base = self.plan.launch.base(generation);
            match self.call(&base, call).await? {
                End::Launched(machines) => return Ok(Some((base, machines))),
                End::Again | End::NotMade => return Ok(None),
                End::Spent => {}
                End::Mismatch => {
                    if self.something_shows().await? {
                        return Ok(None);
                    }
                }
            }
        }
        Err(Failure::failed(format!(
            "EC2 still remembers earlier launches of the group {} and starts no new one under its name",
            self.launcher.request.group
        ))
        .hint("choose another --machine-group-name"))
    }

    /// The other calls, side by side as far as EC2's buckets allow.
    async fn others(
        &self,
        base: &Base,
        calls: &[Call],
        mut launched: Vec<Machine>,
    ) -> Result<Option<Vec<Machine>>> {
        let progress = RefCell::new(self.launcher.out.progress());
        let all = self.plan.calls.len();
        let done = Cell::new(all - calls.len());
        let ends = side_by_side(calls.iter().map(|call| async {
            let end = self.other(base, *call).await;
            self.failed.set(self.failed.get() || end.is_err());
            if let Ok(Some(_)) = end {
                done.set(done.get() + 1);
                show(&mut progress.borrow_mut(), done.get(), all);
            }
            end
        }))
        .await;
        drop(progress);
        let mut whole = true;
        for end in ends {
            match end? {
                Some(machines) => launched.extend(machines),
                None => whole = false,
            }
        }
        Ok(whole.then_some(launched))
    }

    /// A call of a launch that was accepted: its machines, or none when the
    /// facts have changed.
    async fn other(&self, base: &Base, call: Call) -> Result<Option<Vec<Machine>>> {
        match self.call(base, call).await? {
            End::Launched(machines) => Ok(Some(machines)),
            End::Again | End::Spent | End::NotMade => Ok(None),
            End::Mismatch if self.something_shows().await? => Ok(None),
            End::Mismatch => {
                let group = &self.launcher.request.group;
                Err(Failure::new(
                    Kind::MachinesMayBeRunning,
                    format!(
                        "another start of the group {group} has launched {} that EC2 does not show: they may be running",
                        machine::count(call.number as usize)
                    ),
                )
                .hint(format!(
                    "try again in ten minutes, or end the group: {}",
                    terminate_command(group)
                )))
            }
        }
    }

    /// One call's machines, wherever there is capacity for them.
    async fn call(&self, base: &Base, call: Call) -> Result<End> {
        let mut walk = Walk::new(self.launcher.request);
        let mut launched = Vec::new();
        let mut missing = call.number;
        let mut last = None;
        while let Some(candidate) = walk.next() {
            let remedy = match self.attempt(base, call, &candidate, missing).await? {
                Attempt::Ended(End::Launched(machines)) => {
                    missing =
                        missing.saturating_sub(u32::try_from(machines.len()).unwrap_or(missing));
                    launched.extend(machines);
                    Remedy::Place
                }
                Attempt::Ended(end) if launched.is_empty() => return Ok(end),
                Attempt::Ended(_) => return Ok(End::Again),
                Attempt::NoCapacity(none) => {
                    last = Some(none.failure);
                    self.tried(none.tried);
                    none.remedy
                }
            };
            if missing == 0 {
                return Ok(End::Launched(launched));
            }
            match remedy {
                Remedy::Place if candidate.place == Place::Any => {
                    walk.add(self.zones(&candidate.vm_type, missing).await);
                }
                Remedy::Place => {}
                Remedy::Type => walk.skip_places(),
                Remedy::None => break,
            }
        }
        *self.short.borrow_mut() = last;
        if self.plan.or_fewer {
            Ok(End::Launched(launched))
        } else {
            Err(self.no_capacity())
        }
    }

    /// Tries to launch `number` machines, until EC2 has said what came of it.
    async fn attempt(
        &self,
        base: &Base,
        call: Call,
        candidate: &Candidate,
        number: u32,
    ) -> Result<Attempt> {
        let launcher = self.launcher;
        let tag = self.plan.launch_tag(base.clone(), call);
        let tags = self.plan.tags(launcher.request, self.group_id, &tag);
        let launch = Launch {
            request: launcher.request,
            plan: self.plan,
            candidate,
            security_group_id: Some(self.security_group_id),
            tags: &tags,
            user_data: &self.user_data,
            least: if self.plan.or_fewer { 1 } else { number },
            number,
        };
        let token = base.client_token(call.index, candidate);
        let mut throttling = Patience::with_throttling(&launcher.aws.time);
        let mut failures = Patience::with_failures(&launcher.aws.time);
        let mut open = false;
        let told = |failure, open| {
            if open {
                self.nobody_knows(failure)
            } else {
                failure
            }
        };
        loop {
            launcher.pace.next().await;
            // Nothing more is launched once somebody has said stop; what may have
            // been launched has to be known.
            if !open {
                if launcher.interrupt.fired() {
                    return Err(interrupted());
                }
                if self.failed.get() {
                    return Ok(Attempt::Ended(End::NotMade));
                }
                if is_outdated(self.since, launcher.aws.time.now()) {
                    return Ok(Attempt::Ended(End::Again));
                }
            }
            match launcher.aws.run_instances(launch, &token).await {
                Ok(machines) => return Ok(Attempt::Ended(self.answered(machines))),
                Err(LaunchError::TokenSpent) => return Ok(Attempt::Ended(End::Spent)),
                Err(LaunchError::TokenMismatch) => return Ok(Attempt::Ended(End::Mismatch)),
                Err(LaunchError::NoCapacity(none)) => {
                    return Ok(Attempt::NoCapacity(Box::new(none)));
                }
                Err(LaunchError::Refused(failure)) => return Err(told(failure, open)),
                Err(LaunchError::NotFound(failure)) => {
                    let new = launcher.made_something_new();
                    if !new || !self.try_again(&mut failures, &failure, !open).await {
                        return Err(told(failure, open));
                    }
                }
                Err(LaunchError::NotNow(failure)) => {
                    if !self.try_again(&mut throttling, &failure, !open).await {
                        return Err(told(failure, open));
                    }
                }
                Err(LaunchError::Unknown(failure)) => {
                    open = true;
                    if !self.try_again(&mut failures, &failure, false).await {
                        return Err(self.nobody_knows(failure));
                    }
                }
            }
        }
    }

    /// Machines that EC2 has answered with: new ones, or an earlier answer's.
    fn answered(&self, machines: Vec<Machine>) -> End {
        let new = matches!(self.plan.launch, LaunchId::New(_));
        if is_spent(&machines, self.plan) {
            if !new {
                self.launcher.told(machines);
            }
            End::Spent
        } else if machines.iter().any(|m| m.state.is_gone()) {
            self.launcher.told(machines);
            End::Again
        } else {
            self.launcher.made(&machines);
            End::Launched(machines)
        }
    }

    /// Waits for the next try; no when there is to be none.
    async fn try_again(
        &self,
        patience: &mut Patience,
        failure: &Failure,
        until_interrupted: bool,
    ) -> bool {
        let Some(pause) = patience.next() else {
            return false;
        };
        let launcher = self.launcher;
        launcher
            .out
            .say(&format!("{}; trying again", failure.message));
        tokio::select! {
            () = launcher.aws.time.pause(pause) => {}
            () = launcher.interrupt.until(1), if until_interrupted => {}
        }
        true
    }

    /// No answer says whether the launch took place.
    fn nobody_knows(&self, failure: Failure) -> Failure {
        let group = &self.launcher.request.group;
        Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!("{}; machines of the group {group} may be running", failure.message),
            ..failure
        }
        .hint(format!(
            "run the same line again with --machine-group-name '{group}' (nothing is launched twice), or end them: {}",
            terminate_command(group)
        ))
    }

    /// Whether machines that nobody knew of show within a minute: a launch with
    /// the same token was accepted with other bytes.
    async fn something_shows(&self) -> Result<bool> {
        let launcher = self.launcher;
        launcher
            .out
            .say("another start of this group is under way: waiting for its machines to show");
        let known = launcher.known();
        let time = &launcher.aws.time;
        let deadline = time.instant() + VISIBLE_WITHIN;
        loop {
            let machines = launcher.aws.group_machines(&launcher.request.group).await?;
            let is_known = |m: &Machine| {
                let mut all = self
                    .plan
                    .seen
                    .iter()
                    .chain(known.iter().map(|m| &m.instance_id));
                all.any(|id| *id == m.instance_id)
            };
            if !machines.iter().all(is_known) {
                return Ok(true);
            }
            if time.instant() + LOOK_EVERY > deadline {
                return Ok(false);
            }
            tokio::select! {
                () = time.pause(LOOK_EVERY) => {}
                () = launcher.interrupt.until(1) => return Err(interrupted()),
            }
        }
    }
}

/// Whether an answer has no machine that counts as launched: all have ended, or,
/// when the launch is a new one, the group had them before it.
fn is_spent(machines: &[Machine], plan: &LaunchPlan) -> bool {
    let is_known = |m: &Machine| {
        let mut existing = plan.existing.iter();
        plan.is_new() && existing.any(|old| old.instance_id == m.instance_id)
    };
    machines.iter().all(|m| m.state.is_gone() || is_known(m))
}

/// Whether a plan made at `since` is too old to launch by, for example because this
/// computer slept: other starts rely on it that a launch that is no longer
/// [`YOUNG`] makes no more calls.
fn is_outdated(since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).unwrap_or_default() > YOUNG / 2
}

/// Somebody has said stop.
pub fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted while launching")
}

fn show(progress: &mut Progress, done: usize, calls: usize) {
    progress.update(format!("launching: {done} of {calls} calls answered"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::machine::{State, TAG_SETTINGS},
        plan::{
            decision::{Plan, plan},
            protocol::{facts, request},
        },
    };

    #[test]
    fn machines_that_the_group_had_before_are_not_counted_as_launched() {
        let [old, new, gone] = [
            ("i-1", State::Running),
            ("i-2", State::Pending),
            ("i-3", State::ShuttingDown),
        ]
        .map(|(id, state)| Machine {
            tags: vec![(TAG_SETTINGS.into(), "vm-type=t2.micro".into())],
            ..Machine::example(id, state)
        });
        let facts = facts(vec![old.clone()], SystemTime::UNIX_EPOCH);
        let Ok(Plan::Launch(mut plan)) = plan(&request(2), &facts) else {
            panic!("nothing to launch");
        };
        assert!(is_spent(&facts.machines, &plan));
        assert!(is_spent(&[old.clone(), gone.clone()], &plan));
        assert!(!is_spent(&[old.clone(), new.clone()], &plan));
        assert!(!is_spent(&[new], &plan));
        assert!(is_spent(&[gone], &plan));
        // A launch that is made whole has machines already, and they are its own.
        plan.launch = LaunchId::Resumed(plan.launch.base(0));
        assert!(!is_spent(&[old], &plan));
    }

    #[test]
    fn a_plan_is_good_for_five_minutes() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let five_minutes = Duration::from_mins(5);
        assert!(!is_outdated(since, since + five_minutes));
        assert!(is_outdated(
            since,
            since + five_minutes + Duration::from_secs(1)
        ));
        // A clock that was set back.
        assert!(!is_outdated(since, since - Duration::from_hours(1)));
    }
}
