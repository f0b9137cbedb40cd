//! Answers that are cut, or lack what they must have: they say nothing.

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    sandbox::{Account, list, text},
    sso,
};

/// What can be missing of an answer.
fn damages() -> Vec<Value> {
    let mut damages: Vec<Value> = ["empty_set", "no_set", "ids_twice", "ids_missing"]
        .iter()
        .map(|damage| json!({"damage": damage}))
        .collect();
    for tenths in 0..10 {
        let at = f64::from(tenths) / 10.0;
        damages.push(json!({"damage": "cut", "at": at, "until_close": tenths % 2 == 0}));
    }
    // The root's end alone is missing.
    damages.push(json!({"damage": "cut", "at": 0.9999}));
    damages
}

/// What `terminate` says when EC2 has named both machines of the group.
const ENDED: &str = "\
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
";

/// So many answers to the operation are damaged; all when there is no number.
fn damage(account: &Account, operation: &str, damage: &Value, count: Option<u32>) {
    let mut fault =
        json!({"service": "*", "operation": operation, "kind": "damaged_answer", "count": count});
    let more = damage.as_object().expect("an object").clone();
    fault.as_object_mut().expect("an object").extend(more);
    account.fault(fault);
}

#[test]
fn a_launch_whose_answer_lacks_machines_is_asked_for_again_with_its_token() {
    for how in damages() {
        let account = Account::new();
        damage(&account, "RunInstances", &how, Some(1));
        let run = account.run("start --machine-group-name g --num-machines 2 --output json");
        run.succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
cannot launch t3.micro: [..]; trying again
launched [ID] [ID] (t3.micro)

"#]]);
        assert_eq!(list(&run.document()["machines"]).len(), 2, "{how}");
        assert_eq!(account.launched(), 2, "{how}");
    }
}

#[test]
fn a_launch_that_is_never_answered_in_full_may_be_running() {
    for how in damages() {
        let account = Account::new();
        damage(&account, "RunInstances", &how, None);
        let run = account.run("start --machine-group-name g --num-machines 2");
        run.fails(3, str![[r#"
machine group g
cost: [..]
cannot launch t3.micro: [..]; trying again
...
error: cannot launch t3.micro: [..]; machines of the group g may be running
hint: run the same line again with --machine-group-name g (nothing is launched twice), or end them: inductiva-aws terminate --machine-group-name g

"#]]);
        assert_eq!(account.launched(), 2, "{how}");
        // Asked again with the same token every time.
        let requests = account.requests();
        let tokens: std::collections::BTreeSet<&str> = requests
            .iter()
            .filter(|r| r["operation"] == "RunInstances")
            .map(|r| text(&r["params"]["ClientToken"]))
            .collect();
        assert_eq!(tokens.len(), 1, "{how}");
    }
}

#[test]
fn what_is_missing_in_a_list_is_not_taken_for_ended() {
    for how in damages() {
        // One machine of two that is told twice is told.
        if how["damage"] == "empty_set" {
            continue;
        }
        let account = Account::new();
        account
            .run("start --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", "");
        account.settle();
        for (line, code, error) in [
            (
                "list",
                1,
                str![[r#"
DescribeInstances is not answered yet; trying again
...
error: cannot list machines: [..]
...

"#]],
            ),
            (
                "terminate g -y",
                3,
                str![[r#"
DescribeInstances is not answered yet; trying again
...
error: machines may be running in eu-west-2, which could not be asked: cannot list machines: [..]
hint: try again: inductiva-aws terminate --machine-group-name g

"#]],
            ),
            (
                "start --machine-group-name g --num-machines 2",
                1,
                str![[r#"
DescribeInstances is not answered yet; trying again
...
error: cannot list machines: [..]
...

"#]],
            ),
        ] {
            account.forget_faults();
            damage(&account, "DescribeInstances", &how, None);
            let run = account.run(line);
            if how["damage"] == "ids_twice" {
                run.succeeds("2 machines run, about 0.0463 USD an hour\n");
                break;
            }
            run.fails(code, error);
            assert_eq!(account.live().len(), 2, "{line}, {how}");
            assert_eq!(account.launched(), 2, "{line}, {how}");
        }
    }
}

#[test]
fn machines_that_the_answer_to_their_end_does_not_name_have_not_ended() {
    for how in damages() {
        let account = Account::new();
        account
            .run("start --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", "");
        damage(&account, "TerminateInstances", &how, None);
        let run = account.run("terminate g -y");
        let said = str![[r#"
...
error: [..] of 2 machines not terminated: [..]
hint: try again: inductiva-aws terminate --instance-id [..]
machines that may be running: [..]

"#]];
        match text(&how["damage"]) {
            "ids_twice" => run.assert(0, "[ID]\n[ID]\n", ENDED),
            "ids_missing" => run.assert(3, "[ID]\n", said),
            _ => run.fails(3, said),
        };
        account.forget_faults();
        account.run("terminate g -y -q").assert(0, "", "");
    }
}

#[test]
fn an_end_that_is_answered_in_part_is_asked_for_again() {
    for how in damages() {
        let account = Account::new();
        account
            .run("start --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", "");
        damage(&account, "TerminateInstances", &how, Some(1));
        account
            .run("terminate g -y")
            .assert(0, "[ID]\n[ID]\n", ENDED);
        assert_eq!(account.live(), [] as [String; 0], "{how}");
    }
}

#[test]
fn a_machine_that_an_end_passes_over_is_asked_for_again_at_once() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "kind": "in_part", "of_list": "InstanceId"}));
    account
        .run("terminate g -y")
        .assert(0, "[ID]\n[ID]\n", ENDED);
    assert_eq!(account.live(), [] as [String; 0]);
    // Before EC2 is asked for anything else.
    let requests = account.requests();
    let calls: Vec<_> = requests.iter().filter(|r| r["service"] == "ec2").collect();
    let mut pairs = calls.windows(2);
    assert!(
        pairs.any(|pair| pair.iter().all(|r| r["operation"] == "TerminateInstances")),
        "{calls:?}"
    );
}

#[test]
fn without_an_account_nothing_is_launched() {
    for how in damages() {
        // There is none in it.
        if how["damage"] == "ids_twice" {
            continue;
        }
        let account = Account::new();
        damage(&account, "GetCallerIdentity", &how, None);
        let run = account.run("start --machine-group-name g --num-machines 2");
        run.fails(
            1,
            str![[r#"
GetCallerIdentity is not answered yet; trying again
...
error: cannot tell who is signed in: [..]
...

"#]],
        );
        assert_eq!(account.launched(), 0, "{how}");
    }
}

#[test]
fn an_answer_without_keys_is_no_sign_in() {
    for body in [
        "{}",
        r#"{"roleCredentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE"}}"#,
    ] {
        let account = sso::account();
        sso::login(&account, "--profile new");
        account.fault(json!({"service": "*", "operation": "GetRoleCredentials", "kind": "answer", "status": 200, "body": body, "count": null}));
        let run = sso::run(&account, "start --profile new --num-machines 2");
        run.fails(
            1,
            str![[r#"
error: profile new: IAM Identity Center gave no keys
hint: a proxy, a firewall or the sign-in page of a network may have answered instead: check HTTPS_PROXY, NO_PROXY, --endpoint-url and AWS_ENDPOINT_URL

"#]],
        );
        assert_eq!(account.launched(), 0);
    }
}

#[test]
fn json_that_is_cut_is_no_answer_to_its_reader() {
    for tenths in 0..10 {
        let how = json!({"damage": "cut", "at": f64::from(tenths) / 10.0});
        let account = sso::account();
        sso::login(&account, "--profile new");
        damage(&account, "GetRoleCredentials", &how, None);
        let run = sso::run(&account, "start --profile new --num-machines 2");
        // Of the first cut nothing is left, which can be read as an answer.
        let said = if tenths == 0 {
            str![[r#"
error: profile new: IAM Identity Center gave no keys
hint: a proxy, a firewall or the sign-in page of a network may have answered instead: check HTTPS_PROXY, NO_PROXY, --endpoint-url and AWS_ENDPOINT_URL

"#]]
        } else {
            str![[r#"
error: cannot get credentials from IAM Identity Center: AWS's answer cannot be read: HTTP 200, application/json
hint: a proxy, a firewall or the sign-in page of a network may have answered instead: check HTTPS_PROXY, NO_PROXY, --endpoint-url and AWS_ENDPOINT_URL

"#]]
        };
        run.fails(1, said);
        assert_eq!(account.launched(), 0, "{how}");
        let account = Account::new();
        damage(&account, "GetServiceQuota", &how, None);
        let run = account.run("check");
        let told = "cannot look up the vCPU quota L-1216C47A: AWS's answer ";
        assert!(run.succeeds("").contains(told), "{how}: {}", run.stdout);
    }
}
