//! Answers that are cut, or lack what they must have: they say nothing.

use serde_json::{Value, json};

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
        let run = account
            .run("start --machine-group-name g --num-machines 2 --output json")
            .ignoring_the_rest("the document is what counts");
        assert_eq!(run.code, 0, "{how}: {}", run.stderr);
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
        assert_eq!(run.code, 3, "{how}: {}", run.stderr);
        assert!(
            run.stderr
                .contains("machines of the group g may be running"),
            "{}",
            run.stderr
        );
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
        let started = account
            .run("start --machine-group-name g --num-machines 2 -q")
            .ignoring_the_rest("a step on the way: that it succeeds is enough");
        assert_eq!(started.code, 0, "{}", started.stderr);
        for line in [
            "list",
            "terminate g -y",
            "start --machine-group-name g --num-machines 2",
        ] {
            account.forget_faults();
            damage(&account, "DescribeInstances", &how, None);
            let run = account
                .run(line)
                .ignoring_the_rest("a step on the way: that it succeeds is enough");
            if how["damage"] == "ids_twice" {
                assert_eq!(run.code, 0, "{line}, {how}: {}", run.stderr);
                break;
            }
            assert_ne!(run.code, 0, "{line}, {how}: {}{}", run.stdout, run.stderr);
            assert_eq!(account.live().len(), 2, "{line}, {how}");
            assert_eq!(account.launched(), 2, "{line}, {how}");
        }
    }
}

#[test]
fn machines_that_the_answer_to_their_end_does_not_name_have_not_ended() {
    for how in damages() {
        let account = Account::new();
        let started = account
            .run("start --machine-group-name g --num-machines 2 -q")
            .ignoring_the_rest("a step on the way: that it succeeds is enough");
        assert_eq!(started.code, 0, "{}", started.stderr);
        damage(&account, "TerminateInstances", &how, None);
        let run = account
            .run("terminate g -y")
            .ignoring_the_rest("how it ends is what counts");
        let code = if how["damage"] == "ids_twice" { 0 } else { 3 };
        assert_eq!(run.code, code, "{how}: {}", run.stderr);
        account.forget_faults();
        let run = account
            .run("terminate g -y")
            .ignoring_the_rest("a step on the way: that it succeeds is enough");
        assert_eq!(run.code, 0, "{how}: {}", run.stderr);
    }
}

#[test]
fn an_end_that_is_answered_in_part_is_asked_for_again() {
    for how in damages() {
        let account = Account::new();
        let started = account
            .run("start --machine-group-name g --num-machines 2 -q")
            .ignoring_the_rest("a step on the way: that it succeeds is enough");
        assert_eq!(started.code, 0, "{}", started.stderr);
        damage(&account, "TerminateInstances", &how, Some(1));
        let run = account
            .run("terminate g -y")
            .ignoring_the_rest("a step on the way: that it succeeds is enough");
        assert_eq!(run.code, 0, "{how}: {}", run.stderr);
        assert_eq!(account.live(), [] as [String; 0], "{how}");
    }
}

#[test]
fn without_an_account_nothing_is_launched() {
    for how in damages() {
        let account = Account::new();
        damage(&account, "GetCallerIdentity", &how, None);
        let run = account
            .run("start --machine-group-name g --num-machines 2")
            .ignoring_the_rest("how it ends is what counts");
        if how["damage"] == "ids_twice" {
            continue;
        }
        assert_eq!(run.code, 1, "{how}: {}", run.stderr);
        assert_eq!(account.launched(), 0, "{how}");
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
        assert!(matches!(run.code, 1 | 4), "{how}: {}", run.stderr);
        assert_eq!(account.launched(), 0, "{how}");
        let account = Account::new();
        damage(&account, "GetServiceQuota", &how, None);
        let run = account.run("check");
        assert_eq!(run.code, 0, "{how}: {}", run.stderr);
        assert!(
            run.stdout
                .contains("cannot look up the vCPU quota L-1216C47A: AWS's answer "),
            "{how}: {}",
            run.stdout
        );
    }
}
