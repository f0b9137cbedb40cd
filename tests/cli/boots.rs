//! What `start --wait` and `list` show of machines that boot.

mod failures;

use std::process::Child;

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    logs::group_that_says,
    sandbox::{Account, list, text},
};

/// A new group of so many machines that is waited for, and their ids.
fn waited_for(account: &Account, number: usize, flags: &str) -> (Child, Vec<String>) {
    account.put("settings", json!({"pending_seconds": 30}));
    account.hold_pauses();
    // Without a live console, unless another type is asked for.
    let vm_type = if flags.contains("--vm-type") {
        ""
    } else {
        "--vm-type t2.micro"
    };
    let line =
        format!("start --machine-group-name g --num-machines {number} --wait {vm_type} {flags}");
    let child = account.start(line.trim_end());
    account.until_pausing();
    (child, account.live())
}

#[test]
fn waiting_shows_the_phases_that_can_be_known() {
    let account = Account::new();
    let ids = group_that_says(
        &account,
        "--vm-type t3.micro --num-machines 2",
        "inductiva-aws: phase images\n",
    );
    account.put(
        "consoles",
        json!({&ids[1]: "inductiva-aws: phase container-engine\n"}),
    );
    account.settle();
    let run = account.run(
        "start --machine-group-name g --vm-type t3.micro --num-machines 2 --wait --timeout 1s",
    );
    let mut lines = [
        format!("{}  phase images", ids[0]),
        format!("{}  phase container-engine", ids[1]),
    ];
    lines.sort();
    // Each once, however often the consoles are looked at.
    let phases: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("i-"))
        .collect();
    assert_eq!(phases, lines);
    run.ends(6, str![[r#"
the group g has 2 machines already, nothing to launch
[ID]  phase images
[ID]  phase container-engine
2 of 2 running, 0 registered
error: timed out after 1 s: 0 of 2 machines registered
hint: look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID] [ID]

"#]]);
}

#[test]
fn waiting_says_of_each_machine_when_it_comes_further() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 2, "--vm-type t3.micro");
    for phase in ["container-engine", "images"] {
        let says = format!("inductiva-aws: phase {phase}\n");
        account.put("consoles", json!({&ids[0]: says}));
        account.pass_pause();
        // Each is said once, however often the consoles are looked at.
        account.pass_pause();
    }
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let run = account.ended(child);
    run.ends(
        0,
        str![[r#"
machine group g
cost: about 0.0463 USD an hour, 1.11 a day (machines 0.0236, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
launched [ID] [ID]
0 of 2 running, 0 registered
[ID]  phase container-engine
[ID]  phase images
2 of 2 running, 2 registered

"#]],
    );
    let ours = format!("{}  ", ids[0]);
    let told: Vec<&str> = run
        .stderr
        .lines()
        .filter_map(|l| l.strip_prefix(&ours))
        .collect();
    assert_eq!(told, ["phase container-engine", "phase images"]);
    let others = format!("{}  ", ids[1]);
    assert!(
        !run.stderr.lines().any(|line| line.starts_with(&others)),
        "{}",
        run.stderr
    );
}

#[test]
fn waiting_says_whose_phases_cannot_be_known() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.7}));
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let run = account.run("start --machine-group-name g --vm-type t2.micro --wait");
    run.ends(
        0,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
launched [ID]
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late
0 of 1 running, 0 registered
1 of 1 running, 1 registered

"#]],
    );
}

#[test]
fn list_shows_what_the_runners_do() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2 --wait");
    let ids = account.live();
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": ids[0], "current_task_id": "task-7"}]}));
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 3");
    let seen = |line: &str| {
        let mut seen: Vec<(String, Value, Value)> = list(&account.json(line)["machines"])
            .iter()
            .map(|m| {
                (
                    text(&m["instance_id"]).to_owned(),
                    m["runner"].clone(),
                    m["current_task_id"].clone(),
                )
            })
            .collect();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        seen
    };
    let third = account
        .live()
        .into_iter()
        .find(|id| !ids.contains(id))
        .expect("a third machine");
    let mut expected = vec![
        (ids[0].clone(), json!("busy"), json!("task-7")),
        (ids[1].clone(), json!("idle"), Value::Null),
        (third, json!("not-registered"), Value::Null),
    ];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen("list"), expected);
    account.settle();
    let table = account.run("list");
    assert!(
        table
            .succeeds(str![[r#"
3 machines run, about 0.0737 USD an hour

"#]])
            .lines()
            .any(|l| l.ends_with("busy            task-7")),
        "{}",
        table.stdout
    );

    account.put("inductiva", json!({"status": 503}));
    let run = account.run("list");
    assert!(
        run.succeeds(str![[r#"
warning: Inductiva cannot be asked about the machines: HTTP 503, set by the test
3 machines run, about 0.0737 USD an hour

"#]])
            .lines()
            .skip(4)
            .all(|l| l.ends_with("  n/a")),
        "{}",
        run.stdout
    );
}

#[test]
fn more_machines_than_can_be_looked_at_one_by_one_are_counted() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.1}));
    let run = account.run(
        "start --machine-group-name g --vm-type t3.micro --num-machines 21 --wait --timeout 1s",
    );
    run.ends(6, str![[r#"
machine group g
cost: about 0.4863 USD an hour, 11.67 a day (machines 0.2478, disks 0.1335, addresses 0.1050); at most 2.3763 an hour, with surplus CPU credits
launched 21 machines, [ID] to [ID]
boot phases are not shown for more than 20 machines: inductiva-aws logs ID shows those of one machine
0 of 21 running, 0 registered
21 of 21 running, 0 registered
error: timed out after 1 s: 0 of 21 machines registered
hint: look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID]

"#]]);
    assert_eq!(account.calls("GetConsoleOutput"), 0);
}

#[test]
fn a_timeout_says_that_inductiva_could_not_be_asked() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.1}));
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.put("inductiva", json!({"status": 503}));
    let run = account.run("start --vm-type t2.micro --machine-group-name g --wait --timeout 1s");
    run.ends(6, str![[r#"
the group g has 1 machine already, nothing to launch
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late
1 of 1 running, 0 registered
error: timed out after 1 s: 0 of 1 machine registered (Inductiva cannot be asked: HTTP 503, set by the test)
hint: look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID]

"#]]);
}

#[test]
fn a_machine_whose_group_inductiva_does_not_have_is_not_registered() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    account.json_that_warns("start --vm-type t2.micro --machine-group-name g", str![[r#"
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves

"#]]);
    account.put("inductiva", json!({"status": null}));
    let listed = account.json("list");
    assert_eq!(listed["machines"][0]["runner"], "not-registered");
}

#[test]
fn without_a_key_or_with_one_that_is_refused_runners_are_not_known() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.settle();
    let listed = |key: &str| {
        let mut command = account.command(["list", "--output", "json"]);
        let run = crate::sandbox::finish(command.env("INDUCTIVA_API_KEY", key));
        assert_eq!(run.document()["machines"][0]["runner"], Value::Null);
        run
    };
    listed("").succeeds(str![[r#"
1 machine runs, about 0.0246 USD an hour

"#]]);
    listed("another-key").succeeds(str![[r#"
warning: Inductiva cannot be asked about the machines: HTTP 401, Invalid API key
1 machine runs, about 0.0246 USD an hour

"#]]);
}
