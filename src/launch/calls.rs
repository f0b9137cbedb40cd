//! The `RunInstances` calls of a launch. Their rules are in [`crate::plan::protocol`].

use std::{
    cell::{Cell, RefCell},
    time::SystemTime,
};

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::{
    look_up::Found,
    outcome::{Attempt, CallOutcome, Launched},
    run::Run,
    walk::Walk,
    world::World,
};
use crate::{
    aws::run_instances::Remedy,
    error::{Failure, Kind, Result, Tried},
    model::{
        machine::{self, Machine},
        place::Place,
        visibility::MADE_OR_NOT_AFTER,
    },
    plan::{
        launch_plan::LaunchPlan,
        launch_tag::LaunchTag,
        tokens::{Call, MACHINES_PER_CALL},
    },
    terminal::{command_line::terminate_command, progress::Progress},
};

/// The calls of a plan, and what they share.
pub struct Calls<'a, W> {
    pub(super) run: &'a Run<'a, W>,
    pub(super) plan: &'a LaunchPlan,
    pub(super) group_id: Option<&'a str>,
    pub(super) security_group_id: &'a str,
    pub(super) user_data: Vec<u8>,
    /// When the group was last seen to be as the plan has it, by this computer's clock.
    pub(super) looked_at: Cell<SystemTime>,
    /// When EC2 was last asked for the group's machines: at `looked_at`, or later.
    pub(super) machines_asked_at: Cell<SystemTime>,
    /// Held while a call looks again, so that only one does at a time.
    pub(super) looking: Mutex<()>,
    /// Set when one of the calls has failed: no other call begins then.
    pub(super) has_failed: Cell<bool>,
    /// Set when machines were launched as another candidate than the first choice.
    pub(super) has_walked: Cell<bool>,
    /// The candidates that had no capacity.
    pub(super) tried: RefCell<Vec<Tried>>,
    /// The last refusal that a call got which has not all of its machines.
    pub(super) last_refusal: RefCell<Option<Failure>>,
}

impl<'a, W: World> Calls<'a, W> {
    pub fn new(
        run: &'a Run<'a, W>,
        plan: &'a LaunchPlan,
        found: &Found,
        group_id: Option<&'a str>,
        security_group_id: &'a str,
        user_data: Vec<u8>,
    ) -> Self {
        Self {
            run,
            plan,
            group_id,
            security_group_id,
            user_data,
            looked_at: Cell::new(found.asked_at),
            machines_asked_at: Cell::new(found.asked_at),
            looking: Mutex::default(),
            has_failed: Cell::new(false),
            has_walked: Cell::new(false),
            tried: RefCell::default(),
            last_refusal: RefCell::default(),
        }
    }

    /// Makes the calls. The first call of a new launch goes alone: the others follow once
    /// EC2 has accepted it.
    pub async fn run(&self) -> Result<Launched> {
        let (first, others) = match self.plan.calls.split_first() {
            Some((first, others)) if self.plan.is_new() => (first, others),
            _ => return self.others(&self.plan.calls, Vec::new()).await,
        };
        match self.call(*first).await? {
            CallOutcome::Launched(machines) => {
                // If the first call got fewer machines, there are none for the others.
                let all = machines.len() == first.number as usize;
                self.others(if all { others } else { &[] }, machines).await
            }
            CallOutcome::LookAgain | CallOutcome::NotMade => Ok(Launched::LookAgain),
            CallOutcome::Spent => self.spent().await,
            CallOutcome::Counted => {
                self.use_up();
                Ok(Launched::NumberWasUsed)
            }
            CallOutcome::Mismatch => self.mismatched().await,
        }
    }

    /// The first call's token is spent. Nothing is known of the other calls of that
    /// launch, if it had any, so their machines have to show first.
    async fn spent(&self) -> Result<Launched> {
        let totals = self.run.known().into_iter().filter_map(|machine| {
            let tag = LaunchTag::of(&machine)?;
            (tag.base == *self.plan.base()).then_some(tag.total)
        });
        let total = totals.max().unwrap_or(0).max(self.plan.tag.total);
        if total > MACHINES_PER_CALL && self.run.something_shows(&self.plan.seen).await? {
            return Ok(Launched::LookAgain);
        }
        self.use_up();
        Ok(Launched::NumberWasUsed)
    }

    /// Another launch has used the first call's token with other bytes. Either its
    /// machines show, or it is over, or nobody knows.
    async fn mismatched(&self) -> Result<Launched> {
        self.say_who_is_waited_for();
        if self.run.something_shows(&self.plan.seen).await? {
            return Ok(Launched::LookAgain);
        }
        if self.run.is_sole_maker(self.plan).await {
            self.use_up();
            return Ok(Launched::NumberWasUsed);
        }
        let group = &self.run.request.group;
        let turn = self.plan.intent().map(|intent| intent.ends);
        let free_at = turn.map(|turn| utc(turn + MADE_OR_NOT_AFTER));
        Err(Failure::new(
            Kind::MachinesMayBeRunning,
            format!(
                "another start of the group {group} was accepted a while ago, and EC2 does not show its machines: they may be running, or have ended"
            ),
        )
        .hint(format!(
            "nothing was launched; try again after {}, or end the group: {}",
            free_at.unwrap_or_default(),
            terminate_command(group)
        )))
    }

    fn say_who_is_waited_for(&self) {
        self.run
            .out
            .say("another start of this group is under way: waiting for its machines to show");
    }

    /// Remembers that another launch had the number of this one.
    fn use_up(&self) {
        if let Some(slot) = self.plan.tag.slot {
            self.run.use_up(slot);
        }
    }

    /// Makes the other calls side by side, as fast as EC2's request buckets allow.
    async fn others(&self, calls: &[Call], mut launched: Vec<Machine>) -> Result<Launched> {
        let progress = RefCell::new(self.run.out.progress());
        let all = self.plan.calls.len();
        let done = Cell::new(all - calls.len());
        let ends = join_all(calls.iter().map(|call| async {
            let end = self.other(*call).await;
            if end.is_err() {
                self.has_failed.set(true);
            }
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
        Ok(if whole {
            Launched::Machines(launched)
        } else {
            Launched::LookAgain
        })
    }

    /// Makes another call of a launch that was accepted: its machines, or none when the
    /// facts have changed.
    async fn other(&self, call: Call) -> Result<Option<Vec<Machine>>> {
        match self.call(call).await? {
            CallOutcome::Launched(machines) => Ok(Some(machines)),
            CallOutcome::LookAgain
            | CallOutcome::Spent
            | CallOutcome::Counted
            | CallOutcome::NotMade => Ok(None),
            CallOutcome::Mismatch => {
                self.say_who_is_waited_for();
                if self.run.something_shows(&self.plan.seen).await? {
                    return Ok(None);
                }
                let group = &self.run.request.group;
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

    /// Launches the machines of one call, wherever there is capacity for them.
    async fn call(&self, call: Call) -> Result<CallOutcome> {
        let mut walk = Walk::new(self.run.request);
        let mut launched = Vec::new();
        let mut missing = call.number;
        let mut last = None;
        while let Some(choice) = walk.next() {
            // A candidate that is left out keeps its place in the order, so that the
            // others keep their tokens.
            if self.plan.leaves_out && choice.candidate.place == Place::Any {
                walk.add(self.zones(&choice.candidate.vm_type, call, missing).await);
                continue;
            }
            let remedy = match self.attempt(call, &choice, missing).await? {
                Attempt::Ended(CallOutcome::Launched(machines)) => {
                    if choice.index > 0 {
                        self.has_walked.set(true);
                    }
                    missing =
                        missing.saturating_sub(u32::try_from(machines.len()).unwrap_or(missing));
                    launched.extend(machines);
                    Remedy::Place
                }
                Attempt::Ended(end) if launched.is_empty() => return Ok(end),
                Attempt::Ended(_) => return Ok(CallOutcome::LookAgain),
                Attempt::NoCapacity(none) => {
                    // A refusal for lack of capacity, which may pass, says more than one
                    // that will not.
                    if last.is_none() || none.failure.kind == Kind::Capacity {
                        last = Some(none.failure);
                    }
                    self.tried(none.tried);
                    none.remedy
                }
            };
            if missing == 0 {
                return Ok(CallOutcome::Launched(launched));
            }
            match remedy {
                Remedy::Place if choice.candidate.place == Place::Any => {
                    walk.add(self.zones(&choice.candidate.vm_type, call, missing).await);
                }
                Remedy::Place => {}
                Remedy::Type => walk.skip_places(),
                Remedy::None => break,
            }
        }
        *self.last_refusal.borrow_mut() = last;
        if self.plan.tag.or_fewer {
            Ok(CallOutcome::Launched(launched))
        } else {
            Err(self.no_capacity())
        }
    }
}

fn show(progress: &mut Progress, done: usize, calls: usize) {
    progress.update(format!("launching: {done} of {calls} calls answered"));
}

/// A time of day, in UTC.
fn utc(time: SystemTime) -> String {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    let minutes = since_1970.unwrap_or_default().as_secs().div_ceil(60);
    format!("{:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}
