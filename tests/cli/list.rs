//! `list`.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, REGION, ended, list, text};

#[test]
fn nothing_is_an_empty_table() {
    Account::new().run("list").assert(
        0,
        str![[r#"
MACHINE GROUP  INSTANCE ID  TYPE  STATE  ZONE  PRIVATE IP  PUBLIC IP  MARKET  AGE  USD/H  RUNNER  TASK

"#]],
        str![],
    );
}

#[test]
fn machines_are_listed_by_group() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name beta");
    account.json("start --machine-group-name alpha --num-machines 2 --vm-type t3.small");
    let run = account.run("ls");
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "3 machines run, about 0.0795 USD an hour\n")
    );
    let lines: Vec<Vec<&str>> = run
        .stdout
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 4, "{}", run.stdout);
    assert_eq!(
        lines[0].join(" "),
        "MACHINE GROUP INSTANCE ID TYPE STATE ZONE PRIVATE IP PUBLIC IP MARKET AGE USD/H RUNNER TASK"
    );
    assert_eq!(
        [lines[1][0], lines[2][0], lines[3][0]],
        ["alpha", "alpha", "beta"]
    );
    assert_eq!(lines[1][2], "t3.small");
    // Every column starts where its header does.
    for (header, column) in [("INSTANCE ID", 1), ("TYPE", 2), ("STATE", 3)] {
        let start = run.stdout.find(header).expect("the header");
        for (line, cells) in run.stdout.lines().zip(&lines).skip(1) {
            assert!(line[start..].starts_with(cells[column]), "{header}: {line}");
        }
    }
    let one = account.json("list --machine-group-name beta");
    assert_eq!(list(&one["machines"]).len(), 1);
    assert_eq!(one["machines"][0]["machine_group"], "beta");
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
    assert_eq!(account.run("terminate gone -y").code, 0);
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
    let here = account.json("list");
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
    let document = ended(child).document();
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
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-west-2", "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("list --all-regions --output json");
    run.ends(3, str![[r#"
1 machine runs, about 0.0196 USD an hour
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
  "budgets": [],
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
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
    assert_eq!(run.error()["kind"], "not_permitted");
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
    assert_eq!(run.code, 2);
    assert_eq!(run.error()["kind"], "usage");
}
