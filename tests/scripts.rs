//! The tests that are written in Python, as part of `cargo test`: what they
//! test is not Rust.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Runs a command in the repository, and shows what it says only when it fails: what it
/// has said.
fn passes(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = arguments.join(" ");
    assert!(output.status.success(), "{program} {line}\n{said}");
    for skipped in said.lines().filter(|line| line.contains("skipped")) {
        assert!(std::env::var_os("CI").is_none(), "{line}: {skipped}");
        // Past the test harness, which shows what passing tests print to nobody.
        let _ = writeln!(std::io::stderr(), "{line}: {skipped}");
    }
    said
}

#[test]
fn user_data_sh_does_what_it_says() {
    passes("python3", &["tests/machine/script"]);
}

#[test]
fn the_sandbox_is_what_it_says() {
    // Without an end of its stdin the server would stay.
    passes("tests/sandbox/run", &["--serve"]);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sandbox/venv/bin/python");
    let python = python.display().to_string();
    // All in one process: they share a server and boto3, which take longer to start than
    // most of the tests take. Without an AWS CLI of version 2 the checks with that say so;
    // in CI that is a failure.
    let all = "-m unittest discover -s tests/sandbox -p *selftest.py";
    let said = passes(&python, &all.split(' ').collect::<Vec<_>>());
    assert!(!said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn every_change_that_a_test_has_to_notice_still_applies() {
    passes("tests/mutations/run", &["--check"]);
}

#[test]
fn no_file_imports_what_stands_above_it() {
    passes("python3", &["tests/layout.py"]);
}
