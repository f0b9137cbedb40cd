//! `--wait`: until machines are running, or registered with Inductiva.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    aws::Aws,
    cli::WaitFor,
    console::{self, Standing},
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

/// Consoles are read one by one: above so many machines only counts are shown.
const MOST_CONSOLES: usize = 20;
/// Lines shown of a machine that failed.
const LAST_LINES: usize = 15;

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
        let mut booting = self.with_known_phases(machines).await;
        loop {
            let (seen, registered) =
                tokio::join!(self.aws.machines_by_id(&ids), self.registered(&ids));
            // One look that fails is not the end of a wait.
            match seen {
                Ok(seen) => update(machines, seen),
                Err(failure) if failure.kind == Kind::Failed => self.out.warn(&failure.message),
                Err(failure) => return Err(failure),
            }
            self.refuse_ended(machines).await?;
            let running = machines
                .iter()
                .filter(|m| m.state == State::Running)
                .count();
            for news in self.news(&mut booting).await {
                progress.note(&news);
            }
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
        Some(ids.iter().filter(|id| group.machine(id).is_some()).count())
    }

    /// The machines whose phase can be known, with the phase last shown: their
    /// consoles are live, and they are few enough to be asked one by one.
    async fn with_known_phases(&self, machines: &[Machine]) -> BTreeMap<String, Option<Standing>> {
        if self.until == WaitFor::Running {
            return BTreeMap::new();
        }
        if machines.len() > MOST_CONSOLES {
            self.out.say(&format!(
                "the phases of more than {MOST_CONSOLES} machines are not shown: inductiva-aws logs has a machine's"
            ));
            return BTreeMap::new();
        }
        // A wait does without.
        let Ok(live) = self.aws.with_live_console(machines).await else {
            return BTreeMap::new();
        };
        if let Some(late) = console::late(machines.len() - live.len()) {
            self.out.say(&late);
        }
        live.into_iter().map(|id| (id, None)).collect()
    }

    /// A line for each machine that has come further since it was last looked at.
    async fn news(&self, booting: &mut BTreeMap<String, Option<Standing>>) -> Vec<String> {
        let mut reading = tokio::task::JoinSet::new();
        for id in booting.keys() {
            let (aws, id) = (self.aws.clone(), id.clone());
            reading.spawn(async move {
                let said = aws.console(&id, true).await.ok()?;
                Some((id, console::standing(&said)?))
            });
        }
        let mut news = Vec::new();
        for (id, standing) in reading.join_all().await.into_iter().flatten() {
            let line = format!("{id}  {standing}");
            if booting.insert(id, Some(standing.clone())) != Some(Some(standing)) {
                news.push(line);
            }
        }
        news.sort_unstable();
        news
    }

    /// A machine that ends itself while it boots has failed to: what it said
    /// last is shown.
    async fn refuse_ended(&self, machines: &[Machine]) -> Result<()> {
        let ended: Vec<&str> = machines
            .iter()
            .filter(|m| !m.state.is_live())
            .map(|m| m.instance_id.as_str())
            .collect();
        if ended.is_empty() {
            return Ok(());
        }
        for id in ended.iter().take(MOST_CONSOLES) {
            let said = self.aws.console(id, false).await.unwrap_or_default();
            for line in console::tail(&said, LAST_LINES) {
                self.out.say(&format!("{id}  {}", console::printable(line)));
            }
        }
        Err(Failure::failed(format!(
            "{} ended while booting: {}",
            machines::count(ended.len()),
            ended.join(" ")
        )))
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
