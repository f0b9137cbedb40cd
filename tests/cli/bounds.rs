//! What never ends, or is larger than anything that is meant: files, answers,
//! pages, and what a profile's commands print.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    sandbox::{Account, Run, ended, finish, signal, spawn, until_it_says},
    terminal::on_a_terminal,
};

/// bash, with the program as `$PROGRAM`.
fn in_bash(account: &Account, script: &str) -> Run {
    let mut command = Command::new("bash");
    command
        // Else bash becomes the program, and the parent of what writes into pipes.
        .args(["-c", &format!("{script}; exit $?")])
        .env_clear()
        .envs(account.environment())
        .env("PROGRAM", env!("CARGO_BIN_EXE_inductiva-aws"))
        .current_dir(account.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    finish(&mut command)
}

#[test]
fn a_script_may_come_from_a_pipe() {
    let account = Account::new();
    let run = in_bash(
        &account,
        r#""$PROGRAM" user-data --user-data-path <(printf '#!/bin/sh\necho hello\n')"#,
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.ends_with("echo hello\n"), "{}", run.stdout);
}

#[test]
fn a_script_is_a_file_or_a_pipe_of_a_mebibyte_at_most() {
    let account = Account::new();
    account.file("large", vec![b'#'; (1 << 20) + 1]);
    for (path, why) in [
        ("large", "it has more than 1 MiB"),
        ("<(yes)", "it has more than 1 MiB"),
        ("/dev/zero", "it is neither a file nor a pipe"),
        (".", "Is a directory"),
        ("/dev/null", "is empty: a machine would start"),
    ] {
        let run = in_bash(
            &account,
            &format!(r#""$PROGRAM" start --user-data-path {path}"#),
        );
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{path}");
        assert!(run.stderr.contains(why), "{path}: {}", run.stderr);
    }
    assert_eq!(account.requests().len(), 0);
}

#[test]
fn a_configuration_or_a_key_is_a_file_of_a_mebibyte_at_most() {
    let account = Account::new();
    let large = account.file("large", vec![b'#'; (1 << 20) + 1]);
    let large = large.display().to_string();
    for name in [
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
    ] {
        for (path, code) in [(large.as_str(), 2), ("/dev/zero", 2)] {
            let run = finish(account.command(["list"]).env(name, path));
            assert_eq!(run.code, code, "{name}={path}: {}", run.stderr);
        }
    }
    let empty = finish(
        account
            .command(["list", "-q"])
            .env("AWS_CONFIG_FILE", "/dev/null"),
    );
    empty.assert(0, "", "");
    account.file(".inductiva/api_key", vec![b'k'; (1 << 20) + 1]);
    let run = finish(account.command(["start"]).env_remove("INDUCTIVA_API_KEY"));
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stderr.contains("it has more than 1 MiB"),
        "{}",
        run.stderr
    );
}

/// An answer of so many bytes and one more.
fn too_long(service: &str, operation: &str, mebibytes: usize) -> Value {
    json!({"service": service, "operation": operation, "kind": "answer", "status": 200, "body": "x".repeat(1 << 10), "times": mebibytes * 1024 + 1, "count": null})
}

#[test]
fn an_answer_without_end_is_not_read() {
    let account = Account::new();
    account.fault(too_long("ec2", "DescribeInstances", 64));
    let run = account.run("list");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("the answer has more than 64 MiB"),
        "{}",
        run.stderr
    );
    account.fault(too_long("inductiva", "GET /users/info", 16));
    let run = account.run("check");
    assert!(
        run.stdout.contains("the answer has more than 16 MiB"),
        "{}",
        run.stdout
    );
}

#[test]
fn pages_without_end_have_one() {
    let account = Account::new();
    let page = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId><reservationSet/><nextToken>t{number}</nextToken></DescribeInstancesResponse>";
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "kind": "answer", "status": 200, "body": page, "count": null}));
    let run = account.run("list");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let told = "DescribeInstances did not end after 1000 pages";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    // No try of it would end otherwise.
    assert!(!run.stderr.contains("trying again"), "{}", run.stderr);
    assert_eq!(account.calls("DescribeInstances"), 1_000);
}

/// A profile whose command is this, and a role that is assumed with its keys.
fn with_process(account: &Account, command: &str) {
    account.file(
        ".aws/config",
        format!(
            "[profile p]\ncredential_process = {command}\n[profile role]\nrole_arn = arn:aws:iam::{}:role/r\nsource_profile = p\n",
            account.number
        ),
    );
}

/// Whether the process that wrote its id into a file runs still.
fn runs(account: &Account, file: &str) -> bool {
    let id = fs::read_to_string(account.home.path().join(file)).expect("an id");
    let alive = Command::new("sh")
        .args(["-c", &format!("kill -0 {}", id.trim())])
        .stderr(Stdio::null())
        .status();
    alive.expect("sh runs").success()
}

#[test]
fn a_command_that_prints_without_end_is_ended() {
    let account = Account::new();
    with_process(&account, "sh -c 'echo $$ >id; exec yes'");
    for profile in ["p", "role"] {
        let run = account.run(&format!("whoami --profile {profile}"));
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
        let told = "credential_process of profile p failed: it printed more than 64 KiB";
        assert!(run.stderr.contains(told), "{}", run.stderr);
        account.until("the command has ended", |account| !runs(account, "id"));
    }
}

/// A command whose part that takes long is a child of its shell.
const SLOW: &str = "sh -c \"sh -c 'echo $$ >id.new; mv id.new id; exec sleep 100000'; true\"";

#[test]
fn a_command_that_does_not_end_is_waited_for_a_minute() {
    let account = Account::new();
    with_process(&account, SLOW);
    for profile in ["p", "role"] {
        let _ = fs::remove_file(account.home.path().join("id"));
        let mut child = account.start(&format!("whoami --profile {profile}"));
        account.until("the command runs", |a| a.home.path().join("id").exists());
        account.pass(2.0);
        let said = until_it_says(&mut child, "waiting for credential_process of profile p\n");
        account.pass(58.0);
        let run = ended(child);
        assert_eq!(run.code, 4, "{said}{}", run.stderr);
        let told = "credential_process of profile p failed: it did not end within 60 s";
        assert!(run.stderr.contains(told), "{}", run.stderr);
        account.until("the command has ended", |account| !runs(account, "id"));
    }
}

/// There may be a page to sign in on, or a security key to find.
#[test]
fn a_command_has_ten_minutes_on_a_terminal() {
    let account = Account::new();
    with_process(&account, "sh -c 'echo begun >/dev/tty; exec sleep 100000'");
    let run = on_a_terminal(
        &account,
        "whoami --profile p",
        &[
            "see:begun",
            r#"put:clock {"advance": 2}"#,
            "see:waiting for credential_process of profile p",
            r#"put:clock {"advance": 598}"#,
        ],
        &[("NO_COLOR", "1")],
    );
    assert_eq!(run.code, 4, "{}", run.stdout);
    let told = "credential_process of profile p failed: it did not end within 600 s";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn a_command_ends_with_the_program() {
    for name in ["-INT", "-TERM"] {
        let account = Account::new();
        with_process(&account, SLOW);
        let child = account.start("whoami --profile p");
        account.until("the command runs", |a| a.home.path().join("id").exists());
        signal(&child, name);
        let run = ended(child);
        assert_eq!(run.code, 130, "{}", run.stderr);
        account.until("the command has ended", |account| !runs(account, "id"));
    }
}

#[test]
fn an_mfa_process_has_the_same_limits() {
    let account = Account::new();
    let config = |process: &str| {
        account.file(
            ".aws/config",
            format!("[default]\nmfa_serial = arn:aws:iam::{}:mfa/phone\nmfa_process = {process}\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n", account.number),
        );
    };
    config("yes");
    let run = account.run("whoami --profile default");
    assert_eq!(run.code, 4, "{}", run.stderr);
    let told = "the profile's mfa_process was ended: it printed more than 64 KiB";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    config(SLOW);
    let child = spawn(&mut account.command(["whoami", "--profile", "default"]));
    account.until("the command runs", |a| a.home.path().join("id").exists());
    account.pass(60.0);
    let run = ended(child);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let told = "the profile's mfa_process was ended: it did not end within 60 s";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    account.until("the command has ended", |account| !runs(account, "id"));
}
