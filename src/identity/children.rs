//! The commands that profiles name: how much they may print, and how long they may take.

use std::{
    io::{self, IsTerminal as _},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};

#[cfg(unix)]
use super::process_tree::end_with_descendants;
use super::{inherited::without_keys, said::Said};
use crate::{bounds, terminal::output::Output, time::Time, values::spans};

/// A command that a profile names, such as `credential_process`.
pub struct Helper<'a> {
    pub program: Program<'a>,
    /// What to call it in messages.
    pub name: String,
    /// Variables that it gets beside its usual environment.
    pub variables: &'a [(&'static str, String)],
}

/// How a command is run, and what becomes of its stderr.
pub enum Program<'a> {
    /// By a shell. Its stderr is shown to the person.
    Shell(&'a str),
    /// Directly, the program's name first. Its stderr is shown only if it fails.
    Words(&'a [String]),
}

pub enum ProgramEnd {
    /// It succeeded, and printed this.
    Printed(Vec<u8>),
    /// It failed, and wrote this on stderr, if stderr was kept.
    Failed(ExitStatus, String),
    /// It was stopped, as it printed too much or took too long.
    Stopped(String),
}

impl Helper<'_> {
    /// Runs the command. It ends when the future is dropped, and so when this program
    /// ends.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn run(&self, time: &Time, out: Output) -> io::Result<ProgramEnd> {
        let mut command = match self.program {
            Program::Shell(text) => {
                let (shell, flag) = if cfg!(windows) {
                    ("cmd", "/C")
                } else {
                    ("sh", "-c")
                };
                let mut command = Command::new(shell);
                command.args([flag, text]);
                command
            }
            Program::Words(words) => {
                let (name, arguments) = words
                    .split_first()
                    .ok_or_else(|| io::Error::other("there is nothing to run"))?;
                let mut command = Command::new(name);
                command.args(arguments);
                command
            }
        };
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        without_keys(command.as_std_mut());
        let begun = time.instant();
        let mut running = RunningProgram(command.spawn()?);
        let shows_stderr = matches!(self.program, Program::Shell(_));
        let limit = if io::stderr().is_terminal() {
            bounds::HELPER_TIME_WITH_A_PERSON
        } else {
            bounds::HELPER_TIME
        };
        let mut work = Box::pin(running.output(shows_stderr, time, out));
        if let Ok(ended) = time
            .until(begun + bounds::HELPER_SAID_AFTER, &mut work)
            .await
        {
            return ended;
        }
        out.say(&format!("waiting for {}", self.name));
        time.until(begun + limit, work).await.unwrap_or_else(|_| {
            let limit = spans::in_words(limit);
            Ok(ProgramEnd::Stopped(format!(
                "it did not end within {limit}"
            )))
        })
    }
}

/// A command that is running. Dropping it ends the command and everything that it has
/// started.
struct RunningProgram(Child);

impl RunningProgram {
    async fn output(
        &mut self,
        shows_stderr: bool,
        time: &Time,
        out: Output,
    ) -> io::Result<ProgramEnd> {
        let read = if shows_stderr {
            self.shown(time, out).await.map(|read| (read, Vec::new()))
        } else {
            let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
            // Both are read at once, so that a full pipe never blocks the command.
            tokio::try_join!(up_to_the_limit(stdout), up_to_the_limit(stderr))
        };
        let (printed, said) = match read {
            Ok(read) => read,
            Err(UnreadOutput::TooMuch) => {
                let most = bounds::size(bounds::HELPER_OUTPUT);
                return Ok(ProgramEnd::Stopped(format!("it printed more than {most}")));
            }
            Err(UnreadOutput::Failed(error)) => return Err(error),
        };
        let status = self.0.wait().await?;
        Ok(if status.success() {
            ProgramEnd::Printed(printed)
        } else {
            ProgramEnd::Failed(status, String::from_utf8_lossy(&said).into_owned())
        })
    }

    /// Reads stdout, and shows stderr until the command has ended. A process that it has
    /// left in the background may keep stderr open for ever.
    async fn shown(&mut self, time: &Time, out: Output) -> Result<Vec<u8>, UnreadOutput> {
        let printed = up_to_the_limit(self.0.stdout.take());
        let Some(stderr) = self.0.stderr.take() else {
            return printed.await;
        };
        let mut said = Said::new(stderr, out);
        let printed = {
            let mut printed = Box::pin(printed);
            tokio::select! {
                read = &mut printed => read,
                () = said.show(time) => printed.await,
            }
        };
        said.show_rest();
        printed
    }
}

/// Why a program's output was not read to its end.
enum UnreadOutput {
    TooMuch,
    Failed(io::Error),
}

async fn up_to_the_limit(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, UnreadOutput> {
    let mut read = Vec::new();
    if let Some(stream) = stream {
        let one_more = u64::try_from(bounds::HELPER_OUTPUT).unwrap_or(u64::MAX) + 1;
        let mut stream = stream.take(one_more);
        stream
            .read_to_end(&mut read)
            .await
            .map_err(UnreadOutput::Failed)?;
    }
    if read.len() > bounds::HELPER_OUTPUT {
        return Err(UnreadOutput::TooMuch);
    }
    Ok(read)
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // There is no id once it has ended and was waited for.
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
