//! The programs that this one runs: what they are given of the environment, how
//! much they may print, and how long they may take.

use std::{
    io::{self, IsTerminal as _},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use crate::{bounds, terminal::output::Output, time::Time};

/// What no other program needs to know where a profile is used.
const SECRETS: [&str; 6] = [
    "INDUCTIVA_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_MFA_TOKEN_CODE",
];
/// What a browser does not need either; a command may get credentials with it.
const OF_A_CONTAINER: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// Takes the secrets out of what a browser inherits.
pub fn without_secrets(command: &mut std::process::Command) {
    for name in SECRETS {
        command.env_remove(name);
    }
    command.env_remove(OF_A_CONTAINER);
}

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
                Stdio::inherit()
            } else {
                Stdio::null()
            });
        for name in SECRETS {
            command.env_remove(name);
        }
        let mut running = Running(command.spawn()?);
        let limit = if io::stderr().is_terminal() {
            bounds::HELPER_TIME_WITH_A_PERSON
        } else {
            bounds::HELPER_TIME
        };
        let deadline = time.instant() + limit;
        let mut work = Box::pin(running.output());
        if let Ok(ended) = time.within(bounds::HELPER_SAID_AFTER, &mut work).await {
            return ended;
        }
        out.say(&format!("waiting for {}", self.name));
        time.until(deadline, work).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Ok(Ended::Stopped(format!("it did not end within {seconds} s")))
        })
    }
}

/// A command that runs. Dropping it ends it, and all that it has started.
struct Running(Child);

impl Running {
    async fn output(&mut self) -> io::Result<Ended> {
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

/// A shell's own end would leave what it has started. A process group of its own
/// would not do: a command has to be able to read from the terminal.
#[cfg(unix)]
fn end_with_descendants(id: u32) {
    let listed = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output();
    let listed = listed.map_or_else(
        |_| processes(),
        |listed| String::from_utf8_lossy(&listed.stdout).into_owned(),
    );
    let ids = descendants(id, &listed);
    // `kill` is part of every shell, and not everywhere a program.
    let _ = std::process::Command::new("sh")
        .args(["-c", "kill -KILL \"$@\"", "sh"])
        .args(ids.iter().map(u32::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(not(unix))]
fn end_with_descendants(id: u32) {
    let _ = std::process::Command::new("taskkill")
        .args(["/T", "/F", "/PID", &id.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// What `ps` would list, where there is none: on Linux the kernel tells.
#[cfg(unix)]
fn processes() -> String {
    let status = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name before it is in brackets, and may have any in it.
        let (id, rest) = (text.split(' ').next()?, text.rsplit_once(')')?.1);
        Some(format!("{id} {}\n", rest.split_whitespace().nth(1)?))
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(status).collect()
}

/// A process and those below it, by lines with an id and that of its parent.
#[cfg(unix)]
fn descendants(id: u32, processes: &str) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = processes
        .lines()
        .filter_map(|line| {
            let mut ids = line.split_whitespace().map(str::parse);
            Some((ids.next()?.ok()?, ids.next()?.ok()?))
        })
        .collect();
    let mut found = vec![id];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let children = pairs
            .iter()
            .filter(|(child, of)| *of == parent && !found.contains(child));
        let children: Vec<u32> = children.map(|(child, _)| *child).collect();
        found.extend(children);
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    #![cfg(unix)]

    use super::*;

    #[test]
    fn descendants_are_found_whatever_their_order() {
        let listed = "  1 0\n 30 20\n 20 10\n 10 1\n 21 10\n 40 1\n x y\n";
        assert_eq!(descendants(10, listed), [10, 20, 21, 30]);
        assert_eq!(descendants(40, ""), [40]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_processes_without_ps() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .expect("it runs");
        assert!(descendants(own, &processes()).contains(&child.id()));
        child.kill().expect("it ends");
        child.wait().expect("it has ended");
    }
}
