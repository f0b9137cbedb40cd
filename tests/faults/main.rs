//! Promise 1: N machines, whatever happens at whatever call of `start`.
//!
//! The cases are generated: each call of an undisturbed run × each thing that can
//! happen to it × several N. One case alone, or those of a part of the name:
//!
//!     INDUCTIVA_AWS_FAULT_CASE='2 machines: RunInstances#1 lost_answer' cargo test --test faults
//!
//! Damaged answers and image builds are `#[ignore]`d: `cargo test` is to take five minutes.
//! A change has to pass them all the same: .ci/run runs them.

mod building;
mod cases;
mod damaged;
mod group;
mod happenings;
mod random;
#[path = "../cli/sandbox/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::needless_pass_by_value,
    reason = "the tests of the command line use the rest"
)]
mod sandbox;
mod two_regions;

use std::{
    env,
    io::{Write as _, stderr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::cases::Case;

/// Sandboxes: a case has one account.
const SERVERS: usize = 2;
/// Cases are judged by machines and exit codes, and say the rest where they fail.
const UNSEEN_OUTPUT_FAILS: bool = false;
/// Cases at a time that keep the machine busy,
const SIDE_BY_SIDE: usize = 6;
/// and those that wait most of the time, beside them.
const WAITING_SIDE_BY_SIDE: usize = 30;

/// Runs the cases side by side; fails with all that did not hold.
fn all_hold(cases: &[Case]) {
    let wanted = cases::wanted();
    let (waiting, busy): (Vec<&Case>, Vec<&Case>) = cases
        .iter()
        .filter(|case| case.name.contains(&wanted))
        .partition(|case| case.waits);
    let number = waiting.len() + busy.len();
    let waiting = (waiting, AtomicUsize::new(0), WAITING_SIDE_BY_SIDE);
    let busy = (busy, AtomicUsize::new(0), SIDE_BY_SIDE);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let workers = [&waiting, &busy].map(|lane| std::iter::repeat_n(lane, lane.2));
        for (cases, next, _) in workers.into_iter().flatten() {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = verdict(|| case.run()) {
                        let alone = format!("INDUCTIVA_AWS_FAULT_CASE='{}'", case.name);
                        let why = format!(
                            "{why}\nalone: {alone} cargo test --test faults -- --include-ignored"
                        );
                        say(&format!("{}: FAILED", case.name));
                        failed
                            .lock()
                            .expect("no panic")
                            .push((case.name.clone(), why));
                    }
                }
            });
        }
    });
    tell(&failed.into_inner().expect("no panic"), number);
}

/// Past the capture of the test harness, at once.
fn say(line: &str) {
    let line = format!("{line}\n");
    stderr().write_all(line.as_bytes()).expect("stderr");
}

/// Fails with all that did not hold.
fn tell(failed: &[(String, String)], cases: usize) {
    let told: Vec<String> = failed
        .iter()
        .map(|(name, why)| format!("{name}\n  {}", why.trim().replace('\n', "\n  ")))
        .collect();
    say(&format!("{cases} cases, {} did not hold", failed.len()));
    assert!(
        failed.is_empty(),
        "{} of {} cases:\n\n{}\n",
        failed.len(),
        cases,
        told.join("\n\n")
    );
}

fn verdict(run: impl Fn() -> group::Verdict) -> group::Verdict {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        Err(said.unwrap_or_else(|| "it panicked".to_owned()))
    })
}

#[test]
fn whatever_happens_to_a_call_the_group_has_n_machines_or_none_and_an_error() {
    all_hold(&cases::every_fault_at_every_call());
}

#[test]
#[ignore = "with the other such test 800 cases: see the head of this file"]
fn whatever_is_missing_in_an_answer_is_not_taken_for_gone() {
    all_hold(&damaged::at_every_call());
}

#[test]
#[ignore = "with the other such test 800 cases: see the head of this file"]
fn whatever_happens_to_a_call_of_an_image_build_there_is_one_image_or_nothing() {
    all_hold(&building::at_every_call());
}

#[test]
fn whatever_happens_around_a_start_the_group_has_n_machines() {
    all_hold(&cases::around_a_start());
}

#[test]
fn whatever_faults_chance_orders_the_group_has_n_machines() {
    by_chance("random faults", |seed| {
        let case = random::round(seed);
        (case.name.clone(), verdict(|| case.run()))
    });
}

#[test]
fn what_terminate_says_is_gone_is_gone_by_chance() {
    by_chance("starts and ends", |seed| {
        let name = format!("starts and ends in two regions, seed {seed}");
        (name, verdict(|| two_regions::history(seed)))
    });
}

/// `INDUCTIVA_AWS_FAULTS_SEED` is the first round's seed, `…_SECONDS` the time
/// within which rounds begin: `INDUCTIVA_AWS_FAULTS_SEED=7 …_SECONDS=0` is round
/// 7 alone.
fn by_chance(what: &str, round: impl Fn(u64) -> (String, group::Verdict) + Sync) {
    let given = |name: &str| env::var(format!("INDUCTIVA_AWS_FAULTS_{name}")).ok();
    let number = |text: String| text.parse::<u64>().expect("a number");
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().expect("a clock");
    let seed = given("SEED").map_or(since_1970.as_secs(), number);
    let seconds = given("SECONDS").map_or(5, number);
    say(&format!(
        "{what} for {seconds} s: INDUCTIVA_AWS_FAULTS_SEED={seed}"
    ));
    let until = Instant::now() + Duration::from_secs(seconds);
    let next = AtomicU64::new(seed);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..(if seconds == 0 { 1 } else { 4 }) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if let (name, Err(why)) = round(seed) {
                        let why = format!("{why}\nalone: INDUCTIVA_AWS_FAULTS_SEED={seed} INDUCTIVA_AWS_FAULTS_SECONDS=0");
                        failed.lock().expect("no panic").push((name, why));
                    }
                    if seconds == 0 || Instant::now() > until {
                        break;
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    let rounds = next.into_inner() - seed;
    tell(&failed, usize::try_from(rounds).expect("few"));
}
