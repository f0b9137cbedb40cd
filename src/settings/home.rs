//! A home folder for every part of the program that looks for one.

use crate::error::Result;

/// Sets HOME to the user's home folder if it is empty or unset. Otherwise the SDK would
/// look for `.aws/config` in the current folder, and run what that file says. The SDK
/// reads the variable itself, so this program starts anew.
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
            // If the user has no home, a folder without files of theirs takes its place.
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

/// Other systems do not use HOME.
#[cfg(not(unix))]
pub fn settle() -> Result<()> {
    Ok(())
}
