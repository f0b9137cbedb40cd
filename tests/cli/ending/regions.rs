//! Machines and groups in other regions, and regions that cannot be asked.

use serde_json::json;
use snapbox::str;

use super::{OTHER, alive};
use crate::sandbox::{Account, list};

#[test]
fn a_group_in_another_region_is_not_said_to_be_gone() {
    let account = Account::new();
    account.json(&format!(
        "start --machine-group-name there --num-machines 2 --region {OTHER}"
    ));
    account.run("terminate there -y").assert(
        3,
        str![],
        str![[r#"
error: machines of the group there run in another region than eu-west-2: [ID] [ID] in us-east-1
hint: end them: inductiva-aws terminate --machine-group-name there --region us-east-1
machines that may be running: [ID] [ID]

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (2, 1));
    let id = alive(&account)[0].clone();
    let run = account.run(&format!("terminate --instance-id {id} -y"));
    run.assert(
        3,
        str![],
        str![[r#"
error: machines run in another region than eu-west-2: [ID] in us-east-1; nothing was terminated
hint: end them: inductiva-aws terminate --instance-id [ID] --region us-east-1
machines that may be running: [ID]

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (2, 1));
    // The line that it names.
    account.json(&format!(
        "terminate --machine-group-name there --region {OTHER} -y"
    ));
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}

#[test]
fn machines_of_the_group_in_another_region_are_named_when_those_here_have_ended() {
    let account = Account::new();
    account.json("start --machine-group-name both");
    account.json(&format!(
        "start --machine-group-name both --region {OTHER} --allow-other-regions"
    ));
    let run = account.run("terminate both -y --output json");
    run.ends(3, str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name both --region us-east-1","kind":"machines_may_be_running","machines":["[ID]"],"message":"machines of the group both run in another region than eu-west-2: [ID] in us-east-1"}}

"#]]);
    assert_eq!(list(&run.document()["terminated"]).len(), 1);
    assert_eq!(run.document()["deleted_machine_groups"], json!([]));
    assert_eq!(run.error()["machines"], json!(alive(&account)));
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn machines_of_other_regions_are_named_when_all_of_this_region_have_ended() {
    let account = Account::new();
    account.json("start --machine-group-name here");
    account.json(&format!(
        "start --machine-group-name there --region {OTHER}"
    ));
    account.run("terminate --all -y").assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
warning: machines are still running in other regions: [ID] in us-east-1; inductiva-aws terminate --all --all-regions ends them

"#]],
    );
    // Groups in both regions are named: the line removes both.
    let run = account.run("terminate --all --all-regions -y");
    run.assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security groups inductiva-aws ([SG], eu-west-2), inductiva-aws ([SG], us-east-1); inductiva-aws terminate --all --all-regions --remove-security-group removes them

"#]],
    );
    account.settle();
    let line = "terminate --all --all-regions --remove-security-group -y";
    let removed = account.json(line)["removed_security_groups"].clone();
    assert_eq!(list(&removed).len(), 2);
}

#[test]
fn where_nothing_ever_ran_nothing_is_said_to_be_gone() {
    let account = Account::new();
    account.run("terminate --all -y").assert(
        0,
        str![],
        str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
there is nothing to terminate

"#]],
    );
}

#[test]
fn ended_machines_have_the_order_of_start_and_list() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name b -n 3");
    account.pass(60.0);
    account.json("start --vm-type t2.micro --machine-group-name a -n 3");
    account.settle();
    let listed = account.run("list -q").stdout.to_string();
    let ended = account.run("terminate b a -y -q");
    assert_eq!(
        (ended.code, ended.stdout.to_string()),
        (0, listed),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_region_that_does_not_answer_is_named_and_the_group_that_may_be_there_stays() {
    let account = Account::new();
    account.json(&format!("start --machine-group-name g --region {OTHER}"));
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": OTHER, "count": null, "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    account.run("terminate g -y").assert(
        1,
        str![],
        str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
error: the machine group g was not deleted: us-east-1 could not be asked for its machines
hint: try again: inductiva-aws terminate --machine-group-name g

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (1, 1));
    account.run("terminate unknown -y").assert(
        1,
        str![],
        str![[r#"
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
error: eu-west-2 has no machine group unknown
hint: inductiva-aws list --all-regions shows the groups there are

"#]],
    );
}

#[test]
fn a_last_look_that_is_denied_is_no_look() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let id = account.live()[0].clone();
    // The first look, and one between.
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "eu-west-2", "after": 2, "count": null, "code": "UnauthorizedOperation", "message": "with an explicit deny in a service control policy", "status": 403}));
    let run = account.run("terminate g -y --output json");
    run.ends(3, str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group g stays on Inductiva's side: eu-west-2 could not be asked for its machines
{"error":{"hint":"try again: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[],"message":"machines may be running in eu-west-2, which could not be asked: cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID])"}}

"#]]);
    assert_eq!(run.document()["terminated"], json!([id]));
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn regions_that_a_policy_denies_are_named() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": OTHER, "count": null, "code": "UnauthorizedOperation", "message": "with an explicit deny in a service control policy", "status": 403}));
    account.run("terminate g -y").assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
not looked at, because that is not permitted: us-east-1

"#]],
    );
    account.forget_faults();
    account.json("start --machine-group-name h");
    account.put("policy", json!({"deny": ["ec2:DescribeRegions"]}));
    account.run("terminate h -y").assert(
        0,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
not looked at, because that is not permitted: af-south-1, [..], us-west-1

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}
