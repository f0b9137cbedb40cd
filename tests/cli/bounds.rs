//! What never ends, or is larger than anything that is meant: files, answers,
//! pages, and what a profile's commands print.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use snapbox::str;

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
    let script = run.succeeds("");
    assert!(script.ends_with("echo hello\n"), "{script}");
}

#[test]
fn a_script_is_a_file_or_a_pipe_of_a_mebibyte_at_most() {
    let account = Account::new();
    account.file("large", vec![b'#'; (1 << 20) + 1]);
    for (path, said) in [
        (
            "large",
            str![[r#"
error: cannot read large: it has more than 1 MiB

"#]],
        ),
        (
            "<(yes)",
            str![[r#"
error: cannot read /dev/fd/63: it has more than 1 MiB

"#]],
        ),
        (
            "/dev/zero",
            str![[r#"
error: cannot read /dev/zero: it is neither a file nor a pipe

"#]],
        ),
        (
            ".",
            str![[r#"
error: cannot read .: Is a directory (os error 21)

"#]],
        ),
        (
            "/dev/null",
            str![[r#"
error: /dev/null is empty: a machine would start, do nothing and cost money
hint: leave out --user-data-path for the standard script

"#]],
        ),
    ] {
        let run = in_bash(
            &account,
            &format!(r#""$PROGRAM" start --user-data-path {path}"#),
        );
        run.fails(2, said);
    }
    assert_eq!(account.requests().len(), 0);
}

#[test]
fn a_configuration_or_a_key_is_a_file_of_a_mebibyte_at_most() {
    let account = Account::new();
    let large = account.file("large", vec![b'#'; (1 << 20) + 1]);
    let large = large.display().to_string();
    for (name, path, said) in [
        (
            "AWS_CONFIG_FILE",
            large.as_str(),
            str![[r#"
error: cannot read [HOME]/large: it has more than 1 MiB

"#]],
        ),
        (
            "AWS_CONFIG_FILE",
            "/dev/zero",
            str![[r#"
error: cannot read /dev/zero: it is neither a file nor a pipe

"#]],
        ),
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            &large,
            str![[r#"
error: cannot read [HOME]/large: it has more than 1 MiB

"#]],
        ),
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            "/dev/zero",
            str![[r#"
error: cannot read /dev/zero: it is neither a file nor a pipe

"#]],
        ),
        (
            "AWS_CA_BUNDLE",
            &large,
            str![[r#"
error: cannot use [HOME]/large (AWS_CA_BUNDLE): it has more than 1 MiB
hint: it has to be a file with certificates between lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----

"#]],
        ),
        (
            "AWS_CA_BUNDLE",
            "/dev/zero",
            str![[r#"
error: cannot use /dev/zero (AWS_CA_BUNDLE): it is neither a file nor a pipe
hint: it has to be a file with certificates between lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----

"#]],
        ),
    ] {
        finish(account.command(["list"]).env(name, path)).fails(2, said);
    }
    let empty = finish(
        account
            .command(["list", "-q"])
            .env("AWS_CONFIG_FILE", "/dev/null"),
    );
    empty.assert(0, "", "");
    account.file(".inductiva/api_key", vec![b'k'; (1 << 20) + 1]);
    finish(account.command(["start"]).env_remove("INDUCTIVA_API_KEY")).fails(
        2,
        str![[r#"
error: cannot read [HOME]/.inductiva/api_key: it has more than 1 MiB

"#]],
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
    account.run("list").fails(
        1,
        str![[r#"
error: cannot list machines: cannot reach AWS in eu-west-2: other: the answer has more than 64 MiB
hint: check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url

"#]],
    );
    account.fault(too_long("inductiva", "GET /users/info", 16));
    let run = account.run("check");
    let said = run.ends(
        1,
        str![[r#"
error: a start would not go through: machine-group

"#]],
    );
    assert!(said.contains("the answer has more than 16 MiB"), "{said}");
}

#[test]
fn pages_without_end_have_one() {
    let account = Account::new();
    let page = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId><reservationSet/><nextToken>t{number}</nextToken></DescribeInstancesResponse>";
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "kind": "answer", "status": 200, "body": page, "count": null}));
    // It does not say that it tries again: no try would end otherwise.
    account.run("list").fails(
        1,
        str![[r#"
error: cannot list machines: DescribeInstances did not end after 1000 pages

"#]],
    );
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
    for (profile, said) in [
        (
            "p",
            str![[r#"
signing in with profile p; the keys in the environment are not used
error: not signed in to AWS: credential_process of profile p failed: it printed more than 64 KiB
hint: run the command by itself to see what it says; it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}, and no shell reads it: $, ~, | and > are nothing special in it

"#]],
        ),
        (
            "role",
            str![[r#"
signing in with profile role; the keys in the environment are not used
error: not signed in to AWS: credential_process of profile p failed: it printed more than 64 KiB
hint: run the command by itself to see what it says; it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}, and no shell reads it: $, ~, | and > are nothing special in it

"#]],
        ),
    ] {
        account
            .run(&format!("whoami --profile {profile}"))
            .fails(4, said);
        account.until("the command has ended", |account| !runs(account, "id"));
    }
}

/// A command whose part that takes long is a child of its shell.
const SLOW: &str = "sh -c \"sh -c 'echo $$ >id.new; mv id.new id; exec sleep 100000'; true\"";

#[test]
fn a_command_that_does_not_end_is_waited_for_a_minute() {
    let account = Account::new();
    with_process(&account, SLOW);
    for (profile, said) in [
        (
            "p",
            str![[r#"
error: not signed in to AWS: credential_process of profile p failed: it did not end within 60 s
hint: run the command by itself to see what it says; it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}, and no shell reads it: $, ~, | and > are nothing special in it

"#]],
        ),
        (
            "role",
            str![[r#"
error: not signed in to AWS: credential_process of profile p failed: it did not end within 60 s
hint: run the command by itself to see what it says; it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}, and no shell reads it: $, ~, | and > are nothing special in it

"#]],
        ),
    ] {
        let _ = fs::remove_file(account.home.path().join("id"));
        let mut child = account.start(&format!("whoami --profile {profile}"));
        account.until("the command runs", |a| a.home.path().join("id").exists());
        account.pass(2.0);
        until_it_says(&mut child, "waiting for credential_process of profile p\n");
        account.pass(58.0);
        ended(child).fails(4, said);
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
    let told = "credential_process of profile p failed: it did not end within 10m";
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
        ended(child).fails(
            130,
            str![[r#"
signing in with profile p; the keys in the environment are not used
error: interrupted

"#]],
        );
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
    account.run("whoami --profile default").fails(
        4,
        str![[r#"
signing in with profile default; the keys in the environment are not used
error: the profile's mfa_process was ended: it printed more than 64 KiB
hint: run the command by itself: it has to print six digits and nothing else

"#]],
    );
    config(SLOW);
    let child = spawn(&mut account.command(["whoami", "--profile", "default"]));
    account.until("the command runs", |a| a.home.path().join("id").exists());
    account.pass(60.0);
    ended(child).fails(
        4,
        str![[r#"
signing in with profile default; the keys in the environment are not used
waiting for the profile's mfa_process
error: the profile's mfa_process was ended: it did not end within 60 s
hint: run the command by itself: it has to print six digits and nothing else

"#]],
    );
    account.until("the command has ended", |account| !runs(account, "id"));
}
