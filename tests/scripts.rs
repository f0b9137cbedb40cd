//! The tests that are written in Python, as part of `cargo test`: what they
//! test is not Rust.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Runs a command in the repository; shows what it says only when it fails.
fn passes(program: &str, argument: &str) {
    let output = Command::new(program)
        .arg(argument)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{program} {argument}\n{said}");
    for skipped in said.lines().filter(|line| line.contains("skipped")) {
        assert!(std::env::var_os("CI").is_none(), "{argument}: {skipped}");
        // Past the test harness, which shows what passing tests print to nobody.
        let _ = writeln!(std::io::stderr(), "{argument}: {skipped}");
    }
}

#[test]
fn user_data_sh_does_what_it_says() {
    passes("python3", "tests/machine/script");
}

#[test]
fn the_sandbox_is_what_it_says() {
    // Without an end of its stdin the server would stay.
    passes("tests/sandbox/run", "--serve");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sandbox/venv/bin/python");
    let python = python.display().to_string();
    let files = std::fs::read_dir("tests/sandbox").expect("a folder");
    let files = files.map(|file| file.expect("a file").path().display().to_string());
    let mut tests: Vec<String> = files.filter(|file| file.ends_with("selftest.py")).collect();
    tests.sort();
    assert!(tests.len() > 1, "{tests:?}");
    // Without an AWS CLI of version 2 the checks with that say so; in CI that is a failure.
    for test in tests {
        passes(&python, &test);
    }
}

#[test]
fn every_change_that_a_test_has_to_notice_still_applies() {
    passes("tests/mutations/run", "--check");
}

#[test]
fn no_file_imports_what_stands_above_it() {
    passes("python3", "tests/layout.py");
}
