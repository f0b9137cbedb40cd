//! Servers that repeat secrets, or send what a terminal would obey: neither is
//! shown, and JSON keeps the values.

mod terminals;

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, Run, finish};

const KEY: &str = "MarkedApiKey/0123+456";
const SECRET: &str = "MarkedSecretKey/0123456789+abcdef";
const HIDDEN: &str = "********";

fn account() -> Account {
    let account = Account::new();
    account.put("inductiva", json!({"keys": [KEY]}));
    account
}

fn run_with(account: &Account, line: &str, environment: &[(&str, &str)]) -> Run {
    let mut command = account.command(line.split_whitespace());
    command
        .env("INDUCTIVA_API_KEY", KEY)
        .envs(environment.iter().copied());
    finish(&mut command)
}

#[track_caller]
fn assert_hidden(run: &Run, secret: &str) {
    for stream in [&run.stdout, &run.stderr] {
        assert!(!stream.contains(secret), "{stream}");
    }
    assert!(
        run.stderr.contains(HIDDEN) || run.stdout.contains(HIDDEN),
        "it is not repeated at all: {}{}",
        run.stdout,
        run.stderr
    );
}

/// In whatever part of an answer the key is.
#[test]
fn an_api_that_repeats_the_key_does_not_show_it() {
    let encoded = "MarkedApiKey%2F0123%2B456";
    for detail in [
        json!(format!("the key {KEY} is not good")),
        json!(format!("no such page: /x?key={encoded}")),
        json!([{"loc": ["header", KEY], "msg": format!("bad {KEY}"), "type": "x"}]),
    ] {
        for status in [401, 404, 409, 422, 500] {
            let account = account();
            account.fault(json!({"service": "inductiva", "operation": "*", "status": status, "detail": detail, "count": null}));
            for line in ["check --output json", "start -vv"] {
                let run = run_with(&account, line, &[]);
                for form in [KEY, encoded, r"MarkedApiKey\/0123+456"] {
                    for stream in [&run.stdout, &run.stderr] {
                        assert!(!stream.contains(form), "{line}: {stream}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_user_name_or_a_body_that_is_the_key_does_not_show_it() {
    for (status, body) in [
        (200, json!({"username": KEY}).to_string()),
        (200, format!("\"{KEY}\"")),
        (418, json!({"detail": KEY}).to_string()),
    ] {
        let account = account();
        account.fault(json!({"service": "inductiva", "operation": "GET /users/info", "kind": "answer", "status": status, "body": body, "count": null}));
        for line in ["check", "check --output json"] {
            assert_hidden(&run_with(&account, line, &[]), KEY);
        }
    }
}

/// AWS never does; what stands between may.
#[test]
fn a_message_of_aws_that_repeats_keys_does_not_show_them() {
    let account = account();
    let token = "MarkedToken/0123456789+abcdef==";
    account.put(
        "identity",
        json!({"users": [{"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET}]}),
    );
    let keys = [
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", token),
    ];
    for code in [
        "InvalidParameterValue",
        "AuthFailure",
        "UnauthorizedOperation",
        "InsufficientInstanceCapacity",
    ] {
        account.fault(json!({"service": "*", "operation": "*", "code": code, "status": 400, "message": format!("{SECRET} and {token} of {KEY}"), "count": null}));
        for line in [
            "list",
            "whoami --output json",
            "start --machine-group-name g",
            "start --output json",
            "check -vv",
        ] {
            let run = run_with(&account, line, &keys);
            for secret in [SECRET, token, KEY] {
                assert_hidden(&run, secret);
            }
        }
        account.forget_faults();
    }
}

#[test]
fn a_short_secret_is_hidden_as_a_word_and_in_no_id_of_ours() {
    let account = Account::new();
    account.put("inductiva", json!({"keys": ["g"]}));
    let run = |line: &str| run_with(&account, line, &[("INDUCTIVA_API_KEY", "g")]);
    let started = run("start --machine-group-name g -q --output json");
    started.succeeds("");
    assert_eq!(started.document()["machine_group"]["name"], "g");
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 401, "detail": "the key g is wrong: 'g', gg", "count": null}));
    let checked = run("check");
    let said = checked.ends(
        4,
        str![[r#"
error: a start would not go through: api-key

"#]],
    );
    let told = "the key ******** is wrong: '********', gg";
    assert!(said.contains(told), "{said}");
}

#[cfg(unix)]
#[test]
fn an_mfa_code_that_comes_back_is_hidden() {
    let account = account();
    let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
    account.fault(json!({"service": "sts", "operation": "GetSessionToken", "code": "ValidationError", "status": 400, "message": "TokenCode 908172 of 1908172", "count": null}));
    let line = format!("whoami --mfa-serial {serial} --mfa-code 908172");
    run_with(&account, &line, &[]).fails(
        1,
        str![[r#"
error: cannot sign in with MFA: TokenCode ******** of 1908172 (ValidationError, request [UUID])

"#]],
    );
}

#[test]
fn the_password_of_a_proxy_is_not_shown() {
    let account = account();
    let proxy = "http://ana:Marked-pass@127.0.0.1:1";
    let message = format!("refused by {proxy}");
    account.fault(json!({"service": "ec2", "operation": "*", "code": "InvalidParameterValue", "status": 400, "message": message, "count": null}));
    let proxies = [("HTTPS_PROXY", proxy)];
    assert_hidden(&run_with(&account, "list -vv", &proxies), "Marked-pass");
}
