//! What a person sees: prompts, spinners, colours, Ctrl-C.

mod interruptions;
mod questions;

use std::process::{Command, Stdio};

use serde_json::json;
use snapbox::str;

use crate::{
    sandbox::{Account, Run, finish},
    screens::{WIDE, drawn, shows},
};

/// The step that waits until the program pauses, and lets that time pass.
const PASS_PAUSE: &str = r#"put:clock {"pass_pause": true}"#;

/// Runs the program on a terminal, with the steps of `terminal.py`.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
pub fn on_a_terminal(
    account: &Account,
    line: &str,
    steps: &[&str],
    environment: &[(&str, &str)],
) -> Run {
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cli/terminal.py"
        ))
        .args(steps)
        .arg("--")
        .arg(env!("CARGO_BIN_EXE_inductiva-aws"))
        .args(line.split(' '))
        .env_clear()
        .envs(account.environment())
        .env("TERM", "xterm-256color")
        .env("SANDBOX", format!("{}/_sandbox/", account.aws_url()))
        .envs(environment.iter().copied())
        .current_dir(account.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let run = finish(&mut command);
    if !steps.is_empty() {
        run.stdout
            .ignore("its steps have to see what the test is about, or it fails");
    }
    run
}

#[test]
fn waiting_turns_a_spinner_on_a_terminal() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.1}));
    account.hold_pauses();
    let run = on_a_terminal(
        &account,
        "start --machine-group-name g --wait=running",
        &[
            "see:0 of 1 running (",
            PASS_PAUSE,
            "see:1 of 1 running after ",
        ],
        &[WIDE],
    );
    assert!(run.stdout.contains(" of 15m)"), "{}", run.stdout);
    // The spinner redraws its line and is gone in the end.
    assert!(run.stdout.contains("\r\x1b[2K"), "{:?}", run.stdout);
    shows(
        &run,
        0,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)
1 of 1 running after [..] s
INSTANCE ID          STATE    ZONE        TYPE      PRIVATE IP  PUBLIC IP[..]MARKET
[ID]  running  eu-west-2a  t3.micro  172.31.0.4  54.214.[..]on-demand
in account [ACCOUNT], eu-west-2

"#]],
    );
}

#[test]
fn a_line_does_not_stand_behind_the_spinner() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.1}));
    account.hold_pauses();
    let run = on_a_terminal(
        &account,
        "start --machine-group-name g --wait=running",
        &[
            "see:0 of 1 running (",
            r#"post:faults {"service": "ec2", "operation": "DescribeInstances", "kind": "hold"}"#,
            PASS_PAUSE,
            "held:",
            r#"put:clock {"advance": 3}"#,
            "see:waiting for EC2 to answer DescribeInstances",
            "post:release {}",
            "see:1 of 1 running after ",
        ],
        &[("SIZE", "24x80")],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    let screen = drawn(&run.stdout, 24, 80).contents();
    let stands = |line: &str| line.trim_end() == "waiting for EC2 to answer DescribeInstances";
    assert!(screen.lines().any(stands), "{screen}");
    assert!(!screen.contains("0 of 1 running"), "{screen}");
}

#[test]
fn a_dumb_terminal_is_told_in_lines() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.1}));
    account.hold_pauses();
    let run = on_a_terminal(
        &account,
        "start --machine-group-name g --wait=running",
        &[
            "see:0 of 1 running\r\n",
            PASS_PAUSE,
            "see:1 of 1 running\r\n",
        ],
        &[("TERM", "dumb"), WIDE],
    );
    assert!(!run.stdout.contains("\x1b[2K"), "{:?}", run.stdout);
    shows(
        &run,
        0,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)
0 of 1 running
1 of 1 running
INSTANCE ID          STATE    ZONE        TYPE      PRIVATE IP  PUBLIC IP[..]MARKET
[ID]  running  eu-west-2a  t3.micro  172.31.0.4  54.214.[..]on-demand
in account [ACCOUNT], eu-west-2

"#]],
    );
}

/// With the first look, another after a call that fails, and a third.
fn watched(account: &Account, environment: &[(&str, &str)]) -> Run {
    account.json("start --machine-group-name g");
    let cache = account.home.path().join(".cache/inductiva-aws/prices.json");
    std::fs::remove_file(cache).expect("it was kept");
    account.forget_requests();
    // Not worth a second try.
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "after": 1, "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    account.hold_pauses();
    on_a_terminal(
        account,
        "list --watch 1",
        &[
            "see:INSTANCE ID",
            PASS_PAUSE,
            "see:warning",
            "see:broken",
            PASS_PAUSE,
            "see:INSTANCE ID",
            PASS_PAUSE,
            "see:INSTANCE ID",
            "type:\\x03",
        ],
        environment,
    )
}

#[test]
fn a_watched_list_is_drawn_in_place() {
    let account = Account::new();
    let run = watched(&account, &[("SIZE", "24x80"), ("TZ", "Asia/Tokyo")]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(!run.stdout.contains("error"), "{}", run.stdout);
    // Machines and disks; the address once it has one.
    assert_eq!(account.calls("GetProducts"), 3, "a price is asked once");
    // From the first list on there is one at every moment.
    let mut terminal = vt100::Parser::new(
        std::num::NonZero::new(24).expect("some"),
        std::num::NonZero::new(80).expect("some"),
        0,
    );
    let mut is_drawn = false;
    let mut warned = false;
    for byte in run.stdout.replace('\n', "\r\n").bytes() {
        terminal.process(&[byte]);
        if byte == b'\n' {
            continue;
        }
        let shown = terminal.screen().contents();
        let has_list = shown.contains("INSTANCE ID") && shown.contains("running");
        is_drawn |= has_list;
        warned |= shown.contains("warning: cannot list machines: broken");
        assert!(
            !is_drawn || shown.contains("INSTANCE ID") || shown.contains("GROUP"),
            "{shown}"
        );
    }
    let last = terminal.screen().contents();
    assert!(is_drawn && warned, "{}", run.stdout);
    assert!(!last.contains("warning"), "{last}");
    let head = last.lines().next().unwrap_or_default();
    assert!(head.contains("every 1 s, Ctrl-C ends it"), "{head}");
    let clock = head.split(' ').next().unwrap_or_default();
    assert_eq!(clock.split(':').count(), 3, "{head}");
}

#[test]
fn a_list_watched_without_a_screen_follows_itself() {
    let account = Account::new();
    let run = watched(&account, &[("TERM", "dumb")]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(!run.stdout.contains("\x1b[H"), "{:?}", run.stdout);
    assert_eq!(
        run.stdout.matches("INSTANCE ID").count(),
        3,
        "{}",
        run.stdout
    );
}

#[test]
fn more_machines_than_the_screen_has_rows_are_counted() {
    let account = Account::new();
    account.json("start --machine-group-name g -n 40");
    account.hold_pauses();
    let steps = ["see:more lines than there is room for", "type:\\x03"];
    let run = on_a_terminal(&account, "list --watch", &steps, &[("SIZE", "24x80")]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("… and 25 more lines"), "{}", run.stdout);
    assert!(run.stdout.contains("40 machines run"), "{}", run.stdout);
}

#[test]
fn colours_are_for_terminals_without_no_color() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    // Its address, which costs something, shows.
    account.settle();
    let bold = "\x1b[1m";
    assert!(
        on_a_terminal(&account, "list", &[], &[])
            .stdout
            .contains(bold)
    );
    assert!(
        !on_a_terminal(&account, "list", &[], &[("NO_COLOR", "1")])
            .stdout
            .contains('\x1b')
    );
    assert!(
        !on_a_terminal(&account, "list --color never", &[], &[])
            .stdout
            .contains('\x1b')
    );
    let run = account.run("list");
    assert!(
        !run.succeeds(str![[r#"
1 machine runs, about 0.0232 USD an hour

"#]])
            .contains('\x1b')
    );
    let run = account.run("list --color always");
    assert!(
        run.succeeds(str![[r#"
1 machine runs, about 0.0232 USD an hour

"#]])
            .contains(bold)
    );
    let failing = "terminate nothing -y";
    assert!(!account.run(failing).stderr.contains('\x1b'));
    assert!(
        !on_a_terminal(&account, failing, &[], &[("NO_COLOR", "1")])
            .stdout
            .contains('\x1b')
    );
    assert!(
        on_a_terminal(&account, failing, &[], &[])
            .stdout
            .contains('\x1b')
    );
}
