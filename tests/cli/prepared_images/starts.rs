//! Starts from prepared images, and without them.

use serde_json::{Value, json};
use snapbox::{data::Inline, str};

use super::{BUILD, DAY, HOUR, START, build, images, with_image};
use crate::sandbox::{Account, text};

fn image_of(report: &Value) -> String {
    text(&report["image_id"]).to_owned()
}

#[test]
fn a_start_takes_the_newest_image_that_fits_and_says_so() {
    let account = Account::new();
    with_image(&account);
    account.pass(HOUR);
    let newest = {
        let known = images(&account);
        build(&account, BUILD);
        let mut all = images(&account);
        all.retain(|image| !known.contains(image));
        text(&all[0]["ImageId"]).to_owned()
    };
    account.pass(2.0 * DAY);
    account.run(&format!("{START} -n 2")).assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.[..]n/a        on-demand
[ID]  pending  eu-west-2a  172.31.0.[..]n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: about 0.0463 USD an hour, 1.11 a day (machines 0.0236, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
prepared image ami-[..], 2 days old
launched [ID] [ID]

"#]],
    );
    let used: Vec<String> = account
        .instances()
        .iter()
        .filter(|i| i["State"]["Name"] != "terminated")
        .map(|i| text(&i["ImageId"]).to_owned())
        .collect();
    assert_eq!(used, [newest.clone(), newest]);
}

#[test]
fn a_start_does_without_where_it_is_told_to_or_none_fits() {
    let standard = "ami-0ab00000000000003";
    let account = Account::new();
    let prepared = with_image(&account);
    for (options, expected, why) in [
        ("", prepared.as_str(), Value::Null),
        (
            "--no-prepared-image",
            standard,
            json!("--no-prepared-image"),
        ),
        (
            "--image-id ami-0ab00000000000003",
            standard,
            json!("--image-id names another"),
        ),
        (
            "--task-runner-image my/runner",
            standard,
            json!(format!(
                "{prepared} holds inductiva/task-runner:main, not my/runner"
            )),
        ),
        (
            "--volume-size 20",
            standard,
            json!(format!("{prepared} needs a disk of 50 GiB, more than 20")),
        ),
    ] {
        let plan = account.json(&format!("{START} --dry-run {options}"));
        assert_eq!(image_of(&plan), expected, "{options}");
        assert_eq!(plan["not_prepared_because"], why, "{options}");
        assert_eq!(plan["image_is_prepared"], why.is_null(), "{options}");
    }
    account.pass(30.0 * DAY + HOUR);
    let plan = account.json(&format!("{START} --dry-run"));
    assert_eq!(image_of(&plan), standard);
    let plan = account.json(&format!("{START} --dry-run --prepared-image-age 31d"));
    assert_eq!(image_of(&plan), prepared);
    let check = account.run("check --vm-type t3.micro");
    let why = format!("not a prepared one: {prepared} is 30 days old");
    assert!(check.succeeds("").contains(&why), "{}", check.stdout);
}

#[test]
fn a_group_of_before_the_image_goes_on_with_it_in_one_round_trip() {
    let account = Account::new();
    account.run(&format!("{START} -q")).assert(0, "[ID]\n", "");
    account.settle();
    let id = with_image(&account);
    let run = account.run(&format!("{START} -n 2"));
    run.assert(0, str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP[..]MARKET
[ID]  running  eu-west-2a  172.31.0.[..]54.214.[..]on-demand
[ID]  pending  eu-west-2a  172.31.0.[..]n/a[..]on-demand
in account [ACCOUNT], eu-west-2

"#]], str![[r#"
machine group g
cost: about 0.0463 USD an hour, 1.11 a day (machines 0.0236, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
prepared image ami-[..], 0 hours old
launched [ID]

"#]]);
    let said = format!("prepared image {id}");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    assert_eq!(account.calls("DescribeImages"), 1);
    assert_eq!(account.live().len(), 2);
}

/// Its bytes are those of the launch, not those that this start would choose.
#[test]
fn a_launch_that_is_resumed_has_its_own_image() {
    let account = Account::new();
    let prepared = with_image(&account);
    // The second call of the launch is never made.
    account
        .fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1}));
    let mut child = account.start(&format!("{START} -n 150"));
    account.until_held();
    child.kill().expect("killed");
    child.wait().expect("gone");
    account.post("release", json!({"drop": true}));
    account.until("the other calls are answered", |account| {
        account.requests().iter().all(|r| r["ended"].is_number())
    });
    let run = account.run(&format!("{START} -n 150 --no-prepared-image"));
    assert_eq!(run.succeeds(str![[r#"
an earlier start of this group may be under way: waiting for its machines to show
machine group g
cost: about 3.4734 USD an hour, 83.36 a day (machines 1.7700, disks 0.9534, addresses 0.7500); at most 16.9734 an hour, with surplus CPU credits
prepared image ami-[..], 0 hours old
launching: 1 of 1 calls answered
launched 50 machines, [ID] to [ID]

"#]]).lines().count(), 152);
    assert_eq!(account.live().len(), 150);
    assert_eq!(account.launched(), 151);
    let instances = account.instances();
    let live = instances
        .iter()
        .filter(|i| i["State"]["Name"] != "terminated");
    assert!(
        live.map(|i| &i["ImageId"])
            .all(|id| *id == prepared.as_str())
    );
}

#[test]
fn the_disk_is_filled_at_the_rate_asked_for_and_else_as_ebs_does() {
    let account = Account::new();
    let rate = |line: &str, said: Inline| {
        account.forget_requests();
        account.run(line).succeeds(said);
        let launch = account
            .requests()
            .into_iter()
            .find(|r| r["operation"] == "RunInstances");
        let key = "BlockDeviceMapping.1.Ebs.VolumeInitializationRate";
        launch.expect("a launch")["params"][key].clone()
    };
    // The image has 8 GiB.
    let line = "start --vm-type t3.micro --machine-group-name g --initialization-rate 200";
    assert_eq!(
        rate(
            line,
            str![[r#"
machine group g
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits; and at most 0.0192 once, for --initialization-rate
launched [ID]

"#]]
        ),
        "200"
    );
    let line = "start --vm-type t3.micro --machine-group-name h";
    assert_eq!(
        rate(
            line,
            str![[r#"
machine group h
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID]

"#]]
        ),
        Value::Null
    );
    for wrong in ["99", "301"] {
        let run = account.run(&format!("{START} --initialization-rate {wrong}"));
        run.fails(
            2,
            format!("error: invalid value '{wrong}' for '--initialization-rate <MIBPS>': it is a whole number from 100 to 300\n\nFor more information, try '--help'.\n"),
        );
    }
}

#[test]
fn gpu_images_and_others_do_not_stand_in_for_each_other() {
    let account = Account::new();
    build(&account, "image build --gpu");
    let id = text(&images(&account)[0]["ImageId"]).to_owned();
    let plan = |line: &str| image_of(&account.json(&format!("{line} --dry-run")));
    assert_eq!(plan("start --vm-type g4dn.xlarge"), id);
    assert_eq!(plan("start --vm-type t3.micro"), "ami-0ab00000000000003");
}
