//! `configure sso`, with all that it needs in its flags.

use std::{fs, path::PathBuf};

use serde_json::json;

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
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(
        first
            .stderr
            .ends_with("try it: inductiva-aws whoami --profile work\n"),
        "{}",
        first.stderr
    );
    assert_eq!(
        first.stdout,
        format!("added profile work to {}\n", path.display())
    );
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
    let again = run(&account, &format!("{line} --output json")).document();
    assert_eq!(
        (&again["added"], &again["profile"]),
        (&json!(false), &json!("work"))
    );
    // Another profile of the same session needs that section alone.
    let other = run(&account, &line.replace("--profile work", "--profile play"));
    assert_eq!(other.code, 0, "{}", other.stderr);
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
            "there is a profile work with other values in",
        ),
        (
            "--sso-region eu-west-2",
            "--sso-region eu-west-1",
            "[sso-session acme] in",
        ),
    ] {
        let refused = run(&account, &line.replace(old, new));
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
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
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!(
            "the only role in account {}: Launcher",
            account.number
        )),
        "{}",
        run.stderr
    );
    let written = fs::read_to_string(&config).expect("written");
    assert!(
        written.starts_with("[sso-session acme]\n") && written.contains("\n[default]\n"),
        "{written}"
    );
    let login = finish(command(&account, "whoami -q").env_remove("AWS_PROFILE"));
    assert!(
        login.stdout.contains("AWSReservedSSO_Launcher_"),
        "{}",
        login.stderr
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
