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
    run.assert(0, str![], str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
there is nothing to terminate
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
kept for the next start: prepared image ami-[..] (eu-west-2), at most 2.65 USD a month; inductiva-aws image remove --all removes it

"#]]);
    assert!(run.stderr.contains(&id), "{}", run.stderr);
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
    let run = account.run("image list");
    run.assert(
        0,
        str![[r#"
IMAGE                  REGION     STATE      AGE   USD/MONTH  IN USE BY  MADE FROM                                                           CONTAINERS                                              GIB
ami-[..]  eu-west-2  available  3d0h  2.65       g          ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022  inductiva/task-runner:main inductiva/file-tracker:main  50.00

"#]],
        str![],
    );
    assert!(run.stdout.contains(&id), "{}", run.stdout);
    account
        .run("image list -q")
        .assert(0, format!("{id}\n"), "");
}

#[test]
fn an_image_is_removed_with_its_snapshot() {
    let account = Account::new();
    let id = with_image(&account);
    let run = account.run(&format!("image remove {id}"));
    run.fails(
        2,
        str![[r#"
ami-[..] in eu-west-2, of [TIME]
error: there is no terminal to ask on
hint: add -y/--yes to go ahead without being asked

"#]],
    );
    assert_eq!(images(&account).len(), 1);
    account
        .run(&format!("image remove {id} -y"))
        .assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
    account
        .run("image remove --all -y")
        .assert(0, "there is no prepared image\n", "");
}

#[test]
fn nothing_but_prepared_images_is_removed() {
    let account = Account::new();
    let id = with_image(&account);
    for other in ["ami-0ab00000000000003", "ami-0123456789abcdef0"] {
        let run = account.run(&format!("image remove {id} {other} -y"));
        run.fails(1, format!("error: eu-west-2 has no prepared image {other}\nhint: inductiva-aws image list --all-regions shows them; nothing was removed\n"));
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
    account
        .run(&format!("image remove -y {id}"))
        .assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(images(&account), [] as [Value; 0]);
}

#[test]
fn no_images_are_no_table() {
    let account = Account::new();
    for (options, there) in [("", "eu-west-2"), (" --all-regions", "any region")] {
        let said = format!("no prepared images in {there}; inductiva-aws image build makes one\n");
        account
            .run(&format!("image list{options}"))
            .assert(0, "", said);
    }
    assert_eq!(account.json("image list")["images"], json!([]));
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
    run.assert(1, format!("{id}\n"), str![[r#"
error: us-east-1: cannot list the prepared images: An internal error has occurred (Unavailable, request [UUID])

"#]]);
    account.forget_faults();
    account.fault(json!({
        "service": "ec2", "operation": "DescribeInstances", "region": "us-east-1",
        "status": 503, "code": "Unavailable", "count": null,
    }));
    let run = account.run("image remove --all --all-regions -y");
    run.assert(1, format!("removed {id}\n"), str![[r#"
DescribeInstances is not answered yet; trying again
...
error: images may be left, us-east-1 did not answer: cannot list machines: An internal error has occurred (Unavailable, request [UUID])
hint: try again in a minute

"#]]);
    assert_eq!(images(&account), [] as [Value; 0]);
}
