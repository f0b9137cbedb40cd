//! The search for secrets that every test ends with finds them, wherever they are.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use serde_json::json;
use snapbox::str;

use crate::{
    sandbox::{Account, finish},
    sso,
};

/// Runs a script that passes for the program.
fn pass_for_it(account: &Account, script: &str, arguments: &[&str]) {
    let program = account.file("bin/inductiva-aws", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(account.environment())
        .current_dir(account.home.path())
        .stdout(Stdio::piped());
    assert_eq!(
        finish(&mut command)
            .ignoring_the_rest("it is for the search for secrets to look at")
            .code,
        0
    );
}

#[test]
fn a_secret_that_is_printed_or_left_in_a_file_is_found() {
    for (script, arguments, found) in [
        (
            r#"echo "<$INDUCTIVA_API_KEY>""#,
            &[][..],
            "INDUCTIVA_API_KEY is in stdout of `",
        ),
        (
            r#"echo "x${AWS_SECRET_ACCESS_KEY}x" >&2"#,
            &[],
            "AWS_SECRET_ACCESS_KEY is in stderr of `",
        ),
        (
            r#"echo "$AWS_SECRET_ACCESS_KEY" | sed 's-/-%2F-g' >&2"#,
            &[],
            "AWS_SECRET_ACCESS_KEY is in stderr of `",
        ),
        (
            "echo MarkedByTheCommandLine",
            &["--api-key", "MarkedByTheCommandLine"],
            "INDUCTIVA_API_KEY is in stdout of `",
        ),
        (
            "echo the code is 908172.",
            &["--mfa-code", "908172"],
            "--mfa-code is in stdout of `",
        ),
        ("echo i-0908172", &["--mfa-code", "908172"], ""),
        // Only what the command is for.
        (r#"echo "$AWS_SECRET_ACCESS_KEY""#, &["credentials"], ""),
        (
            r#"echo "$INDUCTIVA_API_KEY""#,
            &["credentials"],
            "INDUCTIVA_API_KEY is in stdout of `",
        ),
        (
            r#"echo "$AWS_SECRET_ACCESS_KEY" >&2"#,
            &["credentials"],
            "AWS_SECRET_ACCESS_KEY is in stderr of `",
        ),
        (
            r#"echo "$INDUCTIVA_API_KEY""#,
            &["user-data", "--show-secrets"],
            "",
        ),
        (
            r#"mkdir -p a && echo "$INDUCTIVA_API_KEY" >a/b"#,
            &[],
            "INDUCTIVA_API_KEY is in the file ~/a/b: [SECRET]",
        ),
        (
            r#"mkdir -p .inductiva && echo "$INDUCTIVA_API_KEY" >.inductiva/api_key"#,
            &[],
            "INDUCTIVA_API_KEY is in the file ~/.inductiva/api_key: [SECRET]",
        ),
        (
            r#"umask 077; mkdir .inductiva && echo "$INDUCTIVA_API_KEY" >.inductiva/api_key"#,
            &[],
            "",
        ),
    ] {
        let account = Account::new();
        pass_for_it(&account, script, arguments);
        let leaks = account.expected_leaks().join("\n");
        assert!(leaks.starts_with(found), "{script}: {leaks}");
        assert_eq!(leaks.is_empty(), found.is_empty(), "{script}: {leaks}");
    }
}

/// What no command was given, but the sandbox has handed out.
#[test]
fn a_secret_that_only_the_sandbox_knows_is_found() {
    let account = Account::new();
    let token = "MarkedSessionToken/0123456789==";
    account.put(
        "identity",
        json!({"session_keys": [{"access_key_id": account.session_key_id(), "secret_access_key": "MarkedSecret", "session_token": token}]}),
    );
    pass_for_it(&account, &format!("echo {token}"), &[]);
    let leaks = account.expected_leaks().join("\n");
    let found = "AWS session token is in stdout of `";
    assert!(leaks.starts_with(found), "{leaks}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_another_program_is_given_is_found() {
    let account = Account::new();
    let secret = account.environment()["AWS_SECRET_ACCESS_KEY"].clone();
    // Not by way of the account, whose files are the test's own.
    let keys = format!(
        r#"{{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "{secret}"}}"#
    );
    let config = account.file(".aws/config", "");
    fs::write(
        config,
        format!("[profile p]\ncredential_process = echo '{keys}'\n"),
    )
    .expect("written");
    account.run("whoami --profile p").assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  profile p

"#]],
        str![[r#"
signing in with profile p; the keys in the environment are not used

"#]],
    );
    let leaks = account.expected_leaks().join("\n");
    let found = "AWS_SECRET_ACCESS_KEY is in the argv of a child: ";
    assert!(leaks.contains(found), "{leaks}");
    let found = "AWS_SECRET_ACCESS_KEY is in the file ~/.aws/config: ";
    assert!(leaks.contains(found), "{leaks}");
    assert!(!leaks.contains("environ"), "{leaks}");

    let account = Account::new();
    account.file(
        ".aws/config",
        format!("[profile p]\ncredential_process = echo '{keys}'\n"),
    );
    let mut command = account.command(["whoami", "--profile", "p"]);
    finish(command.env("UNKNOWN", &secret)).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  profile p

"#]],
        str![[r#"
signing in with profile p; the keys in the environment are not used

"#]],
    );
    let leaks = account.expected_leaks().join("\n");
    let found = "key of a profile is in the environ of a child: UNKNOWN=[SECRET]";
    assert_eq!(leaks, found);

    let account = sso::account();
    let mut command = sso::command(&account, "login --profile new");
    command
        .env("INDUCTIVA_API_KEY", "")
        .env("UNKNOWN", "sandbox-key");
    finish(&mut command).assert(0, str![[r#"
signed in to corp until [TIME]

"#]], str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?[..]

"#]]);
    let leaks = account.expected_leaks();
    let found = "INDUCTIVA_API_KEY is in the environ of a child: UNKNOWN=[SECRET]";
    assert_eq!(leaks, [found]);
}
