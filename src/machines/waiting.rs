//! `--wait`: waits until machines are running, or registered with Inductiva.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::consoles::{Consoles, READ_WITHIN};
use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    inductiva::{self, ApiError},
    model::{
        boot_log,
        machine::{self, Machine, State},
    },
    terminal::{
        command_line::{command, terminate_command},
        output::Output,
        printable,
        progress::Progress,
        quoting,
    },
    values::{GroupName, WaitFor, spans},
};

/// The first pause between two looks. Pauses grow to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Machines take tens of seconds to boot.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Consoles are read one by one. With more machines only counts are shown.
const MOST_CONSOLES: usize = 20;
/// Lines shown of a machine that failed.
const LAST_LINES: usize = 15;
/// How long to wait for the reasons: EC2 posts a console some time after the machine's
/// end.
const REASONS_WITHIN: Duration = Duration::from_mins(1);

pub struct Wait<'a> {
    pub aws: &'a Aws,
    pub api: &'a inductiva::Client,
    pub group: &'a GroupName,
    pub until: WaitFor,
    pub timeout: Duration,
    pub out: Output,
}

impl Wait<'_> {
    /// Waits for all of `machines`, and keeps them up to date meanwhile.
    ///
    /// # Errors
    /// A machine has ended, or the time is up. [`Self::machines_left`] names the machines
    /// that go on.
    pub async fn run(&self, machines: &mut [Machine]) -> Result<()> {
        let time = &self.aws.time;
        let began = time.instant();
        let deadline = began + self.timeout;
        let mut consoles = self.consoles(machines).await;
        let mut progress = self.out.progress_within(Some(self.timeout));
        let mut pause = FIRST_PAUSE;
        loop {
            let count = self.count(machines).await?;
            if ended(machines).next().is_some() {
                self.wait_for_reasons(machines, &mut consoles, &mut progress, deadline)
                    .await;
                show_reasons(machines, &consoles, &progress);
                return Err(self.ended_while_booting(machines));
            }
            if !count.is_complete() {
                for (id, stage) in consoles.news().await {
                    progress.note(&format!("{id}  {stage}"));
                }
            }
            progress.update(count.to_string());
            if count.is_complete() {
                let took = time.instant().saturating_duration_since(began);
                progress.done(&count.done_after(took));
                return Ok(());
            }
            if time.instant() + pause > deadline {
                return Err(count.timed_out(self.timeout));
            }
            time.pause(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
    }

    /// Updates `machines`, and counts how far they are.
    async fn count(&self, machines: &mut [Machine]) -> Result<Count> {
        let ids = machine::ids(machines);
        let (seen, registered) = tokio::join!(self.aws.machines_by_id(&ids), self.registered(&ids));
        // A wait goes on after a look that fails.
        match seen {
            Ok(seen) => update(machines, seen),
            Err(failure) if failure.kind.may_pass() => self.out.warn(&failure.message),
            Err(failure) => return Err(failure),
        }
        let is_running = |m: &&Machine| m.state == State::Running;
        Ok(Count {
            of: ids.len(),
            running: machines.iter().filter(is_running).count(),
            registered,
        })
    }

    /// How many of `ids` Inductiva has as machines of the group; none where the wait is
    /// not for that.
    async fn registered(&self, ids: &[String]) -> Option<Result<usize, ApiError>> {
        if self.until == WaitFor::Running {
            return None;
        }
        let group = match self.api.group(self.group).await {
            Ok(group) => group,
            Err(error) => return Some(Err(error)),
        };
        let is_there = |id: &&String| group.as_ref().is_some_and(|g| g.machine(id).is_some());
        Some(Ok(ids.iter().filter(is_there).count()))
    }

    /// The consoles that tell phases. These are the live ones, where they are few enough
    /// to be read one by one.
    async fn consoles(&self, machines: &[Machine]) -> Consoles<'_> {
        let none = Consoles::new(self.aws, []);
        if self.until == WaitFor::Running {
            return none;
        }
        if machines.len() > MOST_CONSOLES {
            self.out.say(&format!(
                "boot phases are not shown for more than {MOST_CONSOLES} machines: {} shows those of one machine",
                command("logs ID")
            ));
            return none;
        }
        // Without them the wait tells no phases.
        let Ok(live) = self.aws.with_live_console(machines).await else {
            return none;
        };
        if let Some(late) = boot_log::late(machines.len() - live.len()) {
            self.out.say(&late);
        }
        Consoles::new(self.aws, live)
    }

    /// A machine that ends while it boots has failed. This waits until the consoles of
    /// the machines that ended show why, as EC2 posts them late; others may end
    /// meanwhile.
    async fn wait_for_reasons(
        &self,
        machines: &mut [Machine],
        consoles: &mut Consoles<'_>,
        progress: &mut Progress,
        deadline: Instant,
    ) {
        let time = &self.aws.time;
        let posted_by = deadline.min(time.instant() + REASONS_WITHIN);
        loop {
            let asked = ended(machines)
                .filter(|m| !consoles.has_said_why(m))
                .take(MOST_CONSOLES)
                .map(|m| m.instance_id.clone())
                .collect();
            let until = posted_by.max(time.instant() + READ_WITHIN);
            consoles.look(asked, until).await;
            let is_missing = |m: &Machine| m.has_ended_itself() && !consoles.has_said_why(m);
            if !ended(machines).any(is_missing) || time.instant() + LAST_PAUSE > posted_by {
                return;
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
    }

    fn ended_while_booting(&self, machines: &[Machine]) -> Failure {
        let ids: Vec<&str> = ended(machines).map(|m| m.instance_id.as_str()).collect();
        let logs = command(&format!("logs {}", quoting::word(self.group.as_str())));
        Failure::failed(format!(
            "{} ended while booting: {}",
            machine::count(ids.len()),
            ids.join(" ")
        ))
        .hint(format!("{logs} shows why"))
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
            "look at them with {}, end them with {}",
            command("list"),
            terminate_command(self.group)
        );
        let hint = match &failure.hint {
            Some(hint) => format!("{hint}; {look}"),
            None => look,
        };
        Failure { kind, ..failure }.hint(hint).machines(left)
    }
}

struct Count {
    of: usize,
    running: usize,
    /// Inductiva's answer; none where the wait is not for that.
    registered: Option<Result<usize, ApiError>>,
}

impl Count {
    /// How many machines have come as far as the wait is for. Those about which Inductiva
    /// cannot be asked have not.
    fn done(&self) -> usize {
        match &self.registered {
            None => self.running,
            Some(registered) => *registered.as_ref().unwrap_or(&0),
        }
    }

    fn is_complete(&self) -> bool {
        self.done() == self.of
    }

    /// `2 of 2 registered after 58 s`
    fn done_after(&self, took: Duration) -> String {
        let what = match self.registered {
            None => "running",
            Some(_) => "registered",
        };
        let took = spans::in_words(took);
        format!("{} of {} {what} after {took}", self.done(), self.of)
    }

    fn timed_out(&self, timeout: Duration) -> Failure {
        let what = match &self.registered {
            None => "running".to_owned(),
            Some(Ok(_)) => "registered".to_owned(),
            Some(Err(error)) => {
                format!("registered (Inductiva cannot be asked: {})", error.why())
            }
        };
        Failure::new(
            Kind::TimedOut,
            format!(
                "timed out after {}: {} of {} {what}",
                spans::in_words(timeout),
                self.done(),
                machine::count(self.of)
            ),
        )
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} running", self.running, self.of)?;
        match &self.registered {
            None => Ok(()),
            Some(_) => write!(f, ", {} registered", self.done()),
        }
    }
}

/// Shows what machines said last before they ended, and EC2's reason.
fn show_reasons(machines: &[Machine], consoles: &Consoles<'_>, progress: &Progress) {
    for machine in ended(machines).take(MOST_CONSOLES) {
        let id = &machine.instance_id;
        for line in boot_log::tail(consoles.said(id), LAST_LINES) {
            progress.note(&format!("{id}  {}", printable::printable(line)));
        }
        if machine.has_ended_itself() && !consoles.has_said_why(machine) {
            progress.note(&format!(
                "{id}  the reason may be on its console in some minutes: {}",
                command(&format!("logs --instance-id {id}"))
            ));
        }
        if let Some(reason) = &machine.state_reason {
            progress.note(&format!("{id}  {reason}"));
        }
        if let Some(reason) = machine.ended_by_ec2() {
            progress.note(&format!("{id}  {}", machine::remedy(reason)));
        }
    }
}

/// The machines that have ended while they booted.
fn ended(machines: &[Machine]) -> impl Iterator<Item = &Machine> {
    machines.iter().filter(|m| !m.state.is_live())
}

/// Updates machines with what was seen. What EC2 does not show yet stays as it was.
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

    #[test]
    fn machines_count_by_what_is_waited_for() {
        let count = |running, registered| Count {
            of: 2,
            running,
            registered,
        };
        let failed = || Some(Err(ApiError::OutOfReach("no answer".into())));
        for (count, text, is_complete) in [
            (count(1, None), "1 of 2 running", false),
            (count(2, None), "2 of 2 running", true),
            (count(2, Some(Ok(1))), "2 of 2 running, 1 registered", false),
            // EC2 may show a machine's state late.
            (count(1, Some(Ok(2))), "1 of 2 running, 2 registered", true),
            (count(2, failed()), "2 of 2 running, 0 registered", false),
        ] {
            assert_eq!(
                (&*count.to_string(), count.is_complete()),
                (text, is_complete)
            );
        }
        assert_eq!(
            count(2, failed()).timed_out(Duration::from_mins(1)).message,
            "timed out after 60 s: 0 of 2 machines registered (Inductiva cannot be asked: no answer)"
        );
    }
}
