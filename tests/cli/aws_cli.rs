//! The real AWS CLI of version 2, beside which some tests put this program.
//! A machine without one still passes the tests, and is told what was not
//! tried; in CI there has to be one.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::sandbox::{Account, Run, finish_with_stdin};

/// The program, led to the sandbox by endpoint rules in the account's home:
/// before version 2.13 it does not read `AWS_ENDPOINT_URL`.
pub fn aws_cli(account: &Account) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_version_2 = |program: &PathBuf| {
        let told = Command::new(program).arg("--version").output();
        told.is_ok_and(|told| told.stdout.starts_with(b"aws-cli/2"))
    };
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("aws"))
        .find(is_version_2);
    let Some(program) = found else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        assert!(
            std::env::var_os("CI").is_none(),
            "there is no AWS CLI of version 2 on PATH"
        );
        // Past the test harness, which shows what passing tests print to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "{test}: not tried with the AWS CLI: there is none of version 2 on PATH"
        );
        return None;
    };
    let models = account.get("aws_models");
    for (name, model) in models.as_object().expect("an object") {
        account.file(&format!(".aws/models/{name}"), model.to_string());
    }
    Some(program)
}

/// The AWS CLI with these arguments and the account's keys; none without it.
pub fn aws(account: &Account, line: &str, stdin: &str) -> Option<Run> {
    let mut command = Command::new(aws_cli(account)?);
    command
        .args(line.split_whitespace())
        .env_clear()
        .envs(account.environment())
        .stdout(Stdio::piped());
    Some(
        finish_with_stdin(&mut command, stdin)
            .ignoring_the_rest("it is the AWS CLI that prints it, not the program"),
    )
}
