//! A home folder for whoever looks for one.

use crate::error::Result;

/// An empty HOME counts as unset, and an unset one is what the system has for the
/// user: the SDK would look for `.aws/config` in the current folder otherwise, and
/// run what that says. It reads the variable itself, so this program starts anew.
///
/// # Errors
/// Usage: it cannot start anew.
#[cfg(unix)]
pub fn settle() -> Result<()> {
    use std::{env, io, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

    use crate::error::Failure;

    if env::var_os("HOME").is_some_and(|home| !home.is_empty()) {
        return Ok(());
    }
    let start_anew = || -> io::Result<()> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        let home = env::home_dir().filter(|home| home.is_absolute());
        let mut program = Command::new(env::current_exe()?);
        program
            .arg0(name)
            .args(arguments)
            // Nobody's home has nothing in it.
            .env("HOME", home.unwrap_or_else(|| PathBuf::from("/")));
        Err(program.exec())
    };
    start_anew().map_err(|error| {
        Failure::usage(format!(
            "HOME is not set, and this program cannot start itself again: {error}"
        ))
        .hint("set HOME to the folder that has .aws and .inductiva")
    })
}

/// Other systems do not go by HOME.
#[cfg(not(unix))]
pub fn settle() -> Result<()> {
    Ok(())
}
