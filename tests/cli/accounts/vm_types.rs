//! The types that an account's plan and region have, and the one that is taken.

use serde_json::json;
use snapbox::str;

use super::with;
use crate::sandbox::{Account, list, text};

/// The types of the machines that there are.
fn types(account: &Account) -> Vec<String> {
    let instances = account.instances();
    let types = instances
        .iter()
        .map(|i| text(&i["InstanceType"]).to_owned());
    types.collect()
}

#[test]
fn the_free_plan_refuses_t2_micro_and_the_message_names_what_it_has() {
    let account = with(json!({"plan": "free"}));
    account
        .run("start --vm-type t2.micro --machine-group-name g")
        .fails(1, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in any zone: InvalidParameterCombination
error: cannot launch t2.micro: The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run 'describe-instance-types' with the filter 'free-tier-eligible=true' (InvalidParameterCombination, request [UUID])
hint: an account on AWS's free plan launches only t3.micro, t3.small, c7i-flex.large, m7i-flex.large: the same line with --vm-type t3.micro, or upgrade the account to the paid plan

"#]]);
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups().len(), 0);
    let run = account.run("start --vm-type t2.micro,m5.large --machine-group-name g --output json");
    run.fails(1, str![[r#"
machine group g
cost: about 0.1114 USD an hour, 2.67 a day with m5.large, the dearest type (machines 0.1000, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in any zone: InvalidParameterCombination
no on-demand m5.large in any zone: InvalidParameterCombination
{"error":{"hint":"an account on AWS's free plan launches only t3.micro, t3.small, c7i-flex.large, m7i-flex.large: the same line with --vm-type t3.micro, or upgrade the account to the paid plan","kind":"failed","machines":[],"message":"cannot launch t2.micro: The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run 'describe-instance-types' with the filter 'free-tier-eligible=true' (InvalidParameterCombination, request [UUID])","tried":[{"availability_zone":null,"code":"InvalidParameterCombination","machines":1,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"t2.micro"},{"availability_zone":null,"code":"InvalidParameterCombination","machines":1,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"m5.large"}]}}

"#]]);
}

#[test]
fn the_walk_goes_on_to_a_type_of_the_free_plan() {
    let account = with(json!({"plan": "free"}));
    account
        .run("start --vm-type t2.micro,t3.micro --machine-group-name g -n 2 -q")
        .assert(0, "[ID]\n[ID]\n", str![[r#""#]]);
    assert_eq!(types(&account), ["t3.micro", "t3.micro"]);
}

#[test]
fn without_a_type_the_first_is_one_that_every_plan_has() {
    for plan in ["free", "paid", "legacy"] {
        let account = with(json!({"plan": plan}));
        account.json("start --machine-group-name g");
        assert_eq!(types(&account), ["t3.micro"], "{plan}");
    }
}

#[test]
fn without_a_type_the_other_is_taken_where_one_is_missing() {
    for (lacking, other) in [("t3.micro", "t2.micro"), ("t2.micro", "t3.micro")] {
        let account = with(json!({"lacks": [lacking]}));
        account.run("check -q").assert(0, "", "");
        let plan = account.json("start --machine-group-name g --dry-run");
        assert_eq!(plan["vm_type"], other);
        account.json("start --machine-group-name g");
        assert_eq!(types(&account), [other]);
        // The same line has the same settings.
        account.json("start --machine-group-name g");
        assert_eq!(account.launched(), 1);
    }
    let account = with(json!({"lacks": ["t3.micro", "t2.micro"]}));
    account.run("start --machine-group-name g").fails(
        1,
        str![[r#"
error: eu-west-2 has none of t3.micro, t2.micro
hint: name a type of that region with --vm-type

"#]],
    );
}

#[test]
fn without_a_type_a_group_keeps_its_own() {
    let account = Account::new();
    account.json("start --machine-group-name g --vm-type m5.large");
    account
        .run("check -q --machine-group-name g -n 2")
        .assert(0, "", "");
    account.json("start --machine-group-name g -n 2");
    assert_eq!(types(&account), ["m5.large", "m5.large"]);
    // Several are told as they are, and kept.
    account.json("start --machine-group-name h --vm-type m5.large,c5.large");
    account.put(
        "capacity",
        json!({"rules": [{"vm_type": "m5.large", "available": 0}]}),
    );
    account.json("start --machine-group-name h -n 2");
    assert_eq!(types(&account)[3], "c5.large");
    // Other settings are refused all the same.
    account
        .run("start --machine-group-name g -n 3 --volume-size 60")
        .fails(
            1,
            str![[r#"
error: the group g has machines with other settings: --volume-size is the default there, 60 here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 3 --vm-type m5.large

"#]],
        );
}

#[test]
fn check_warns_of_types_that_the_free_plan_may_refuse() {
    let line = "check --vm-type m5.large --machine-group-name g";
    for (plan, is_warned) in [("legacy", false), ("paid", true), ("free", true)] {
        let account = with(json!({"plan": plan}));
        let checks = account.json(line);
        let checks = list(&checks["checks"]);
        let found = checks.iter().find(|check| check["name"] == "free_plan");
        assert_eq!(found.is_some(), is_warned, "{plan}");
        let hint = found.map(|check| text(&check["hint"]).to_owned());
        assert!(
            hint.is_none_or(|hint| hint.contains("--vm-type t3.micro")),
            "{plan}"
        );
    }
}

#[test]
fn check_says_which_of_the_types_the_free_plan_has() {
    for (options, told) in [
        ("", "AWS's free plan has t3.micro, not t2.micro"),
        ("--vm-type t3.micro", "AWS's free plan has t3.micro"),
    ] {
        let account = with(json!({"plan": "free"}));
        let report = account.json(&format!("check --machine-group-name g {options}"));
        let checks = list(&report["checks"]);
        let found = checks.iter().find(|check| check["name"] == "free_plan");
        let found = found.expect("a check");
        assert_eq!(
            (&found["status"], &found["detail"]),
            (&json!("ok"), &json!(told))
        );
    }
}
