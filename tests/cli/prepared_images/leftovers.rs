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
    run.assert(0, str![[r#"
image      ami-[..]
region     eu-west-2
made from  ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
disk       50 GiB
cost       at most 2.65 USD a month
took       [..]

"#]], str![[r#"
[ID] is a stopped machine of an image build, whose disk costs: if no build is at work, end it: inductiva-aws terminate --instance-id [ID]
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    assert_eq!(machines(&account), [(id.clone(), "stopped".into())]);
    // The builder of this one is gone.
    account.settle();
    let run = account.run("list");
    run.assert(0, str![[r#"
GROUP          REGION     MACHINES  TYPE      AGE  USD/H
(image build)  eu-west-2  1         t3.small  58m  0.0064

INSTANCE ID          STATE    ZONE        RUNNER  TASK OR REASON
[ID]  stopped  eu-west-2a  n/a     User initiated shutdown

"#]], str![[r#"
stopped machines run nothing, but their disks still cost money: inductiva-aws terminate [ID]
[ID] is a stopped machine of an image build, whose disk costs: if no build is at work, end it: inductiva-aws terminate --instance-id [ID]

"#]]);
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    let run = account.run("image list");
    run.assert(0, str![[r#"
IMAGE                  REGION     STATE      AGE  USD/MONTH  IN USE BY  MADE FROM                                                           CONTAINERS                                              GIB
ami-[..]  eu-west-2  available  6s   2.65       n/a        ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022  inductiva/task-runner:main inductiva/file-tracker:main  50.00

"#]], str![[r#"
[ID] is a stopped machine of an image build, whose disk costs: if no build is at work, end it: inductiva-aws terminate --instance-id [ID]

"#]]);
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    run.assert(0, str![[r#"
image      ami-[..]
region     eu-west-2
made from  ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
disk       50 GiB
cost       at most 2.65 USD a month
took       [..]

"#]], str![[r#"
terminated [ID], which an earlier image build left stopped
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
    let terminated = format!("terminated {id}, which an earlier");
    assert!(run.stderr.contains(&terminated), "{}", run.stderr);
    assert_eq!(machines(&account), []);
}

#[test]
fn terminate_all_ends_a_stopped_builder_only_once_it_is_old() {
    let account = Account::new();
    let id = stopped_builder(&account);
    let run = account.run("terminate --all -y");
    run.assert(0, str![], str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
there is nothing to terminate
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
[ID] is a stopped machine of an image build, whose disk costs: if no build is at work, end it: inductiva-aws terminate --instance-id [ID]

"#]]);
    let named = format!("{id} is a stopped machine");
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    assert_eq!(machines(&account), [(id, "stopped".into())]);
    account.pass(HOUR);
    account.run("terminate --all -y").assert(0, str![[r#"
[ID]

"#]], str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]]);
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
    run.assert(4, str![], str![[r#"
error: cannot delete the snapshot snap-[..]: no (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
    assert_eq!((images(&account).len(), snapshots(&account).len()), (0, 1));
    // Somebody's that is at work is not touched.
    account.run("image remove --all -y").assert(
        0,
        str![[r#"
there is no prepared image

"#]],
        str![],
    );
    assert_eq!(snapshots(&account).len(), 1);
    let [left] = snapshots(&account).try_into().expect("one snapshot");
    let left = text(&left["SnapshotId"]).to_owned();
    with_image(&account);
    account.pass(HOUR);
    let said = format!(
        "left over in eu-west-2 without an image, and costing: {left}; inductiva-aws image remove {left}"
    );
    for (line, table, notes) in [
        (
            "image list",
            str![[r#"
IMAGE                  REGION     STATE      AGE   USD/MONTH  IN USE BY  MADE FROM                                                           CONTAINERS                                              GIB
ami-[..]  eu-west-2  available  1h0m  2.65       n/a        ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022  inductiva/task-runner:main inductiva/file-tracker:main  50.00

"#]],
            str![[r#"
left over in eu-west-2 without an image, and costing: snap-[..]; inductiva-aws image remove snap-[..] deletes them, and so does the next image build

"#]],
        ),
        (
            "list",
            str![],
            str![[r#"
left over in eu-west-2 without an image, and costing: snap-[..]; inductiva-aws image remove snap-[..] deletes them, and so does the next image build
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
        ),
    ] {
        let run = account.run(line);
        run.assert(0, table, notes);
        assert!(run.stderr.contains(&said), "{line}: {}", run.stderr);
    }
    let document = account.json("list");
    assert_eq!(
        document["leftover_snapshots"],
        json!([{"snapshot_id": left, "region": "eu-west-2"}])
    );
    // Where something is named, and to whoever may not look, it is not told.
    account.run("list -q").assert(0, "", "");
    account.put("policy", json!({"deny": ["ec2:DescribeSnapshots"]}));
    account.run("list").assert(
        0,
        str![],
        str![[r#"
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
    );
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
    run.fails(
        1,
        str![[r#"
error: eu-west-2 has no snapshot snap-[..] that is an hour old and has lost a prepared image
hint: inductiva-aws image list --all-regions shows them; nothing was removed

"#]],
    );
    let unknown = format!("has no snapshot {left}");
    assert!(run.stderr.contains(&unknown), "{}", run.stderr);
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
    run.assert(
        0,
        str![[r#"
there is no prepared image

"#]],
        str![],
    );
    assert_eq!(snapshots(&account).len(), 1);
}

#[test]
fn the_next_build_deletes_an_old_snapshot_without_its_image() {
    let account = Account::new();
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    run.assert(0, str![[r#"
image      ami-[..]
region     eu-west-2
made from  ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
disk       50 GiB
cost       at most 2.65 USD a month
took       [..]

"#]], str![[r#"
deleted snap-[..], which had lost its image
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
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
    run.assert(
        1,
        str![],
        str![[r#"
error: cannot delete the snapshot snap-[..]: in use (InvalidSnapshot.InUse, request [UUID])

"#]],
    );
    assert_eq!(snapshots(&account).len(), 1);
    let told = format!("cannot delete the snapshot {snapshot}: in use");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
}
