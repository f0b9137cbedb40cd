//! Nothing forgotten: what runs in any region, what is left over, and what
//! `terminate` leaves. Seen with boto3, and with what the sandbox itself knows.

mod groups;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, REGION, list, text};

const OTHER: &str = "us-west-2";
const UBUNTU: &str = "ami-0ab00000000000003";

/// The ids of all machines that are not gone, in any region, as boto3 shows them.
fn alive(account: &Account) -> Vec<String> {
    let mut ids: Vec<String> = ["eu-west-2", "eu-west-1", "eu-central-1", "us-east-1", OTHER]
        .iter()
        .flat_map(|region| {
            list(&account.ec2_in(region, "describe_instances", json!({}))["Reservations"])
        })
        .flat_map(|r| list(&r["Instances"]))
        .filter(|i| !matches!(text(&i["State"]["Name"]), "shutting-down" | "terminated"))
        .map(|i| text(&i["InstanceId"]).to_owned())
        .collect();
    ids.sort();
    ids
}

fn ids(document: &Value, field: &str) -> Vec<String> {
    let mut ids: Vec<String> = list(&document[field])
        .iter()
        .map(|one| text(one.get("instance_id").unwrap_or(one)).to_owned())
        .collect();
    ids.sort();
    ids
}

fn names(groups: &Value) -> Vec<String> {
    let name = |group: &Value| text(group.get("name").unwrap_or(group)).to_owned();
    list(groups).iter().map(name).collect()
}

fn group_names(account: &Account) -> Vec<String> {
    names(&account.groups().into())
}

#[test]
fn everything_in_all_regions_is_found_and_ended() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name here --num-machines 2");
    account.json(&format!(
        "start --vm-type t2.micro --machine-group-name there --region {OTHER}"
    ));
    let other = account.ec2(
        "run_instances",
        json!({"ImageId": UBUNTU, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}),
    );
    let other = text(&other["Instances"][0]["InstanceId"]).to_owned();
    account.settle();
    let stopped = account.live().into_iter().find(|id| *id != other);
    let stopped = stopped.expect("a machine of ours");
    account.ec2("stop_instances", json!({"InstanceIds": [stopped]}));
    account.settle();

    let run = account.run("list --all-regions --output json");
    let named: Vec<&str> = run
        .stderr
        .split_whitespace()
        .filter(|w| w.starts_with("i-"))
        .collect();
    assert_eq!(named, [stopped.as_str()]);
    run.succeeds(str![[r#"
2 machines run, about 0.0555 USD an hour
stopped machines run nothing, but their disks still cost money: inductiva-aws terminate [ID]

"#]]);
    let mut expected = alive(&account);
    expected.retain(|id| *id != other);
    assert_eq!(expected.len(), 3);
    assert_eq!(ids(&run.document(), "machines"), expected);
    let machines = list(&run.document()["machines"]);
    let one = machines
        .iter()
        .find(|m| m["instance_id"] == stopped.as_str());
    let one = one.expect("the stopped one");
    assert_eq!(one["machine_usd_per_hour"], 0.0);
    assert_eq!(one["usd_per_hour"], 0.006_356);
    assert_eq!(run.document()["machines_usd_per_hour"], 2.0 * 0.0132);
    assert_eq!(run.document()["disks_usd_per_hour"], 0.019_068);

    let document = account.json("terminate --all --all-regions -y");
    assert_eq!(ids(&document, "terminated"), expected);
    assert_eq!(document["deleted_machine_groups"], json!(["here", "there"]));
    assert_eq!(alive(&account), [other]);
    assert_eq!(account.groups(), [] as [Value; 0]);
    account.settle();
    for region in [REGION, OTHER] {
        let ours =
            json!({"Filters": [{"Name": "tag:inductiva:launcher", "Values": ["inductiva-aws"]}]});
        for (method, what) in [
            ("describe_volumes", "Volumes"),
            ("describe_network_interfaces", "NetworkInterfaces"),
        ] {
            let left = &account.ec2_in(region, method, ours.clone())[what];
            assert_eq!(*left, json!([]), "{region}");
        }
    }
}

#[test]
fn in_one_region_other_regions_are_left_alone() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name here");
    account.json(&format!(
        "start --vm-type t2.micro --machine-group-name there --region {OTHER}"
    ));
    account.run("terminate --all -y").assert(0, "[ID]\n", str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
warning: machines are still running in other regions: [ID] in us-west-2; inductiva-aws terminate --all --all-regions ends them

"#]]);
    assert_eq!(alive(&account).len(), 1);
    assert_eq!(group_names(&account), ["there"]);
    account.run("terminate here --all-regions -y").fails(2, str![[r#"
error: the argument '[NAME|ID]...' cannot be used with '--all-regions'

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]]);
}

#[test]
fn a_region_that_cannot_be_asked_is_no_success() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name here");
    account.json(&format!(
        "start --vm-type t2.micro --machine-group-name there --region {OTHER}"
    ));
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": OTHER, "count": null, "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("terminate --all --all-regions -y --output json");
    run.ends(3, str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
the group there is active on Inductiva's side, and no machine of it shows: looking for up to 2m
warning: the machine group here stays on Inductiva's side: us-west-2 could not be asked for its machines
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --all-regions --remove-security-group removes it
{"error":{"hint":"try again: inductiva-aws terminate --all --all-regions","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-west-2, which could not be asked: cannot list machines: broken (InvalidParameterValue, request [UUID])"}}

"#]]);
    assert_eq!(ids(&run.document(), "terminated").len(), 1);
    assert_eq!(alive(&account).len(), 1);
    // Of neither group it is known whether it has machines there.
    assert_eq!(group_names(&account), ["here", "there"]);
    account.forget_faults();
    account.json("terminate --all --all-regions -y");
    assert_eq!(alive(&account), [] as [String; 0]);
}

#[test]
fn the_security_group_stays_unless_it_is_to_go() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let ours = || {
        let answer = account.ec2(
            "describe_security_groups",
            json!({"Filters": [{"Name": "tag:inductiva:launcher", "Values": ["inductiva-aws"]}]}),
        );
        list(&answer["SecurityGroups"]).len()
    };
    account.run("terminate --all -y").assert(
        0,
        "[ID]\n",
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]],
    );
    assert_eq!(ours(), 1);
    account.put("settings", json!({"shutting_down_seconds": 1}));
    account.json("start --vm-type t2.micro --machine-group-name h");
    let document = account.json("terminate --all --remove_security_group -y");
    assert_eq!(list(&document["removed_security_groups"]).len(), 1);
    assert_eq!(ours(), 0);
    assert_eq!(
        account.json("terminate --all --remove-security-group -y")["removed_security_groups"],
        json!([])
    );
    account.run("terminate g --remove-security-group -y").fails(2, str![[r#"
error: the argument '[NAME|ID]...' cannot be used with '--remove-security-group'

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]]);
}

#[test]
fn a_security_group_of_ours_by_name_alone_is_not_removed() {
    let account = Account::new();
    account.ec2(
        "create_security_group",
        json!({"GroupName": "inductiva-aws", "Description": "somebody's own"}),
    );
    account.ec2("create_security_group", json!({"GroupName": "inductiva-aws-lab", "Description": "d", "TagSpecifications": [{"ResourceType": "security-group", "Tags": [{"Key": "inductiva:launcher", "Value": "inductiva-aws"}]}]}));
    let document = account.json("terminate --all --remove-security-group -y");
    assert_eq!(document["removed_security_groups"], json!([]));
    let kept = list(&account.ec2("describe_security_groups", json!({}))["SecurityGroups"]);
    assert!(kept.iter().any(|g| g["GroupName"] == "inductiva-aws"));
    assert!(kept.iter().any(|g| g["GroupName"] == "inductiva-aws-lab"));
}

#[test]
fn a_thousand_machines_are_ended_with_progress() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 1000");
    account.put("settings", json!({"strict_buckets": 1}));
    let run = account.run("terminate --all -y --output json");
    run.succeeds(str![[r#"
terminated 100 of 1000
terminated 200 of 1000
terminated 300 of 1000
terminated 400 of 1000
terminated 500 of 1000
terminated 600 of 1000
terminated 700 of 1000
terminated 800 of 1000
terminated 900 of 1000
terminated 1000 of 1000
1000 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]]);
    assert_eq!(list(&run.document()["terminated"]).len(), 1_000);
    assert_eq!(alive(&account), [] as [String; 0]);
}

#[test]
fn no_spot_request_outlives_its_machine() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2 --spot");
    let states = || -> Vec<String> {
        list(&account.ec2("describe_spot_instance_requests", json!({}))["SpotInstanceRequests"])
            .iter()
            .map(|request| text(&request["State"]).to_owned())
            .collect()
    };
    assert_eq!(states(), ["active", "active"]);
    account.run("terminate g -y").assert(
        0,
        "[ID]\n[ID]\n",
        str![[r#"
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
    );
    account.settle();
    assert_eq!(states(), ["closed", "closed"]);
}

#[test]
fn a_list_says_what_runs_and_what_it_costs() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name a --num-machines 2");
    account.json(
        "start --vm-type t2.micro --machine-group-name b --spot --availability-zone eu-west-2b",
    );
    account.json("start --machine-group-name c --vm-type t3.small");
    account.settle();
    account.forget_requests();
    account.run("list").assert(
        0,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
a      eu-west-2  2, 0 busy  t2.micro  1s   0.0491  0.0008
b      eu-west-2  1, 0 busy  t2.micro  1s   0.0160  0.0003
c      eu-west-2  1, 0 busy  t3.small  1s   0.0350  0.0006

INSTANCE ID          STATE    ZONE        RUNNER          TASK
a
[ID]  running  eu-west-2a  not registered
[ID]  running  eu-west-2a  not registered
b
[ID]  running  eu-west-2b  not registered
c
[ID]  running  eu-west-2a  not registered

"#]],
        str![[r#"
4 machines run, about 0.1000 USD an hour

"#]],
    );
    // 2 × 0.0132, 0.00462 and 0.0236, and four disks of 50 GiB and addresses.
    // All were looked up before.
    assert_eq!(account.calls("GetProducts"), 0);
    assert_eq!(account.calls("DescribeSpotPriceHistory"), 1);
    let document = account.json("list");
    assert_eq!(document["machines_usd_per_hour"], 0.05462);
    assert_eq!(document["disks_usd_per_hour"], 0.025_425);
    assert_eq!(document["addresses_usd_per_hour"], 0.02);
    assert_eq!(document["usd_per_hour"], 0.100_045);
    let machine = &document["machines"][0];
    assert_eq!(machine["machine_usd_per_hour"], 0.0132);
    assert_eq!(machine["usd_per_hour"], 0.024_556);
    assert!(machine["age_seconds"].as_u64().is_some_and(|age| age < 600));

    account.forget_requests();
    account
        .run("list -q")
        .assert(0, "[ID]\n[ID]\n[ID]\n[ID]\n", str![]);
    assert_eq!(account.operations(), ["DescribeInstances"]);
}

#[test]
fn a_list_without_prices_is_a_list() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let forget_prices = || {
        let cache = account.home.path().join(".cache/inductiva-aws/prices.json");
        let _ = std::fs::remove_file(cache);
    };
    forget_prices();
    account.put("policy", json!({"deny": ["pricing:*"]}));
    let run = account.run("list --output json");
    run.succeeds("1 machine runs, at n/a USD an hour (pricing:GetProducts is not permitted)\n");
    let document = run.document();
    assert_eq!(document["usd_per_hour"], Value::Null);
    assert_eq!(document["machines"][0]["usd_per_hour"], Value::Null);
    account.put("policy", json!({}));
    account.fault(json!({"service": "pricing", "operation": "GetProducts", "kind": "stall", "seconds": 3, "count": null}));
    account.run("list").succeeds(str![[r#"
1 machine runs, at n/a USD an hour (the Price List did not answer within 2 s)

"#]]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_terminate_says_that_machines_may_go_on() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "kind": "hold"}));
    let child = account.start("terminate g -y");
    account.until_held();
    crate::sandbox::signal(&child, "-INT");
    crate::sandbox::ended(child).assert(
        130,
        str![],
        str![[r#"
error: interrupted: machines that were to be terminated may still be running
hint: inductiva-aws list shows them; run the same command again to end them
machines that may be running: [ID]

"#]],
    );
}
