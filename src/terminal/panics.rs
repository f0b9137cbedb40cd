//! Failures of the program itself. They are reported like any other failure, and end the
//! program without a core. Nothing is unwound: a release that can unwind is twice as large.

use std::{
    fs::File,
    io::{self, Write as _},
    panic, process,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    command_line::command,
    echo,
    interrupt::Interrupt,
    output::{Format, Output},
    spinner,
};
use crate::error::{Failure, Kind};

/// The failed thread may hold a lock that the report needs: after this, the program ends
/// with a shorter report.
const REPORTED_WITHIN: Duration = Duration::from_secs(10);

/// Whether `RunInstances` may have been sent.
static LAUNCHING: AtomicBool = AtomicBool::new(false);
/// Whether this run is to end machines.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The streams, once the global options are known.
static OUTPUT: OnceLock<Output> = OnceLock::new();
/// What knows the group and the machines of a start.
static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();

/// From now on a panic is reported like any other failure, and ends the program with the
/// exit code of one. Its message is left out, as it may quote a request with its secrets.
/// `usual` are the streams until [`report_to`] is called.
#[expect(
    clippy::exit,
    reason = "main does not come back from a panic that nothing unwinds"
)]
pub fn end_the_program(usual: fn() -> Output) {
    static IS_REPORTED: AtomicBool = AtomicBool::new(false);
    panic::set_hook(Box::new(move |info| {
        if IS_REPORTED.swap(true, Ordering::Relaxed) {
            // Another thread reports its own panic; the program is about to end.
            loop {
                thread::park();
            }
        }
        let place = info.location().map_or_else(
            || "an unknown place".to_owned(),
            |at| format!("{}:{}", source(at.file()), at.line()),
        );
        let (reporting, reported) = mpsc::channel();
        let place_reported = place.clone();
        let report = move || {
            let failure = failure(&place_reported, INTERRUPT.get());
            spinner::end();
            echo::show();
            let out = OUTPUT.get().copied().unwrap_or_else(usual);
            out.failure(&failure);
            let _ = reporting.send(failure.kind);
        };
        let _ = thread::Builder::new().spawn(report);
        let kind = reported
            .recv_timeout(REPORTED_WITHIN)
            .unwrap_or_else(|_| reported_briefly(&place));
        process::exit(kind.exit_code().into());
    }));
}

/// The same without any lock.
fn reported_briefly(place: &str) -> Kind {
    let failure = failure(place, None);
    let told = match OUTPUT.get().map(|out| out.format) {
        Some(Format::Json) => json!({ "error": failure }).to_string(),
        _ => format!("error: {}", failure.message),
    };
    let _ = duplicate_of_stderr().and_then(|mut stderr| writeln!(stderr, "{told}"));
    failure.kind
}

#[cfg(unix)]
fn duplicate_of_stderr() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    io::stderr().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn duplicate_of_stderr() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    io::stderr()
        .as_handle()
        .try_clone_to_owned()
        .map(File::from)
}

/// Sets the streams of the report, once the global options are known.
pub fn report_to(out: Output) {
    let _ = OUTPUT.set(out);
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

/// From now on a panic names the machines of the start that this knows.
pub fn name_machines_of(interrupt: &Interrupt) {
    let _ = INTERRUPT.set(interrupt.clone());
}

/// Notes that `RunInstances` is about to be sent.
pub fn launching() {
    LAUNCHING.store(true, Ordering::Relaxed);
}

/// Notes that this run is to end machines.
pub fn ending() {
    ENDING.store(true, Ordering::Relaxed);
}

/// What a task came to. One that panics has ended the program, and tasks are cancelled only
/// with the whole runtime.
pub async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(_) => std::future::pending().await,
    }
}

/// The failure for a panic at `place`. `interrupt` knows the group and the machines of a
/// start.
fn failure(place: &str, interrupt: Option<&Interrupt>) -> Failure {
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
    if ENDING.load(Ordering::Relaxed) {
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
