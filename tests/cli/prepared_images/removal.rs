//! `image list` and `image remove`: what there is, what it costs, and that no other
//! image goes.

use serde_json::{Value, json};
use snapbox::str;

use super::{DAY, START, images, snapshots, with_image};
use crate::sandbox::{Account, list};

#[test]
fn terminate_all_says_what_images_cost() {
    let account = Account::new();
    let id = with_image(&account);
    let run = account.run("terminate --all -y");
    assert!(
        run.stderr
            .contains(&format!("{id} (eu-west-2), at most 2.65 USD a month")),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("image remove --all"), "{}", run.stderr);
}

#[test]
fn images_are_listed_with_age_base_containers_cost_and_use() {
    let account = Account::new();
    let id = with_image(&account);
    account.json(START);
    account.pass(3.0 * DAY);
    let report = account.json("image list");
    let [image] = list(&report["images"]).try_into().expect("one");
    assert_eq!(image["image_id"], json!(id));
    assert_eq!(image["age_seconds"].as_u64().map(|s| s / 86_400), Some(3));
    assert_eq!(image["used_by"], json!(["g"]));
    assert_eq!(image["usd_per_month"], 2.65);
    assert_eq!(image["state"], "available");
    account.run("image list").assert(
        0,
        str![[r#"
IMAGE                  REGION     STATE      AGE   USD/MONTH  IN USE BY  MADE FROM                                                           CONTAINERS                                              GIB
ami-[..]  eu-west-2  available  3d0h  2.65       g          ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022  inductiva/task-runner:main inductiva/file-tracker:main  50.00

"#]],
        str![],
    );
    assert_eq!(account.run("image list -q").stdout.trim(), id);
}

#[test]
fn an_image_is_removed_with_its_snapshot() {
    let account = Account::new();
    let id = with_image(&account);
    let run = account.run(&format!("image remove {id}"));
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(images(&account).len(), 1);
    account
        .run(&format!("image remove {id} -y"))
        .assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
    let run = account.run("image remove --all -y");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "there is no prepared image\n")
    );
}

#[test]
fn nothing_but_prepared_images_is_removed() {
    let account = Account::new();
    let id = with_image(&account);
    for other in ["ami-0ab00000000000003", "ami-0123456789abcdef0"] {
        let run = account.run(&format!("image remove {id} {other} -y"));
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("no prepared image {other}")),
            "{}",
            run.stderr
        );
    }
    assert_eq!(images(&account).len(), 1);
}

#[test]
fn an_image_that_cannot_be_removed_yet_is_removed_later() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeregisterImage", "status": 400,
        "code": "InvalidAMIID.Unavailable", "message": "is pending", "count": 3,
    }));
    let run = account.run(&format!("image remove -y {id}"));
    assert_eq!((run.code, images(&account).len()), (0, 0), "{}", run.stderr);
    assert!(
        run.stdout.contains(&format!("removed {id}\n")),
        "{}",
        run.stdout
    );
}

#[test]
fn a_region_that_does_not_answer_is_missed_in_a_list_of_images_and_in_their_removal() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DescribeImages", "region": "us-east-1",
        "status": 503, "code": "Unavailable", "count": null,
    }));
    let run = account.run("image list --all-regions -q");
    assert_eq!(
        (run.code, run.stdout.trim()),
        (1, id.as_str()),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("us-east-1"), "{}", run.stderr);
    account.forget_faults();
    account.fault(json!({
        "service": "ec2", "operation": "DescribeInstances", "region": "us-east-1",
        "status": 503, "code": "Unavailable", "count": null,
    }));
    let run = account.run("image remove --all --all-regions -y");
    assert_eq!((run.code, images(&account).len()), (1, 0), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("images may be left, us-east-1 did not answer"),
        "{}",
        run.stderr
    );
}
