//! Several groups and machines at once: one that is unknown, or cannot be ended,
//! keeps no other running.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, finish, list, text};

#[test]
fn an_unknown_id_keeps_no_other_running() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let run = account.run(&format!(
        "terminate {} i-00000000000000000 -y",
        account.live()[0]
    ));
    assert!(
        run.stderr
            .contains("error: eu-west-2 does not have i-00000000000000000\n"),
        "{}",
        run.stderr
    );
    run.assert(
        1,
        str![[r#"
[ID]

"#]],
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
eu-west-2 does not show [ID] yet: looking for up to 2m
error: eu-west-2 does not have [ID]
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    assert_eq!(account.live(), [] as [String; 0]);
    let run = account.run("terminate i-00000000000000000 -y");
    run.fails(
        1,
        str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
error: eu-west-2 does not have [ID]; nothing was terminated
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
}

#[test]
fn groups_and_machines_are_ended_side_by_side() {
    let account = Account::new();
    for group in ["a --num-machines 2", "b", "c", "d"] {
        account.json(&format!(
            "start --vm-type t2.micro --machine-group-name {group}"
        ));
    }
    let of = |name: &str| -> Vec<String> {
        let listed = account.json(&format!("list --machine-group-name {name}"));
        let ids = list(&listed["machines"]).into_iter();
        ids.map(|m| text(&m["instance_id"]).to_owned()).collect()
    };
    // Their addresses show.
    account.settle();
    let (c, d) = (of("c"), of("d"));
    let line = format!(
        "terminate a b {} b --machine-group-name a -y --output json",
        c[0]
    );
    let run = account.run(&line);
    // One line for all that ended.
    let is_sum = |line: &&str| line.starts_with("in total: 4 machines ran ");
    let (sum, mut said): (Vec<&str>, Vec<&str>) = run.stderr.lines().partition(is_sum);
    assert!(
        matches!(sum[..], [sum] if sum.ends_with(" in all: about 0.0016 USD")),
        "{}",
        run.stderr
    );
    said.sort_unstable();
    let ends = "shutting down: billing of the machines has ended, their disks go with them";
    assert_eq!(
        said,
        [
            &format!("1 machine is {ends}"),
            &format!("1 machine of b is {ends}"),
            &format!("2 machines of a are {ends}"),
            "looking for machines that EC2 does not show yet, for up to 10 s",
        ]
    );
    assert_eq!(run.code, 0);
    let document = run.document();
    assert_eq!(list(&document["terminated"]).len(), 4);
    let mut deleted = list(&document["deleted_machine_groups"]);
    deleted.sort_by_key(|name| text(name).to_owned());
    assert_eq!(deleted, [json!("a"), json!("b"), json!("c")]);
    let regions = list(&account.ec2("describe_regions", json!({}))["Regions"]).len();
    assert_eq!(list(&document["regions"]).len(), regions);
    assert_eq!(account.live(), d);
}

#[test]
fn a_name_that_nobody_knows_keeps_no_other_running() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let run = account.run("terminate nothing g neither -y --output json");
    run.ends(1, str![[r#"
1 machine of g is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"inductiva-aws list --all-regions shows the groups there are","kind":"not_found","machines":[],"message":"eu-west-2 has no machine group nothing; eu-west-2 has no machine group neither"}}

"#]]);
    assert_eq!(list(&run.document()["terminated"]).len(), 1);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn machines_elsewhere_outweigh_a_name_that_nobody_knows() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.json("start --vm-type t2.micro --machine-group-name there --region us-east-1");
    let run = account.run("terminate nothing there g -y --output json");
    run.ends(3, str![[r#"
1 machine of g is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name there --region us-east-1; inductiva-aws list --all-regions shows the groups there are","kind":"machines_may_be_running","machines":["[ID]"],"message":"machines of the group there run in another region than eu-west-2: [ID] in us-east-1; eu-west-2 has no machine group nothing"}}

"#]]);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[cfg(unix)]
#[test]
fn ids_come_from_a_pipe() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 3");
    let program = env!("CARGO_BIN_EXE_inductiva-aws");
    let mut command = std::process::Command::new("sh");
    command
        .args([
            "-c",
            &format!("{program} list -q | xargs {program} terminate -y"),
        ])
        .env_clear()
        .envs(account.environment())
        .current_dir(account.home.path())
        .stdout(std::process::Stdio::piped());
    let run = finish(&mut command);
    run.assert(
        0,
        str![[r#"
[ID]
[ID]
[ID]

"#]],
        str![[r#"
3 machines are shutting down: billing of the machines has ended, their disks go with them

"#]],
    );
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn a_thousand_machines_go_in_batches() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 1000");
    account.forget_requests();
    let document = account.json("terminate g -y");
    assert_eq!(list(&document["terminated"]).len(), 1_000);
    assert_eq!(account.live(), [] as [String; 0]);
    assert_eq!(account.calls("TerminateInstances"), 10);
    // At the beginning, between, and at the end in each region.
    let regions = list(&account.ec2("describe_regions", json!({}))["Regions"]).len();
    assert_eq!(account.calls("DescribeInstances"), 2 + regions);
}

#[test]
fn what_could_not_be_ended_is_named() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 101");
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "after": 1, "count": null, "code": "OperationNotPermitted", "message": "The instance may not be terminated.", "status": 400}));
    let run = account.run("terminate g -y --output json");
    run.ends(3, str![[r#"
terminated 100 of 101
100 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"take the protection off and end them: aws ec2 modify-instance-attribute --instance-id [ID] --no-disable-api-termination && inductiva-aws terminate --instance-id [ID]","kind":"machines_may_be_running","machines":["[ID]"],"message":"1 of 101 machines not terminated: [ID]: termination protection is on (OperationNotPermitted)"}}

"#]]);
    let error = run.error();
    let left: Vec<String> = list(&error["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    assert_eq!(left, account.live());
    assert_eq!(left.len(), 1);
    assert!(text(&error["hint"]).contains(&left[0]));
    assert_eq!(list(&run.document()["terminated"]).len(), 100);
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn a_batch_that_fails_does_not_keep_the_others_from_ending() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 201");
    // Not because of an id: no part of it would fare better.
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "AuthFailure", "message": "AWS was not able to validate the provided access credentials", "status": 401}));
    let run = account.run("terminate g -y --output json");
    run.succeeds(str![[r#"
terminated 0 of 201
terminated 100 of 201
terminated 101 of 201
101 machines are shutting down: billing of the machines has ended, their disks go with them
100 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]]);
    // What EC2 did not answer for is asked for again with the next look.
    assert_eq!(account.calls("TerminateInstances"), 4);
    assert_eq!(list(&run.document()["terminated"]).len(), 201);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn security_groups_stay_while_there_are_machines_left() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "OperationNotPermitted", "message": "The instance may not be terminated.", "status": 400}));
    let run = account.run("terminate --all --remove-security-group -y --output json");
    run.ends(3, str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
{"error":{"hint":"take the protection off and end them: aws ec2 modify-instance-attribute --instance-id [ID] --no-disable-api-termination && inductiva-aws terminate --instance-id [ID]","kind":"machines_may_be_running","machines":["[ID]"],"message":"1 of 1 machine not terminated: [ID]: termination protection is on (OperationNotPermitted)"}}

"#]]);
    assert_eq!(account.calls("TerminateInstances"), 1);
    assert_eq!(account.calls("DeleteSecurityGroup"), 0);
    assert_eq!(run.document()["removed_security_groups"], json!([]));
}
