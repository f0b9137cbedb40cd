//! Builds that are interrupted: undone, unless the image is there.

use serde_json::{Value, json};

use super::{BUILD, PREPARED, build_that_says, images, machines};
use crate::sandbox::{Account, ended, signal, text, until_it_says};

#[test]
fn an_interruption_at_any_time_leaves_no_machine_and_no_half_image() {
    let times = ["RunInstances", "StopInstances", "CreateImage"];
    for time in times {
        let account = Account::new();
        account.put(
            "settings",
            json!({"pending_seconds": 0.5, "stopping_seconds": 0.3, "image_pending_seconds": 0.5}),
        );
        account.put("consoles", json!({"*": PREPARED}));
        // The answer is there, and comes only later.
        account.fault(json!({"service": "ec2", "operation": time, "kind": "hold_answer"}));
        let child = account.start(BUILD);
        account.until_held();
        signal(&child, "-INT");
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        assert_eq!(run.code, 130, "{time}: {}", run.stderr);
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
        assert_eq!(images(&account), [] as [Value; 0], "{time}: {}", run.stderr);
    }
}

/// The one that stays is told as it always is.
#[test]
fn an_interruption_once_the_image_is_there_changes_nothing() {
    for time in ["TerminateInstances", "DescribeSnapshots"] {
        let account = Account::new();
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
        assert_eq!(run.code, 0, "{time}: {}", run.stderr);
        let [image] = images(&account).try_into().expect("one image");
        assert_eq!(run.document()["image_id"], image["ImageId"], "{time}");
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
    }
}

#[test]
fn an_interruption_before_the_image_is_there_undoes_the_build() {
    let undisturbed = Account::new();
    assert_eq!(build_that_says(&undisturbed, BUILD, PREPARED).code, 0);
    for (time, after) in [
        // The last of them says that it is prepared.
        (
            "GetConsoleOutput",
            undisturbed.calls("GetConsoleOutput") - 1,
        ),
        ("StopInstances", 0),
        ("CreateImage", 0),
        // After the look for images of before, and the first for this one.
        ("DescribeImages", 2),
    ] {
        let account = Account::new();
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
        assert_eq!(run.code, 130, "{why}");
        assert!(
            run.stderr.contains("interrupted: no image was made"),
            "{why}"
        );
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
    let error = run.error();
    assert_eq!(
        (run.code, &error["machines"]),
        (130, &json!([id])),
        "{}",
        run.stderr
    );
    let hint = text(&error["hint"]);
    assert!(
        hint.starts_with(&format!(
            "end it: inductiva-aws terminate --instance-id {id}"
        )),
        "{hint}"
    );
}
