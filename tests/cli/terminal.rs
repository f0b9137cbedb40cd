//! What a person sees: prompts, spinners, colours, Ctrl-C.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{
    Account, INTERRUPTED, Run, ended, finish, signal, spawn, text, until_it_says,
};

/// The step that waits until the program pauses, and lets that time pass.
const PASS_PAUSE: &str = r#"put:clock {"pass_pause": true}"#;

/// Runs the program on a terminal, with the steps of `terminal.py`.
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
    finish(&mut command)
}

#[test]
fn terminate_shows_what_goes_and_asks() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    // Their addresses show.
    account.settle();
    let question = format!(
        "see:2 machines of account {} in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])? ",
        account.number
    );
    let question = question.as_str();
    let run = on_a_terminal(
        &account,
        "terminate g",
        &["see:INSTANCE ID", question, "type:\n"],
        &[("NO_COLOR", "1")],
    );
    // What it has cost, too: a minute of both, which is the least.
    let spent = run.stdout.lines().find(|line| line.starts_with("g "));
    assert!(
        run.stdout.contains(" SPENT") && spent.is_some_and(|row| row.contains(" 0.0008")),
        "{}",
        run.stdout
    );
    // In a row of the table each, and nowhere else.
    let mut shown: Vec<&str> = run
        .stdout
        .split_whitespace()
        .filter(|word| word.starts_with("i-"))
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, account.live());
    assert_eq!(shown.len(), 2);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(
        run.stdout.contains("not confirmed: nothing was terminated"),
        "{}",
        run.stdout
    );
    let run = on_a_terminal(&account, "terminate g", &[question, "type:y\n"], &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn terminate_says_before_it_asks_that_a_cost_is_not_known() {
    let account = Account::new();
    account.json("start --machine-group-name g --vm-type t2.micro");
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = on_a_terminal(
        &account,
        "terminate g",
        &[
            "see: USD as far as it is known (",
            "see:Are you sure",
            "type:\n",
        ],
        &[],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_eq!(account.live().len(), 1);
}

#[test]
fn terminate_asks_once_and_says_which_tasks_would_be_lost() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --machine-group-name g --wait");
    let id = account.live()[0].clone();
    account.json("start --machine-group-name h");
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": id, "current_task_id": "task-7"}]}));
    let question = format!(
        "see:2 machines of account {} in eu-west-2 will be terminated. Are you sure",
        account.number
    );
    let run = on_a_terminal(
        &account,
        "terminate g h",
        &["see:1 task would be lost: task-7", &question, "type:y\n"],
        &[],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(run.stdout.matches("Are you sure").count(), 1);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn terminate_shows_groups_without_machines_too() {
    let account = Account::new();
    account.json("start --machine-group-name lost");
    account.ec2(
        "terminate_instances",
        json!({"InstanceIds": account.live()}),
    );
    account.json("start --machine-group-name g");
    let run = on_a_terminal(
        &account,
        "terminate --all",
        &[
            "see:machine group lost, without machines",
            "see:1 machine and 1 machine group of account",
            "see:will be terminated. Are you sure",
            "type:n\n",
        ],
        &[],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_eq!((account.live().len(), account.groups().len()), (1, 2));
}

#[test]
fn nobody_is_asked_with_no_input() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let run = on_a_terminal(&account, "terminate g --no-input", &["see:--yes"], &[]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert_eq!(account.live().len(), 1);
}

#[test]
fn ctrl_c_at_a_question_is_130_and_ends_nothing() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let run = on_a_terminal(&account, "terminate g", &["see:proceed", "type:\\x03"], &[]);
    assert_eq!(run.code, 130, "{}", run.stdout);
    let said = "interrupted at the question: nothing was sent, nothing was terminated";
    assert!(run.stdout.contains(said), "{}", run.stdout);
    // On a line of its own.
    let screen = crate::screens::drawn(&run.stdout, 24, 120).contents();
    assert!(screen.contains("\nerror: interrupted"), "{screen}");
    assert_eq!(account.live().len(), 1);
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
        &[],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains(" of 15m)"), "{}", run.stdout);
    // The spinner redraws its line and is gone in the end.
    assert!(run.stdout.contains("\r\x1b[2K"), "{:?}", run.stdout);
    assert!(run.stdout.contains("INSTANCE ID"), "{}", run.stdout);
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
    let screen = crate::screens::drawn(&run.stdout, 24, 80).contents();
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
        &[("TERM", "dumb")],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(!run.stdout.contains("\x1b[2K"), "{:?}", run.stdout);
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
    assert!(!account.run("list").stdout.contains('\x1b'));
    assert!(account.run("list --color always").stdout.contains(bold));
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

/// Starts the program, and interrupts it while the call is held that `fault`
/// strikes.
fn interrupted_at(account: &Account, line: &str, name: &str, fault: Value) -> Child {
    let mut fault = fault;
    fault["kind"] = json!("hold");
    account.fault(fault);
    let child = account.start(line);
    account.until_held();
    signal(&child, name);
    child
}

/// Starts the program, and interrupts it while its first launch is held.
fn interrupted_while_launching(account: &Account, line: &str, name: &str) -> Run {
    let launch = json!({"service": "ec2", "operation": "RunInstances"});
    let mut child = interrupted_at(account, line, name, launch);
    let said = until_it_says(&mut child, INTERRUPTED);
    account.post("release", json!({}));
    let run = ended(child);
    Run {
        stderr: run.stderr.after(&said),
        ..run
    }
}

#[test]
fn an_interruption_before_the_launch_launches_nothing() {
    let account = Account::new();
    let any = json!({"service": "*", "operation": "*", "count": null});
    let line = "start --machine-group-name g";
    let run = ended(interrupted_at(&account, line, "-INT", any));
    assert_eq!((run.code, run.stdout.as_str()), (130, ""), "{}", run.stderr);
    run.fails(
        130,
        str![[r#"
error: interrupted; nothing was launched

"#]],
    );
    account.forget_faults();
    account.post("release", json!({}));
    account.until("the calls under way are answered", |a| {
        a.requests().iter().all(|r| !r["ended"].is_null())
    });
    assert_eq!(account.launched(), 0);
}

#[test]
fn an_interruption_while_launching_is_undone() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let account = Account::new();
        let line = "start --machine-group-name g --num-machines 2";
        let run = interrupted_while_launching(&account, line, signal);
        assert_eq!((run.code, run.stdout.as_str()), (130, ""), "{}", run.stderr);
        run.fails(
            130,
            str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
interrupted: bringing what is under way to an end; interrupt again to stop at once
undoing: terminating 2 machines
error: interrupted while launching; what had been launched was terminated

"#]],
        );
        assert_eq!(account.launched(), 2);
        assert_eq!(account.live(), [] as [String; 0]);
        assert_eq!(account.groups(), [] as [Value; 0]);
    }
}

#[test]
fn nothing_more_is_launched_after_an_interruption() {
    let account = Account::new();
    let line = "start --machine-group-name g --num-machines 150";
    let run = interrupted_while_launching(&account, line, "-INT");
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert_eq!(account.launched(), 100, "the second call was made");
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn an_interruption_while_waiting_names_the_machines_that_go_on() {
    let account = Account::new();
    account.hold_pauses();
    let child = account.start("start --machine-group-name g --wait --output json");
    account.until_pausing();
    signal(&child, "-INT");
    let run = ended(child);
    assert_eq!(run.code, 130, "{}", run.stderr);
    let error = run.error();
    assert_eq!(error["kind"], "interrupted");
    assert_eq!(text(&error["machines"][0]), account.live()[0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_under_nohup_goes_on_when_its_terminal_is_closed() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold"}));
    let mut command = Command::new("nohup");
    command
        .arg(env!("CARGO_BIN_EXE_inductiva-aws"))
        .args(["start", "--machine-group-name", "g", "-q"])
        .env_clear()
        .envs(account.environment())
        .current_dir(account.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let child = spawn(&mut command);
    account.until_held();
    signal(&child, "-HUP");
    account.post("release", json!({}));
    let run = ended(child);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(account.live().len(), 1);
}
