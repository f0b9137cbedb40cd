//! A group is in one region: the same line under another `AWS_REGION` launches
//! nothing.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, text};

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
    assert_eq!(account.json(LINE)["launched"], 2);
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
    let run = account.run(&format!("{LINE} --output json"));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let error = run.error();
    assert_eq!(
        text(&error["message"]),
        "the group g has 2 machines that no region shows: they may be running in us-east-1, which could not be asked"
    );
    assert_eq!(error["machines"].as_array().map_or(0, Vec::len), 2);
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

/// The exit code of the list of all regions, its document, and what it says.
fn everywhere(account: &Account) -> (i32, serde_json::Value, String) {
    let run = account.run("list --all-regions --output json");
    (run.code, run.document(), run.stderr.to_string())
}

#[test]
fn a_list_that_leaves_out_regions_fails_only_if_machines_may_be_there() {
    let account = with_a_group_there();
    nobody_may_look(&account, THERE);
    let (code, document, said) = everywhere(&account);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("machines may be running in us-east-1"),
        "{said}"
    );
    assert_eq!(document["left_out"][0]["region"], THERE);
    let ids = account
        .run("list --all-regions -q")
        .ignoring_the_rest("the ids are what counts");
    assert_eq!((ids.code, ids.stdout.as_str()), (3, ""));
    // When they are gone nothing speaks for them.
    account.forget_faults();
    let ended = account
        .run(&format!("terminate g -y --region {THERE}"))
        .ignoring_the_rest("a step on the way: that it succeeds is enough");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    account.pass(700.0);
    nobody_may_look(&account, THERE);
    let (code, document, said) = everywhere(&account);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("left out: us-east-1").count(), 1, "{said}");
    assert_eq!(document["left_out"][0]["region"], THERE);
    assert_eq!(
        account
            .run("list --all-regions -q")
            .ignoring_the_rest("a step on the way: that it succeeds is enough")
            .code,
        0
    );
    // Nobody knows, where Inductiva does not answer.
    account.put("inductiva", json!({"status": 503}));
    assert_eq!(everywhere(&account).0, 3);
}

#[test]
fn a_region_that_does_not_answer_makes_the_list_incomplete() {
    let account = Account::new();
    nobody_answers(&account, THERE);
    let (code, document, said) = everywhere(&account);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("us-east-1 did not answer"), "{said}");
    assert_eq!(document["left_out"][0]["region"], THERE);
}

#[test]
fn where_regions_may_not_be_listed_those_that_are_known_are_asked() {
    let account = with_a_group_there();
    account.put("policy", json!({"deny": ["ec2:DescribeRegions"]}));
    let (code, document, said) = everywhere(&account);
    assert_eq!(code, 0, "{said}");
    assert_eq!(document["machines"].as_array().map_or(0, Vec::len), 2);
    // Those that the account has not enabled are among them.
    let left_out = document["left_out"].as_array().expect("regions");
    assert!(
        left_out.iter().any(|r| r["region"] == "ap-east-1"),
        "{document}"
    );
    assert_eq!(said.matches("warning: ").count(), 2, "{said}");
    account.run(LINE).fails(1, str![[r#"
error: the group g is in another region: it has 2 machines in us-east-1
hint: go there: the same line with --region us-east-1; or launch here, too, with --allow-other-regions

"#]]);
    let ended = account
        .run("terminate --all --all-regions -y")
        .ignoring_the_rest("that nothing lives afterwards is what counts");
    assert_eq!(account.live(), [] as [String; 0]);
    assert_ne!(ended.code, 2, "{}", ended.stderr);
}

/// The exit code of a command, the region that its document leaves out, and what it says.
fn left_out(account: &Account, line: &str) -> (i32, serde_json::Value, String) {
    let run = account.run(&format!("{line} -y --output json"));
    let left_out = run.document()["left_out"][0]["region"].clone();
    (run.code, left_out, run.stderr.to_string())
}

#[test]
fn where_a_group_ends_a_region_that_was_not_looked_at_counts_only_if_machines_may_be_there() {
    for (nobody, because) in [
        (
            nobody_answers as fn(&Account, &str),
            "there is no answer: us-east-1 (cannot list machines: broken",
        ),
        (nobody_may_look, "that is not permitted: us-east-1"),
    ] {
        let account = Account::new();
        account.put("inductiva", json!({"auto_register_seconds": 0}));
        account.json("start --machine-group-name here");
        account.settle();
        nobody(&account, THERE);
        let (code, region, said) = left_out(&account, "terminate here");
        assert_eq!((code, region), (0, json!(THERE)), "{said}");
        assert_eq!(said.matches("not looked at, because ").count(), 1, "{said}");
        assert!(said.contains(because), "{said}");
        assert_eq!(account.groups(), [] as [serde_json::Value; 0]);
        // Its machines here are all that nobody can ask Inductiva about.
        account.json("start --machine-group-name next");
        account.put("inductiva", json!({"status": 503}));
        let (code, region, said) = left_out(&account, "terminate next");
        assert_eq!((code, region), (3, json!(THERE)), "{said}");
        assert!(said.contains("machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"), "{said}");
        assert_eq!(account.live(), [] as [String; 0]);
    }
}

#[test]
fn machines_that_inductiva_sees_alive_where_nobody_looked_are_not_said_to_have_ended() {
    for nobody in [nobody_answers, nobody_may_look] {
        let account = with_a_group_there();
        let ids = account.json(&format!("list --region {THERE}"))["machines"].clone();
        let ids: Vec<&str> = ids
            .as_array()
            .expect("machines")
            .iter()
            .map(|m| text(&m["instance_id"]))
            .collect();
        nobody(&account, THERE);
        for line in [
            "terminate g",
            "terminate --all --all-regions",
            &format!("terminate --instance-id {}", ids.join(",")),
        ] {
            let run = account
                .run(&format!("{line} -y --output json"))
                .ignoring_the_rest("the error is what counts");
            assert_eq!(run.code, 3, "{line}: {}", run.stderr);
            let message = text(&run.error()["message"]).to_owned();
            assert!(
                message.contains("machines may be running in us-east-1, which could not be asked"),
                "{line}: {message}"
            );
        }
        let error = account
            .run("terminate g -y --output json")
            .ignoring_the_rest("the error is what counts")
            .error();
        let mut named: Vec<String> =
            serde_json::from_value(error["machines"].clone()).expect("ids");
        named.sort();
        let mut ids = ids;
        ids.sort_unstable();
        assert_eq!(named, ids);
        assert_eq!(account.groups().len(), 1);
    }
}

#[test]
fn an_id_that_nobody_knows_is_not_taken_for_one_of_a_region_that_was_not_looked_at() {
    let account = with_a_group_there();
    nobody_answers(&account, THERE);
    let line = "terminate --instance-id i-00000000000000000 -y";
    let run = account.run(line);
    run.fails(1, str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
error: eu-west-2 does not have [ID]; nothing was terminated
hint: inductiva-aws list --all-regions shows what there is

"#]]);
    account.put("inductiva", json!({"status": 503}));
    assert_eq!(
        account
            .run(line)
            .ignoring_the_rest("how it ends is what counts")
            .code,
        3
    );
}

#[test]
fn list_and_terminate_agree_on_regions_that_may_not_be_asked() {
    let account = Account::new();
    nobody_may_look(&account, THERE);
    for (inductiva, expected) in [(json!({}), 0), (json!({"status": 503}), 3)] {
        account.put("inductiva", inductiva);
        let (code, document, said) = everywhere(&account);
        assert_eq!(
            (code, &document["left_out"][0]["region"]),
            (expected, &json!(THERE)),
            "{said}"
        );
        let (code, region, said) = left_out(&account, "terminate --all --all-regions");
        assert_eq!((code, region), (expected, json!(THERE)), "{said}");
        assert_eq!(said.matches("left out: us-east-1").count(), 1, "{said}");
    }
}
