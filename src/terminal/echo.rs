//! A terminal that does not show what is typed.

use std::{
    env,
    process::{Command, Stdio},
};

/// The terminal's earlier state, which comes back when this is dropped, also where an
/// interruption ends a question.
pub struct Hidden(Option<String>);

/// Hides what is typed until the answer is dropped. It stays visible where the terminal
/// cannot be set.
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

/// Sets or asks the terminal that is this program's stdin. Every Unix has `stty`.
fn stty(argument: &str) -> Option<String> {
    let output = Command::new("stty")
        .arg(argument)
        // The environment has secrets, which `stty` does not need.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
