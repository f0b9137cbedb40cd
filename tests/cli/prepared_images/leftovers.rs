//! Machines and snapshots that a build or a removal left behind: named, and
//! removed once nobody can be at work on them.

use serde_json::{Value, json};
use snapbox::str;

use super::{BUILD, HOUR, PREPARED, build_that_says, images, machines, snapshots, with_image};
use crate::sandbox::{Account, text};

/// A build that was killed after it had stopped its machine.
fn stopped_builder(account: &Account) -> String {
    account.hold_pauses();
    let mut child = account.start(BUILD);
    account.until("a machine is launched", |account| {
        account.calls("GetConsoleOutput") > 0
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    account.put("clock", json!({"pauses_wait": false}));
    account.settle();
    let [(id, _)] = machines(account).try_into().expect("one machine");
    account.ec2("stop_instances", json!({"InstanceIds": [id]}));
    account.settle();
    id
}

#[test]
fn a_builder_that_was_left_stopped_is_named_and_after_an_hour_ended() {
    let account = Account::new();
    let id = stopped_builder(&account);
    let named = format!("{id} is a stopped machine of an image build");
    account.pass(HOUR - 120.0);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    assert_eq!(machines(&account), [(id.clone(), "stopped".into())]);
    let run = account.run("list");
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    let run = account.run("image list");
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(
        run.stderr
            .contains(&format!("terminated {id}, which an earlier")),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), []);
}

#[test]
fn terminate_all_ends_a_stopped_builder_only_once_it_is_old() {
    let account = Account::new();
    let id = stopped_builder(&account);
    let run = account.run("terminate --all -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("{id} is a stopped machine")),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), [(id, "stopped".into())]);
    account.pass(HOUR);
    assert_eq!(account.run("terminate --all -y").code, 0);
    assert_eq!(machines(&account), []);
}

#[test]
fn a_removal_that_was_interrupted_is_finished_later() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error",
        "code": "UnauthorizedOperation", "status": 403, "message": "no", "count": 1,
    }));
    let run = account.run(&format!("image remove {id} -y"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert_eq!((images(&account).len(), snapshots(&account).len()), (0, 1));
    // Somebody's that is at work is not touched.
    assert_eq!(account.run("image remove --all -y").code, 0);
    assert_eq!(snapshots(&account).len(), 1);
    let [left] = snapshots(&account).try_into().expect("one snapshot");
    let left = text(&left["SnapshotId"]).to_owned();
    with_image(&account);
    account.pass(HOUR);
    let said = format!(
        "left over in eu-west-2 without an image, and costing: {left}; inductiva-aws image remove {left}"
    );
    for line in ["image list", "list"] {
        let run = account.run(line);
        assert!(run.stderr.contains(&said), "{line}: {}", run.stderr);
    }
    let document = account.json("list");
    assert_eq!(
        document["leftover_snapshots"],
        json!([{"snapshot_id": left, "region": "eu-west-2"}])
    );
    // Where something is named, and to whoever may not look, it is not told.
    assert_eq!(account.run("list -q").stderr, "");
    account.put("policy", json!({"deny": ["ec2:DescribeSnapshots"]}));
    let run = account.run("list");
    assert!(!run.stderr.contains(&left), "{}", run.stderr);
    account.put("policy", json!({}));
    // The line that is told does it, and removes nothing else.
    let run = account.run(&format!("image remove {left} -y"));
    run.assert(
        0,
        format!("deleted {left}, which had lost its image\n"),
        str![],
    );
    assert_eq!((images(&account).len(), snapshots(&account).len()), (1, 1));
    let run = account.run(&format!("image remove {left} -y"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("has no snapshot {left}")),
        "{}",
        run.stderr
    );
}

/// An image that was removed a moment ago may still count as its user.
#[test]
fn a_snapshot_that_ec2_takes_for_used_is_asked_for_again() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": 3,
    }));
    let run = account.run(&format!("image remove {id} -y"));
    run.assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
    // One that somebody uses for an image of their own is left to them.
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": null,
    }));
    let run = account.run("image remove --all -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(snapshots(&account).len(), 1);
}

#[test]
fn the_next_build_deletes_an_old_snapshot_without_its_image() {
    let account = Account::new();
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(
        run.stderr.contains(", which had lost its image"),
        "{}",
        run.stderr
    );
    assert_eq!((images(&account).len(), snapshots(&account).len()), (1, 1));
}

#[test]
fn a_snapshot_that_is_named_and_in_use_stays_and_is_a_failure() {
    let account = Account::new();
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    let snapshot = text(&snapshots(&account)[0]["SnapshotId"]).to_owned();
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": null,
    }));
    let run = account.run(&format!("image remove -y {snapshot}"));
    assert_eq!(
        (run.code, snapshots(&account).len()),
        (1, 1),
        "{}",
        run.stdout
    );
    let told = format!("cannot delete the snapshot {snapshot}: in use");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
}
