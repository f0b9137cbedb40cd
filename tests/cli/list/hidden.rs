//! Machines that run and that the list cannot show: in another region, or launched a
//! moment ago. A list that does not say so sends nobody to look.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

const THERE: &str = "us-east-1";

/// Two machines run in another region, and have registered: their ids.
fn two_there(account: &Account) -> Vec<String> {
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let started = account.json(&format!(
        "start --vm-type t2.micro --machine-group-name wind --num-machines 2 --region {THERE}"
    ));
    account.settle();
    let mut ids: Vec<String> = list(&started["machines"])
        .iter()
        .map(|m| text(&m["instance_id"]).to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_group_that_runs_in_another_region_is_not_said_to_have_no_machines() {
    let account = Account::new();
    let ids = two_there(&account);
    for line in ["list wind", "list wind -q"] {
        account.run(line).assert(
            3,
            str![],
            str![[r#"
error: eu-west-2 shows no machine of wind, but Inductiva sees 2 alive: [ID] [ID]
hint: inductiva-aws list wind --all-regions shows where they run
machines that may be running: [ID] [ID]

"#]],
        );
    }
    let run = account.run("list wind --output json");
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.error()["kind"], "machines_may_be_running");
    assert_eq!(run.error()["machines"], json!(ids));
    let document = run.document();
    assert_eq!(document["machines"], json!([]));
    // They cost something, and nobody knows what.
    assert_eq!(document["usd_per_hour"], Value::Null);
    assert_eq!(document["cost_unknown_because"], run.error()["message"]);
    // The line that it names.
    let everywhere = account.json("list wind --all-regions");
    assert_eq!(list(&everywhere["machines"]).len(), 2);
    assert!(everywhere["usd_per_hour"].as_f64().is_some());
    // All machines of the region were asked for, and there is none.
    assert_eq!(account.json("list")["machines"], json!([]));
}

#[test]
fn a_machine_that_runs_in_another_region_is_not_said_to_be_unknown() {
    let account = Account::new();
    let ids = two_there(&account);
    account
        .run(&format!("list {} nothing", ids[0]))
        .assert(
            3,
            str![],
            str![[r#"
error: Inductiva sees [ID] alive, which eu-west-2 does not show; eu-west-2 has no machine group nothing
hint: inductiva-aws list [ID] --all-regions shows where they run
machines that may be running: [ID]

"#]],
        );
}

#[test]
fn a_group_that_runs_in_another_region_too_is_not_listed_as_whole() {
    let account = Account::new();
    two_there(&account);
    let line = "start --vm-type t2.micro --machine-group-name wind --allow-other-regions";
    let here = account.json(line);
    account.settle();
    let run = account.run("list wind -q");
    let id = text(&here["machines"][0]["instance_id"]);
    assert_eq!(run.stdout, format!("{id}\n"));
    run.ends(
        3,
        str![[r#"
error: Inductiva sees 2 more of wind alive, which eu-west-2 does not show: [ID] [ID]
hint: inductiva-aws list wind --all-regions shows where they run
machines that may be running: [ID] [ID]

"#]],
    );
}

#[test]
fn machines_that_run_in_no_region_of_the_account_are_named() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name wind");
    account.put(
        "inductiva",
        json!({"register": {"group": "wind", "host_name": "i-0123456789abcdef0"}}),
    );
    let run = account.run("list wind --all-regions -q");
    assert!(!run.stdout.is_empty());
    run.ends(
        3,
        str![[r#"
error: Inductiva sees 1 more of wind alive, which no region shows: [ID]
hint: they may be in another AWS account: sign in there, such as with --profile, and look again
machines that may be running: [ID]

"#]],
    );
}

#[test]
fn machines_that_do_not_show_yet_are_not_said_to_be_none() {
    let account = Account::new();
    account.put("settings", json!({"visible_after_seconds": 60}));
    account
        .run("start --vm-type t2.micro --machine-group-name kk -q --output json")
        .document();
    for (line, said) in [
        (
            "list kk",
            str![[r#"
warning: the group kk is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again
no such machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
        ),
        (
            "list",
            str![[r#"
warning: the group kk is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
        ),
    ] {
        account.run(line).assert(0, "", said);
        let document = account.json_that_warns(line, str![[r#"
warning: the group kk is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again

"#]]);
        assert_eq!(document["groups_without_machines"][0]["name"], "kk");
    }
    account.run("list kk -q").assert(
        0,
        str![],
        str![[r#"
warning: the group kk is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again

"#]],
    );
    // It shows.
    account.pass(90.0);
    let document = account.json("list kk");
    assert_eq!(document["groups_without_machines"], json!([]));
    assert_eq!(list(&document["machines"]).len(), 1);
}
