//! What a terminal, or GitHub Actions, would obey.

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    logs::group_that_says,
    sandbox::{Account, finish, list, text},
    sso,
    terminal::on_a_terminal,
};

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
