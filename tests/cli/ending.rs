//! What `terminate` says is gone, is gone: machines that show late, that are in
//! another region, or that cannot be ended.

mod groups;
mod late;
mod regions;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list, text};

const OTHER: &str = "us-east-1";

/// The machines that live in any region, by the sandbox's own count.
fn alive(account: &Account) -> Vec<String> {
    let mut ids: Vec<String> = list(&account.get("launched")["instances"])
        .iter()
        .filter(|i| matches!(text(&i["state"]), "pending" | "running"))
        .map(|i| text(&i["instance_id"]).to_owned())
        .collect();
    ids.sort();
    ids
}

fn protect(account: &Account, id: &str, protected: bool) {
    account.ec2(
        "modify_instance_attribute",
        json!({"InstanceId": id, "DisableApiTermination": {"Value": protected}}),
    );
}

fn nothing() -> [String; 0] {
    []
}

#[test]
fn a_protected_machine_keeps_no_other_running() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 5");
    let protected = account.live()[2].clone();
    protect(&account, &protected, true);
    account.run("terminate g -y").assert(
        3,
        "[ID]\n[ID]\n[ID]\n[ID]\n",
        str![[r#"
4 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
error: 1 of 5 machines not terminated: [ID]: termination protection is on (OperationNotPermitted)
hint: take the protection off and end them: aws ec2 modify-instance-attribute --instance-id [ID] --no-disable-api-termination && inductiva-aws terminate --instance-id [ID]
machines that may be running: [ID]

"#]],
    );
    assert_eq!(alive(&account), std::slice::from_ref(&protected));
    assert_eq!(account.groups().len(), 1);
    // One call that fails, and one without the machine that EC2 named.
    assert_eq!(account.calls("TerminateInstances"), 2);
    let run = account.run("terminate g -y --output json");
    run.ends(3, str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"take the protection off and end them: aws ec2 modify-instance-attribute --instance-id [ID] --no-disable-api-termination && inductiva-aws terminate --instance-id [ID]","kind":"machines_may_be_running","machines":["[ID]"],"message":"1 of 1 machine not terminated: [ID]: termination protection is on (OperationNotPermitted)"}}

"#]]);
    assert_eq!(run.error()["machines"], json!([protected]));
    protect(&account, &protected, false);
    account.json("terminate g -y");
    assert_eq!(alive(&account), nothing());
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn each_machine_that_cannot_be_ended_is_named_with_its_reason() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 101");
    let ids = account.live();
    let (protected, denied) = (&ids[3..23], &ids[60]);
    for id in protected {
        protect(&account, id, true);
    }
    account.put("policy", json!({"documents": [{"Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:TerminateInstances", "Resource": format!("arn:aws:ec2:*:*:instance/{denied}")},
    ]}]}));
    let run = account.run("terminate g -y --output json");
    assert_eq!(run.code, 3, "{}", run.stderr);
    let mut left: Vec<String> = protected.to_vec();
    left.push(denied.clone());
    assert_eq!(alive(&account), left);
    assert_eq!(list(&run.document()["terminated"]).len(), 80);
    let error = run.error();
    let mut named: Vec<&str> = error["machines"]
        .as_array()
        .expect("ids")
        .iter()
        .map(text)
        .collect();
    named.sort_unstable();
    assert_eq!(named, left);
    let message = text(&error["message"]);
    assert!(
        message.starts_with("21 of 101 machines not terminated: "),
        "{message}"
    );
    assert!(
        message.contains("termination protection is on (OperationNotPermitted)"),
        "{message}"
    );
    assert!(
        message.contains(&format!("{denied}: cannot terminate: arn:aws:iam::")),
        "{message}"
    );
    let hint = text(&error["hint"]);
    assert!(hint.contains("; do aws ec2 modify-instance-attribute --instance-id $id --no-disable-api-termination; done && inductiva-aws terminate --instance-id "), "{hint}");
}

#[test]
fn an_answer_that_leaves_machines_out_is_not_taken_for_their_end() {
    // EC2 ends those of the other zones and refuses the call.
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2 --availability-zone eu-west-2a");
    let first = account.live();
    account.json("start --machine-group-name h --num-machines 2 --availability-zone eu-west-2b");
    protect(&account, &first[0], true);
    let run = account.run("terminate --all -y --output json");
    run.ends(3, str![[r#"
3 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it
{"error":{"hint":"take the protection off and end them: aws ec2 modify-instance-attribute --instance-id [ID] --no-disable-api-termination && inductiva-aws terminate --instance-id [ID]","kind":"machines_may_be_running","machines":["[ID]"],"message":"1 of 4 machines not terminated: [ID]: termination protection is on (OperationNotPermitted)"}}

"#]]);
    assert_eq!(list(&run.document()["terminated"]).len(), 3);
    assert_eq!(alive(&account), [first[0].clone()]);
    assert_eq!(run.document()["deleted_machine_groups"], json!(["h"]));
}

#[test]
fn two_at_once_end_the_group() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 3");
    account.fault(
        json!({"service": "ec2", "operation": "TerminateInstances", "kind": "hold", "count": 2}),
    );
    let children = [(); 2].map(|()| account.start("terminate g -y"));
    account.until_so_many_are_held(2);
    account.post("release", json!({}));
    for child in children {
        ended(child).assert(
            0,
            "[ID]\n[ID]\n[ID]\n",
            str![[r#"
3 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
        );
    }
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}

#[test]
fn a_start_that_is_under_way_is_waited_for() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold"}));
    let start = account.start("start --machine-group-name g --num-machines 2");
    account.until_held();
    account.hold_pauses();
    let terminate = account.start("terminate g -y");
    account.until_pausing();
    account.post("release", json!({}));
    ended(start).succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
launched [ID] [ID] (t3.micro)

"#]]);
    assert_eq!(alive(&account).len(), 2);
    account.ended(terminate).assert(
        0,
        "[ID]\n[ID]\n",
        str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}

#[cfg(unix)]
#[test]
fn the_same_line_finishes_what_an_interrupted_one_began() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 150");
    let all = alive(&account);
    account.fault(
        json!({"service": "ec2", "operation": "TerminateInstances", "kind": "hold", "after": 1}),
    );
    let child = account.start("terminate g -y --output json");
    account.until_held();
    crate::sandbox::signal(&child, "-INT");
    let run = ended(child);
    assert_eq!(run.code, 130, "{}", run.stderr);
    let left = alive(&account);
    assert!(!left.is_empty() && left.len() < all.len(), "{}", left.len());
    let named = run.error()["machines"].clone();
    let named: Vec<&str> = named.as_array().expect("ids").iter().map(text).collect();
    assert!(
        left.iter().all(|id| named.contains(&id.as_str())),
        "{}",
        run.stderr
    );
    account.forget_faults();
    account.json("terminate g -y");
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}
