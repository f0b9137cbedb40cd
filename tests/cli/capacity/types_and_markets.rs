//! Other types, and on demand instead of spot.

use serde_json::json;
use snapbox::str;

use super::{capacity, launches};
use crate::sandbox::{Account, list};

#[test]
fn a_quota_of_the_type_is_helped_by_the_next_type_and_by_no_zone() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "match": {"InstanceType": "c5.xlarge"}, "code": "VcpuLimitExceeded", "message": "You have requested more vCPU capacity than your current vCPU limit", "status": 400, "count": null}));
    let document = account.json(
        "start --machine-group-name g --vm-type c5.xlarge --vm-type t3.micro --num-machines 2",
    );
    assert_eq!(document["vm_type"], "c5.xlarge,t3.micro");
    let machines = list(&document["machines"]);
    assert!(machines.iter().all(|m| m["vm_type"] == "t3.micro"));
    let asked = launches(&account);
    assert_eq!(asked.len(), 2, "{asked:?}");
    // The settings name both, so that the same line finds its group.
    account.json("start --machine-group-name g --vm-type c5.xlarge,t3.micro --num-machines 2");
    assert_eq!(account.launched(), 2);
    assert_eq!(
        account.groups()[0]["create_body"]["machine_type"],
        "c5.xlarge"
    );
}

#[test]
fn spot_machines_that_there_are_not_are_launched_on_demand_when_asked_for() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"market": "spot", "available": 0}, {"available": 9}]),
    );
    let run =
        account.run("start --vm-type t2.micro --machine-group-name g --spot --num-machines 2 -q");
    run.assert(5, str![], str![[r#"
error: cannot launch t2.micro: there was no capacity in any place that was tried
TYPE      ZONE        MARKET  MACHINES  ANSWER
t2.micro  any         spot    2         InsufficientInstanceCapacity: There is no Spot capacity available that matches your request
t2.micro  eu-west-2a  spot    2         InsufficientInstanceCapacity: There is no Spot capacity available that matches your request
t2.micro  eu-west-2b  spot    2         InsufficientInstanceCapacity: There is no Spot capacity available that matches your request
t2.micro  eu-west-2c  spot    2         InsufficientInstanceCapacity: There is no Spot capacity available that matches your request
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]]);
    let document = account.json(
        "start --vm-type t2.micro --machine-group-name g --spot --spot-fallback --num-machines 2",
    );
    let machines = list(&document["machines"]);
    assert!(machines.iter().all(|m| m["market"] == "on-demand"));
    assert_eq!(account.launched(), 2);
}

#[test]
fn on_demand_fills_up_what_spot_has_not_when_fewer_are_taken() {
    let account = Account::new();
    capacity(
        &account,
        json!([{"market": "spot", "zone": "eu-west-2b", "available": 2}, {"market": "spot", "available": 0}, {"available": 9}]),
    );
    let document = account.json(
        "start --vm-type t2.micro --machine-group-name g --spot --spot-fallback --num-machines 5 --min-machines 5",
    );
    assert_eq!(document["launched"], 5);
    let document = account.json(
        "start --vm-type t2.micro --machine-group-name h --spot --spot-fallback --num-machines 5 --min-machines 1",
    );
    let machines = list(&document["machines"]);
    let on_demand = machines.iter().filter(|m| m["market"] == "on-demand");
    assert_eq!((machines.len(), on_demand.count()), (5, 3));
}

#[test]
fn types_that_need_different_images_are_refused() {
    let account = Account::new();
    let run = account.run("start --machine-group-name g --vm-type g4dn.xlarge,t3.micro");
    run.assert(
        1,
        str![],
        str![[r#"
error: g4dn.xlarge has an NVIDIA GPU and t3.micro has none: they need different images
hint: name types that all have an NVIDIA GPU, or types that have none

"#]],
    );
    let run = account.run("start --vm-type t2.micro --num-machines 2 --min-machines 3");
    run.assert(
        2,
        str![],
        str![[r#"
error: --min-machines 3 is more than --num-machines 2

"#]],
    );
}
