//! `--initialization-rate`: what filling disks at a rate costs once, in all that goes by
//! costs. An Ubuntu image has 8 GiB here, and a GiB at 1 MiB/s costs 0.000012 USD.

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    prepared_images::{PREPARED, build_that_says},
    sandbox::{Account, tags},
};

const LINE: &str = "start --machine-group-name g --vm-type t2.micro --initialization-rate 300";

/// Where the Price List does not have it.
fn without_price() -> Account {
    let account = Account::new();
    account.put("prices", json!({"initialization": null}));
    account
}

#[test]
fn it_is_paid_once_for_each_machine_and_is_no_part_of_the_hour() {
    let account = Account::new();
    let plan = account.json(&format!("{LINE} -n 2 --dry-run"));
    assert_eq!(plan["cost"]["initialization_usd"], 0.0576);
    let without = account.json("start --machine-group-name g --vm-type t2.micro -n 2 --dry-run");
    assert_eq!(without["cost"]["initialization_usd"], 0.0);
    for part in ["usd_per_hour", "at_most_usd_per_hour"] {
        assert_eq!(plan["cost"][part], without["cost"][part], "{part}");
    }
    let check = account.run(&LINE.replace("start", "check"));
    let cost = "; and at most 0.0288 once, for --initialization-rate";
    assert!(check.succeeds("").contains(cost), "{}", check.stdout);
}

#[test]
fn without_a_price_the_whole_is_unknown_and_no_limit_holds() {
    let account = without_price();
    let plan = account.json(&format!("{LINE} --dry-run"));
    let why = "the Price List has no --initialization-rate in eu-west-2";
    for (part, expected) in [
        ("initialization_usd", Value::Null),
        ("usd_per_hour", Value::Null),
        ("unknown_because", json!(why)),
        ("machines_usd_per_hour", json!(0.0132)),
    ] {
        assert_eq!(plan["cost"][part], expected, "{part}");
    }
    for (limit, refusal) in [
        (
            "--max-cost-per-hour 5",
            str![[r#"
error: nothing was launched: the price is unknown, so --max-cost-per-hour 5 cannot be checked (the Price List has no --initialization-rate in eu-west-2)
hint: try again later, or leave out --max-cost-per-hour

"#]],
        ),
        (
            "--max-cost 5",
            str![[r#"
error: nothing was launched: a price is not known, so --max-cost 5 cannot be kept (the Price List has no --initialization-rate in eu-west-2)
hint: try again later, or leave out --max-cost

"#]],
        ),
    ] {
        account.run(&format!("{LINE} {limit}")).fails(1, refusal);
        assert_eq!(account.launched(), 0, "{limit}");
    }
    // It is said, and nothing hangs on it.
    account.run(LINE).succeeds(str![[r#"
machine group g
cost: n/a (the Price List has no --initialization-rate in eu-west-2; machines 0.0132, disks 0.0064, addresses 0.0050, --initialization-rate n/a)
launched [ID]

"#]]);
}

/// What a machine costs an hour is 0.0246 USD.
#[test]
fn a_limit_counts_it_as_part_of_the_first_hour() {
    let account = Account::new();
    account
        .run(&format!("{LINE} --max-cost-per-hour 0.05"))
        .fails(1, str![[r#"
error: the group would cost 0.0534 USD in its first hour at most, 0.0288 of it for --initialization-rate, more than the 0.05 of --max-cost-per-hour: nothing was launched
hint: fewer --num-machines, a smaller --vm-type, or --spot with a --max-price

"#]]);
    assert_eq!(account.launched(), 0);
    account
        .run(&format!("{LINE} --max-cost-per-hour 0.054 -q"))
        .assert(0, "[ID]\n", "");
}

#[test]
fn a_budget_carries_the_machines_for_less_time() {
    let budget = |options: &str| {
        let account = Account::new();
        account.json(&format!(
            "start --machine-group-name g --vm-type t2.micro --max-cost 1 {options}"
        ));
        tags(&account.instances()[0])["inductiva:budget"].clone()
    };
    // 1 USD, and 0.9712 of it, at 0.024557 an hour; 8 minutes are taken off.
    assert_eq!(budget(""), "usd=1 usd-per-hour=0.024557 seconds=146100");
    assert_eq!(
        budget("--initialization-rate 300"),
        "usd=1 usd-per-hour=0.024557 seconds=141840 usd-once=0.0288"
    );
}

#[test]
fn a_budget_counts_it_for_every_machine_that_ever_was() {
    let account = Account::new();
    let line = format!("{LINE} -n 2 --max-cost 0.18");
    account.json(&line);
    account.settle();
    let id = &account.live()[0];
    account
        .run(&format!("terminate --instance-id {id} -y -q"))
        .assert(0, "[ID]\n", "");
    // Each costs 0.0288 from its first second on: there is none for a third one.
    account.run(&line).fails(1, str![[r#"
error: nothing was launched: the budget of the group g (0.18 USD) does not carry 2 machines up to its end: 0.12 USD are used or promised, and 1 more could cost 0.09
hint: fewer --num-machines; or end the group, and start it with a new budget: inductiva-aws terminate --machine-group-name g

"#]]);
    assert_eq!(account.launched(), 2);
}

#[test]
fn a_budget_that_it_uses_up_is_refused_and_the_hint_is_enough() {
    let account = Account::new();
    let run = account.run(&format!("{LINE} --max-cost 0.03"));
    run.fails(1, str![[r#"
error: nothing was launched: --max-cost 0.03 is too little: 1 machine can cost 0.0246 USD an hour and 0.0288 once for --initialization-rate, and a budget has to last 15m beside the 8m for start and end
hint: --max-cost 0.04 or more, fewer --num-machines, or a smaller --vm-type (T3 and T3a with --standard-credits)

"#]]);
    assert_eq!(account.launched(), 0);
    let (_, rest) = run.stderr.split_once("hint: --max-cost ").expect("a hint");
    let enough = rest.split(' ').next().expect("a number");
    account
        .run(&format!("{LINE} --max-cost {enough} -q"))
        .assert(0, "[ID]\n", "");
}

#[test]
fn an_image_build_says_it_too() {
    let account = Account::new();
    let line = "image build --initialization-rate 100";
    build_that_says(&account, line, PREPARED).succeeds(str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; and at most 0.0096 once, for --initialization-rate; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
}

#[test]
fn more_at_once_than_the_usual_quota_is_warned_of() {
    let account = Account::new();
    account.run(&format!("{LINE} -n 16")).succeeds(str![[r#"
machine group g
cost: about 0.3929 USD an hour, 9.43 a day (machines 0.2112, disks 0.1017, addresses 0.0800); and at most 0.4608 once, for --initialization-rate
launched [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID] [ID]

"#]]);
    account.run(&format!("{LINE} -n 17")).succeeds(str![[r#"
machine group g
cost: about 0.4175 USD an hour, 10.02 a day (machines 0.2244, disks 0.1081, addresses 0.0850); and at most 0.4896 once, for --initialization-rate
warning: --initialization-rate 300 of 17 machines comes to 5100 MiB/s at once: EC2 refuses launches above the account's quota, which is 5000 MiB/s in each region unless it was raised
launched [ID]

"#]]);
}

#[test]
fn what_a_group_has_cost_is_not_all_known_then() {
    let account = Account::new();
    account.json(LINE);
    account.json("start --machine-group-name h --vm-type t2.micro");
    account.pass(3_600.0);
    let document = account.json("cost g");
    let why = "what --initialization-rate has cost, once for each machine, is not looked up";
    let told = [&document["usd"], &document["at_most_usd"]];
    assert_eq!(told, [&Value::Null; 2], "{document}");
    assert_eq!(document["unknown_because"], why);
    // What is known of it is told all the same.
    assert!(document["known_usd"].as_f64() > Some(0.02), "{document}");
    let document = account.json("cost h");
    assert_eq!(document["unknown_because"], Value::Null, "{document}");
}
