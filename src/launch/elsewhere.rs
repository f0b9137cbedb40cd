//! Some launches nobody can know of until EC2 shows their machines. After such a launch
//! the run waits until they show, so that whoever comes next sees them.
//!
//! One kind found its capacity somewhere else than in the first choice. Its token is not
//! the first choice's, so another start may still find capacity there and launch too. If
//! both have launched, the one whose machines are further from the first choice ends its
//! own.
//!
//! The other kind has no empty group on Inductiva's side that tells of it: a top-up, or a
//! launch while Inductiva is out of reach. A `terminate` would look for its machines for
//! ten seconds only, or not at all. If one has ended the group while the run waited, it
//! has reported success without these machines. They are left running and named, as a
//! later start may count them.

use super::{
    pace::Backoff,
    run::{Run, TRIED_WITHIN, look_again_after},
    world::World,
};
use crate::{
    error::{Failure, Kind, Result},
    model::{
        machine::{self, Machine},
        visibility::VISIBLE_WITHIN,
    },
    plan::{launch_plan::LaunchPlan, launch_tag::LaunchTag},
    terminal::command_line::terminate_command,
};

impl<W: World> Run<'_, W> {
    /// Waits until EC2 shows the machines, and tells whether they may stay. If they may
    /// not, they were ended: another start has launched the same call nearer to the first
    /// choice.
    ///
    /// # Errors
    /// The group was ended meanwhile, or machines that are too many cannot be ended.
    pub async fn may_stay(&self, plan: &LaunchPlan, launched: &[Machine]) -> Result<bool> {
        let time = self.world.time();
        let waiting_since = time.now();
        let until = waiting_since + VISIBLE_WITHIN;
        let mut said = false;
        let shown = loop {
            let asked_at = time.now();
            let shown = match self.unless_interrupted(self.world.machines()).await {
                Err(failure) if failure.kind == Kind::Interrupted => return Err(failure),
                // A failed look takes nothing from a launch that has succeeded.
                shown => shown.unwrap_or_default(),
            };
            let is_there = |m: &Machine| shown.iter().any(|s| s.instance_id == m.instance_id);
            if launched.iter().all(is_there) || asked_at >= until {
                break shown;
            }
            if !said {
                self.out
                    .say("waiting for EC2 to show the machines, two minutes at most");
                said = true;
            }
            self.pause(look_again_after(waiting_since, asked_at))
                .await?;
        };
        if has_ended(&plan.existing, &shown) {
            let why = "was ended while this start waited for its machines to show";
            return Err(self.passed_over(why, launched));
        }
        let mut too_many: Vec<String> = Vec::new();
        for machine in launched {
            let tag = shown.iter().find(|s| s.instance_id == machine.instance_id);
            let Some(tag) = tag.and_then(LaunchTag::of) else {
                continue;
            };
            let is_nearer = |other: &&Machine| {
                let others = LaunchTag::of(other);
                self.is_a_strangers(other)
                    && others.is_some_and(|others| {
                        (&others.base, others.call) == (&tag.base, tag.call)
                            && others.candidate < tag.candidate
                    })
            };
            if shown.iter().any(|other| is_nearer(&other)) {
                too_many.push(machine.instance_id.clone());
            }
        }
        if too_many.is_empty() {
            return Ok(true);
        }
        self.end(too_many).await.map(|()| false)
    }

    /// The failure when a `terminate` has ended the group without these machines.
    pub fn passed_over(&self, why: &str, machines: &[Machine]) -> Failure {
        let ids = machine::ids(machines);
        // The undo must not end them.
        self.forget_made(&ids);
        Failure::new(
            Kind::MachinesMayBeRunning,
            format!("the group {} {why}", self.request.group),
        )
        .hint(format!(
            "end these, too: {}; or run the same line again",
            terminate_command(&self.request.group)
        ))
        .machines(ids)
    }

    /// Ends machines that another start has launched as well.
    async fn end(&self, ids: Vec<String>) -> Result<()> {
        self.out.say(&format!(
            "another start has launched the same machines: terminating {} of this one",
            machine::count(ids.len())
        ));
        let mut left = ids.clone();
        let mut backoff = Backoff::with_visibility(self.world.time());
        loop {
            if self.has_slept() {
                let why = "this start was asleep: another one may count them";
                return Err(self.too_many(left, why));
            }
            let ending = self.world.terminate(&left, self.while_awake());
            let terminated = self.awake(TRIED_WITHIN, ending).await;
            left = terminated.left(&left);
            if left.is_empty() {
                self.forget_made(&ids);
                return Ok(());
            }
            let Some(pause) = backoff.next() else {
                let why = terminated.failure.map(|failure| failure.message);
                let why =
                    why.unwrap_or_else(|| "EC2 did not say that they are shutting down".into());
                return Err(self.too_many(left, &why));
            };
            self.awake(pause, self.world.time().pause(pause)).await;
        }
    }

    fn too_many(&self, left: Vec<String>, why: &str) -> Failure {
        let group = &self.request.group;
        Failure::new(
            Kind::MachinesMayBeRunning,
            format!(
                "the group {group} has more machines than asked for, and {} of them cannot be terminated: {why}",
                left.len(),
            ),
        )
        .hint(format!("end the group: {}", terminate_command(group)))
        .machines(left)
    }
}

/// Whether a group that had machines has none left, as EC2 shows it.
fn has_ended(existing: &[Machine], shown: &[Machine]) -> bool {
    let mut states = existing.iter().map(|m| {
        let mut shown = shown.iter();
        shown.find(|s| s.instance_id == m.instance_id)
    });
    !existing.is_empty() && states.all(|m| m.is_some_and(|m| m.state.is_gone()))
}
