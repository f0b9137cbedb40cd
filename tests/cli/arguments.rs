//! Arguments and variables that are no text, or not what they seem.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};

use snapbox::str;

use crate::sandbox::{Account, Run, finish};

const NO_TEXT: &[u8] = b"a\xff";

fn run(account: &Account, line: &str, last: &[u8]) -> Run {
    let mut command = account.command(line.split_whitespace());
    finish(command.arg(OsStr::from_bytes(last)))
}

#[test]
fn an_argument_that_is_no_text_is_a_usage_error() {
    let account = Account::new();
    for line in [
        "",
        "start",
        "list",
        "list --output",
        "list --output json --profile",
        "start --tag",
        "start --vm-type",
        "start --machine-group-name",
        "start --api-key",
        "check --region",
        "terminate --yes",
        "terminate --instance-id",
        "logs",
        "login --sso-session",
        "configure sso --sso-start-url",
        "credentials --format",
        "completions",
    ] {
        for argument in [NO_TEXT, b"--\xff", b"-\xff", b"--output=\xff"] {
            let run = run(&account, line, argument);
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (2, ""),
                "{line}: {}",
                run.stderr
            );
            assert!(
                !run.stderr.contains("itself has failed"),
                "{line}: {}",
                run.stderr
            );
        }
    }
    assert_eq!(account.requests().len(), 0);
}

#[test]
fn a_path_that_is_no_text_works() {
    let account = Account::new();
    let path = account.home.path().join(OsStr::from_bytes(NO_TEXT));
    if fs::write(&path, "#!/bin/sh\necho hello\n").is_err() {
        // Not every file system has such names.
        return;
    }
    let run = run(
        &account,
        "user-data --user-data-path",
        path.as_os_str().as_bytes(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.ends_with("echo hello\n"), "{}", run.stdout);
}

/// The folder that somebody happens to be in is no home.
#[test]
fn an_empty_home_is_none() {
    let account = Account::new();
    let marker = account.home.path().join("was-run");
    account.file(
        ".aws/config",
        format!(
            "[profile of-this-folder]\ncredential_process = touch {}\n",
            marker.display()
        ),
    );
    account.file(
        "~/.aws/config",
        fs::read(account.home.path().join(".aws/config")).expect("a file"),
    );
    for home in [Some(""), None] {
        for line in ["whoami", "start", "credentials --force"] {
            let mut command = account.command(line.split_whitespace());
            command
                .args(["--profile", "of-this-folder"])
                .env_remove("AWS_ACCESS_KEY_ID")
                .env_remove("AWS_SECRET_ACCESS_KEY")
                .env_remove("HOME")
                .envs(home.map(|home| ("HOME", home)));
            let run = finish(&mut command);
            run.fails(
                4,
                str![[r#"
error: there is no AWS profile "of-this-folder" in [..]/.aws/config and [..]/.aws/credentials
hint: [..]

"#]],
            );
            assert!(!marker.exists(), "the folder's credential_process was run");
        }
    }
    let before: Vec<_> = fs::read_dir(account.home.path())
        .expect("a folder")
        .collect();
    assert_eq!(
        before.len(),
        2,
        "something was written into the current folder"
    );
}
