//! `--wait`: until machines are running, or registered with Inductiva.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    aws::Aws,
    cli::WaitFor,
    error::{Failure, Kind, Result},
    inductiva,
    machines::{self, Machine, State},
    output::Output,
    plan::terminate_command,
    values::GroupName,
};

/// The first pause between two looks; it grows to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Machines take tens of seconds to boot.
const LAST_PAUSE: Duration = Duration::from_secs(5);

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
        let deadline = Instant::now() + self.timeout;
        let ids = machines::ids(machines);
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
            refuse_ended(machines)?;
            let running = machines
                .iter()
                .filter(|m| m.state == State::Running)
                .count();
            let (done, what) = match self.until {
                WaitFor::Running => (running, "running"),
                WaitFor::Registered => (registered.unwrap_or(0), "registered"),
            };
            progress.update(match self.until {
                WaitFor::Running => format!("{done} of {} running", ids.len()),
                WaitFor::Registered => {
                    format!("{running} of {} running, {done} registered", ids.len())
                }
            });
            if done == ids.len() {
                return Ok(());
            }
            if Instant::now() + pause > deadline {
                drop(progress);
                let failure = Failure::new(
                    Kind::TimedOut,
                    format!(
                        "timed out after {}s: {done} of {} {what}",
                        self.timeout.as_secs(),
                        machines::count(ids.len())
                    ),
                );
                return Err(failure);
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
    }

    /// How many of `ids` Inductiva has as machines of the group; none when it
    /// cannot be asked.
    async fn registered(&self, ids: &[String]) -> Option<usize> {
        if self.until == WaitFor::Running {
            return None;
        }
        let group = self.api.group(self.group).await.ok()??;
        let there = |id: &&String| {
            group
                .machines
                .iter()
                .any(|m| m.host_name.as_deref() == Some(id.as_str()) && m.terminated_at.is_none())
        };
        Some(ids.iter().filter(there).count())
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
        Failure { kind, ..failure }
            .hint(format!(
                "look at them with inductiva-aws list, end them with {}",
                terminate_command(self.group)
            ))
            .machines(left)
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

/// A machine that ends itself while it boots has failed to.
fn refuse_ended(machines: &[Machine]) -> Result<()> {
    let ended: Vec<&str> = machines
        .iter()
        .filter(|m| !m.state.is_live())
        .map(|m| m.instance_id.as_str())
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed(format!(
        "{} ended while booting: {}",
        machines::count(ended.len()),
        ended.join(" ")
    ));
    Err(failure)
}
