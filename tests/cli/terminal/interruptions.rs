//! Ctrl-C, and other signals, while a start is under way.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, INTERRUPTED, Run, ended, signal, spawn, text, until_it_says};

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
        run.fails(
            130,
            str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
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
    run.fails(130, str![[r#"
machine group g
cost: about 3.6834 USD an hour, 88.40 a day with t2.micro, the dearest type (machines 1.9800, disks 0.9534, addresses 0.7500); at most 16.9734 an hour, with surplus CPU credits
interrupted: bringing what is under way to an end; interrupt again to stop at once
undoing: terminating 100 machines
error: interrupted while launching; what had been launched was terminated

"#]]);
    assert_eq!(account.launched(), 100, "the second call was made");
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn an_interruption_while_waiting_names_the_machines_that_go_on() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 60}));
    account.hold_pauses();
    let child = account.start("start --machine-group-name g --wait --output json");
    account.until_pausing();
    signal(&child, "-INT");
    let run = ended(child);
    run.ends(130, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)
0 of 1 running, 0 registered
{"error":{"hint":"look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g","kind":"interrupted","machines":["[ID]"],"message":"interrupted while waiting; the machines go on"}}

"#]]);
    let error = run.error();
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
    run.assert(0, "[ID]\n", str![]);
    assert_eq!(account.live().len(), 1);
}
