//! A group is in one region: the same line under another `AWS_REGION` launches
//! nothing.

mod ending;

use serde_json::{Value, json};
use snapbox::{IntoData, str};

use crate::sandbox::Account;

const LINE: &str = "start --machine-group-name g --num-machines 2";
const THERE: &str = "us-east-1";

/// Two machines of the group run in another region, and have registered.
fn with_a_group_there() -> Account {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json(&format!("{LINE} --region {THERE}"));
    account.settle();
    account
}

fn nobody_answers(account: &Account, region: &str) {
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": region, "count": null, "code": "InvalidParameterValue", "message": "broken", "status": 400}));
}

fn nobody_may_look(account: &Account, region: &str) {
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": region, "count": null, "code": "UnauthorizedOperation", "message": "with an explicit deny in a service control policy", "status": 403}));
}

#[test]
fn a_group_in_another_region_is_not_launched_once_more() {
    let account = with_a_group_there();
    for line in [LINE.to_owned(), format!("{LINE} --dry-run")] {
        account.run(&line).fails(
            1,
            str![[r#"
error: the group g is in another region: it has 2 machines in us-east-1
hint: go there: the same line with --region us-east-1; or launch here, too, with --allow-other-regions

"#]],
        );
    }
    assert_eq!(account.launched(), 2);
    assert_eq!(account.groups().len(), 1);
    // There it is whole.
    let document = account.json(&format!("{LINE} --region {THERE}"));
    assert_eq!(document["existing"], 2);
}

#[test]
fn a_group_may_be_in_two_regions_if_that_is_meant() {
    let account = with_a_group_there();
    let document = account.json(&format!("{LINE} --allow-other-regions"));
    assert_eq!(document["launched"], 2);
    assert_eq!(document["region"], "eu-west-2");
    assert_eq!(account.launched(), 4);
}

#[test]
fn where_inductiva_cannot_be_asked_the_other_regions_are_asked_by_tag() {
    let account = with_a_group_there();
    account.put("inductiva", json!({"status": 503}));
    let run = account.run(LINE);
    run.fails(1, str![[r#"
error: the group g is in another region: it has 2 machines in us-east-1
hint: go there: the same line with --region us-east-1; or launch here, too, with --allow-other-regions

"#]]);
    assert_eq!(account.launched(), 2);
    // There it is whole: no other region is asked.
    account.json(&format!("{LINE} --region {THERE}"));
    // A start needs the same permission there.
    nobody_may_look(&account, THERE);
    assert_eq!(account.json_that_warns(LINE, str![[r#"
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves

"#]])["launched"], 2);
}

#[test]
fn a_region_that_does_not_answer_is_named_where_inductiva_cannot_be_asked_either() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    nobody_answers(&account, THERE);
    let run = account.run(LINE);
    run.ends(0, str![[r#"
warning: us-east-1 could not be asked whether the group g has machines there
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves
launched [ID] [ID] (t3.micro)

"#]]);
}

#[test]
fn machines_that_inductiva_sees_alive_in_a_region_that_may_not_be_asked_are_not_launched_again() {
    let account = with_a_group_there();
    nobody_may_look(&account, THERE);
    account
        .run(&format!("{LINE} --output json"))
        .fails(3, str![[r#"
{"error":{"hint":"nothing was launched; ask whoever may look there, or launch anyway with --allow-other-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"the group g has 2 machines that no region shows: they may be running in us-east-1, which could not be asked"}}

"#]]);
    assert_eq!(account.launched(), 2);
    account.json(&format!("{LINE} --allow-other-regions"));
    assert_eq!(account.launched(), 4);
}

#[test]
fn a_region_that_may_not_be_asked_stops_nothing_of_which_there_is_no_sign() {
    let account = with_a_group_there();
    account
        .run(&format!("terminate g -y --region {THERE}"))
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
    account.pass(700.0);
    nobody_may_look(&account, THERE);
    let document = account.json(LINE);
    assert_eq!(document["launched"], 2);
}

/// The document of the list of all regions, which ends with this code and says this.
#[track_caller]
fn everywhere(account: &Account, code: i32, said: impl IntoData) -> Value {
    let run = account.run("list --all-regions --output json");
    run.ends(code, said);
    run.document()
}

#[test]
fn a_list_that_leaves_out_regions_fails_only_if_machines_may_be_there() {
    let account = with_a_group_there();
    nobody_may_look(&account, THERE);
    let document = everywhere(
        &account,
        3,
        str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
    );
    assert_eq!(document["left_out"][0]["region"], THERE);
    account.run("list --all-regions -q").fails(3, str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
error: machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive
hint: ask somebody who may look there to run inductiva-aws list --all-regions
machines that may be running: [ID] [ID]

"#]]);
    // When they are gone nothing speaks for them.
    account.forget_faults();
    account
        .run(&format!("terminate g -y -q --region {THERE}"))
        .assert(0, "[ID]\n[ID]\n", "");
    account.pass(700.0);
    nobody_may_look(&account, THERE);
    let document = everywhere(
        &account,
        0,
        str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))

"#]],
    );
    assert_eq!(document["left_out"][0]["region"], THERE);
    account
        .run("list --all-regions -q")
        .assert(0, str![], str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))

"#]]);
    // Nobody knows, where Inductiva does not answer.
    account.put("inductiva", json!({"status": 503}));
    everywhere(
        &account,
        3,
        str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
warning: Inductiva cannot be asked about the machines: HTTP 503, set by the test
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"}}

"#]],
    );
}

#[test]
fn a_region_that_does_not_answer_makes_the_list_incomplete() {
    let account = Account::new();
    nobody_answers(&account, THERE);
    let document = everywhere(
        &account,
        3,
        str![[r#"
{"error":{"hint":"machines may be running there: try again in a minute","kind":"machines_may_be_running","machines":[],"message":"the list is not complete, us-east-1 did not answer: cannot list machines: broken (InvalidParameterValue, request [UUID])"}}

"#]],
    );
    assert_eq!(document["left_out"][0]["region"], THERE);
}

#[test]
fn where_regions_may_not_be_listed_those_that_are_known_are_asked() {
    let account = with_a_group_there();
    account.put("policy", json!({"deny": ["ec2:DescribeRegions"]}));
    let document = everywhere(
        &account,
        0,
        str![[r#"
warning: cannot list the regions: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeRegions: an identity-based policy denies it (UnauthorizedOperation, request [UUID]); asked the regions that this program knows
warning: left out: af-south-1, [..], us-west-1 (cannot list machines: AWS was not able to validate the provided access credentials (AuthFailure, request [UUID]))
2 machines run, about 0.0463 USD an hour

"#]],
    );
    assert_eq!(document["machines"].as_array().map_or(0, Vec::len), 2);
    // Those that the account has not enabled are among them.
    let left_out = document["left_out"].as_array().expect("regions");
    assert!(
        left_out.iter().any(|r| r["region"] == "ap-east-1"),
        "{document}"
    );
    account.run(LINE).fails(1, str![[r#"
error: the group g is in another region: it has 2 machines in us-east-1
hint: go there: the same line with --region us-east-1; or launch here, too, with --allow-other-regions

"#]]);
    account
        .run("terminate --all --all-regions -y -q")
        .assert(0, "[ID]\n[ID]\n", str![[r#"
warning: left out: af-south-1, [..], us-west-1 (cannot list machines: AWS was not able to validate the provided access credentials (AuthFailure, request [UUID]))

"#]]);
    assert_eq!(account.live(), [] as [String; 0]);
}
