//! `configure sso`, with all that it needs in its flags.

use std::{fs, path::PathBuf};

use serde_json::json;
use snapbox::str;

use super::{START_URL, account, assert_signed_in, command, run};
use crate::sandbox::{Account, finish};

#[test]
fn configure_sso_adds_a_profile_and_touches_nothing_else() {
    let account = account();
    let path = account.home.path().join(".aws/config");
    let before = "# mine\r\n[default]\nregion=us-east-1 ; no newline at the end";
    fs::write(&path, before).expect("written");
    let line = format!(
        "configure sso --profile work --region eu-west-1 --sso-session acme --sso-start-url {START_URL}/#/ --sso-region eu-west-2 --sso-account-id {} --sso-role-name Launcher",
        account.number
    );
    let first = run(&account, &line);
    first.assert(0, str![[r#"
added profile work to [HOME]/.aws/config

"#]], str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?response_type=code&client_id=[..]&redirect_uri=http%3A%2F%2F127.0.0.1%3A[..]%2Foauth%2Fcallback&state=[..]&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess&code_challenge=[..]
try it: inductiva-aws whoami --profile work

"#]]);
    let after = fs::read_to_string(&path).expect("read");
    assert_eq!(
        after,
        format!(
            "{before}\n\n[sso-session acme]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\nsso_registration_scopes = sso:account:access\n\n[profile work]\nsso_session = acme\nsso_account_id = {}\nsso_role_name = Launcher\nregion = eu-west-1\n",
            account.number
        )
    );
    assert_signed_in(&account, "work");
    // Again: all of it is there, and the token is good.
    let again = run(&account, &format!("{line} --output json"));
    again.succeeds("try it: inductiva-aws whoami --profile work\n");
    let again = again.document();
    assert_eq!(
        (&again["added"], &again["profile"]),
        (&json!(false), &json!("work"))
    );
    // Another profile of the same session needs that section alone.
    let other = run(&account, &line.replace("--profile work", "--profile play"));
    other.assert(
        0,
        str![[r#"
added profile play to [HOME]/.aws/config

"#]],
        str![[r#"
try it: inductiva-aws whoami --profile play

"#]],
    );
    let more = fs::read_to_string(&path).expect("read");
    assert_eq!(
        more.strip_prefix(&after),
        Some(&*format!(
            "\n[profile play]\nsso_session = acme\nsso_account_id = {}\nsso_role_name = Launcher\nregion = eu-west-1\n",
            account.number
        ))
    );
    // What is there with other values is refused, and stays.
    for (old, new, message) in [
        (
            "--region eu-west-1",
            "--region eu-west-2",
            str![[r#"
error: there is a profile work with other values in [HOME]/.aws/config or [HOME]/.aws/credentials
hint: choose another name with --profile, or remove that profile first

"#]],
        ),
        (
            "--sso-region eu-west-2",
            "--sso-region eu-west-1",
            str![[r#"
error: [sso-session acme] in [HOME]/.aws/config has the start URL https://d-sandbox.awsapps.com/start in eu-west-2
hint: choose another name with --sso-session, or correct that section first

"#]],
        ),
    ] {
        let refused = run(&account, &line.replace(old, new));
        refused.fails(2, message);
    }
    assert_eq!(fs::read_to_string(&path).expect("read"), more);
}

#[test]
fn configure_sso_makes_the_file_and_refuses_what_identity_center_does_not_give() {
    let account = Account::new();
    account.put(
        "sso",
        json!({"accounts": [
            {"account_id": "100000000001", "name": "data", "roles": ["A", "B"]},
            {"account_id": account.number, "name": "sim", "roles": ["Launcher"]},
        ]}),
    );
    let line = format!(
        "configure sso --profile default --region eu-west-1 --sso-session acme --sso-start-url {START_URL} --sso-region eu-west-2"
    );
    let config: PathBuf = account.home.path().join(".aws/config");
    for (flags, message, hint) in [
        (
            "",
            "--sso-account-id is missing",
            format!("there are: 100000000001 (data), {} (sim)", account.number),
        ),
        (
            "--sso-account-id 100000000002",
            "IAM Identity Center gives you no account that is 100000000002",
            format!("there are: 100000000001 (data), {} (sim)", account.number),
        ),
        (
            "--sso-account-id 100000000001",
            "--sso-role-name is missing",
            "there are: A, B".into(),
        ),
        (
            "--sso-account-id 100000000001 --sso-role-name C",
            "IAM Identity Center gives you no role in account 100000000001 that is C",
            "there are: A, B".into(),
        ),
    ] {
        let run = run(&account, &format!("{line} {flags} --output json"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert_eq!(run.error()["message"], message);
        assert_eq!(run.error()["hint"], hint);
        assert!(!config.exists());
    }
    let run = run(
        &account,
        &format!("{line} --sso-account-id {}", account.number),
    );
    run.assert(
        0,
        str![[r#"
added profile default to [HOME]/.aws/config

"#]],
        str![[r#"
the only role in account [ACCOUNT]: Launcher
try it: inductiva-aws whoami --profile default

"#]],
    );
    assert_eq!(
        fs::read_to_string(&config).expect("written"),
        format!(
            "[sso-session acme]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\nsso_registration_scopes = sso:account:access\n\n[default]\nsso_session = acme\nsso_account_id = {}\nsso_role_name = Launcher\nregion = eu-west-1\n",
            account.number
        )
    );
    let login = finish(command(&account, "whoami -q").env_remove("AWS_PROFILE"));
    login.assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user

"#]],
        str![],
    );
}

#[test]
fn configure_sso_asks_for_nothing_without_a_terminal() {
    let account = account();
    for (flags, flag) in [
        ("", "--profile"),
        ("--profile x", "--sso-session"),
        ("--profile x --sso-session y", "--sso-start-url"),
        (
            "--profile x --sso-session y --sso-start-url https://a.b/start",
            "--sso-region",
        ),
    ] {
        let run = run(&account, &format!("configure sso {flags} --output json"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert_eq!(run.error()["message"], format!("{flag} is missing"));
    }
    assert_eq!(
        account.operations(),
        [] as [String; 0],
        "nobody was asked to sign in"
    );
}
