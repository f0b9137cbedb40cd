//! One call for one candidate. It is made again until EC2 has said what came of it, or
//! until nobody can know any more.

use std::time::{Duration, SystemTime};

use super::{
    calls::Calls,
    outcome::{Attempt, CallOutcome},
    pace::Backoff,
    run::{self, interrupted},
    walk::Choice,
    world::World,
};
use crate::{
    aws::run_instances::{ANSWERED_WITHIN, Launch, LaunchError, Missing},
    error::{Failure, Kind, Result},
    model::machine::Machine,
    plan::{
        launch_plan::LaunchPlan,
        protocol::{ASKED_UNTIL, FRESH_FOR, GOOD_FOR},
        tokens::{Call, Intent, LaterChoice},
    },
    terminal::{command_line::terminate_command, quoting},
};

/// For how long a call is made again that may have been made already.
const ASKED_FOR: Duration = Duration::from_secs(90);

impl<W: World> Calls<'_, W> {
    /// Tries to launch `number` machines as `choice` has them.
    pub(super) async fn attempt(
        &self,
        call: Call,
        choice: &Choice,
        number: u32,
    ) -> Result<Attempt> {
        let (run, plan) = (self.run, self.plan);
        let tags = plan.tags(
            run.request,
            self.group_id,
            &plan.launch_tag(call, choice.index),
        );
        let launch = Launch {
            request: run.request,
            plan,
            candidate: &choice.candidate,
            security_group_id: Some(self.security_group_id),
            tags: &tags,
            user_data: &self.user_data,
            least: plan.tag.least_of(call, number),
            number,
        };
        let later = LaterChoice {
            kind: choice.kind,
            place: &choice.candidate.place,
        };
        let later = (choice.index > 0).then_some(&later);
        let token = plan.base().client_token(call.index, later);
        let time = run.world.time();
        let mut throttling = Backoff::with_throttling(time);
        let mut failures = Backoff::with_failures(time);
        // Set once a call has been sent whose result nobody knows: the reason why.
        let mut unknown: Option<Failure> = None;
        let mut asked_until = None;
        loop {
            run.awake(run::TRIED_WITHIN, run.pace.next()).await;
            // After a stop nothing more is launched. What may have been launched already
            // still has to be found out.
            if unknown.is_none() {
                if run.interrupt.fired() {
                    return Err(interrupted());
                }
                if self.has_failed.get() {
                    return Ok(Attempt::Ended(CallOutcome::NotMade));
                }
                if !self.is_as_planned().await? {
                    return Ok(Attempt::Ended(CallOutcome::LookAgain));
                }
            }
            let before = match asked_until {
                Some(until) => until,
                None => self.begins_before(),
            };
            run.sends();
            let answer = run.world.run_instances(launch, &token, before);
            let error = match run.awake(ANSWERED_WITHIN, answer).await {
                Ok(machines) => return Ok(Attempt::Ended(self.answered(machines))),
                Err(error) => error,
            };
            let maybe_launched = unknown.is_some();
            let failed = |failure| {
                if maybe_launched {
                    self.nobody_knows(failure)
                } else {
                    failure
                }
            };
            match error {
                LaunchError::TokenSpent => return Ok(Attempt::Ended(CallOutcome::Spent)),
                LaunchError::TokenMismatch => return Ok(Attempt::Ended(CallOutcome::Mismatch)),
                LaunchError::NoCapacity(none) => return Ok(Attempt::NoCapacity(none)),
                LaunchError::TooLate => {
                    if let Some(failure) = unknown {
                        return Err(self.nobody_knows(failure));
                    }
                }
                LaunchError::Refused(failure) => return Err(failed(failure)),
                LaunchError::NotFound(missing, failure) => {
                    let may_be_new = match missing {
                        Missing::KeyPair => run.made_key_pair.get(),
                        // Our group may be a second old: this run has made it, or another
                        // one has.
                        Missing::SecurityGroup => run.request.security_group_id.is_none(),
                    };
                    if !may_be_new
                        || !self
                            .try_again(&mut failures, &failure, !maybe_launched)
                            .await
                    {
                        return Err(failed(failure));
                    }
                }
                LaunchError::NotNow(failure) => {
                    if !self
                        .try_again(&mut throttling, &failure, !maybe_launched)
                        .await
                    {
                        return Err(failed(failure));
                    }
                }
                LaunchError::Unknown(failure) => {
                    asked_until.get_or_insert_with(|| self.asked_until());
                    if !self.try_again(&mut failures, &failure, false).await {
                        return Err(self.nobody_knows(failure));
                    }
                    unknown = Some(failure);
                }
            }
        }
    }

    /// The time, by this computer's clock, before which a call that was never sent has to
    /// go out: as long as the look is good and the plan's hour lasts.
    fn begins_before(&self) -> SystemTime {
        let good_until = self.looked_at.get() + GOOD_FOR;
        match self.plan.intent() {
            Some(intent) => good_until.min(self.run.world.local_time(intent.ends)),
            None => good_until,
        }
    }

    /// The time before which a call that may have been made is made again.
    fn asked_until(&self) -> SystemTime {
        let world = self.run.world;
        let until = world.time().now() + ASKED_FOR;
        match self.plan.intent() {
            Some(intent) => until.min(world.local_time(intent.ends + ASKED_UNTIL)),
            None => until,
        }
    }

    /// Whether the look is still good, or the group is still as it was. If the look is
    /// some seconds old, EC2 is asked for the machines again: another start may have
    /// launched them meanwhile in another place, and so with other tokens.
    async fn is_as_planned(&self) -> Result<bool> {
        let _one_at_a_time = self.looking.lock().await;
        let (run, plan) = (self.run, self.plan);
        let now = run.world.time().now();
        let is_good = now < self.begins_before();
        if is_good && now < self.machines_asked_at.get() + FRESH_FOR {
            return Ok(true);
        }
        let hour_is_over = |intent: &Intent| run.world.ec2_time(now) >= intent.ends;
        // After a sleep anything may have happened, so the run plans again.
        if !is_good && (run.has_slept() || plan.intent().is_some_and(hour_is_over)) {
            return Ok(false);
        }
        let group_is_the_same = async { is_good || self.group_is_the_same().await };
        let looks = async { tokio::join!(run.world.machines(), group_is_the_same) };
        let (machines, group_is_the_same) = run.awake(run::TRIED_WITHIN, looks).await;
        let same = group_is_the_same && self.machines_are_the_same(&machines?);
        if same {
            self.machines_asked_at.set(now);
        }
        if same && !is_good {
            self.looked_at.set(now);
        }
        Ok(same)
    }

    async fn group_is_the_same(&self) -> bool {
        match self.run.world.group().await {
            Ok(Some(group)) if group.is_active() => self.group_id.is_none_or(|id| id == group.id),
            Ok(_) => self.group_id.is_none(),
            Err(_) => true,
        }
    }

    fn machines_are_the_same(&self, machines: &[Machine]) -> bool {
        let (run, plan) = (self.run, self.plan);
        let known = run.known();
        let is_known = |m: &Machine| {
            let mut ids = plan.seen.iter().chain(known.iter().map(|m| &m.instance_id));
            ids.any(|id| *id == m.instance_id)
        };
        let lives = |m: &Machine| {
            let mut shown = machines.iter();
            shown.any(|other| other.instance_id == m.instance_id && other.state.is_live())
        };
        // Somebody is ending the group: machines that are launched now would outlive it.
        let own_are_going = machines
            .iter()
            .any(|m| m.state.is_gone() && run.has_made(m));
        !own_are_going && machines.iter().all(is_known) && plan.existing.iter().all(lives)
    }

    /// What an answer with machines means: they are new ones, or those of an earlier
    /// answer.
    fn answered(&self, machines: Vec<Machine>) -> CallOutcome {
        match standing(&machines, self.plan) {
            Answered::Gone => {
                self.run.add_of_others(machines);
                CallOutcome::Spent
            }
            Answered::Counted => CallOutcome::Counted,
            Answered::GoneInPart => {
                self.run.add_of_others(machines);
                CallOutcome::LookAgain
            }
            Answered::Launched => {
                self.run.add_made(&machines);
                CallOutcome::Launched(machines)
            }
        }
    }

    /// Waits before the next try; false if no further one is to be made.
    async fn try_again(
        &self,
        backoff: &mut Backoff,
        failure: &Failure,
        until_interrupted: bool,
    ) -> bool {
        let Some(pause) = backoff.next() else {
            return false;
        };
        let run = self.run;
        run.out.say(&format!("{}; trying again", failure.message));
        let pausing = run.awake(pause, run.world.time().pause(pause));
        tokio::select! {
            biased;
            () = pausing => {}
            () = run.interrupt.until(1), if until_interrupted => {}
        }
        true
    }

    /// The failure of a call of which no answer says whether it launched anything.
    fn nobody_knows(&self, failure: Failure) -> Failure {
        let group = &self.run.request.group;
        Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!("{}; machines of the group {group} may be running", failure.message),
            ..failure
        }
        .hint(format!(
            "run the same line again with --machine-group-name {} (nothing is launched twice), or end them: {}",
            quoting::word(group.as_str()),
            terminate_command(group)
        ))
    }
}

/// What an answer with machines says of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Launched,
    /// All have been terminated. Only then is the token spent.
    Gone,
    GoneInPart,
    /// The group had them before this new launch, and their tags do not say that their
    /// launch had its number.
    Counted,
}

fn standing(machines: &[Machine], plan: &LaunchPlan) -> Answered {
    let is_counted = |m: &Machine| {
        let mut existing = plan.existing.iter();
        plan.is_new() && existing.any(|old| old.instance_id == m.instance_id)
    };
    let gone = machines.iter().filter(|m| m.state.is_gone()).count();
    if gone == machines.len() {
        Answered::Gone
    } else if gone > 0 {
        Answered::GoneInPart
    } else if machines.iter().all(is_counted) {
        Answered::Counted
    } else {
        Answered::Launched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::machine::{State, TAG_SETTINGS},
        plan::{
            decision::{Plan, plan},
            examples::{facts, request},
            launch_plan::LaunchId,
        },
    };

    #[test]
    fn only_machines_that_are_all_gone_spend_a_token_and_those_counted_before_are_not_launched() {
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
        let Ok(Plan::Launch(mut plan)) = plan(&request(2), &facts, None) else {
            panic!("nothing to launch");
        };
        let answered = |machines: &[&Machine], plan: &LaunchPlan| {
            let machines: Vec<Machine> = machines.iter().map(|m| (*m).clone()).collect();
            standing(&machines, plan)
        };
        assert_eq!(answered(&[&old], &plan), Answered::Counted);
        assert_eq!(answered(&[&old, &gone], &plan), Answered::GoneInPart);
        assert_eq!(answered(&[&old, &new], &plan), Answered::Launched);
        assert_eq!(answered(&[&new], &plan), Answered::Launched);
        assert_eq!(answered(&[&gone], &plan), Answered::Gone);
        // A launch that is being completed has machines already, its own.
        plan.launch = LaunchId::Resumed;
        assert_eq!(answered(&[&old], &plan), Answered::Launched);
    }
}
