//! `terminate`.

mod several;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, finish, list, text};

#[test]
fn a_group_is_ended_by_name_with_its_group_on_inductivas_side() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    account.json("start --vm-type t2.micro --machine-group-name other");
    account
        .run("terminate --machine-group-name g --yes")
        .assert(
            0,
            str![[r#"
[ID]
[ID]

"#]],
            str![[r#"
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
        );
    assert_eq!(account.live().len(), 1);
    assert_eq!(account.groups().len(), 1);
    assert_eq!(account.groups()[0]["name"], "other");
    account.settle();
    let left = |method, what: &str| list(&account.ec2(method, json!({}))[what]).len();
    assert_eq!(left("describe_volumes", "Volumes"), 1);
    assert_eq!(left("describe_network_interfaces", "NetworkInterfaces"), 1);
}

#[test]
fn single_machines_are_ended_by_id_and_the_group_with_the_last_one() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 2");
    let ids = account.live();
    let document = account.json(&format!("terminate --instance-id {} -y", ids[0]));
    assert_eq!(document["terminated"], json!([ids[0]]));
    assert_eq!(document["deleted_machine_groups"], json!([]));
    assert_eq!(document["removed_security_groups"], json!([]));
    assert_eq!(account.live(), [ids[1].clone()]);
    assert_eq!(account.groups().len(), 1, "the group has a machine left");
    account.json(&format!("terminate --instance-id {} -y", ids[1]));
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn all_ends_everything_of_ours_in_the_region_and_nothing_else() {
    let account = Account::new();
    let other = account.ec2("run_instances", json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}));
    account.json("start --vm-type t2.micro --machine-group-name a --num-machines 2");
    account.json("start --vm-type t2.micro --machine-group-name b");
    let document = account.json("terminate --all -y");
    assert_eq!(list(&document["terminated"]).len(), 3);
    assert_eq!(account.live(), [text(&other["Instances"][0]["InstanceId"])]);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn a_machine_without_our_tag_is_never_touched() {
    let account = Account::new();
    let other = account.ec2("run_instances", json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}));
    account.json("start --vm-type t2.micro --machine-group-name g");
    let ours = account.live();
    let other = text(&other["Instances"][0]["InstanceId"]);
    let ours = ours.iter().find(|id| *id != other).expect("our machine");
    let run = account.run(&format!("terminate --instance-id {ours},{other} -y"));
    run.assert(
        1,
        str![],
        str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
error: not launched by inductiva-aws: [ID]; nothing was terminated
hint: end other machines in the EC2 console or with the AWS CLI

"#]],
    );
    assert_eq!(account.live().len(), 2);
    assert!(
        !account
            .operations()
            .contains(&"TerminateInstances".to_owned())
    );
}

#[test]
fn all_stands_alone() {
    let account = Account::new();
    for (line, why) in [
        (
            "terminate g --all -y",
            str![[r#"
error: the argument '[NAME|ID]...' cannot be used with '--all'

  tip: --all ends everything: leave the names out

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]],
        ),
        (
            "terminate --all --instance-id i-00000000000000000 -y",
            str![[r#"
error: the argument '--all' cannot be used with '--instance-id <ID>'

  tip: --all ends everything: leave the names out

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]],
        ),
        (
            "terminate g --all-regions -y",
            str![[r#"
error: the argument '[NAME|ID]...' cannot be used with '--all-regions'

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]],
        ),
        (
            "terminate g --remove-security-group -y",
            str![[r#"
error: the argument '[NAME|ID]...' cannot be used with '--remove-security-group'

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]],
        ),
    ] {
        account.run(line).fails(2, why);
    }
}

#[test]
fn no_new_group_is_called_like_a_machine() {
    let account = Account::new();
    let run = account.run("start --machine-group-name i-0123456789abcdef0");
    run.fails(
        2,
        str![[r#"
error: invalid value '[ID]' for '--machine-group-name <NAME>': that is what the id of a machine looks like

For more information, try '--help'.

"#]],
    );
    assert_eq!(account.launched(), 0);
}

#[test]
fn of_an_option_of_one_value_the_last_counts() {
    let account = Account::new();
    account.json("start -n 2 --machine-group-name g --machine-group-name h -n 1");
    assert_eq!(account.live().len(), 1);
    assert_eq!(account.groups()[0]["name"], "h");
    account.json("terminate --machine-group-name g --machine-group-name h -y -y");
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn without_a_terminal_it_does_not_go_ahead_unasked() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.settle();
    let mut command = account.command(["terminate", "g"]);
    let run = crate::sandbox::finish_with_stdin(&mut command, "y\n");
    run.fails(
        2,
        str![[r#"
GROUP  REGION [..]
g      eu-west-2 [..]

INSTANCE ID [..]
[ID]  running [..]
error: there is no terminal to ask on
hint: add -y/--yes to go ahead without being asked

"#]],
    );
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_group_that_does_not_exist_is_an_error() {
    let account = Account::new();
    account.run("terminate nothing -y").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no machine group nothing
hint: inductiva-aws list --all-regions shows the groups there are

"#]],
    );
}

#[test]
fn a_group_that_is_gone_already_is_not() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.run("terminate g -y").assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
    );
    account.run("terminate g -y").assert(
        0,
        str![],
        str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
the machine group g is gone already

"#]],
    );
    let document = account.json("terminate g -y");
    let regions = list(&account.ec2("describe_regions", json!({}))["Regions"]).len();
    assert_eq!(list(&document["regions"]).len(), regions);
    let nothing = [
        "terminated",
        "deleted_machine_groups",
        "removed_security_groups",
        "left_out",
    ];
    for field in nothing {
        assert_eq!(document[field], json!([]), "{field}");
    }
}

#[test]
fn a_group_that_is_left_on_inductivas_side_alone_is_deleted() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.ec2(
        "terminate_instances",
        json!({"InstanceIds": account.live()}),
    );
    assert_eq!(account.groups().len(), 1);
    account.run("terminate g -y").assert(
        0,
        str![],
        str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
deleted the machine group g, which had no machine in eu-west-2

"#]],
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn machines_are_ended_without_a_key_and_without_the_api() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.put("inductiva", json!({"status": 503}));
    account.run("terminate g -y").assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group g stays on Inductiva's side: HTTP 503, set by the test

"#]],
    );
    assert_eq!(account.live(), [] as [String; 0]);

    account.put("inductiva", json!({"status": null}));
    account.json("start --vm-type t2.micro --machine-group-name h");
    let mut command = account.command(["terminate", "h", "-y"]);
    command.env_remove("INDUCTIVA_API_KEY");
    finish(&mut command).assert(0, str![[r#"
[ID]

"#]], str![[r#"
warning: there is no Inductiva API key: the machine groups stay on Inductiva's side until it ends them
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]]);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn one_has_to_say_what() {
    Account::new().run("terminate -y").fails(2, str![[r#"
error: the following required arguments were not provided:
  <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>

For more information, try '--help'.

"#]]);
}
