//! Homes on file systems without locks, as Lustre is mounted on clusters, and those
//! that cannot be written.

use std::{path::PathBuf, process::Command};

use serde_json::json;
use snapbox::str;

use crate::{
    sandbox::{Account, finish},
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

#[test]
fn a_file_system_without_locks_costs_a_warning() {
    for (error, why) in [
        ("ENOSYS", "Function not implemented (os error 38)"),
        ("ENOLCK", "No locks available (os error 37)"),
        ("EOPNOTSUPP", "Operation not supported (os error 95)"),
    ] {
        let warning = |file: &str| {
            format!(
                "warning: cannot lock [HOME]/.aws/{file}: {why}; going on without: do not sign in twice at once\n"
            )
        };
        let account = sso::account();
        let library = without_flock(&account, error);
        let mut login = account.command(["login", "--profile", "new"]);
        login
            .env_remove("AWS_ACCESS_KEY_ID")
            .env("BROWSER", sso::BROWSER)
            .env("LD_PRELOAD", &library);
        let page = "opening the sign-in page in the browser; if it does not open: http://[..]";
        finish(&mut login).assert(
            0,
            "signed in to corp until [TIME]\n",
            format!("{page}\n{}", warning("sso/cache/inductiva-aws.lock")),
        );
        sso::assert_signed_in(&account, "new");
        let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
        account.put(
            "identity",
            json!({"mfa_devices": [{"serial": serial, "codes": ["123456"]}]}),
        );
        let line = format!("whoami -q --mfa-serial {serial} --mfa-code 123456");
        let mut whoami = account.command(line.split(' '));
        finish(whoami.env("LD_PRELOAD", &library)).assert(
            0,
            "arn:aws:iam::[ACCOUNT]:user/sandbox\n",
            warning("inductiva-aws/cache/[..].lock"),
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
    run.assert(0, str![[r#"
not signed in to AWS: cannot read [HOME]/.aws/sso/cache/[..].json: Not a directory (os error 20)
sign in now ([Y]/n)? y
opening the sign-in page in the browser; if it does not open: http://[..]
warning: cannot write [HOME]/.aws/sso/cache/[..].json: Not a directory (os error 20): it is used for this run only
arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user

"#]], "");
    // A sign-in that would be for nothing does not begin.
    account.forget_requests();
    finish(&mut sso::command(&account, "login --profile new")).fails(
        2,
        str![[r#"
error: cannot write to [HOME]/.aws/sso/cache: Not a directory (os error 20)
hint: signing in with IAM Identity Center keeps its token there, as the AWS CLI does

"#]],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
}
