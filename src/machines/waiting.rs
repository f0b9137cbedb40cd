//! `--wait`: until machines are running, or registered with Inductiva.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    inductiva::{self, ApiError},
    model::{
        boot_log,
        machine::{self, Machine, State},
    },
    terminal::{
        command_line::terminate_command,
        output::{Output, Progress},
        printable,
    },
    values::{GroupName, WaitFor},
};

/// The first pause between two looks; it grows to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Machines take tens of seconds to boot.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Consoles are read one by one: above so many machines only counts are shown.
const MOST_CONSOLES: usize = 20;
/// What EC2 has not answered of them by then is looked at the next time.
const CONSOLES_WITHIN: Duration = Duration::from_secs(5);
/// Lines shown of a machine that failed.
const LAST_LINES: usize = 15;
/// How long they are waited for: EC2 posts them some time after the machine's end.
const LAST_LINES_WITHIN: Duration = Duration::from_mins(1);

/// Consoles by machine, as they were last seen.
type Consoles = BTreeMap<String, String>;

/// What is waited for.
pub struct Wait<'a> {
    /// EC2.
    pub aws: &'a Aws,
    /// Inductiva.
    pub api: &'a inductiva::Client,
    /// The group.
    pub group: &'a GroupName,
    /// The state to reach.
    pub until: WaitFor,
    /// How long at most.
    pub timeout: Duration,
    /// The streams.
    pub out: Output,
}

impl Wait<'_> {
    /// Waits for all of `machines`, which are kept up to date meanwhile.
    ///
    /// # Errors
    /// A machine ended, or the time is up; [`Self::machines_left`] names the
    /// machines that go on.
    pub async fn run(&self, machines: &mut [Machine]) -> Result<()> {
        let time = &self.aws.time;
        let deadline = time.instant() + self.timeout;
        let ids = machine::ids(machines);
        let mut consoles = self.with_known_phases(machines).await;
        let mut progress = self.out.progress();
        let mut pause = FIRST_PAUSE;
        loop {
            let (seen, registered) =
                tokio::join!(self.aws.machines_by_id(&ids), self.registered(&ids));
            // One look that fails is not the end of a wait.
            match seen {
                Ok(seen) => update(machines, seen),
                Err(failure) if failure.kind == Kind::Failed => self.out.warn(&failure.message),
                Err(failure) => return Err(failure),
            }
            if ended(machines).next().is_some() {
                return Err(self
                    .ended(machines, &consoles, &mut progress, deadline)
                    .await);
            }
            let running = machines
                .iter()
                .filter(|m| m.state == State::Running)
                .count();
            let (done, what) = match self.until {
                WaitFor::Running => (running, "running"),
                WaitFor::Registered => (*registered.as_ref().unwrap_or(&0), "registered"),
            };
            if done < ids.len() {
                for news in self.news(&mut consoles).await {
                    progress.note(&news);
                }
            }
            progress.update(match self.until {
                WaitFor::Running => format!("{done} of {} running", ids.len()),
                WaitFor::Registered => {
                    format!("{running} of {} running, {done} registered", ids.len())
                }
            });
            if done == ids.len() {
                return Ok(());
            }
            if time.instant() + pause > deadline {
                drop(progress);
                let why = registered.err().map_or(String::new(), |error| {
                    format!(" (Inductiva cannot be asked: {})", error.why())
                });
                let failure = Failure::new(
                    Kind::TimedOut,
                    format!(
                        "timed out after {}s: {done} of {} {what}{why}",
                        self.timeout.as_secs(),
                        machine::count(ids.len())
                    ),
                );
                return Err(failure);
            }
            time.pause(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
    }

    /// How many of `ids` Inductiva has as machines of the group.
    async fn registered(&self, ids: &[String]) -> Result<usize, ApiError> {
        if self.until == WaitFor::Running {
            return Ok(0);
        }
        let group = self.api.group(self.group).await?;
        let is_there = |id: &&String| group.as_ref().is_some_and(|g| g.machine(id).is_some());
        Ok(ids.iter().filter(is_there).count())
    }

    /// The machines whose phase can be known: their consoles are live, and they
    /// are few enough to be asked one by one.
    async fn with_known_phases(&self, machines: &[Machine]) -> Consoles {
        if self.until == WaitFor::Running {
            return Consoles::new();
        }
        if machines.len() > MOST_CONSOLES {
            self.out.say(&format!(
                "the phases of more than {MOST_CONSOLES} machines are not shown: inductiva-aws logs has a machine's"
            ));
            return Consoles::new();
        }
        // A wait does without.
        let Ok(live) = self.aws.with_live_console(machines).await else {
            return Consoles::new();
        };
        if let Some(late) = boot_log::late(machines.len() - live.len()) {
            self.out.say(&late);
        }
        live.into_iter().map(|id| (id, String::new())).collect()
    }

    /// A line for each machine that has come further since it was last looked at.
    async fn news(&self, consoles: &mut Consoles) -> Vec<String> {
        let asked = consoles.keys().map(|id| (id.clone(), true)).collect();
        let mut news = Vec::new();
        let until = self.aws.time.instant() + CONSOLES_WITHIN;
        for (id, said) in self.look(asked, until).await {
            let seen = consoles.entry(id.clone()).or_default();
            let before = boot_log::stage(seen);
            renew(seen, said);
            match boot_log::stage(seen) {
                Some(stage) if before.as_ref() != Some(&stage) => {
                    news.push(format!("{id}  {stage}"));
                }
                _ => {}
            }
        }
        news
    }

    /// The consoles of machines by id, with whether they are live; not those that
    /// have nothing on them or cannot be read in time.
    async fn look(&self, asked: Vec<(String, bool)>, until: Instant) -> Consoles {
        let mut reading = tokio::task::JoinSet::new();
        for (id, live) in asked {
            let aws = self.aws.clone();
            reading.spawn(async move {
                let console = aws.console(&id, live).await.ok()?;
                (!console.text.is_empty()).then_some((id, console.text))
            });
        }
        let mut looked = Consoles::new();
        while let Ok(Some(read)) = self.aws.time.until(until, reading.join_next()).await {
            looked.extend(read.ok().flatten());
        }
        looked
    }

    /// A machine that ends while it boots has failed to: what it said last is
    /// shown, and EC2's reason. Meanwhile others may end.
    async fn ended(
        &self,
        machines: &mut [Machine],
        consoles: &Consoles,
        progress: &mut Progress,
        deadline: Instant,
    ) -> Failure {
        let time = &self.aws.time;
        let posted_by = deadline.min(time.instant() + LAST_LINES_WITHIN);
        let mut said = consoles.clone();
        loop {
            let asked = ended(machines)
                .filter(|m| !has_said_why(m, &said))
                .take(MOST_CONSOLES)
                .map(|m| (m.instance_id.clone(), consoles.contains_key(&m.instance_id)));
            let until = posted_by.max(time.instant() + CONSOLES_WITHIN);
            for (id, new) in self.look(asked.collect(), until).await {
                renew(said.entry(id).or_default(), new);
            }
            let is_missing = |m: &Machine| m.has_ended_itself() && !has_said_why(m, &said);
            if !ended(machines).any(is_missing) || time.instant() + LAST_PAUSE > posted_by {
                break;
            }
            progress.update(format!(
                "{} ended while booting; the reason is not on the console yet",
                machine::count(ended(machines).count())
            ));
            time.pause(LAST_PAUSE).await;
            if let Ok(seen) = self.aws.machines_by_id(&machine::ids(machines)).await {
                update(machines, seen);
            }
        }
        for machine in ended(machines).take(MOST_CONSOLES) {
            let id = &machine.instance_id;
            let lines = said.get(id).map_or("", String::as_str);
            for line in boot_log::tail(lines, LAST_LINES) {
                progress.note(&format!("{id}  {}", printable::printable(line)));
            }
            if machine.has_ended_itself() && !has_said_why(machine, &said) {
                progress.note(&format!(
                    "{id}  the reason may be on its console in some minutes: inductiva-aws logs --instance-id {id}"
                ));
            }
            if let Some(reason) = &machine.state_reason {
                progress.note(&format!("{id}  {reason}"));
            }
        }
        let ids: Vec<&str> = ended(machines).map(|m| m.instance_id.as_str()).collect();
        Failure::failed(format!(
            "{} ended while booting: {}",
            machine::count(ids.len()),
            ids.join(" ")
        ))
    }

    /// Names the machines that may be running, and how they are ended.
    pub fn machines_left(&self, failure: Failure, machines: &[Machine]) -> Failure {
        let left: Vec<String> = machines
            .iter()
            .filter(|m| !m.state.is_gone())
            .map(|m| m.instance_id.clone())
            .collect();
        if left.is_empty() {
            return failure;
        }
        let kind = match failure.kind {
            Kind::TimedOut | Kind::Interrupted => failure.kind,
            _ => Kind::MachinesMayBeRunning,
        };
        let look = format!(
            "look at them with inductiva-aws list, end them with {}",
            terminate_command(self.group)
        );
        let hint = match &failure.hint {
            Some(hint) => format!("{hint}; {look}"),
            None => look,
        };
        Failure { kind, ..failure }.hint(hint).machines(left)
    }
}

/// The machines that do not boot any more.
fn ended(machines: &[Machine]) -> impl Iterator<Item = &Machine> {
    machines.iter().filter(|m| !m.state.is_live())
}

/// Whether its console shows why it ended itself.
fn has_said_why(machine: &Machine, said: &Consoles) -> bool {
    let said = said.get(&machine.instance_id);
    said.is_some_and(|said| boot_log::has_said_why(said))
}

/// Puts what is on a console now over what was seen of it, unless that is newer:
/// what EC2 posted last may be older than what was live.
fn renew(seen: &mut String, said: String) {
    if !boot_log::beyond(seen, &said).is_empty() {
        *seen = said;
    }
}

/// Puts what was seen over what was known; what EC2 does not show yet stays.
fn update(machines: &mut [Machine], seen: Vec<Machine>) {
    for new in seen {
        if let Some(known) = machines
            .iter_mut()
            .find(|m| m.instance_id == new.instance_id)
        {
            *known = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_stopped_or_going_does_not_boot_any_more() {
        let states = [
            State::Pending,
            State::Running,
            State::Stopping,
            State::Stopped,
            State::ShuttingDown,
            State::Terminated,
        ];
        let machines = states.map(|state| Machine::example("i-1", state));
        let ended: Vec<State> = ended(&machines).map(|m| m.state).collect();
        assert_eq!(ended, states[2..]);
    }
}
