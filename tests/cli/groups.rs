//! `start` makes the group have N machines, however often it is run.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, list, text};

#[test]
fn the_same_line_again_launches_nothing_and_says_the_same_ids() {
    let account = Account::new();
    let first = account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g -q");
    let again = account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g -q");
    assert_eq!((first.code, again.code), (0, 0));
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&first.stdout), sorted(&again.stdout));
    assert_eq!(account.launched(), 2);
    account.settle();
    let run = account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    run.assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP[..]MARKET
[ID]  running  eu-west-2a  172.31.0.[..]  [..]  on-demand
[ID]  running  eu-west-2a  172.31.0.[..]  [..]  on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
the group g has 2 machines already, nothing to launch

"#]],
    );
    let document = account.json("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    assert_eq!(
        (&document["launched"], &document["existing"]),
        (&json!(0), &json!(2))
    );
}

#[test]
fn a_larger_number_launches_the_difference() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    let document = account.json("start --vm-type t2.micro --num-machines 5 --machine-group-name g");
    assert_eq!(
        (&document["launched"], &document["existing"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(list(&document["machines"]).len(), 5);
    assert_eq!(account.live().len(), 5);
    assert_eq!(
        account.groups().len(),
        1,
        "the group is looked up, not made again"
    );
}

#[test]
fn a_smaller_number_is_refused() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --num-machines 3 --machine-group-name g");
    let run = account.run("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    run.assert(1, str![], str![[r#"
error: the group g has 3 machines already, more than the 2 asked for
hint: end the ones you do not need: inductiva-aws terminate --instance-id ID, or the whole group: inductiva-aws terminate --machine-group-name g

"#]]);
    assert_eq!(account.live().len(), 3);
}

#[test]
fn other_settings_are_refused_and_the_difference_is_named() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --volume-size 60");
    account.file("boot.sh", "#!/bin/sh\ntrue\n");
    for (flags, expected) in [
        (
            "--volume-size 60 --vm-type t3.micro",
            str![[r#"
error: the group g has machines with other settings: --vm-type is t2.micro there, t3.micro here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
        (
            "",
            str![[r#"
error: the group g has machines with other settings: --volume-size is 60 there, the default here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
        (
            "--volume-size 70",
            str![[r#"
error: the group g has machines with other settings: --volume-size is 60 there, 70 here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
        (
            "--volume-size 60 --spot",
            str![[r#"
error: the group g has machines with other settings: --spot is no there, yes here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
        (
            "--volume-size 60 --max-idle-time 5",
            str![[r#"
error: the group g has machines with other settings: --max-idle-time is the default there, 5m here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
        (
            "--volume-size 60 --user-data-path boot.sh",
            str![[r#"
error: the group g has machines with other settings: --user-data-path is the default there, sha256:9ab8fabc8c72 here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60

"#]],
        ),
    ] {
        let run = account.run(&format!(
            "start --machine-group-name g --num-machines 2 {flags}"
        ));
        run.fails(1, expected);
    }
    assert_eq!(account.launched(), 1);
    // The line of the hint.
    account.json("start --machine-group-name g -n 2 --vm-type t2.micro --volume-size 60 --dry-run");
}

#[test]
fn machines_that_are_ending_do_not_count() {
    let account = Account::new();
    account.put("settings", json!({"shutting_down_seconds": 60}));
    let first = account.json("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    let ending = text(&first["machines"][0]["instance_id"]).to_owned();
    account.ec2("terminate_instances", json!({"InstanceIds": [ending]}));
    let document = account.json("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    assert_eq!(
        (&document["launched"], &document["existing"]),
        (&json!(1), &json!(1))
    );
    account.put("settings", json!({"shutting_down_seconds": 0}));
    assert_eq!(account.live().len(), 2);
    let document = account.json("start --vm-type t2.micro --num-machines 2 --machine-group-name g");
    assert_eq!(document["launched"], 0);
}

#[test]
fn each_start_without_a_name_is_a_group_of_its_own() {
    let account = Account::new();
    let first = account.json("start");
    let second = account.json("start");
    assert_ne!(
        first["machine_group"]["name"],
        second["machine_group"]["name"]
    );
    assert_eq!(account.live().len(), 2);
    assert_eq!(account.groups().len(), 2);
}

#[test]
fn another_programs_machines_do_not_count() {
    let account = Account::new();
    account.ec2(
        "run_instances",
        json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1,
               "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "inductiva:machine-group", "Value": "g"}]}]}),
    );
    let document = account.json("start --vm-type t2.micro --machine-group-name g");
    assert_eq!(document["launched"], 1);
}

#[test]
fn equal_settings_in_other_words_are_no_others() {
    let account = Account::new();
    for (machines, flags) in [
        (1, "--spot --max-price 0.5 --tag a=1 --tag b=2"),
        (
            2,
            "--spot --max-price 0.50 --iops 3000 --throughput 125 --volume-size 50 --tag b=2 --tag a=1",
        ),
    ] {
        let line = format!("start --machine-group-name g --num-machines {machines} -q {flags}");
        account.run(&line).assert(0, "[ID]\n".repeat(machines), "");
        assert_eq!(account.live().len(), machines);
    }
    // EC2 was asked for the same, too.
    let requests = account.requests();
    let mut prices: Vec<&str> = requests
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| text(&r["params"]["InstanceMarketOptions.SpotOptions.MaxPrice"]))
        .collect();
    prices.dedup();
    assert_eq!(prices, ["0.5"]);
    let run = account.run(
        "start --vm-type t2.micro --machine-group-name g -n 3 --spot --max-price 0.5 --tag a=1",
    );
    run.fails(
        1,
        str![[r#"
error: the group g has machines with other settings: --tag is sha256:[..] there, sha256:[..] here
hint: use another --machine-group-name, or the group's settings

"#]],
    );
}

/// Changes a tag of all machines, as nobody should.
fn retag(account: &Account, key: &str, value: &str) {
    account.ec2(
        "create_tags",
        json!({"Resources": account.live(), "Tags": [{"Key": key, "Value": value}]}),
    );
}

#[test]
fn a_group_of_the_former_release_is_topped_up() {
    let account = Account::new();
    let start = |machines: usize, flags: &str| {
        account.run(&format!(
            "start --machine-group-name g --num-machines {machines} -q {flags}"
        ))
    };
    start(1, "--tag a=1").assert(0, "[ID]\n", "");
    retag(&account, "inductiva:settings", "vm-type=t2.micro");
    account.pass(3600.0);
    start(2, "--tag a=1").assert(0, "[ID]\n[ID]\n", "");
    retag(
        &account,
        "inductiva:settings",
        "volume-size=60 vm-type=t2.micro",
    );
    start(3, "--tag a=1").fails(
        1,
        str![[r#"
error: the group g has machines with other settings: --volume-size is 60 there, the default here
hint: use another --machine-group-name, or the group's settings

"#]],
    );
}

#[test]
fn a_damaged_launch_tag_costs_nothing_and_hides_no_machine() {
    for tag in [
        "x call=0 total=4294967295 known=0",
        "x call=0 total=2 known=4294967295",
        "x call=0 total=99999999999999999999 known=0",
        "",
    ] {
        let account = Account::new();
        account
            .run("start --vm-type t2.micro --machine-group-name g -q")
            .assert(0, "[ID]\n", "");
        retag(&account, "inductiva:launch", tag);
        account
            .run("start --vm-type t2.micro --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", "");
        assert_eq!(account.live().len(), 2, "{tag}");
    }
}

#[test]
fn a_group_named_like_an_option_or_a_folder_is_a_usage_error() {
    let account = Account::new();
    for name in ["-x", "--yes", ".", ".."] {
        for command in ["start", "terminate", "list"] {
            let run = account.run(&format!("{command} --machine-group-name={name}"));
            run.fails(2, str![[r#"
error: invalid value '[..]' for '--machine-group-name <NAME>': a name does not start with '-', and is not '.' or '..'

For more information, try '--help'.

"#]]);
        }
    }
    assert_eq!(account.requests(), [] as [serde_json::Value; 0]);
}
