//! Ending machines, and what to do about those that could not be ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use tokio::sync::mpsc;

use super::lines::Lines;
use crate::{
    aws::{
        Aws,
        terminate::{RefusalCause, RefusedMachine, Terminated},
    },
    error::{Failure, Kind},
    model::machine::{self, Machine, State},
    terminal::{interrupt::Interrupt, output::Output},
    values::GroupName,
};

/// Machines in one call. Each call's answer is a step of the progress.
const BATCH: usize = 100;
/// How often a machine is told to end for which EC2 did not answer, once at each look.
const TRIES: u32 = 3;
/// The most reasons in one message.
const MOST_REASONS: usize = 5;

/// The machines that this run has told to end.
pub struct Ending<'a> {
    aws: &'a Aws,
    interrupt: &'a Interrupt,
    out: Output,
    /// Their group, if machines of several groups are ended.
    group: Option<&'a GroupName>,
    /// Their ids, in the order in which they showed.
    order: Vec<String>,
    machines: BTreeMap<String, Asked>,
    /// Why a call failed: the last one that did.
    failure: Option<Failure>,
}

/// A machine that was told to end.
struct Asked {
    /// The machine as it was before. One that has ended tells neither that it was stopped
    /// nor what address it had.
    before: Machine,
    tries: u32,
    has_ended: bool,
    /// When it ended, by AWS's clock.
    ended_at: Option<SystemTime>,
    refusal: Option<RefusedMachine>,
}

impl<'a> Ending<'a> {
    /// `group` is the machines' group, if others are ended at the same time.
    pub fn new(
        aws: &'a Aws,
        interrupt: &'a Interrupt,
        group: Option<&'a GroupName>,
        out: Output,
    ) -> Self {
        Self {
            aws,
            interrupt,
            out,
            group,
            order: Vec::new(),
            machines: BTreeMap::new(),
            failure: None,
        }
    }

    /// Those of `machines` that are not gone and may be told to end.
    pub fn to_end(&self, machines: &[Machine]) -> Vec<Machine> {
        let open = |m: &&Machine| {
            !m.state.is_gone() && self.machines.get(&m.instance_id).is_none_or(Asked::is_open)
        };
        machines.iter().filter(open).cloned().collect()
    }

    /// Ends machines, batch by batch, the regions side by side.
    pub async fn end(&mut self, machines: &[Machine]) {
        for machine in machines {
            let id = &machine.instance_id;
            if !self.machines.contains_key(id) {
                self.order.push(id.clone());
            }
            let asked = self.machines.entry(id.clone()).or_insert_with(|| Asked {
                before: machine.clone(),
                tries: 0,
                has_ended: false,
                ended_at: None,
                refusal: None,
            });
            asked.tries += 1;
        }
        let ids = machine::ids(machines);
        self.interrupt.launched(&ids);
        let terminated = self.terminate(machines).await;
        let left = terminated.left(&ids);
        let ended: Vec<String> = ids.into_iter().filter(|id| !left.contains(id)).collect();
        self.interrupt.ended(&ended);
        for id in &ended {
            if let Some(asked) = self.machines.get_mut(id) {
                asked.has_ended = true;
                asked.ended_at = Some(self.aws.clock.now());
            }
        }
        for refusal in terminated.refused {
            if let Some(asked) = self.machines.get_mut(&refusal.id) {
                asked.refusal = Some(refusal);
            }
        }
        self.failure = terminated.failure.or(self.failure.take());
        self.say_ended(ended.len());
    }

    fn say_ended(&self, number: usize) {
        let whose = self
            .group
            .map_or(String::new(), |group| format!(" of {group}"));
        let subject = match number {
            0 => return,
            1 => format!("1 machine{whose} is"),
            n => format!("{n} machines{whose} are"),
        };
        self.out.say(&format!(
            "{subject} shutting down: billing of the machines has ended, their disks go with them"
        ));
    }

    async fn terminate(&self, machines: &[Machine]) -> Terminated {
        let (answer, mut answers) = mpsc::unbounded_channel();
        let regions: BTreeSet<&str> = machines.iter().map(|m| m.region.as_str()).collect();
        for region in regions {
            let here = machines.iter().filter(|m| m.region == region);
            let ids: Vec<String> = here.map(|m| m.instance_id.clone()).collect();
            let (aws, answer) = (self.aws.in_region(region), answer.clone());
            tokio::spawn(async move {
                for batch in ids.chunks(BATCH) {
                    // Once the command is interrupted, nobody listens.
                    if answer.send(aws.terminate(batch).await).is_err() {
                        return;
                    }
                }
            });
        }
        drop(answer);
        let mut progress = (machines.len() > BATCH).then(|| self.out.progress());
        let mut all = Terminated::default();
        while let Some(batch) = answers.recv().await {
            all.states.extend(batch.states);
            all.refused.extend(batch.refused);
            all.failure = all.failure.or(batch.failure);
            if let Some(progress) = &mut progress {
                progress.update(format!(
                    "terminated {} of {}",
                    all.states.len(),
                    machines.len()
                ));
            }
        }
        all
    }

    /// The machines that are shutting down because of this run.
    pub fn ended(&self) -> Vec<String> {
        let has_ended = |id: &&String| self.machines.get(*id).is_some_and(|m| m.has_ended);
        self.order.iter().filter(has_ended).cloned().collect()
    }

    /// The machines as they are now. EC2 may not show yet that this run has ended them.
    pub fn with_ended(&self, machines: &[Machine]) -> Vec<Machine> {
        let as_it_is = |machine: &Machine| {
            let asked = self.machines.get(&machine.instance_id);
            let Some(asked) = asked.filter(|asked| asked.has_ended) else {
                return machine.clone();
            };
            Machine {
                state: State::ShuttingDown,
                ended_at: machine.ended_at.or(asked.ended_at),
                ..machine.clone()
            }
        };
        machines.iter().map(as_it_is).collect()
    }

    /// The machines that this run has ended, as they were before, by their ids.
    pub fn before(&self) -> impl Iterator<Item = (&String, &Machine)> {
        let ended = self.machines.iter().filter(|(_, asked)| asked.has_ended);
        ended.map(|(id, asked)| (id, &asked.before))
    }

    /// The ids of machines that were told to end and are still running.
    pub fn left(&self) -> Vec<String> {
        let is_left = |id: &&String| self.machines.get(*id).is_some_and(|m| !m.has_ended);
        self.order.iter().filter(is_left).cloned().collect()
    }

    /// Whether there was anything that this run told to end.
    pub fn has_seen_some(&self) -> bool {
        !self.order.is_empty()
    }

    /// Whether nothing is permitted, so that this run can end nothing more.
    pub fn is_hopeless(&self) -> bool {
        let failure = self.failure.as_ref().map(|failure| failure.kind);
        let denied = matches!(failure, Some(Kind::NotSignedIn | Kind::NotPermitted));
        denied && self.ended().is_empty()
    }

    /// The failure for machines that could not be ended, with the reasons and the lines
    /// that end them; none if all have ended.
    pub fn failure(&self, lines: &Lines) -> Option<Failure> {
        let left = self.left();
        if left.is_empty() {
            return None;
        }
        let last = self.failure.clone().unwrap_or_else(|| {
            Failure::failed("EC2 did not say that the machines are shutting down")
        });
        // The failure has the kind of what kept everything from being ended, and not of
        // what kept only a part.
        let kind = if self.is_hopeless() {
            last.kind
        } else {
            Kind::MachinesMayBeRunning
        };
        let failure = Failure {
            kind,
            message: format!(
                "{} of {} not terminated: {}",
                left.len(),
                machine::count(self.order.len()),
                self.reasons(&left, &last)
            ),
            ..last
        };
        Some(self.with_remedies(failure, &left, lines).machines(left))
    }

    /// The ids, by what keeps them from being ended.
    fn reasons(&self, left: &[String], last: &Failure) -> String {
        let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
        for id in left {
            let refusal = self.machines.get(id).and_then(|m| m.refusal.as_ref());
            let why = match refusal {
                Some(refusal) if refusal.cause == RefusalCause::Protected => {
                    "termination protection is on (OperationNotPermitted)".to_owned()
                }
                Some(refusal) => refusal.failure.message.clone(),
                None => last.message.clone(),
            };
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, ids)) => ids.push(id),
                None => reasons.push((why, vec![id])),
            }
        }
        let more = reasons.len().saturating_sub(MOST_REASONS);
        reasons.truncate(MOST_REASONS);
        let reason = |(why, ids): (String, Vec<&str>)| format!("{}: {why}", ids.join(" "));
        let mut said: Vec<String> = reasons.into_iter().map(reason).collect();
        if more > 0 {
            said.push(format!("and {more} more reasons"));
        }
        said.join("; ")
    }

    /// Adds the lines that take the protection off, if there is any, and then try again.
    fn with_remedies(&self, failure: Failure, left: &[String], lines: &Lines) -> Failure {
        let of = |ids: &[&String]| -> BTreeMap<String, Vec<String>> {
            let mut regions: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for id in ids {
                if let Some(asked) = self.machines.get(*id) {
                    let ids = regions.entry(asked.before.region.clone()).or_default();
                    ids.push((*id).clone());
                }
            }
            regions
        };
        let is_protected = |id: &&String| {
            let refusal = self.machines.get(*id).and_then(|m| m.refusal.as_ref());
            refusal.is_some_and(|refusal| refusal.cause == RefusalCause::Protected)
        };
        let protected: Vec<&String> = left.iter().filter(is_protected).collect();
        let mut steps: Vec<String> = of(&protected)
            .iter()
            .map(|(region, ids)| lines.unprotect(ids, region))
            .collect();
        let again = of(&left.iter().collect::<Vec<_>>());
        let again: Vec<String> = again
            .iter()
            .map(|(region, ids)| lines.ids(ids, region))
            .collect();
        let hint = if steps.is_empty() {
            let known = failure.hint.clone().filter(|_| failure.policy.is_some());
            let again = format!("try again: {}", again.join(" && "));
            known.map_or(again.clone(), |known| format!("{known}; then {again}"))
        } else {
            steps.extend(again);
            format!(
                "take the protection off and end them: {}",
                steps.join(" && ")
            )
        };
        failure.hint(hint)
    }
}

impl Asked {
    /// Whether it may be told to end once more. A machine that is protected or denied
    /// stays so.
    fn is_open(&self) -> bool {
        let refused = self.refusal.as_ref().map(|refusal| refusal.cause);
        !self.has_ended
            && self.tries < TRIES
            && !matches!(
                refused,
                Some(RefusalCause::Protected | RefusalCause::NotPermitted)
            )
    }
}
