//! Homes on file systems without locks, as Lustre is mounted on clusters, and those
//! that cannot be written.

use std::{path::PathBuf, process::Command};

use serde_json::json;

use crate::{
    sandbox::{Account, Run, finish},
    sso,
};

/// A library that stands in for such a file system: `flock` fails with this error.
fn without_flock(account: &Account, error: &str) -> PathBuf {
    let source = account.file(
        "flock.c",
        format!("#include <errno.h>\nint flock(int file, int how) {{ (void)file; (void)how; errno = {error}; return -1; }}\n"),
    );
    let library = account.home.path().join("flock.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(built.expect("there is a C compiler").success());
    library
}

#[track_caller]
fn assert_warned(run: &Run) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let warnings = run.stderr.matches("warning: cannot lock ").count();
    assert_eq!(warnings, 1, "{}", run.stderr);
}

#[test]
fn a_file_system_without_locks_costs_a_warning() {
    for error in ["ENOSYS", "ENOLCK", "EOPNOTSUPP"] {
        let account = sso::account();
        let library = without_flock(&account, error);
        let mut login = account.command(["login", "--profile", "new"]);
        login
            .env_remove("AWS_ACCESS_KEY_ID")
            .env("BROWSER", sso::BROWSER)
            .env("LD_PRELOAD", &library);
        assert_warned(&finish(&mut login).ignoring_the_rest("how it ends is what counts"));
        sso::assert_signed_in(&account, "new");
        let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
        account.put(
            "identity",
            json!({"mfa_devices": [{"serial": serial, "codes": ["123456"]}]}),
        );
        let line = format!("whoami --mfa-serial {serial} --mfa-code 123456");
        let mut whoami = account.command(line.split(' '));
        assert_warned(
            &finish(whoami.env("LD_PRELOAD", &library))
                .ignoring_the_rest("how it ends is what counts"),
        );
    }
}

#[test]
fn a_token_that_cannot_be_kept_serves_the_run_that_a_person_signed_in_for() {
    let account = sso::account();
    // Where its folder would be.
    account.file(".aws/sso", "");
    let run = crate::terminal::on_a_terminal(
        &account,
        "whoami -q --profile new",
        &["see:sign in now", "type:y\\n"],
        &[
            ("AWS_ACCESS_KEY_ID", ""),
            ("BROWSER", sso::BROWSER),
            ("NO_COLOR", "1"),
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(
        run.stdout.contains("it is used for this run only"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("assumed-role/AWSReservedSSO_Launcher_"),
        "{}",
        run.stdout
    );
    // A sign-in that would be for nothing does not begin.
    account.forget_requests();
    let run = sso::run(&account, "login --profile new");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(account.operations(), [] as [String; 0]);
}
