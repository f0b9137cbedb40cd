//! IAM Identity Center beside the AWS CLI and botocore: the same profiles, the
//! same files, in both directions.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use snapbox::str;

use super::{
    BROWSER, CORP, START_URL, account, assert_signed_in, login, make_stale, private_json, run,
};
use crate::{
    aws_cli::aws_cli,
    sandbox::{Account, Run, finish, text},
};

const IDENTITY: &str =
    "import boto3; print(boto3.session.Session().client('sts').get_caller_identity()['Arn'])";

/// An environment without keys for another program.
fn other(account: &Account, program: &Path) -> Command {
    let mut command = Command::new(program);
    let mut environment = account.environment();
    environment.remove("AWS_ACCESS_KEY_ID");
    environment.remove("AWS_SECRET_ACCESS_KEY");
    // It would hand it on to the browser.
    environment.remove("INDUCTIVA_API_KEY");
    command
        .env_clear()
        .envs(environment)
        .env("AWS_DEFAULT_REGION", "eu-west-2")
        .env("BROWSER", format!("{BROWSER} %s"))
        .current_dir(account.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Who botocore says a profile is.
fn botocore(account: &Account, profile: &str) -> Run {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sandbox/venv/bin/python");
    finish(
        other(account, &python)
            .args(["-c", IDENTITY])
            .env("AWS_PROFILE", profile),
    )
}

#[track_caller]
fn assert_is_launcher(run: &Run) {
    // The AWS CLI says it in a document, botocore is asked for the ARN alone.
    run.succeeds("");
    let arn = match serde_json::from_str::<Value>(&run.stdout) {
        Ok(document) => text(&document["Arn"]).to_owned(),
        Err(_) => run.stdout.trim_end().to_owned(),
    };
    let (_, role) = arn.split_once(":assumed-role/").expect("a role's session");
    assert!(role.starts_with("AWSReservedSSO_Launcher_"), "{arn}");
}

#[test]
fn botocore_takes_our_token_and_refreshes_it_and_we_take_it_back() {
    let account = account();
    login(&account, "--profile new");
    assert_is_launcher(&botocore(&account, "new"));
    let before = private_json(&account, CORP);
    make_stale(&account, CORP);
    account.post("expire", json!({"what": ["access_tokens"]}));
    assert_is_launcher(&botocore(&account, "new"));
    let after = private_json(&account, CORP);
    assert_ne!(after["accessToken"], before["accessToken"]);
    assert_signed_in(&account, "new");
    // And once more by us, with the refresh token that botocore was given.
    make_stale(&account, CORP);
    assert_signed_in(&account, "new");
    assert_is_launcher(&botocore(&account, "new"));
}

#[test]
fn botocore_takes_a_token_of_the_older_form() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile old");
    assert_is_launcher(&botocore(&account, "old"));
}

#[test]
fn the_aws_cli_takes_our_token_and_our_profile() {
    let account = account();
    let Some(program) = aws_cli(&account) else {
        return;
    };
    let aws = |line: &str| {
        finish(other(&account, &program).args(line.split_whitespace()))
            .ignoring_the_rest("it is the AWS CLI that prints it, not the program")
    };
    let line = format!(
        "configure sso --profile work --region eu-west-1 --sso-session acme --sso-start-url {START_URL} --sso-region eu-west-2 --sso-account-id {}",
        account.number
    );
    let configured = run(&account, &line);
    configured.assert(0, str![[r#"
added profile work to [HOME]/.aws/config

"#]], str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?[..]
the only role in account [ACCOUNT]: Launcher
try it: inductiva-aws whoami --profile work

"#]]);
    assert_is_launcher(&aws("sts get-caller-identity --profile work"));
    assert_is_launcher(&botocore(&account, "work"));
    // What it kept of the session goes with the session.
    let kept = || {
        let folder = account.home.path().join(".aws/cli/cache");
        let files = fs::read_dir(folder).expect("the AWS CLI keeps credentials");
        files
            .filter(|file| {
                file.as_ref()
                    .is_ok_and(|f| f.file_type().is_ok_and(|t| t.is_file()))
            })
            .count()
    };
    assert_eq!(kept(), 1);
    run(&account, "logout --profile work").assert(0, "signed out of acme\n", "");
    assert_eq!(kept(), 0);
    let after = aws("sts get-caller-identity --profile work");
    assert_ne!(after.code, 0, "{}", after.stdout);
}

#[test]
fn we_take_the_token_of_the_aws_cli() {
    let account = account();
    let Some(program) = aws_cli(&account) else {
        return;
    };
    // It polls by another clock than the sandbox's.
    account.put("sso", json!({"interval": 0}));
    let aws = |line: &str| {
        finish(other(&account, &program).args(line.split_whitespace()))
            .ignoring_the_rest("it is the AWS CLI that prints it, not the program")
    };
    for (flags, profile) in [("--sso-session corp", "new"), ("--profile old", "old")] {
        let login = aws(&format!("sso login {flags}"));
        assert_eq!(login.code, 0, "{}", login.stderr);
        account.forget_requests();
        assert_signed_in(&account, profile);
        assert_eq!(
            account.operations(),
            ["GetRoleCredentials", "GetCallerIdentity"]
        );
    }
    // A stale one is refreshed here, and good for both.
    make_stale(&account, CORP);
    account.post("expire", json!({"what": ["access_tokens"]}));
    assert_signed_in(&account, "new");
    assert_is_launcher(&aws("sts get-caller-identity --profile new"));
    assert_is_launcher(&botocore(&account, "new"));
    // And the AWS CLI's logout is one for us, too.
    assert_eq!(aws("sso logout").code, 0);
    run(&account, "whoami --profile new").fails(4, str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]]);
}
