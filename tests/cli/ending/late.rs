//! Machines that show late: looked for as long as something tells of them.

use serde_json::{Value, json};
use snapbox::str;

use super::{alive, nothing};
use crate::sandbox::{Account, finish, list, text};

/// Seconds since 1970, by the sandbox's clock.
fn now(account: &Account) -> f64 {
    account.get("clock")["now"].as_f64().expect("a time")
}

#[test]
fn machines_that_show_late_are_ended() {
    for (line, said) in [
        (
            "terminate g -y",
            str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
2 machines are shutting down: billing of the machines has ended, their disks go with them

"#]],
        ),
        (
            "terminate --all -y",
            str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
2 machines are shutting down: billing of the machines has ended, their disks go with them
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]],
        ),
    ] {
        for setting in ["visible_after_seconds", "tagged_after_seconds"] {
            let account = Account::new();
            account.put("settings", json!({setting: 110}));
            account.json("start --machine-group-name g --num-machines 2");
            account.run(line).assert(0, "[ID]\n[ID]\n", said.clone());
            assert_eq!(alive(&account), nothing(), "{setting}, {line}");
            assert_eq!(account.groups(), [] as [Value; 0], "{setting}, {line}");
        }
    }
}

#[test]
fn machines_given_by_id_are_ended_when_they_show() {
    for setting in ["visible_after_seconds", "tagged_after_seconds"] {
        let account = Account::new();
        account.put("settings", json!({setting: 110}));
        let started = account.json("start --machine-group-name g");
        let id = text(&started["machines"][0]["instance_id"]).to_owned();
        account
            .run(&format!("terminate --instance-id {id} -y"))
            .assert(
                0,
                "[ID]\n",
                str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
1 machine is shutting down: billing of the machines has ended, their disks go with them

"#]],
            );
        assert_eq!(alive(&account), nothing(), "{setting}");
        assert_eq!(account.groups(), [] as [Value; 0], "{setting}");
    }
}

#[test]
fn the_rest_of_a_launch_that_shows_in_part_is_waited_for() {
    let account = Account::new();
    account.put(
        "settings",
        json!({"visible_after_seconds": 100, "visible_at_once": 1}),
    );
    account.json("start --machine-group-name g --num-machines 3");
    account.run("terminate g -y").assert(
        0,
        "[ID]\n[ID]\n[ID]\n",
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
2 machines that were launched for g do not show: looking for up to 2m
2 machines are shutting down: billing of the machines has ended, their disks go with them

"#]],
    );
    assert_eq!(alive(&account), nothing());
}

#[test]
fn a_machine_without_any_sign_of_it_is_looked_for_ten_seconds() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.pass(8.0);
    account.put("settings", json!({"visible_after_seconds": 8}));
    account.hold_pauses();
    // It waits for its machine to show, and dies.
    let mut child = account.start("start --machine-group-name g --num-machines 2");
    account.until_pausing();
    assert_eq!(account.launched(), 2);
    child.kill().expect("a process");
    child.wait().expect("a process");
    account.put("clock", json!({"pauses_wait": false}));
    let since = now(&account);
    assert_eq!(
        account.json("terminate g -y")["deleted_machine_groups"],
        json!(["g"])
    );
    let took = now(&account) - since;
    assert!((took - 10.0).abs() < 0.001, "{took} s");
    assert_eq!(alive(&account), nothing());
}

#[test]
fn a_name_that_nobody_knows_is_told_at_once() {
    let account = Account::new();
    let since = now(&account);
    let run = account.run("terminate nothing -y --output json");
    run.fails(1, str![[r#"
{"error":{"hint":"inductiva-aws list --all-regions shows the groups there are","kind":"not_found","machines":[],"message":"eu-west-2 has no machine group nothing"}}

"#]]);
    assert!((now(&account) - since).abs() < 0.001);
    // An id may be a machine's that does not show yet.
    let run = account.run("terminate --instance-id i-00000000000000000 -y --output json");
    run.fails(1, str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
{"error":{"hint":"inductiva-aws list --all-regions shows what there is","kind":"not_found","machines":[],"message":"eu-west-2 does not have [ID]; nothing was terminated"}}

"#]]);
    assert!((now(&account) - since - 120.0).abs() < 0.001);
}

/// Without the group on Inductiva's side nothing but its machines tells of a group.
#[test]
fn a_group_that_was_started_without_inductiva_is_known_to_terminate_at_once() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    account.put("settings", json!({"visible_after_seconds": 60}));
    let since = now(&account);
    account.run("start --machine-group-name g").succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves
launched [ID] (t3.micro)
waiting for EC2 to show the machines, two minutes at most

"#]]);
    assert!((60.0..120.0).contains(&(now(&account) - since)));
    account.put("inductiva", json!({"status": null}));
    let since = now(&account);
    let document = account.json("terminate g -y");
    assert_eq!(list(&document["terminated"]).len(), 1);
    assert!((now(&account) - since - 10.0).abs() < 0.001);
    assert_eq!(alive(&account), nothing());
}

/// A group that has machines does not tell of more.
#[test]
fn a_top_up_is_done_when_its_machines_show() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.pass(60.0);
    account.put("settings", json!({"visible_after_seconds": 60}));
    account.json("start --machine-group-name g --num-machines 2");
    let document = account.json("terminate g -y");
    assert_eq!(list(&document["terminated"]).len(), 2);
    assert_eq!(alive(&account), nothing());
}

#[test]
fn a_top_up_of_a_group_that_is_ended_meanwhile_is_named() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let first = account.live();
    account.pass(60.0);
    account.put("settings", json!({"visible_after_seconds": 60}));
    account.hold_pauses();
    let child = account.start("start --machine-group-name g --num-machines 2 --output json");
    account.until_pausing();
    account.ec2("terminate_instances", json!({"InstanceIds": first}));
    let run = account.ended(child);
    run.fails(3, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
launched [ID] (t3.micro)
waiting for EC2 to show the machines, two minutes at most
{"error":{"hint":"end these, too: inductiva-aws terminate --machine-group-name g; or run the same line again","kind":"machines_may_be_running","machines":["[ID]"],"message":"the group g was ended while this start waited for its machines to show"}}

"#]]);
    assert_eq!(run.error()["machines"], json!(alive(&account)));
    assert_eq!(alive(&account).len(), 1);
}

#[test]
fn where_nothing_shows_and_inductiva_cannot_be_asked_nothing_is_said_to_be_gone() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    account.put("settings", json!({"visible_after_seconds": 300}));
    account.json_that_warns("start --machine-group-name g", str![[r#"
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves

"#]]);
    account.run("terminate g -y").assert(
        3,
        str![],
        str![[r#"
Inductiva cannot be asked whether there are machines: looking for up to 2m
error: no machine of the group g shows, and Inductiva cannot be asked whether there are any (HTTP 503, set by the test): they may be running
hint: try again: inductiva-aws terminate --machine-group-name g

"#]],
    );
    let mut command = account.command(["terminate", "g", "-y", "--output", "json"]);
    command.env_remove("INDUCTIVA_API_KEY");
    let run = finish(&mut command);
    run.succeeds(str![[r#"
warning: there is no Inductiva API key: the machine groups stay on Inductiva's side until it ends them
Inductiva cannot be asked whether there are machines: looking for up to 2m
1 machine is shutting down: billing of the machines has ended, their disks go with them

"#]]);
    assert_eq!(list(&run.document()["terminated"]).len(), 1);
}
