//! `start --wait`.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, list, text};

#[test]
fn wait_running_ends_when_ec2_says_so() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.7}));
    let run =
        account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g --wait=running --output json");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
0 of 2 running
2 of 2 running

"#]]);
    for machine in list(&run.document()["machines"]) {
        assert_eq!(machine["state"], "running");
        assert_ne!(machine["public_ip"], json!(null));
    }
}

#[test]
fn wait_ends_when_inductiva_knows_all_machines() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.7}));
    account.put("inductiva", json!({"auto_register_seconds": 0.3}));
    let run =
        account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g --wait");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
2 machines are of a type without a live console (Xen): EC2 posts it some minutes late
0 of 2 running, 0 registered
2 of 2 running, 0 registered
2 of 2 running, 2 registered

"#]]);
    assert_eq!(list(&account.groups()[0]["machines"]).len(), 2);
}

#[test]
fn start_prints_the_ids_even_when_waiting_fails() {
    let account = Account::new();
    let run = account.run(
        "start --vm-type t2.micro --num-machines 2 --machine-group-name g --wait --timeout 1s -q",
    );
    let mut printed: Vec<&str> = run.stdout.lines().collect();
    printed.sort_unstable();
    assert_eq!(printed, account.live());
    run.assert(6, str![[r#"
[ID]
[ID]

"#]], str![[r#"
error: timed out after 1 s: 0 of 2 machines registered
hint: look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID] [ID]

"#]]);
}

#[test]
fn a_timeout_names_the_machines_in_json_too() {
    let account = Account::new();
    let run = account.run(
        "start --vm-type t2.micro --machine-group-name g --wait --timeout 1s --output json -q",
    );
    run.ends(6, str![[r#"
{"error":{"hint":"look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g","kind":"timed_out","machines":["[ID]"],"message":"timed out after 1 s: 0 of 1 machine registered"}}

"#]]);
    let error = run.error();
    let named: Vec<String> = list(&error["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    assert_eq!(named, account.live());
    assert_eq!(list(&run.document()["machines"]).len(), 1);
}

#[test]
fn a_machine_that_ends_while_booting_ends_the_wait_and_the_others_are_named() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 30}));
    let line =
        "start --vm-type t2.micro --num-machines 2 --machine-group-name g --wait --output json";
    account.hold_pauses();
    let child = account.start(line);
    account.until_pausing();
    let ids = account.live();
    account.ec2("terminate_instances", json!({"InstanceIds": [ids[0]]}));
    let run = account.ended(child);
    run.ends(3, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
2 machines are of a type without a live console (Xen): EC2 posts it some minutes late
0 of 2 running, 0 registered
[ID]  Client.UserInitiatedShutdown: User initiated shutdown
{"error":{"hint":"inductiva-aws logs g shows why; look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":["[ID]"],"message":"1 machine ended while booting: [ID]"}}

"#]]);
    let error = run.error();
    assert_eq!(error["machines"], json!([ids[1]]));
    assert!(text(&error["message"]).contains(&ids[0]), "{error}");
}

#[test]
fn an_api_that_fails_for_a_moment_does_not_end_the_wait() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/g", "after": 1, "count": 2, "status": 503}));
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "after": 1, "count": 2, "code": "InternalError", "status": 500}));
    account
        .run("start --vm-type t2.micro --machine-group-name g --wait -q")
        .assert(
            0,
            str![[r#"
[ID]

"#]],
            str![],
        );
}

#[test]
fn a_look_that_fails_is_said_and_the_wait_goes_on() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.7}));
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    // The first look is for the plan. An error that is not worth a second try.
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "after": 1, "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("start --vm-type t2.micro --machine-group-name g --wait");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
launched [ID]
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late
warning: cannot list machines: broken (InvalidParameterValue, request [UUID])
0 of 1 running, 0 registered
1 of 1 running, 1 registered

"#]]);
}
