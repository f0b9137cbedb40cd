//! Builds that are interrupted: undone, unless the image is there.

use serde_json::{Value, json};
use snapbox::str;

use super::{BUILD, PREPARED, build, images, machines, take_moments};
use crate::sandbox::{Account, ended, signal, until_it_says};

#[test]
fn an_interruption_at_any_time_leaves_no_machine_and_no_half_image() {
    for (time, expected) in [
        (
            "RunInstances",
            str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
interrupted: ending what was launched; interrupt again to stop at once
launched [ID], which prepares the image
error: interrupted: no image was made

"#]],
        ),
        (
            "StopInstances",
            str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
interrupted: ending what was launched; interrupt again to stop at once
stopping [ID]
error: interrupted: no image was made

"#]],
        ),
        (
            "CreateImage",
            str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
interrupted: ending what was launched; interrupt again to stop at once
removed ami-[..]; the snapshot that it may have left is deleted by the first image build after an hour
error: interrupted: no image was made

"#]],
        ),
    ] {
        let account = Account::new();
        take_moments(&account);
        account.put("consoles", json!({"*": PREPARED}));
        // The answer is there, and comes only later.
        account.fault(json!({"service": "ec2", "operation": time, "kind": "hold_answer"}));
        let mut child = account.start(BUILD);
        account.until_held();
        signal(&child, "-INT");
        // Else the answer may be there before the signal is heard of.
        let said = until_it_says(&mut child, "interrupt again to stop at once\n");
        account.post("release", json!({}));
        let mut run = account.ended(child);
        run.stderr = run.stderr.after(&said);
        account.settle();
        run.fails(130, expected);
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
        assert_eq!(images(&account), [] as [Value; 0], "{time}: {}", run.stderr);
    }
}

/// The one that stays is told as it always is.
#[test]
fn an_interruption_once_the_image_is_there_changes_nothing() {
    for (time, expected) in [
        ("TerminateInstances", str![]),
        (
            "DescribeSnapshots",
            str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]],
        ),
    ] {
        let account = Account::new();
        take_moments(&account);
        account.put("consoles", json!({"*": PREPARED}));
        // Snapshots are looked at before the launch, too.
        let before = usize::from(time == "DescribeSnapshots");
        account.fault(
            json!({"service": "ec2", "operation": time, "kind": "hold_answer", "after": before}),
        );
        let mut child = account.start(&format!("{BUILD} --output json"));
        account.until_held();
        signal(&child, "-INT");
        // With nothing left to do it ends at once.
        if time == "TerminateInstances" {
            until_it_says(&mut child, "interrupt again to stop at once\n");
        }
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        run.succeeds(expected);
        let [image] = images(&account).try_into().expect("one image");
        assert_eq!(run.document()["image_id"], image["ImageId"], "{time}");
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
    }
}

#[test]
fn an_interruption_before_the_image_is_there_undoes_the_build() {
    let undisturbed = Account::new();
    build(&undisturbed, BUILD);
    for (time, after, expected) in [
        // The last of them says that it is prepared.
        (
            "GetConsoleOutput",
            undisturbed.calls("GetConsoleOutput") - 1,
            str![[r#"
error: interrupted: no image was made

"#]],
        ),
        (
            "StopInstances",
            0,
            str![[r#"
stopping [ID]
error: interrupted: no image was made

"#]],
        ),
        (
            "CreateImage",
            0,
            str![[r#"
removed ami-[..]; the snapshot that it may have left is deleted by the first image build after an hour
error: interrupted: no image was made

"#]],
        ),
        // After the look for images of before, and the first for this one.
        (
            "DescribeImages",
            2,
            str![[r#"
making the image, which takes some minutes
removed ami-[..]; the snapshot that it may have left is deleted by the first image build after an hour
error: interrupted: no image was made

"#]],
        ),
    ] {
        let account = Account::new();
        take_moments(&account);
        account.put("consoles", json!({"*": PREPARED}));
        account.put("settings", json!({"image_pending_seconds": 3_600.0}));
        account.fault(
            json!({"service": "ec2", "operation": time, "kind": "hold_answer", "after": after}),
        );
        let mut child = account.start(BUILD);
        account.until_held();
        signal(&child, "-TERM");
        let said = until_it_says(&mut child, "interrupt again to stop at once\n");
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        let why = format!("{time}: {said}{}", run.stderr);
        run.fails(130, expected);
        assert_eq!(machines(&account), [], "{why}");
        assert_eq!(images(&account), [] as [Value; 0], "{why}");
        // And it goes no further.
        let stopped = account.calls("StopInstances");
        assert_eq!(stopped, usize::from(time != "GetConsoleOutput"), "{why}");
        let made = account.calls("CreateImage");
        assert_eq!(
            made,
            usize::from(["CreateImage", "DescribeImages"].contains(&time)),
            "{why}"
        );
    }
}

#[test]
fn a_second_interruption_names_the_machine_and_the_line_that_ends_it() {
    let account = Account::new();
    account.put("consoles", json!({"*": PREPARED}));
    account.fault(json!({"service": "ec2", "operation": "StopInstances", "kind": "hold_answer"}));
    let mut child = account.start(&format!("{BUILD} --output json"));
    account.until_held();
    signal(&child, "-INT");
    until_it_says(&mut child, "interrupt again to stop at once\n");
    signal(&child, "-INT");
    let run = ended(child);
    account.post("release", json!({}));
    account.settle();
    let [(id, _)] = machines(&account)
        .try_into()
        .expect("the machine is there still");
    run.fails(130, str![[r#"
{"error":{"hint":"end it: inductiva-aws terminate --instance-id [ID]; inductiva-aws image list shows an image that was begun","kind":"interrupted","machines":["[ID]"],"message":"interrupted twice: the machine that prepares the image may be there still"}}

"#]]);
    assert_eq!(run.error()["machines"], json!([id]));
}
