//! `list`.

mod ended;
mod hidden;

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, REGION, ended, list, text};

#[test]
fn nothing_is_said() {
    let account = Account::new();
    account.run("list").assert(
        0,
        str![],
        str![[r#"
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
    );
    account.run("list --all-regions").assert(
        0,
        str![],
        str![[r#"
no machines in any region

"#]],
    );
    account.run("list -q").assert(0, str![], str![]);
    assert_eq!(account.json("list")["machines"], json!([]));
}

#[test]
fn groups_and_machines_are_listed_by_name_and_id() {
    let account = Account::new();
    for name in ["a", "b", "c"] {
        account.json(&format!(
            "start --vm-type t2.micro --machine-group-name {name}"
        ));
    }
    let all = list(&account.json("list")["machines"]);
    let id = text(&all[2]["instance_id"]);
    let named = |line: &str| -> Vec<String> {
        let machines = list(&account.json(line)["machines"]).into_iter();
        machines
            .map(|m| text(&m["machine_group"]).to_owned())
            .collect()
    };
    assert_eq!(named("list a"), ["a"]);
    assert_eq!(named(&format!("list {id} b")), ["b", "c"]);
    assert_eq!(named("list a --machine-group-name b"), ["a", "b"]);
}

#[test]
fn what_nobody_knows_is_not_found() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let run = account.run("list nothing i-00000000000000000");
    run.assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no machine group nothing, no machine [ID]
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    // Its address, which costs something, shows.
    account.settle();
    let run = account.run("list g nothing --all-regions --output json");
    run.ends(1, str![[r#"
1 machine runs, about 0.0246 USD an hour
{"error":{"hint":"inductiva-aws list --all-regions shows what there is","kind":"not_found","machines":[],"message":"no region has the machine group nothing"}}

"#]]);
    assert_eq!(list(&run.document()["machines"]).len(), 1);
    account.run("list nothing -q").fails(
        1,
        str![[r#"
error: eu-west-2 has no machine group nothing
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    // A group that has just ended, and one that has no machine, are known.
    account.run("terminate g -y -q").assert(0, "[ID]\n", "");
    account.run("list g").assert(
        0,
        str![],
        str![[r#"
g: 1 machine has ended: inductiva-aws logs g shows why
no such machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
    );
}

#[test]
fn json_has_what_the_contract_names() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --wait=running");
    let document = account.json("list");
    let machine = document["machines"][0].as_object().expect("an object");
    let mut fields: Vec<&str> = machine.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "address_usd_per_hour",
            "age_seconds",
            "availability_zone",
            "current_task_id",
            "disks_usd_per_hour",
            "ends_at",
            "ends_because",
            "instance_id",
            "launch_time",
            "machine_group",
            "machine_usd_per_hour",
            "market",
            "private_ip",
            "public_ip",
            "region",
            "runner",
            "state",
            "state_reason",
            "usd_per_hour",
            "vm_type"
        ]
    );
    assert_eq!(machine["state"], "running");
    assert_eq!(machine["market"], "on-demand");
    assert_eq!(machine["region"], "eu-west-2");
    assert!(text(&machine["launch_time"]).ends_with('Z'));
}

#[test]
fn quiet_prints_the_ids_alone() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    account.run("list -q").assert(
        0,
        str![[r#"
[ID]
[ID]

"#]],
        str![],
    );
}

#[test]
fn only_our_machines_that_are_not_gone_are_listed() {
    let account = Account::new();
    account.ec2("run_instances", json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}));
    account.json("start --vm-type t2.micro --machine-group-name gone");
    account.run("terminate gone -y -q").assert(0, "[ID]\n", "");
    account.settle();
    let kept = account.json("start --vm-type t2.micro --machine-group-name kept");
    let listed = account.json("list");
    assert_eq!(list(&listed["machines"]).len(), 1);
    assert_eq!(
        listed["machines"][0]["instance_id"],
        kept["machines"][0]["instance_id"]
    );
    let stopped = kept["machines"][0]["instance_id"].clone();
    account.settle();
    account.ec2("stop_instances", json!({"InstanceIds": [stopped]}));
    assert_eq!(
        list(&account.json("list")["machines"]).len(),
        1,
        "a stopped machine's disk still costs"
    );
}

#[test]
fn all_regions_are_asked_side_by_side() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name here");
    account.json("start --vm-type t2.micro --machine-group-name there --region us-east-1");
    // Their addresses, which cost something, show.
    account.settle();
    let here = account.json_that_warns("list", str![[r#"
warning: the group there is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again

"#]]);
    assert_eq!(list(&here["machines"]).len(), 1);
    assert_eq!(here["regions"], json!([REGION]));
    assert_eq!(here["left_out"], json!([]));
    let regions = list(&account.ec2("describe_regions", json!({}))["Regions"]).len();
    account.fault(
        json!({"service": "ec2", "operation": "DescribeInstances", "kind": "hold", "count": null}),
    );
    let child = account.start("list --all-regions --output json");
    account.until_so_many_are_held(regions);
    account.forget_faults();
    account.post("release", json!({}));
    let run = ended(child);
    run.succeeds(str![[r#"
2 machines run, about 0.0491 USD an hour

"#]]);
    let document = run.document();
    assert_eq!(list(&document["regions"]).len(), regions);
    assert_eq!(document["left_out"], json!([]));
    let found: Vec<(&str, &str)> = list(&document["machines"])
        .iter()
        .map(|m| (text(&m["region"]), text(&m["machine_group"])))
        .map(|(region, group)| {
            (
                if region == "us-east-1" {
                    "us-east-1"
                } else {
                    "eu-west-2"
                },
                if group == "there" { "there" } else { "here" },
            )
        })
        .collect();
    assert_eq!(found, [("eu-west-2", "here"), ("us-east-1", "there")]);
}

#[test]
fn a_region_that_cannot_be_asked_makes_the_list_a_failure() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name here");
    account.settle();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-west-2", "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("list --all-regions --output json");
    run.ends(3, str![[r#"
1 machine runs, about 0.0246 USD an hour
{"error":{"hint":"machines may be running there: try again in a minute","kind":"machines_may_be_running","machines":[],"message":"the list is not complete, us-west-2 did not answer: cannot list machines: broken (InvalidParameterValue, request [UUID])"}}

"#]]);
    let document = run.document();
    let left_out = &document["left_out"][0];
    assert!(
        text(&left_out["reason"]).contains("InvalidParameterValue"),
        "{document}"
    );
    let asked = list(&document["regions"]);
    assert!(!asked.is_empty() && !asked.contains(&left_out["region"]));
}

#[test]
fn a_region_that_a_policy_denies_is_left_out_with_a_warning() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-east-1", "count": null, "code": "UnauthorizedOperation", "message": "with an explicit deny in a service control policy", "status": 403}));
    let run = account.run("list --all-regions --output json");
    run.assert(0, str![[r#"
{
  "machines": [],
  "usd_per_hour": 0.0,
  "machines_usd_per_hour": 0.0,
  "disks_usd_per_hour": 0.0,
  "addresses_usd_per_hour": 0.0,
  "cost_unknown_because": null,
  "ended": [],
  "leftover_groups": [],
  "groups_without_machines": [],
  "leftover_snapshots": [],
  "budgets": [],
  "spent": [],
  "regions": [
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "us-west-2"
  ],
  "left_out": [
    {
      "region": "us-east-1",
      "reason": "cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID])"
    }
  ]
}

"#]], str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))

"#]]);
}

#[test]
fn a_list_that_no_region_answers_is_a_failure() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "count": null, "code": "UnauthorizedOperation", "message": "You are not authorized to perform this operation.", "status": 403}));
    let run = account.run("list --all-regions --output json");
    run.fails(4, str![[r#"
warning: left out: eu-central-1, eu-west-1, eu-west-2, us-east-1, us-west-2 (cannot list machines: You are not authorized to perform this operation (UnauthorizedOperation, request [UUID]))
{"error":{"hint":"ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, /"Security credentials/")","kind":"not_permitted","machines":[],"message":"cannot list machines: You are not authorized to perform this operation (UnauthorizedOperation, request [UUID])"}}

"#]]);
}

#[test]
fn hundreds_of_machines_are_paged_through() {
    let account = Account::new();
    // A page has a thousand.
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 1000");
    account.json("start --vm-type t2.micro --machine-group-name h --num-machines 2");
    assert_eq!(account.run("list -q").succeeds("").lines().count(), 1_002);
}

#[test]
fn watching_is_no_single_document() {
    let run = Account::new().run("list --watch --output json");
    run.fails(2, str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"--watch cannot be combined with --output json: it prints the list again and again, and JSON output is one document"}}

"#]]);
}

#[test]
fn what_is_waited_for_is_said() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "kind": "hold"}));
    let mut child = account.start("list");
    account.until_held();
    account.pass(3.0);
    let slow = "waiting for EC2 to answer DescribeInstances\n";
    assert_eq!(crate::sandbox::until_it_says(&mut child, slow), slow);
    account.post("release", json!({}));
    ended(child).assert(
        0,
        "",
        str![[r#"
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
    );
}

/// Inductiva's API too, once for all calls of it.
#[test]
fn it_is_said_that_inductiva_is_waited_for() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.settle();
    account.fault(json!({"service": "inductiva", "operation": "*", "kind": "hold"}));
    let mut child = account.start("list");
    account.until_held();
    account.pass(3.0);
    crate::sandbox::until_it_says(&mut child, "waiting for Inductiva's API to answer GET /");
    // Which of them it is differs.
    crate::sandbox::until_it_says(&mut child, "\n");
    account.post("release", json!({}));
    ended(child).assert(
        0,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
g      eu-west-2  1, 0 busy  t2.micro  4s   0.0246  0.0004

INSTANCE ID          STATE    ZONE        RUNNER          TASK
[ID]  running  eu-west-2a  not registered

"#]],
        str![[r#"
1 machine runs, about 0.0246 USD an hour

"#]],
    );
}

#[test]
fn machines_have_the_order_in_which_they_were_started() {
    let account = Account::new();
    let started = account.run("start --vm-type t2.micro --machine-group-name g -n 20 -q");
    let ids = started.succeeds("");
    assert_eq!(account.run("list -q").succeeds(""), ids);
}
