//! Builds that fail, at whatever call: one image and no machine, or neither.

use serde_json::{Value, json};
use snapbox::str;

use super::{BUILD, PREPARED, build_that_says, images, machines, snapshots, take_moments};
use crate::sandbox::Account;

#[test]
fn a_builder_that_gives_up_leaves_no_image() {
    let account = Account::new();
    take_moments(&account);
    account.hold_pauses();
    let child = account.start(BUILD);
    account.until("a machine is launched", |account| {
        account.calls("GetConsoleOutput") > 0
    });
    let [(id, _)] = machines(&account).try_into().expect("one machine");
    account.put(
        "consoles",
        json!({id.as_str(): "inductiva-aws: failed images: docker pull: toomanyrequests\n"}),
    );
    account.post("power_off", json!({"instance_ids": [id]}));
    account.ended(child).fails(1, str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID]| inductiva-aws: failed images: docker pull: toomanyrequests
error: [ID] has ended before it was prepared: failed images: docker pull: toomanyrequests
hint: nothing is left of it; if it could not reach the internet, name another --subnet-id or --proxy, and run the same command again

"#]]);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(machines(&account), []);
}

/// It would say so at its end, which never comes.
#[test]
fn a_builder_that_says_nothing_is_ended() {
    let account = Account::new();
    take_moments(&account);
    let run = account.run(&format!("{BUILD} --boot-timeout 20m"));
    run.fails(1, str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
error: [ID] has not said that it is prepared

"#]]);
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0]);
}

#[test]
fn an_image_that_ec2_cannot_make_is_removed() {
    let account = Account::new();
    account.put("traits", json!({"images_fail": true}));
    let run = build_that_says(&account, BUILD, PREPARED);
    run.fails(1, str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
error: EC2 could not make ami-[..]
hint: run the same command again

"#]]);
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
}

/// Every fault, at each of its calls: one image and no machine, or neither.
#[test]
fn a_fault_at_any_call_leaves_no_machine_and_no_half_image() {
    let operations = [
        "RunInstances",
        "DescribeInstances",
        "GetConsoleOutput",
        "StopInstances",
        "CreateImage",
        "DescribeImages",
        "DescribeSnapshots",
        "TerminateInstances",
    ];
    for operation in operations {
        for (kind, code, status, passes) in [
            ("error", "UnauthorizedOperation", 403, false),
            ("error", "RequestLimitExceeded", 503, true),
            ("error", "InternalError", 500, true),
            ("error_answer", "InternalError", 500, true),
            ("lost_answer", "", 500, true),
            ("reset", "", 500, true),
        ] {
            let account = Account::new();
            account.fault(json!({
                "service": "ec2", "operation": operation, "kind": kind, "code": code,
                "status": status, "message": "no", "count": if passes { json!(1) } else { Value::Null },
            }));
            let run = build_that_says(&account, BUILD, PREPARED).ignoring_the_rest(
                "in what words each fault is told; the test is about what there is after it",
            );
            account.forget_faults();
            account.settle();
            let case = format!("{operation} {kind} {code}: {} {}", run.code, run.stderr);
            let there = machines(&account);
            let mut available = images(&account);
            available.retain(|image| image["State"] == "available");
            assert!(account.launched() <= 1, "{case}");
            if passes {
                assert_eq!((run.code, available.len()), (0, 1), "{case}");
            }
            if operation == "TerminateInstances" && !passes {
                // It cannot be ended: named, and it does not run.
                let [(id, state)] = there.try_into().expect(&case);
                assert_eq!((run.code, state.as_str()), (3, "stopped"), "{case}");
                let line = format!("terminate --instance-id {id}");
                assert!(run.stderr.contains(&line), "{case}");
            } else {
                assert_eq!(there, [], "{case}");
                assert_eq!(run.code == 0, available.len() == 1, "{case}");
            }
        }
    }
}

/// It would come to be an image that nobody knows of, and pays for.
#[test]
fn an_image_that_does_not_show_yet_is_removed_too() {
    let account = Account::new();
    take_moments(&account);
    account.put("settings", json!({"images_shown_after_seconds": 60.0}));
    account.put("consoles", json!({"*": PREPARED}));
    // It is made, and no answer says so.
    let failed = json!({
        "service": "ec2", "operation": "CreateImage", "status": 504, "code": "GatewayTimeout",
    });
    for (kind, after, count) in [("error_answer", 0, json!(1)), ("error", 1, Value::Null)] {
        let mut fault = failed.clone();
        fault["kind"] = kind.into();
        fault["after"] = after.into();
        fault["count"] = count;
        account.fault(fault);
    }
    account.run(BUILD).fails(1, str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
CreateImage is not answered yet; trying again
...
error: cannot make an image of [ID]: An internal error has occurred (GatewayTimeout, request [UUID])

"#]]);
    account.pass(120.0);
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
}
