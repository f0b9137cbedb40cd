//! Where there is no capacity: other zones, types and markets, each once, and
//! what is said when there is none anywhere.

mod types_and_markets;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

/// What is left where: the first rule that matches holds.
fn capacity(account: &Account, rules: Value) {
    account.put("capacity", json!({"rules": rules}));
}

/// The launches on record: type, zone, spot or not, and EC2's code.
fn launches(account: &Account) -> Vec<(String, String, bool, String)> {
    let requests = account.requests();
    let launches = requests.iter().filter(|r| r["operation"] == "RunInstances");
    launches
        .map(|r| {
            let parameter = |name: &str| r["params"][name].as_str().unwrap_or("any").to_owned();
            (
                parameter("InstanceType"),
                parameter("Placement.AvailabilityZone"),
                r["params"]["InstanceMarketOptions.MarketType"] == "spot",
                r["error_code"].as_str().unwrap_or("launched").to_owned(),
            )
        })
        .collect()
}

fn zones(document: &Value) -> Vec<String> {
    let machines = list(&document["machines"]);
    let zone = |m: &Value| text(&m["availability_zone"]).to_owned();
    machines.iter().map(zone).collect()
}

#[test]
fn the_next_zone_is_tried_each_once_with_a_token_of_its_own() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"zone": "eu-west-2c", "available": 5}, {"available": 0}]),
    );
    let document = account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    assert_eq!(zones(&document), ["eu-west-2c", "eu-west-2c"]);
    let asked: Vec<String> = launches(&account).into_iter().map(|l| l.1).collect();
    assert_eq!(asked, ["any", "eu-west-2a", "eu-west-2b", "eu-west-2c"]);
    let requests = account.requests();
    let mut tokens: Vec<&str> = requests
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| text(&r["params"]["ClientToken"]))
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 4);
    assert_eq!(account.launched(), 2);
    // Again: the machines are there.
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    assert_eq!(account.launched(), 2);
}

#[test]
fn which_zones_offer_a_type_is_asked_only_then_and_need_not_be_answered() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name other");
    let asks = "DescribeInstanceTypeOfferings".to_owned();
    assert!(!account.operations().contains(&asks));
    account.fault(json!({"service": "ec2", "operation": asks, "code": "UnauthorizedOperation", "message": "no", "status": 403, "count": null}));
    capacity(
        &account,
        json!([{"zone": "eu-west-2b", "available": 5}, {"available": 0}]),
    );
    let document = account.json("start --vm-type t2.micro --machine-group-name g");
    assert_eq!(zones(&document), ["eu-west-2b"]);
    assert!(account.operations().contains(&asks));
}

#[test]
fn a_named_zone_and_a_named_subnet_are_kept_to() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"zone": "eu-west-2a", "available": 0}, {"available": 9}]),
    );
    let run = account
        .run("start --vm-type t2.micro --machine-group-name g --availability-zone eu-west-2a");
    run.fails(
        5,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
error: cannot launch t2.micro: [..] (InsufficientInstanceCapacity, request [UUID])
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]],
    );
    let subnets = account.ec2(
        "describe_subnets",
        json!({"Filters": [{"Name": "availability-zone", "Values": ["eu-west-2a"]}]}),
    );
    let subnet = text(&subnets["Subnets"][0]["SubnetId"]);
    let run = account.run(&format!(
        "start --vm-type t2.micro --machine-group-name g --subnet-id {subnet} --output json"
    ));
    run.fails(5, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in [SUBNET]: InsufficientInstanceCapacity
{"error":{"hint":"name another subnet with --subnet-id (one with more free addresses, or in another zone), fewer --num-machines, another --vm-type, or try again later","kind":"capacity","machines":[],"message":"cannot launch t2.micro: [..] (InsufficientInstanceCapacity, request [UUID])","tried":[{"availability_zone":null,"code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"[..]","subnet_id":"[SUBNET]","vm_type":"t2.micro"}]}}

"#]]);
    assert_eq!(run.error()["tried"][0]["subnet_id"], subnet);
    assert_eq!(launches(&account).len(), 2);
    assert_eq!(account.launched(), 0);
}

#[test]
fn without_capacity_anywhere_all_that_was_tried_is_shown() {
    let account = Account::new();
    capacity(&account, json!([{"available": 0}]));
    let run = account.run("start --machine-group-name g --vm-type t2.micro,t3.micro --spot --spot-fallback --num-machines 2");
    run.assert(
        5,
        str![],
        str![[r#"
machine group g
cost: [..]
no spot t2.micro in any zone: InsufficientInstanceCapacity
no spot t2.micro in eu-west-2a: InsufficientInstanceCapacity
no spot t2.micro in eu-west-2b: InsufficientInstanceCapacity
no spot t2.micro in eu-west-2c: InsufficientInstanceCapacity
no spot t3.micro in any zone: InsufficientInstanceCapacity
no spot t3.micro in eu-west-2a: InsufficientInstanceCapacity
no spot t3.micro in eu-west-2b: InsufficientInstanceCapacity
no spot t3.micro in eu-west-2c: InsufficientInstanceCapacity
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2c: InsufficientInstanceCapacity
no on-demand t3.micro in any zone: InsufficientInstanceCapacity
no on-demand t3.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t3.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t3.micro in eu-west-2c: InsufficientInstanceCapacity
error: cannot launch t2.micro,t3.micro: there was no capacity in any place that was tried
TYPE      ZONE        MARKET     MACHINES  ANSWER
t2.micro  any         spot       2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2a  spot       2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2b  spot       2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2c  spot       2         InsufficientInstanceCapacity: [..]
t3.micro  any         spot       2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2a  spot       2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2b  spot       2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2c  spot       2         InsufficientInstanceCapacity: [..]
t2.micro  any         on-demand  2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2a  on-demand  2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2b  on-demand  2         InsufficientInstanceCapacity: [..]
t2.micro  eu-west-2c  on-demand  2         InsufficientInstanceCapacity: [..]
t3.micro  any         on-demand  2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2a  on-demand  2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2b  on-demand  2         InsufficientInstanceCapacity: [..]
t3.micro  eu-west-2c  on-demand  2         InsufficientInstanceCapacity: [..]
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]],
    );
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn fewer_machines_are_taken_when_that_is_allowed_and_filled_up_later() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"zone": "eu-west-2a", "available": 1}, {"zone": "eu-west-2c", "available": 2}, {"available": 0}]),
    );
    let too_few = account.run("start --vm-type t2.micro --machine-group-name g --num-machines 5 --min-machines 4 --output json");
    too_few.fails(5, str![[r#"
machine group g
cost: about 0.1228 USD an hour, 2.95 a day (machines 0.0660, disks 0.0318, addresses 0.0250)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
undoing: terminating 3 machines
{"error":{"hint":"try another --availability-zone, --vm-type or --region, or try again later","kind":"capacity","machines":[],"message":"cannot launch t2.micro: there was no capacity in any place that was tried; what had been launched was terminated","tried":[{"availability_zone":"eu-west-2a","code":"InsufficientInstanceCapacity","machines":4,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2b","code":"InsufficientInstanceCapacity","machines":4,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"t2.micro"}]}}

"#]]);
    assert_eq!(account.live(), [] as [String; 0]);
    account.settle();

    let line = "start --vm-type t2.micro --machine-group-name h --num-machines 5 --min-machines 2";
    let run = account.run(&format!("{line} --output json"));
    run.succeeds(str![[r#"
machine group h
cost: about 0.1228 USD an hour, 2.95 a day (machines 0.0660, disks 0.0318, addresses 0.0250)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
launched [ID] [ID] [ID]
the group has 3 machines of the 5 asked for: there was no capacity for more (the same line later tries again)

"#]]);
    let document = run.document();
    assert_eq!(
        (&document["requested"], &document["launched"]),
        (&json!(5), &json!(3))
    );
    let mut zones = zones(&document);
    zones.sort();
    assert_eq!(zones, ["eu-west-2a", "eu-west-2c", "eu-west-2c"]);

    // A minute later nothing of the first launch can be about to show.
    account.pass(70.0);
    capacity(&account, json!([]));
    let document = account.json(line);
    assert_eq!(
        (&document["existing"], &document["launched"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(account.live().len(), 5);
}

#[test]
fn a_launch_that_died_in_another_zone_is_found_there() {
    let account = Account::new();
    account.put("settings", json!({"visible_after_seconds": 2}));
    capacity(
        &account,
        json!([{"zone": "eu-west-2c", "available": 5}, {"available": 0}]),
    );
    let line = "start --vm-type t2.micro --machine-group-name g --num-machines 2 -q";
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold_answer", "match": {"Placement.AvailabilityZone": "eu-west-2c"}}));
    let mut child = account.start(line);
    account.until("two machines are launched", |a| a.launched() == 2);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    account.post("release", json!({"drop": true}));
    account.run(line).assert(0, "[ID]\n[ID]\n", "");
    assert_eq!(account.launched(), 2);
}

#[test]
fn a_start_that_was_slow_sees_what_was_launched_elsewhere_meanwhile() {
    let account = Account::new();
    let line = "start --machine-group-name g --num-machines 2";
    account
        .fault(json!({"service": "inductiva", "operation": "POST /compute/group", "kind": "hold"}));
    let slow = account.start(line);
    account.until_held();
    capacity(
        &account,
        json!([{"zone": "eu-west-2c", "available": 2}, {"available": 0}]),
    );
    account.json(line);
    capacity(&account, json!([]));
    // Its plan is good still, and its look some seconds old.
    account.pass(6.0);
    account.post("release", json!({}));
    account.ended(slow).succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
the group g has 2 machines already, nothing to launch

"#]]);
    assert_eq!(account.launched(), 2);
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn a_zone_with_too_few_free_addresses_is_not_tried() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"zone": "eu-west-2c", "available": 5}, {"available": 0}]),
    );
    let subnets = account.ec2(
        "describe_subnets",
        json!({"Filters": [{"Name": "availability-zone", "Values": ["eu-west-2a"]}]}),
    );
    let subnet = text(&subnets["Subnets"][0]["SubnetId"]);
    account.put("free_addresses", json!({subnet: 1}));
    let zones_asked = || -> Vec<String> { launches(&account).into_iter().map(|l| l.1).collect() };
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    assert_eq!(zones_asked(), ["any", "eu-west-2b", "eu-west-2c"]);
    account.forget_requests();
    account.put("free_addresses", json!({subnet: 0}));
    account
        .json("start --vm-type t2.micro --machine-group-name h --num-machines 2 --min-machines 1");
    assert_eq!(zones_asked(), ["any", "eu-west-2b", "eu-west-2c"]);
    // Where fewer are taken, one address is enough to try.
    account.forget_requests();
    account.put("free_addresses", json!({subnet: 1}));
    account
        .run("start --vm-type t2.micro --machine-group-name i --num-machines 2 --min-machines 1")
        .succeeds(str![[r#"
machine group i
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
launched [ID]
the group has 1 machine of the 2 asked for: there was no capacity for more (the same line later tries again)

"#]]);
    assert_eq!(
        zones_asked(),
        ["any", "eu-west-2a", "eu-west-2b", "eu-west-2c"]
    );
}

#[test]
fn where_the_first_call_gets_fewer_the_other_calls_are_not_made() {
    let account = Account::new();
    capacity(&account, json!([{"available": 70}]));
    let document = account.json(
        "start --vm-type t2.micro --machine-group-name g --num-machines 150 --min-machines 60",
    );
    assert_eq!(document["launched"], 70);
    let requests = account.requests();
    let numbers: Vec<&str> = requests
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| text(&r["params"]["MaxCount"]))
        .collect();
    // What the first call lacks is looked for in all three zones.
    assert_eq!(numbers, ["100", "30", "30", "30"]);
}

#[test]
fn machines_launched_elsewhere_stay_when_ec2_cannot_be_asked_for_them() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": 1}));
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "after": 1, "code": "InvalidParameterValue", "message": "broken", "status": 400, "count": null}));
    let document = account.json("start --vm-type t2.micro --machine-group-name g");
    assert_eq!(document["launched"], 1);
    assert_eq!(account.live().len(), 1);
}
