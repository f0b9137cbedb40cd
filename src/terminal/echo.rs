//! A terminal that does not show what is typed.

use std::{
    env,
    process::{Command, Stdio},
};

/// The terminal as it was before; dropping it brings that back, also where an
/// interruption ends a question.
pub struct Hidden(Option<String>);

/// Shows nothing of what is typed from now on, until the answer is dropped. Where the
/// terminal cannot be told so, it shows what is typed.
pub fn hidden() -> Hidden {
    let before = stty("-g").map(|state| state.trim().to_owned());
    if before.is_some() {
        stty("-echo");
    }
    Hidden(before)
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            stty(before);
        }
    }
}

/// Of the terminal that this program's stdin is; it is part of every Unix.
fn stty(argument: &str) -> Option<String> {
    let output = Command::new("stty")
        .arg(argument)
        // The environment has secrets, which are no business of its.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
