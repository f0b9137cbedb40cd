//! The machine that prepares an image: its launch, and how it ends.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::{
    aws::{
        Aws,
        run_instances::{Launch, LaunchError},
    },
    error::{Failure, Kind, Result},
    model::{
        boot_log::{self, Stage},
        machine::{Machine, State},
        prepared_image::layout,
        request::Request,
        visibility::VISIBLE_WITHIN,
    },
    plan::launch_plan::LaunchPlan,
    terminal::{command_line::command, interrupt::Interrupt, output::Output},
    values::spans,
};

/// For how long a launch that may have been made is asked for again.
const ASKED_FOR: Duration = Duration::from_secs(90);
/// The builder's own deadline ends it. This limit is for one that does not even begin to
/// boot.
const BEYOND_DEADLINE: Duration = Duration::from_mins(10);
/// EC2 stops a machine within a minute or two, and forces it after some more.
const STOPPED_WITHIN: Duration = Duration::from_mins(15);
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The pause between two looks of a build.
pub const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How many lines of the console are shown when the builder has ended.
const TAIL: usize = 10;

pub struct Builder<'a> {
    pub aws: &'a Aws,
    pub request: &'a Request,
    pub interrupt: &'a Interrupt,
    pub out: Output,
}

impl Builder<'_> {
    /// Launches exactly one machine, whatever becomes of the answers.
    ///
    /// # Errors
    /// Nothing was launched. Or a machine may be running, which ends itself at its
    /// deadline; the failure names what is known of it.
    pub async fn launch(&self, launch: Launch<'_>) -> Result<Machine> {
        let token = random_token()?;
        let time = &self.aws.time;
        let until = time.instant() + ASKED_FOR;
        // Nobody else has this token, so it can be sent at any time.
        let before = time.now() + 2 * ASKED_FOR;
        let mut may_be_made = false;
        loop {
            if self.interrupt.fired() && !may_be_made {
                return Err(interrupted());
            }
            let failure = match self.aws.run_instances(launch, &token, before).await {
                Ok(machines) => {
                    return machines
                        .into_iter()
                        .next()
                        .ok_or_else(|| Failure::failed("EC2's answer names no machine"));
                }
                Err(LaunchError::Unknown(failure)) => {
                    may_be_made = true;
                    failure
                }
                Err(LaunchError::NotNow(failure) | LaunchError::NotFound(_, failure)) => failure,
                Err(error) if may_be_made => return self.lost(refused(error), &token).await,
                Err(error) => return Err(refused(error)),
            };
            if time.instant() >= until {
                return if may_be_made {
                    self.lost(failure, &token).await
                } else {
                    Err(failure)
                };
            }
            time.pause(AGAIN_AFTER).await;
        }
    }

    /// The machine of a launch that had no answer, once it shows.
    async fn lost(&self, failure: Failure, token: &str) -> Result<Machine> {
        let time = &self.aws.time;
        let until = time.instant() + VISIBLE_WITHIN;
        loop {
            if let Ok(machines) = self.aws.launched_with(token).await
                && let Some(machine) = machines.into_iter().next()
            {
                return Ok(machine);
            }
            if time.instant() >= until {
                break;
            }
            time.pause(LOOK_AGAIN_AFTER).await;
        }
        let ended_within = spans::in_words(self.request.runner.boot_timeout);
        Err(Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!("the machine may have been launched: {}", failure.message),
            ..failure
        }
        .hint(format!(
            "if it was, it ends itself within {ended_within} of its boot; {} shows it",
            command("list")
        )))
    }

    /// Waits until the builder has said that it is prepared, and shows its phases.
    ///
    /// # Errors
    /// The builder has ended, with the reason; somebody interrupted; or it takes too
    /// long.
    pub async fn until_prepared(&self, id: &str) -> Result<()> {
        let time = &self.aws.time;
        let began = time.instant();
        let until = began + self.request.runner.boot_timeout + BEYOND_DEADLINE;
        let prepared = format!("prepared, layout {}", layout());
        let mut last: Option<Stage> = None;
        let mut progress = self.out.progress();
        loop {
            let (shown, console) = tokio::join!(self.state(id, began), self.aws.console(id, true));
            let state = shown?;
            if self.interrupt.fired() {
                return Err(interrupted());
            }
            let console = match console {
                Ok(console) => console.text,
                // To wait would be in vain.
                Err(failure) if failure.kind == Kind::NotPermitted => return Err(failure),
                Err(_) => String::new(),
            };
            let mut lines = console.lines().filter_map(boot_log::ours);
            // A machine that EC2 still shows as pending cannot be stopped.
            let runs = state == State::Running;
            if lines.any(|line| line == prepared) && runs {
                return Ok(());
            }
            let told = boot_log::stage(&console);
            if state.is_gone() {
                return Err(self.ended(id, told, &console));
            }
            if let Some(stage) = told
                && last.as_ref() != Some(&stage)
            {
                progress.note(&format!("{id}: {stage}"));
                last = Some(stage);
            }
            progress.update(format!("preparing {id}"));
            self.pause_before(until, "has not said that it is prepared", id)
                .await?;
        }
    }

    /// Stops the builder, and waits until it is stopped.
    ///
    /// # Errors
    /// It cannot be stopped, has ended, or takes too long; or somebody interrupted.
    pub async fn stop(&self, id: &str) -> Result<()> {
        self.aws.stop_instance(id).await?;
        let began = self.aws.time.instant();
        let mut progress = self.out.progress();
        loop {
            match self.state(id, began).await? {
                State::Stopped => return Ok(()),
                state if state.is_gone() => return Err(self.ended(id, None, "")),
                _ => {}
            }
            progress.update(format!("stopping {id}"));
            self.pause_before(began + STOPPED_WITHIN, "does not stop", id)
                .await?;
        }
    }

    /// Pauses until the next look, unless somebody interrupts. It fails if it is past
    /// `until`.
    async fn pause_before(&self, until: Instant, what: &str, id: &str) -> Result<()> {
        let time = &self.aws.time;
        if self.interrupt.fired() {
            return Err(interrupted());
        }
        if time.instant() >= until {
            return Err(Failure::failed(format!("{id} {what}")));
        }
        let pause = async {
            time.pause(LOOK_AGAIN_AFTER).await;
            Ok(())
        };
        self.interrupt.or(pause, INTERRUPTED).await
    }

    /// The builder's state. One that was launched a moment ago may not show yet.
    async fn state(&self, id: &str, since: Instant) -> Result<State> {
        let machines = self.aws.machines_by_id(&[id.to_owned()]).await?;
        match machines.first() {
            Some(machine) => Ok(machine.state),
            None if self.aws.time.instant() < since + VISIBLE_WITHIN => Ok(State::Pending),
            None => Err(Failure::failed(format!("EC2 does not show {id} any more"))),
        }
    }

    fn ended(&self, id: &str, stage: Option<Stage>, console: &str) -> Failure {
        let why = match &stage {
            Some(Stage::Failed(_)) => stage.map(|stage| format!(": {stage}")),
            _ => None,
        };
        for line in boot_log::tail(console, TAIL) {
            self.out.say(&format!("{id}| {line}"));
        }
        Failure::failed(format!(
            "{id} has ended before it was prepared{}",
            why.unwrap_or_default()
        ))
        .hint("nothing is left of it; if it could not reach the internet, name another --subnet-id or --proxy, and run the same command again")
    }
}

pub const INTERRUPTED: &str = "interrupted: no image was made";

pub fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, INTERRUPTED)
}

/// The failure of a launch that was refused.
fn refused(error: LaunchError) -> Failure {
    match error {
        LaunchError::Unknown(failure)
        | LaunchError::NotNow(failure)
        | LaunchError::NotFound(_, failure)
        | LaunchError::Refused(failure) => failure,
        LaunchError::NoCapacity(none) => none.failure,
        LaunchError::TokenMismatch | LaunchError::TokenSpent => {
            Failure::failed("EC2 takes the launch for one that it has made already")
        }
        LaunchError::TooLate => Failure::failed("the launch took too long"),
    }
}

/// A client token that no other run has: 32 characters.
fn random_token() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(std::io::Error::other)
        .context("the system has no randomness for a client token")?;
    Ok(hex::encode(random))
}

/// The launch of a builder, with its own user data and tags.
pub fn launch<'a>(
    request: &'a Request,
    plan: &'a LaunchPlan,
    candidate: &'a crate::model::place::Candidate,
    security_group_id: &'a str,
    tags: &'a [(String, String)],
    user_data: &'a [u8],
) -> Launch<'a> {
    Launch {
        request,
        plan,
        candidate,
        security_group_id: Some(security_group_id),
        tags,
        user_data,
        least: 1,
        number: 1,
    }
}
