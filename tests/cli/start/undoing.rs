//! What a `start` that fails takes back, and what it names.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

#[test]
fn a_key_pair_made_for_a_launch_that_fails_is_taken_back() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run =
        account.run("start --vm-type t2.micro --create-key-pair mykey --machine-group-name g");
    run.fails(
        5,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
made the key pair mykey, its private key is in [HOME]/mykey.pem
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2c: InsufficientInstanceCapacity
error: cannot launch t2.micro: there was no capacity in any place that was tried
TYPE      ZONE        MARKET     MACHINES  ANSWER
t2.micro  any         on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2a  on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2b  on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2c  on-demand  1         InsufficientInstanceCapacity: none left
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]],
    );
    assert!(!account.home.path().join("mykey.pem").exists());
    assert_eq!(
        account.ec2("describe_key_pairs", json!({}))["KeyPairs"],
        json!([])
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn a_launch_that_fails_part_way_is_undone() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run = account.run("start --vm-type t2.micro --num-machines 150 --machine-group-name g");
    run.fails(5, str![[r#"
machine group g
cost: about 3.6834 USD an hour, 88.40 a day (machines 1.9800, disks 0.9534, addresses 0.7500)
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2c: InsufficientInstanceCapacity
undoing: terminating 100 machines
error: cannot launch t2.micro: there was no capacity in any place that was tried; what had been launched was terminated
TYPE      ZONE        MARKET     MACHINES  ANSWER
t2.micro  any         on-demand  50        InsufficientInstanceCapacity: none left
t2.micro  eu-west-2a  on-demand  50        InsufficientInstanceCapacity: none left
t2.micro  eu-west-2b  on-demand  50        InsufficientInstanceCapacity: none left
t2.micro  eu-west-2c  on-demand  50        InsufficientInstanceCapacity: none left
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]]);
    assert_eq!(account.launched(), 100);
    assert_eq!(account.live(), [] as [String; 0]);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn undoing_goes_on_when_ids_are_not_visible_yet() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    account.put("settings", json!({"visible_after_seconds": 3}));
    let run = account.run("start --vm-type t2.micro --num-machines 101 --machine-group-name g -q");
    run.assert(5, str![], str![[r#"
warning: cannot terminate: The instance IDs '[..]' do not exist (InvalidInstanceID.NotFound, request [UUID])
error: cannot launch t2.micro: there was no capacity in any place that was tried; what had been launched was terminated
TYPE      ZONE        MARKET     MACHINES  ANSWER
t2.micro  any         on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2a  on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2b  on-demand  1         InsufficientInstanceCapacity: none left
t2.micro  eu-west-2c  on-demand  1         InsufficientInstanceCapacity: none left
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]]);
    assert!(account.calls("TerminateInstances") > 1);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn a_launch_that_cannot_be_undone_names_its_machines() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "UnauthorizedOperation", "message": "no", "status": 403, "count": null}));
    let run = account
        .run("start --vm-type t2.micro --num-machines 101 --machine-group-name g --output json");
    run.fails(3, str![[r#"
machine group g
cost: about 2.4802 USD an hour, 59.52 a day (machines 1.3332, disks 0.6420, addresses 0.5050)
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2c: InsufficientInstanceCapacity
undoing: terminating 100 machines
warning: cannot terminate: no (UnauthorizedOperation, request [UUID])
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[[..]],"message":"cannot launch t2.micro: there was no capacity in any place that was tried","tried":[{"availability_zone":null,"code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2a","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2b","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2c","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"}]}}

"#]]);
    let error = run.error();
    assert_eq!(list(&error["machines"]).len(), 100);
    assert_eq!(
        error["hint"],
        "end them: inductiva-aws terminate --machine-group-name g"
    );
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn a_launch_that_fails_part_way_is_kept_on_request_and_named() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run = account
        .run("start --vm-type t2.micro --num-machines 101 --machine-group-name g --keep-on-failure --output json");
    run.fails(3, str![[r#"
machine group g
cost: about 2.4802 USD an hour, 59.52 a day (machines 1.3332, disks 0.6420, addresses 0.5050)
no on-demand t2.micro in any zone: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2b: InsufficientInstanceCapacity
no on-demand t2.micro in eu-west-2c: InsufficientInstanceCapacity
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[[..]],"message":"cannot launch t2.micro: there was no capacity in any place that was tried","tried":[{"availability_zone":null,"code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2a","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2b","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":"eu-west-2c","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"none left","subnet_id":null,"vm_type":"t2.micro"}]}}

"#]]);
    let error = run.error();
    let mut named: Vec<String> = list(&error["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    named.sort();
    assert_eq!(named, account.live());
    assert_eq!(named.len(), 100);
}
