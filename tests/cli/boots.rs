//! What `start --wait` and `list` show of machines that boot.

use std::process::Child;

use serde_json::{Value, json};

use crate::{
    logs::{BOOTING, group_that_says},
    sandbox::{Account, Run, list, text},
};

/// A new group of so many machines that is waited for, and their ids.
fn waited_for(account: &Account, number: usize, flags: &str) -> (Child, Vec<String>) {
    account.put("settings", json!({"pending_seconds": 30}));
    account.hold_pauses();
    let line = format!("start --machine-group-name g --num-machines {number} --wait {flags}");
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
    assert_eq!(run.code, 6, "{}", run.stderr);
    let mut lines = [
        format!("{}  phase images\n", ids[0]),
        format!("{}  phase container-engine\n", ids[1]),
    ];
    lines.sort();
    // Each once, however often the consoles are looked at.
    let shown = format!("{}2 of 2 running, 0 registered\nerror: ", lines.concat());
    assert!(run.stderr.contains(&shown), "{}", run.stderr);
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
    assert_eq!(run.code, 0, "{}", run.stderr);
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
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let run = account.run("start --machine-group-name g --vm-type t2.micro --wait");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("1 machine is of a type without a live console (Xen)"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_machine_that_fails_to_boot_is_named_with_its_last_lines() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 2, "");
    let said = format!("{BOOTING}inductiva-aws: failed images: no \x1b[2Jsuch host\n");
    account.put("consoles", json!({&ids[0]: said}));
    account.post("power_off", json!({"instance_ids": [ids[0]]}));
    let Run { code, stderr, .. } = account.ended(child);
    assert_eq!(code, 3, "{stderr}");
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
    let id = &ids[0];
    let last_words = format!(
        "{id}  inductiva-aws: failed images: no [2Jsuch host\n{id}  Client.InstanceInitiatedShutdown: Instance initiated shutdown\n"
    );
    assert!(stderr.contains(&last_words), "{stderr}");
    assert!(
        stderr.contains(&format!(
            "error: 1 machine ended while booting: {}\n",
            ids[0]
        )),
        "{stderr}"
    );
    assert!(
        stderr.ends_with(&format!("machines that may be running: {}\n", ids[1])),
        "{stderr}"
    );
}

#[test]
fn list_shows_what_the_runners_do() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --machine-group-name g --num-machines 2 --wait");
    let ids = account.live();
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": ids[0], "current_task_id": "task-7"}]}));
    account.json("start --machine-group-name g --num-machines 3");
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
    let table = account.run("list");
    assert!(
        table
            .stdout
            .lines()
            .any(|l| l.ends_with("busy            task-7")),
        "{}",
        table.stdout
    );

    account.put("inductiva", json!({"status": 503}));
    let run = account.run("list");
    assert_eq!(run.code, 0);
    assert!(
        run.stdout
            .lines()
            .skip(1)
            .all(|l| l.ends_with("n/a     n/a")),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr
            .contains("warning: Inductiva cannot be asked about the machines: HTTP 503"),
        "{}",
        run.stderr
    );
}

#[test]
fn last_lines_that_ec2_has_not_posted_yet_are_waited_for() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 4}));
    let (child, ids) = waited_for(&account, 1, "--vm-type t2.micro");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: format!("{BOOTING}inductiva-aws: failed images: no\n")}),
    );
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    // Nothing is left of this run, the group on Inductiva's side neither.
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(account.groups(), [] as [Value; 0]);
    let last = format!("{id}  inductiva-aws: failed images: no\n");
    assert!(run.stderr.contains(&last), "{}", run.stderr);
}

#[test]
fn last_lines_that_do_not_come_in_time_are_said_to_come_later() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 600}));
    let (child, ids) = waited_for(&account, 1, "--vm-type t2.micro --timeout 15s");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: "inductiva-aws: failed images: no\n"}),
    );
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let later = format!(
        "{id}  the reason may be on its console in some minutes: inductiva-aws logs --instance-id {id}\n"
    );
    assert!(run.stderr.contains(&later), "{}", run.stderr);
}

#[test]
fn machines_that_end_meanwhile_are_not_named_as_running() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 600}));
    let (child, ids) = waited_for(&account, 2, "");
    for id in &ids {
        account.put(
            "consoles",
            json!({id: "inductiva-aws: failed images: no\n"}),
        );
    }
    account.post("power_off", json!({"instance_ids": [ids[0]]}));
    // The first one's end is seen, and then the other one's.
    account.pass_pause();
    account.post("power_off", json!({"instance_ids": [ids[1]]}));
    account.pass_pause();
    account.put("settings", json!({"console_posted_after_seconds": 0}));
    let run = account.ended(child);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for id in ids {
        assert!(
            run.stderr
                .contains(&format!("{id}  inductiva-aws: failed images: no\n")),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn what_was_seen_live_is_shown_when_nothing_more_can_be_read() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 1, "--vm-type t3.micro");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: "inductiva-aws: failed images: no\n"}),
    );
    account.pass_pause();
    account.fault(json!({"service": "ec2", "operation": "GetConsoleOutput", "count": null, "code": "IncorrectInstanceState", "status": 400}));
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    let last = format!("{id}  inductiva-aws: failed images: no\n");
    assert!(run.stderr.contains(&last), "{}", run.stderr);
}

#[test]
fn a_group_of_which_machines_are_left_stays() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 2, "");
    account.ec2("terminate_instances", json!({"InstanceIds": ids[..1]}));
    assert_eq!(account.ended(child).code, 3);
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn more_machines_than_can_be_looked_at_one_by_one_are_counted() {
    let account = Account::new();
    let run = account.run(
        "start --machine-group-name g --vm-type t3.micro --num-machines 21 --wait --timeout 1s",
    );
    assert_eq!(run.code, 6, "{}", run.stderr);
    let said =
        "the phases of more than 20 machines are not shown: inductiva-aws logs has a machine's\n";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(account.calls("GetConsoleOutput"), 0);
}

#[test]
fn a_timeout_says_that_inductiva_could_not_be_asked() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.put("inductiva", json!({"status": 503}));
    let run = account.run("start --machine-group-name g --wait --timeout 1s");
    assert_eq!(run.code, 6, "{}", run.stderr);
    let said = "0 of 1 machine registered (Inductiva cannot be asked: HTTP 503";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

#[test]
fn a_machine_whose_group_inductiva_does_not_have_is_not_registered() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    account.json("start --machine-group-name g");
    account.put("inductiva", json!({"status": null}));
    let listed = account.json("list");
    assert_eq!(listed["machines"][0]["runner"], "not-registered");
}

#[test]
fn without_a_key_or_with_one_that_is_refused_runners_are_not_known() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let listed = |key: &str| {
        let mut command = account.command(["list", "--output", "json"]);
        let run = crate::sandbox::finish(command.env("INDUCTIVA_API_KEY", key));
        assert_eq!(run.code, 0, "{}", run.stderr);
        (run.document()["machines"][0]["runner"].clone(), run.stderr)
    };
    assert_eq!(listed("").0, Value::Null);
    let (runner, said) = listed("another-key");
    assert_eq!(runner, Value::Null);
    assert!(
        said.contains("warning: Inductiva cannot be asked about the machines: "),
        "{said}"
    );
}
