//! `logs`, and what `list` and `start --wait` show of the machines themselves.

use serde_json::{Value, json};
use snapbox::str;

#[cfg(unix)]
use crate::sandbox::signal;
use crate::sandbox::{Account, Run, ended, list, text};

const BOOTING: &str = "[    0.0] Linux version 6.8\n[   12.0] cloud-init[500]: inductiva-aws: phase deadlines\ninductiva-aws: phase images\n";

/// A group with this console on each of its machines; their ids.
fn group_that_says(account: &Account, flags: &str, console: &str) -> Vec<String> {
    account.json(&format!("start --machine-group-name g {flags}"));
    let ids = account.live();
    for id in &ids {
        account.put("consoles", json!({id: console}));
    }
    ids
}

#[test]
fn the_console_of_a_nitro_machine_is_live() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", BOOTING);
    account.run("logs g").assert(0, BOOTING, str![]);
    account
        .run(&format!("logs --instance-id {}", ids[0]))
        .assert(0, BOOTING, str![]);
    let looks: Vec<Value> = account
        .requests()
        .into_iter()
        .filter(|r| r["operation"] == "GetConsoleOutput")
        .collect();
    assert!(
        looks.iter().all(|r| r["params"]["Latest"] == "true"),
        "{looks:?}"
    );
}

#[test]
fn the_console_of_an_older_machine_lags_and_that_is_said() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t2.micro", BOOTING);
    account.run("logs g").assert(
        0,
        BOOTING,
        str![[r#"
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late

"#]],
    );
}

#[test]
fn lines_say_whose_they_are_when_there_are_many() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro --num-machines 2", "one\n");
    let run = account.run("logs g");
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [format!("{}  one", ids[0]), format!("{}  one", ids[1])]
    );
}

#[test]
fn phases_and_failures_stand_out_and_nothing_else_reaches_the_terminal() {
    let account = Account::new();
    group_that_says(
        &account,
        "--vm-type t3.micro",
        "\x1b[2Jplain\ninductiva-aws: phase images\ninductiva-aws: failed images: no\n",
    );
    let run = account.run("logs g --color always");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(!lines[0].contains('\x1b'), "{lines:?}");
    assert!(lines[1].contains("\x1b[32m"), "{lines:?}");
    assert!(lines[2].contains("\x1b[31m"), "{lines:?}");
}

#[test]
fn json_has_the_whole_console() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", BOOTING);
    assert_eq!(
        account.json("logs g"),
        json!({"logs": [{"instance_id": ids[0], "live": true, "console": BOOTING}]})
    );
}

#[test]
fn a_console_with_nothing_on_it_is_said() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t3.micro", "");
    account.run("logs g").assert(
        0,
        str![],
        str![[r#"
[ID] has nothing on its console yet

"#]],
    );
}

#[test]
fn what_is_not_there_or_not_ours_has_no_logs() {
    let account = Account::new();
    account.run("logs nothing").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no machine group nothing
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    let other = account.ec2("run_instances", json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}));
    let other = text(&other["Instances"][0]["InstanceId"]).to_owned();
    account.run(&format!("logs --instance-id {other}")).assert(
        1,
        str![],
        str![[r#"
error: not launched by inductiva-aws: [ID]

"#]],
    );
    assert_eq!(account.run("logs").code, 2);
}

#[cfg(unix)]
#[test]
fn follow_goes_on_with_what_is_new_until_interrupted() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", "one\n");
    let child = account.start("logs g --follow");
    let looks = |a: &Account| {
        a.operations()
            .iter()
            .filter(|o| *o == "GetConsoleOutput")
            .count()
    };
    account.until("a first look", |a| looks(a) == 1);
    account.put("consoles", json!({&ids[0]: "one\ntwo\n"}));
    account.until("two more looks", |a| looks(a) == 3);
    signal(&child, "-INT");
    let run = ended(child);
    assert_eq!((run.code, run.stdout.as_str()), (130, "one\ntwo\n"));
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
    let line = "start --machine-group-name g --vm-type t3.micro --num-machines 2 --wait";
    let child = account.start(line);
    account.until("two machines are there", |a| a.live().len() == 2);
    let ids = account.live();
    for phase in ["container-engine", "images"] {
        let says = format!("inductiva-aws: phase {phase}\n");
        account.put("consoles", json!({&ids[0]: says}));
        let looks = |a: &Account| {
            let looks = a.operations();
            looks.iter().filter(|o| *o == "GetConsoleOutput").count()
        };
        let before = looks(&account);
        // Two looks of two machines: the first pair may have begun before.
        account.until("more looks", |a| looks(a) >= before + 4);
    }
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let run = ended(child);
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
    account.put("settings", json!({"pending_seconds": 30}));
    let line = "start --num-machines 2 --machine-group-name g --wait";
    let child = account.start(line);
    account.until("two machines are there", |a| a.live().len() == 2);
    let ids = account.live();
    let said = format!("{BOOTING}inductiva-aws: failed images: no such host\n");
    account.put("consoles", json!({&ids[0]: said}));
    account.ec2("terminate_instances", json!({"InstanceIds": [ids[0]]}));
    let Run { code, stderr, .. } = ended(child);
    assert_eq!(code, 3, "{stderr}");
    let last_words = format!("{}  inductiva-aws: failed images: no such host\n", ids[0]);
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
