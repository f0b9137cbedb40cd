//! Failures of the program itself. They are caught, reported like any other failure, and
//! leave no core.

use std::{
    panic,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::JoinHandle;

use super::{command_line::command, interrupt::Interrupt};
use crate::error::{Failure, Kind};

/// Where the first panic was. Its message is not kept, as it may quote a request with its
/// secrets.
static PLACE: Mutex<Option<String>> = Mutex::new(None);
/// Whether `RunInstances` may have been sent.
static LAUNCHING: AtomicBool = AtomicBool::new(false);

/// Keeps panics from printing anything.
pub fn silence() {
    panic::set_hook(Box::new(|info| {
        let mut place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = info
                .location()
                .map(|at| format!("{}:{}", source(at.file()), at.line()));
        }
    }));
}

/// A file of this program or of a crate, without the folders of whoever built it.
fn source(file: &str) -> &str {
    let file = file.split_once("/registry/src/").map_or(file, |(_, rest)| {
        rest.split_once('/').map_or(rest, |(_, file)| file)
    });
    match file.split_once("/library/") {
        Some((_, of_rust)) if file.starts_with("/rustc/") => of_rust,
        _ => file,
    }
}

/// Notes that `RunInstances` is about to be sent.
pub fn launching() {
    LAUNCHING.store(true, Ordering::Relaxed);
}

/// What a task came to. If it panicked, so does whoever waits for it.
pub async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // Tasks are cancelled only with the whole runtime.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The failure for a panic. `interrupt` knows the group and the machines of a start;
/// `ends_machines` tells whether the command was to end some.
pub fn failure(interrupt: Option<&Interrupt>, ends_machines: bool) -> Failure {
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = place.as_deref().unwrap_or("an unknown place");
    let failed =
        format!("inductiva-aws itself has failed, at {place}: this is a bug in inductiva-aws");
    let version = env!("CARGO_PKG_VERSION");
    let report = format!("report it, with that place and the version {version}");
    if LAUNCHING.load(Ordering::Relaxed) {
        let failure = Failure::new(
            Kind::MachinesMayBeRunning,
            format!("{failed}; machines of this run may be running"),
        );
        let Some(interrupt) = interrupt else {
            return failure.hint(report);
        };
        return failure
            .hint(format!("{}; {report}", interrupt.way_to_end()))
            .machines(interrupt.running());
    }
    if ends_machines {
        return Failure::new(
            Kind::MachinesMayBeRunning,
            format!("{failed}; machines that were to be terminated may still be running"),
        )
        .hint(format!(
            "{} shows what runs, and the same command again ends it; {report}",
            command("list")
        ));
    }
    Failure::failed(failed).hint(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_without_the_folders_of_the_builder() {
        for (file, told) in [
            ("src/http.rs", "src/http.rs"),
            (
                "/home/ana/.cargo/registry/src/registry-1949/http-1.5.0/src/uri/mod.rs",
                "http-1.5.0/src/uri/mod.rs",
            ),
            (
                "/rustc/59807616e/library/core/src/option.rs",
                "core/src/option.rs",
            ),
        ] {
            assert_eq!(source(file), told);
        }
    }
}
