//! A terminal that does not show what is typed.

use std::{
    env,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The terminal as it was, while it shows nothing of what is typed.
static BEFORE: Mutex<Option<String>> = Mutex::new(None);

/// When this is dropped, the terminal is again as it was, also where an interruption ends
/// a question.
pub struct Hidden(());

/// Hides what is typed until the answer is dropped. It stays visible where the terminal
/// cannot be set.
pub fn hidden() -> Hidden {
    let before = stty("-g").map(|state| state.trim().to_owned());
    if before.is_some() {
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = before;
        stty("-echo");
    }
    Hidden(())
}

/// The terminal as it was before, if it hides what is typed.
pub fn show() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        stty(&before);
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        show();
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
