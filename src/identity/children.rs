//! The commands of profiles: how much they may print, and how long they may take.

use std::{
    io::{self, IsTerminal as _},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

#[cfg(unix)]
use super::process_tree::end_with_descendants;
use super::{inherited::without_keys, said::Said};
use crate::{bounds, terminal::output::Output, time::Time};

/// A command of a profile, such as `credential_process`.
pub struct Helper<'a> {
    /// As a shell takes it.
    pub command: &'a str,
    /// What it is, for messages.
    pub name: String,
    /// Variables that it gets beside its own.
    pub variables: &'a [(&'static str, String)],
    /// Whether what it says on stderr is for the person to see.
    pub shows_stderr: bool,
}

/// What a command came to.
pub enum Ended {
    /// It ended well, and printed this.
    Printed(Vec<u8>),
    /// It ended in another way.
    Failed(ExitStatus),
    /// It was ended: it printed too much, or took too long.
    Stopped(String),
}

impl Helper<'_> {
    /// Runs it. It ends with the future, and so with this program.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn run(&self, time: &Time, out: Output) -> io::Result<Ended> {
        let (shell, flag) = if cfg!(windows) {
            ("cmd", "/C")
        } else {
            ("sh", "-c")
        };
        let mut command = Command::new(shell);
        command
            .args([flag, self.command])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if self.shows_stderr {
                Stdio::piped()
            } else {
                Stdio::null()
            });
        without_keys(command.as_std_mut());
        let begun = time.instant();
        let mut running = Running(command.spawn()?);
        let limit = if io::stderr().is_terminal() {
            bounds::HELPER_TIME_WITH_A_PERSON
        } else {
            bounds::HELPER_TIME
        };
        let mut work = Box::pin(running.output(time, out));
        if let Ok(ended) = time
            .until(begun + bounds::HELPER_SAID_AFTER, &mut work)
            .await
        {
            return ended;
        }
        out.say(&format!("waiting for {}", self.name));
        time.until(begun + limit, work).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Ok(Ended::Stopped(format!("it did not end within {seconds} s")))
        })
    }
}

/// A command that runs. Dropping it ends it, and all that it has started.
struct Running(Child);

impl Running {
    /// Shows what it says on stderr until it has ended. What it has left in the
    /// background may keep that open for ever.
    async fn output(&mut self, time: &Time, out: Output) -> io::Result<Ended> {
        let Some(stderr) = self.0.stderr.take() else {
            return self.printed().await;
        };
        let mut said = Said::new(stderr, out);
        let ended = {
            let mut work = Box::pin(self.printed());
            tokio::select! {
                ended = &mut work => ended,
                () = said.show(time) => work.await,
            }
        };
        said.show_rest();
        ended
    }

    async fn printed(&mut self) -> io::Result<Ended> {
        let mut printed = Vec::new();
        if let Some(stdout) = &mut self.0.stdout {
            let one_more = u64::try_from(bounds::HELPER_OUTPUT).unwrap_or(u64::MAX) + 1;
            stdout.take(one_more).read_to_end(&mut printed).await?;
        }
        if printed.len() > bounds::HELPER_OUTPUT {
            let most = bounds::size(bounds::HELPER_OUTPUT);
            return Ok(Ended::Stopped(format!("it printed more than {most}")));
        }
        let status = self.0.wait().await?;
        Ok(if status.success() {
            Ended::Printed(printed)
        } else {
            Ended::Failed(status)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // None once it has ended and was waited for.
        if let Some(id) = self.0.id() {
            end_with_descendants(id);
            let _ = self.0.start_kill();
        }
    }
}

#[cfg(not(unix))]
fn end_with_descendants(id: u32) {
    let mut taskkill = std::process::Command::new("taskkill");
    taskkill
        .args(["/T", "/F", "/PID", &id.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    super::inherited::without_secrets(&mut taskkill);
    let _ = taskkill.status();
}
