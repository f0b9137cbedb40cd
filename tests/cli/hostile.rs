//! Servers that repeat secrets, or send what a terminal would obey: neither is
//! shown, and JSON keeps the values.

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    logs::group_that_says,
    sandbox::{Account, Run, finish, list, text},
    sso,
    terminal::on_a_terminal,
};

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

/// What a terminal would obey, what breaks a line, and what turns text around.
const NASTY: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}b\u{9b}31mc\r\nd\u{2028}e\u{2029}f\u{85}g\u{202e}h\u{2066}i\u{b}j\u{0}k";

fn assert_harmless(text: &str) {
    for (number, line) in text.lines().enumerate() {
        let is_bad = |c: char| {
            c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!line.contains(is_bad), "line {number}: {line:?}");
    }
}

/// The strings of a document, at any depth.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn words_of_aws_and_inductiva_reach_neither_terminal_nor_log() {
    for (service, fault) in [
        (
            "ec2",
            json!({"code": "InvalidParameterValue", "status": 400, "message": "a\u{1b}[2J\nd\u{202e}h\u{2028}::error::x\rk\u{9b}2J"}),
        ),
        (
            "ec2",
            json!({"code": "UnauthorizedOperation", "status": 403, "message": "a\u{1b}[2J\nd\u{202e}h\u{2028}::error::x\rk\u{9b}2J"}),
        ),
        (
            "ec2",
            json!({"code": "InsufficientInstanceCapacity", "status": 500, "message": "a\u{1b}[2J\nd\u{202e}h\u{2028}::error::x\rk\u{9b}2J"}),
        ),
        ("inductiva", json!({"status": 401, "detail": NASTY})),
        ("inductiva", json!({"status": 500, "detail": NASTY})),
    ] {
        let account = Account::new();
        let operation = if service == "ec2" {
            "RunInstances"
        } else {
            "*"
        };
        let mut fault = fault;
        for (name, value) in [
            ("service", json!(service)),
            ("operation", json!(operation)),
            ("count", Value::Null),
        ] {
            fault[name] = value;
        }
        account.fault(fault);
        for line in [
            "start --machine-group-name g -vv",
            "start --machine-group-name g --output json",
            "check",
            "check --output json",
            "list -vv",
            "terminate g --yes",
        ] {
            let run = account.run(line);
            assert_harmless(&run.stdout);
            assert_harmless(&run.stderr);
            for stream in [&run.stdout, &run.stderr] {
                assert!(
                    !stream.lines().any(|line| line.starts_with("::")),
                    "{stream}"
                );
            }
        }
    }
}

#[test]
fn json_keeps_what_text_leaves_out() {
    let account = Account::new();
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 401, "detail": NASTY, "count": null}));
    let run = account.run("start --output json");
    assert_harmless(&run.stderr);
    let message = text(&run.error()["message"]).to_owned();
    assert!(message.ends_with(NASTY), "{message:?}");
}

#[test]
fn a_tag_forges_no_row_of_a_table() {
    let account = Account::new();
    let id = account.json("start --machine-group-name g")["machines"][0]["instance_id"].clone();
    account.ec2(
        "create_tags",
        json!({"Resources": [id], "Tags": [{"Key": "inductiva:machine-group", "Value": "g\ni-0123456789abcdef0  t2.micro\u{9b}2K\u{202e}"}]}),
    );
    account.settle();
    let listed = account.run("list");
    let said = str![[r#"
warning: the group g is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again
1 machine runs, about 0.0232 USD an hour

"#]];
    listed.succeeds(said.clone());
    assert_harmless(&listed.stdout);
    // A row for the group, and one for its machine, each with its headers.
    assert_eq!(listed.stdout.lines().count(), 5, "{}", listed.stdout);
    let raw = account.run("list --output json");
    assert_harmless(raw.succeeds(said));
    let groups = strings(&raw.document());
    assert!(
        groups
            .iter()
            .any(|s| s.contains("\ni-0123456789abcdef0") && s.contains("\u{9b}2K\u{202e}")),
        "{groups:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_tag_forges_no_row_above_the_question_either() {
    let account = Account::new();
    let id = account.json("start --machine-group-name g")["machines"][0]["instance_id"].clone();
    account.ec2(
        "create_tags",
        json!({"Resources": [id], "Tags": [{"Key": "inductiva:machine-group", "Value": "g\n\u{9b}1Aother  i-0123456789abcdef0\u{2028}\u{202e}"}]}),
    );
    let run = on_a_terminal(
        &account,
        "terminate --all",
        &["see:1 machine of account", "type:n\n"],
        &[("NO_COLOR", "1")],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_harmless(&run.stdout);
    // The row, and the line of what the group has cost, begin with the group and have
    // the forged one within them.
    let rows: Vec<&str> = run
        .stdout
        .lines()
        .filter(|l| l.contains("i-0123456789abcdef0"))
        .collect();
    assert_eq!(rows.len(), 2, "{}", run.stdout);
    for row in &rows {
        assert!(
            row.starts_with("g 1Aother  i-0123456789abcdef0 "),
            "{rows:?}"
        );
    }
    assert!(
        !run.stdout.lines().any(|l| l.starts_with("other")),
        "{}",
        run.stdout
    );
}

#[test]
fn a_console_is_lines_and_nothing_else() {
    let account = Account::new();
    let console = "\u{1b}[2Jboot\u{1b}]0;x\u{7}\n\u{9b}31minductiva-aws: phase images\u{202e}\u{2028}x\r\nlast\u{85}line\n";
    let ids = group_that_says(&account, "--vm-type t3.micro", console);
    let run = account.run("logs g");
    assert_harmless(run.succeeds(str![]));
    assert_eq!(run.stdout.lines().count(), 3, "{:?}", run.stdout);
    let read = account.json("logs g");
    assert_eq!(list(&read["logs"]).len(), ids.len());
    let kept = text(&read["logs"][0]["console"]);
    assert!(
        kept.contains("\u{1b}[2Jboot") && kept.contains("\u{202e}\u{2028}x"),
        "{kept:?}"
    );
    assert_harmless(&account.run("logs g --output json").stdout);
}

/// A console, a tag and a message that are commands of GitHub Actions, where it
/// reads what is printed.
#[test]
fn nothing_from_outside_is_a_command_of_github_actions() {
    let account = Account::new();
    let console = "::add-mask::x\n \t::set-env name=PATH::/tmp\nx ##[add-path]/tmp\ninductiva-aws: phase images\n";
    let ids = group_that_says(&account, "--vm-type t3.micro", console);
    account.ec2(
        "create_tags",
        json!({"Resources": ids, "Tags": [{"Key": "inductiva:machine-group", "Value": "::error::##[x]"}]}),
    );
    let says = "::error::x ##[add-path]/tmp";
    let run = |line: &str, environment: &[(&str, &str)]| {
        let mut command = account.command(line.split_whitespace());
        finish(command.envs(environment.iter().copied()))
    };
    let actions = [("GITHUB_ACTIONS", "true")];
    let logs = format!("logs --instance-id {}", ids[0]);
    for line in [logs.as_str(), "list", "list --output json", "start -vv"] {
        if line.starts_with("start") {
            account.fault(json!({"service": "*", "operation": "*", "status": 400, "code": "InvalidParameterValue", "message": says, "detail": says, "count": null}));
        }
        let run = run(line, &actions);
        assert!(!run.stdout.is_empty() || !run.stderr.is_empty());
        for line in run.stdout.lines().chain(run.stderr.lines()) {
            let is_command = line.trim_start().starts_with("::") || line.contains("##[");
            assert!(!is_command, "{line}");
        }
    }
    account.forget_faults();
    // Nothing is changed for programs, or anywhere else.
    let mut document = account.command(["logs", "--instance-id", &ids[0], "--output", "json"]);
    let document = finish(document.envs(actions)).document();
    assert_eq!(document["logs"][0]["console"], console);
    for environment in [&[][..], &[("GITHUB_ACTIONS", "false")]] {
        assert_eq!(run(&logs, environment).stdout, console);
    }
}

#[test]
fn names_of_identity_center_are_harmless_and_get_into_no_file_as_they_are() {
    let account = sso::account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    let number = account.number.clone();
    let accounts = json!({"accountList": [{"accountId": number, "accountName": NASTY, "emailAddress": "x@example.com"}]});
    let roles = json!({"roleList": [{"roleName": "Launcher\n[profile forged]\u{1b}[2J", "accountId": number}]});
    for (operation, body) in [("ListAccounts", accounts), ("ListAccountRoles", roles)] {
        account.fault(json!({"service": "sso", "operation": operation, "kind": "answer", "status": 200, "body": body.to_string(), "headers": {"Content-Type": "application/json"}, "count": null}));
    }
    let line =
        "configure sso --profile work --region eu-west-1 --sso-session corp --use-device-code";
    let before = std::fs::read(account.home.path().join(".aws/config")).expect("a file");
    let run = sso::run(&account, line);
    assert_harmless(&run.stderr);
    run.fails(2, str![[r#"
to sign in, open this page in a browser on any device:

  http://[SERVER]/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://[SERVER]/[ACCOUNT]/device and type it)
the only account: [ACCOUNT] (a[2J]0;ownedb31mc  d e f ghi jk)
the only role in account [ACCOUNT]: Launcher [profile forged][2J
error: "Launcher/n[profile forged]/u{1b}[2J" cannot be written to [HOME]/.aws/config: it has a control character in it
hint: choose another account or role (--sso-account-id, --sso-role-name)

"#]]);
    let after = std::fs::read(account.home.path().join(".aws/config")).expect("a file");
    assert_eq!(before, after);
}
