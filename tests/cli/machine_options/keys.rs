//! A key that is kept elsewhere, which machines fetch themselves.

use std::collections::BTreeSet;

use serde_json::json;
use snapbox::str;

use super::{checked, launched_with};
use crate::sandbox::Account;

#[test]
fn a_key_that_is_kept_elsewhere_is_not_in_the_user_data() {
    let account = Account::new();
    account.boto3(
        "iam",
        "us-east-1",
        "create_instance_profile",
        json!({"InstanceProfileName": "p"}),
    );
    let run = account
        .run("start --machine-group-name g --instance-profile p --api-key-from ssm:/inductiva/key");
    let data = launched_with(&account, &run);
    assert!(
        data.contains("\nexport INDUCTIVA_API_KEY_FROM='ssm:/inductiva/key'\n"),
        "{data}"
    );
    assert!(!data.contains("sandbox-key"), "{data}");
    assert!(!data.contains("INDUCTIVA_API_KEY="), "{data}");
}

#[test]
fn a_key_that_is_kept_elsewhere_needs_a_role_to_read_it() {
    let account = Account::new();
    account
        .run("start --api-key-from ssm:/inductiva/key")
        .assert(
            2,
            "",
            str![[r#"
error: --api-key-from ssm:/inductiva/key needs --instance-profile: machines read the key as its role

"#]],
        );
    account
        .run("start --instance-profile p --api-key-from file:key")
        .fails(2, str![[r#"
error: invalid value 'file:key' for '--api-key-from <PLACE>': it looks like ssm:NAME or secretsmanager:NAME

For more information, try '--help'.

"#]]);
    assert_eq!(account.operations(), Vec::<String>::new());
}

/// What `check` finds of a key that is kept there: its status and detail.
#[track_caller]
fn check(account: &Account, place: &str) -> (String, String) {
    let line = format!("check --output json --instance-profile p --api-key-from {place}");
    let run = account
        .run(&line)
        .ignoring_the_rest("the other checks of the report are looked at in check.rs");
    checked(&run, "api_key_from")
}

#[test]
fn check_says_whether_a_key_is_there_without_asking_for_it() {
    let account = Account::new();
    account.put("kept_keys", json!({"names": ["/inductiva/key", "secret"]}));
    let arn = "ssm:arn:aws:ssm:us-east-1:123456789012:parameter/inductiva/key";
    for (place, status, detail) in [
        (
            "ssm:/inductiva/key",
            "ok",
            "ssm:/inductiva/key is there".to_owned(),
        ),
        (arn, "ok", format!("{arn} is there")),
        (
            "ssm:other",
            "failed",
            "there is no ssm:other in eu-west-2".to_owned(),
        ),
        (
            "secretsmanager:secret",
            "ok",
            "secretsmanager:secret is there".to_owned(),
        ),
        (
            "secretsmanager:other",
            "failed",
            "there is no secretsmanager:other in eu-west-2".to_owned(),
        ),
    ] {
        assert_eq!(check(&account, place), (status.to_owned(), detail));
    }
    let asked: BTreeSet<String> = account.operations().into_iter().collect();
    assert!(!asked.contains("GetParameter") && !asked.contains("GetSecretValue"));
}

#[test]
fn check_goes_on_where_it_may_not_look_for_a_key() {
    let account = Account::new();
    account.put("kept_keys", json!({"names": ["key"]}));
    account.put(
        "policy",
        json!({"allow": ["*"], "deny": ["ssm:*", "secretsmanager:*"]}),
    );
    for (place, call) in [
        ("ssm:key", "ssm:DescribeParameters"),
        ("secretsmanager:key", "secretsmanager:DescribeSecret"),
    ] {
        let told = format!("cannot look up {place}: you may not ({call})");
        assert_eq!(check(&account, place), ("warning".to_owned(), told));
    }
    account.put("policy", json!({}));
    for (place, service) in [("ssm:key", "ssm"), ("secretsmanager:key", "secretsmanager")] {
        account.fault(json!({"service": service, "operation": "*", "kind": "answer", "status": 200, "body": "<html>sign in</html>", "count": 1}));
        let told = format!("cannot look up {place}: AWS's answer cannot be read");
        assert_eq!(check(&account, place), ("warning".to_owned(), told));
    }
    account.fault(json!({"service": "ssm", "operation": "*", "kind": "error", "status": 500, "code": "InternalServerError", "message": "m"}));
    account.put("policy", json!({}));
    let told = "cannot look up ssm:key: AWS answers 500 InternalServerError".to_owned();
    assert_eq!(check(&account, "ssm:key"), ("warning".to_owned(), told));
}
