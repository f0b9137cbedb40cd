//! `--initialization-rate`: what filling disks at a rate costs once, in all that goes by
//! costs. An Ubuntu image has 8 GiB here, and a GiB at 1 MiB/s costs 0.000012 USD.

use serde_json::{Value, json};

use crate::sandbox::{Account, Run, tags};

const LINE: &str = "start --machine-group-name g --vm-type t2.micro --initialization-rate 300";

/// How it ends, and what the tests are about.
fn ran(account: &Account, line: &str) -> Run {
    account
        .run(line)
        .ignoring_the_rest("the tests look at what they are about")
}

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
    let check = ran(
        &account,
        &format!("check {}", LINE.strip_prefix("start ").expect("a start")),
    );
    assert!(
        check
            .stdout
            .contains("; and at most 0.0288 once, for --initialization-rate"),
        "{}",
        check.stdout
    );
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
    for limit in ["--max-cost-per-hour 5", "--max-cost 5"] {
        let run = ran(&account, &format!("{LINE} {limit}"));
        assert_eq!(run.code, 1, "{limit}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{limit}: {}", run.stderr);
        assert_eq!(account.launched(), 0, "{limit}");
    }
    // It is said, and nothing hangs on it.
    let run = ran(&account, LINE);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains(&format!("cost: n/a ({why}; machines 0.0132, ")),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains(", --initialization-rate n/a)"),
        "{}",
        run.stderr
    );
}

/// What a machine costs an hour is 0.0246 USD.
#[test]
fn a_limit_counts_it_as_part_of_the_first_hour() {
    let account = Account::new();
    let run = ran(&account, &format!("{LINE} --max-cost-per-hour 0.05"));
    assert_eq!((run.code, account.launched()), (1, 0), "{}", run.stderr);
    assert!(
        run.stderr.contains(
            "would cost 0.0534 USD in its first hour at most, 0.0288 of it for --initialization-rate"
        ),
        "{}",
        run.stderr
    );
    assert_eq!(
        ran(&account, &format!("{LINE} --max-cost-per-hour 0.054")).code,
        0
    );
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
    let end = |account: &Account| {
        let id = account.live()[0].clone();
        let run = ran(account, &format!("terminate --instance-id {id} -y"));
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    // Each costs 0.0288 from its first second on: there is none for a third one.
    end(&account);
    let run = ran(&account, &line);
    assert_eq!((run.code, account.launched()), (1, 2), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("does not carry 2 machines up to its end"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_budget_that_it_uses_up_is_refused_and_the_hint_is_enough() {
    let account = Account::new();
    let run = ran(&account, &format!("{LINE} --max-cost 0.03"));
    assert_eq!((run.code, account.launched()), (1, 0), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("is too little: 1 machine can cost 0.0246 USD an hour and 0.0288 once for --initialization-rate, and"),
        "{}",
        run.stderr
    );
    let (_, rest) = run.stderr.split_once("hint: --max-cost ").expect("a hint");
    let enough = rest.split(' ').next().expect("a number");
    assert_eq!(
        ran(&account, &format!("{LINE} --max-cost {enough}")).code,
        0
    );
}

#[test]
fn an_image_build_says_it_too() {
    let account = Account::new();
    let prepared = "inductiva-aws: prepared, layout 1\n";
    account.put("consoles", json!({"*": prepared}));
    let run = ran(&account, "image build --initialization-rate 100");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("; and at most 0.0096 once, for --initialization-rate; then the image"),
        "{}",
        run.stderr
    );
}

#[test]
fn more_at_once_than_the_usual_quota_is_warned_of() {
    let account = Account::new();
    let said = "comes to 5100 MiB/s at once: EC2 refuses launches above the account's quota";
    let run = ran(&account, &format!("{LINE} -n 16"));
    assert!(!run.stderr.contains("MiB/s at once"), "{}", run.stderr);
    let run = ran(&account, &format!("{LINE} -n 17"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains(said), "{}", run.stderr);
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
