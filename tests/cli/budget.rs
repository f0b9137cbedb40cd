//! `--max-cost`: a budget that holds. A t2.micro with its disk and its address costs
//! 0.0246 USD an hour here.

use serde_json::{Value, json};

use crate::sandbox::{Account, tags, text};

const LINE: &str = "start --machine-group-name g --vm-type t2.micro";

/// The tags of all machines, by launch.
fn budgets(account: &Account) -> Vec<String> {
    let mut machines = account.instances();
    machines.sort_by_key(|m| text(&m["LaunchTime"]).to_owned());
    machines
        .iter()
        .map(|m| tags(m)["inductiva:budget"].clone())
        .collect()
}

fn word(tag: &str, name: &str) -> Option<u64> {
    let words = tag.split(' ').filter_map(|word| word.split_once('='));
    let mut values = words
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    values.next()?.parse().ok()
}

#[track_caller]
fn refused(account: &Account, line: &str) -> Value {
    let before = account.launched();
    let run = account.run(&format!("{line} --output json"));
    assert_eq!(run.code, 1, "{line}\n{}", run.stderr);
    assert_eq!(account.launched(), before, "{line}");
    run.error()["message"].clone()
}

#[track_caller]
fn assert_says(message: &Value, words: &str) {
    assert!(text(message).contains(words), "{message}");
}

#[test]
fn a_budget_is_said_and_given_to_the_machines() {
    let account = Account::new();
    account.json(&format!("{LINE} -n 2 --max-cost 20.00"));
    // 20 USD carry two machines for so long; a minute and seven are taken off.
    let [first, second] = budgets(&account).try_into().expect("two machines");
    assert_eq!(first, "usd=20 usd-per-hour=0.024557 seconds=1465440");
    assert_eq!(second, first);
    let plan = account
        .json("start --machine-group-name h --vm-type t2.micro -n 2 --max-cost 20 --dry-run");
    assert_eq!(plan["variables"]["BUDGET_SECONDS"], "1465440");
    assert_eq!(plan["variables"]["BUDGET_ENDS"], Value::Null);
    assert_eq!(plan["budget"]["max_cost"], 20.0);
    assert_eq!(plan["budget"]["lifetime_is_earlier"], false);
    // Nothing happens twice.
    account.json(&format!("{LINE} -n 2 --max-cost 20"));
    assert_eq!(account.launched(), 2);
}

#[test]
fn the_end_is_said_before_the_launch_in_the_users_own_time() {
    let account = Account::new();
    let mut command = account.command(LINE.split(' ').chain(["--max-cost", "0.05"]));
    let run = crate::sandbox::finish(command.env("TZ", "Asia/Tokyo"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    let said = lines
        .iter()
        .position(|line| line.starts_with("budget: ends by "));
    let launched = lines.iter().position(|line| line.starts_with("launched "));
    assert!(said.is_some() && said < launched, "{}", run.stderr);
    assert!(
        lines[said.unwrap_or(0)].ends_with(", when 0.05 USD are used up"),
        "{}",
        run.stderr
    );
    // With a lifetime the earlier counts.
    let run = account
        .run("start --machine-group-name h --vm-type t2.micro --max-cost 20 --max-lifetime 1h");
    assert!(
        run.stderr
            .contains(" (--max-lifetime), before 20 USD are used up"),
        "{}",
        run.stderr
    );
}

#[test]
fn machines_that_are_launched_later_end_with_the_first() {
    let account = Account::new();
    let line = format!("{LINE} -n 2 --max-cost 20");
    account.json(&line);
    let seconds = word(&budgets(&account)[0], "seconds").expect("L");
    let launched = account.instances()[0]["LaunchTime"].clone();
    account.settle();
    let ended = account.live()[0].clone();
    let run = account.run(&format!("terminate --instance-id {ended} -y"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    account.pass(7_200.0);
    // Prices have changed meanwhile: the budget is the launch's.
    account.put("prices", json!({"on_demand": {"t2.micro": 0.0131}}));
    account.json(&line);
    let running = account.live();
    assert_eq!(running.len(), 2);
    let mut machines = account.instances();
    machines.retain(|m| {
        m["LaunchTime"] != launched && running.contains(&text(&m["InstanceId"]).into())
    });
    let tag = tags(&machines[0])["inductiva:budget"].clone();
    assert_eq!(word(&tag, "seconds"), Some(seconds));
    let ends = word(&tag, "ends").expect("a time");
    let launched: jiff::Timestamp = text(&launched).replace(' ', "T").parse().expect("a time");
    let launched = u64::try_from(launched.as_second()).expect("after 1970");
    assert_eq!(ends, launched + seconds, "{tag}");
}

#[test]
fn a_budget_that_is_not_enough_is_refused() {
    let account = Account::new();
    let message = refused(&account, &format!("{LINE} --max-cost 0.009"));
    assert_says(&message, "less than 15");
    assert_eq!(account.groups(), [] as [Value; 0]);
    let line = format!("{LINE} -n 2 --max-cost 0.04");
    account.json(&line);
    let message = refused(&account, &format!("{LINE} -n 4 --max-cost 0.04"));
    assert_says(&message, "does not carry 4 machines up to its end");
    // It carries them for 40 minutes; the last 15 are not worth a boot.
    account.settle();
    let id = account.live()[0].clone();
    let run = account.run(&format!("terminate --instance-id {id} -y"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    account.pass(1_800.0);
    assert_says(&refused(&account, &line), "is used up in ");
    account.pass(1_200.0);
    assert_says(&refused(&account, &line), "(0.04 USD) is used up");
}

#[test]
fn a_group_has_one_budget_from_its_first_launch_to_its_end() {
    let account = Account::new();
    let run = account.run(&format!("{LINE} --max-cost 20"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("a new budget"), "{}", run.stderr);
    for (line, words) in [
        (
            format!("{LINE} -n 2 --max-cost 30"),
            "max-cost is 20 USD there and 30 USD here",
        ),
        (
            format!("{LINE} -n 2"),
            "max-cost is 20 USD there and none here",
        ),
        (
            format!("{LINE} --max-cost 21"),
            "max-cost is 20 USD there and 21 USD here",
        ),
    ] {
        assert_says(&refused(&account, &line), words);
    }
    account.settle();
    let run = account.run("terminate g -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    account.settle();
    // The group has ended, and its budget with it.
    let run = account.run(&format!("{LINE} --max-cost 30"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("; a new budget, as the earlier one ended with the group\n"),
        "{}",
        run.stderr
    );
    account.json("start --machine-group-name without --vm-type t2.micro");
    let message = refused(
        &account,
        "start --machine-group-name without --vm-type t2.micro -n 2 --max-cost 5",
    );
    assert_says(&message, "max-cost is none there and 5 USD here");
}

#[test]
fn what_nobody_knows_is_a_refusal() {
    let account = Account::new();
    let line = format!("{LINE} --max-cost 20");
    account.put("policy", json!({"deny": ["pricing:*"]}));
    assert_says(
        &refused(&account, &line),
        "pricing:GetProducts is not permitted",
    );
    account.put("policy", json!({}));
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    assert_says(&refused(&account, &line), "Inductiva is out of reach");
    account.forget_faults();
    account.file("mine.sh", "#!/bin/sh\necho hello\n");
    assert_says(
        &refused(&account, &format!("{line} --user-data-path mine.sh")),
        "does not have the deadlines of user-data.sh",
    );
    let standard = include_str!("../../user-data.sh");
    account.file("copy.sh", format!("{standard}\necho more\n"));
    account.json(&format!("{line} --user-data-path copy.sh --dry-run"));
    let run = account.run(&format!("{line} --allow-other-regions"));
    assert_eq!(run.code, 2, "{}", run.stderr);
    for wrong in ["0", "-1", "x", "inf", "1e3"] {
        let run = account.run(&format!("{LINE} --max-cost={wrong}"));
        assert_eq!(run.code, 2, "{wrong}: {}", run.stderr);
    }
    assert_eq!(account.launched(), 0);
}

#[test]
fn a_budget_goes_by_the_most_that_a_machine_can_cost() {
    let account = Account::new();
    let others = 50.0 * 0.0928 / 730.0 + 0.005;
    for (options, machine) in [
        ("--vm-type c5.large", 0.101),
        // CPU credits above the baseline, as if it were always busy.
        ("--vm-type t3.micro", 0.0118 + 0.09),
        ("--vm-type t3.micro --standard-credits", 0.0118),
        ("--vm-type t2.micro,c5.large", 0.101),
        // Without a highest price of the user's, the one on demand.
        ("--vm-type c5.large --spot", 0.101),
        ("--vm-type c5.large --spot --max-price 0.05", 0.05),
        (
            "--vm-type c5.large --spot --max-price 0.05 --spot-fallback",
            0.101,
        ),
    ] {
        let line = format!("start --machine-group-name g {options} -n 2 --max-cost 20 --dry-run");
        let plan = account.json(&line);
        let told: f64 = text(&plan["variables"]["BUDGET_SECONDS"])
            .parse()
            .expect("seconds");
        // A minute for the start, seven for the end; whole minutes.
        let carries = 20.0 / (2.0 * (machine + others)) * 3_600.0 - 480.0;
        assert!(
            (carries - 65.0..=carries).contains(&told),
            "{options}: {told}, not {carries}"
        );
    }
}

#[test]
fn a_call_that_is_made_again_has_the_budget_of_its_launch() {
    let account = Account::new();
    let line = format!("{LINE} -n 120 --max-cost 200");
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1, "count": null}));
    let mut child = account.start(&line);
    account.until_held();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    account.post("release", json!({"drop": true}));
    account.forget_faults();
    assert_eq!(account.launched(), 100);
    // At another price, and with another L by it.
    account.put("prices", json!({"on_demand": {"t2.micro": 0.1}}));
    std::fs::remove_file(account.home.path().join(".cache/inductiva-aws/prices.json"))
        .expect("it was kept");
    account.pass(30.0);
    account.json(&line);
    let mut budgets = budgets(&account);
    assert_eq!(budgets.len(), 120);
    budgets.dedup();
    assert_eq!(budgets.len(), 1, "{budgets:?}");
    assert_eq!(word(&budgets[0], "ends"), None);
}

#[test]
fn what_ended_machines_cost_that_nobody_knows_is_a_refusal() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let line = format!("{LINE} -n 2 --max-cost 20");
    account.json(&format!("{line} --wait"));
    let [gone, stays] = account.live().try_into().expect("two machines");
    let run = account.run(&format!("terminate {gone} -y"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    account.pass(3_600.0);
    // EC2 has forgotten it; Inductiva has not, but does not tell when it began.
    account.post("forget_terminated", json!({}));
    let untold = json!([{"host_name": gone, "started_at": null}]);
    account.put(
        "inductiva",
        json!({"auto_register_seconds": null, "machines": untold}),
    );
    assert_says(
        &refused(&account, &line),
        &format!("Inductiva does not tell when {gone} began, and EC2 does not show it any more"),
    );
    // Nor is any machine shown of a group that is still active.
    account.post("power_off", json!({"instance_ids": [stays]}));
    account.settle();
    account.post("forget_terminated", json!({}));
    assert_says(
        &refused(&account, &line),
        "which EC2 does not show any more",
    );
}

#[test]
fn the_list_shows_when_machines_end_and_what_is_left_of_the_budget() {
    let account = Account::new();
    account.json(&format!("{LINE} -n 2 --max-cost 20"));
    account.json("start --machine-group-name h --vm-type t2.micro --max-lifetime 2h");
    account.json("start --machine-group-name i --vm-type t2.micro");
    account.settle();
    account.pass(3_600.0);
    let run = account.run("list --output json");
    let document = run.document();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let left = &document["budgets"][0];
    assert_eq!(left["machine_group"], "g");
    // Two machines for an hour and a second.
    let used = 2.0 * 0.024_557 * 3_601.0 / 3_600.0;
    let usd_left = left["usd_left"].as_f64().expect("an amount");
    assert!((usd_left - (20.0 - used)).abs() < 1e-4, "{left}");
    let because: Vec<&Value> = document["machines"]
        .as_array()
        .expect("machines")
        .iter()
        .map(|m| &m["ends_because"])
        .collect();
    assert_eq!(
        because,
        [
            &json!("max-cost"),
            &json!("max-cost"),
            &json!("max-lifetime"),
            &Value::Null
        ]
    );
    assert_eq!(document["machines"][0]["ends_at"], left["ends_at"]);
    assert!(
        run.stderr
            .contains("when its budget is used up: about 19.95 of 20 USD left\n"),
        "{}",
        run.stderr
    );
    let lifetime = run
        .stderr
        .lines()
        .find(|line| line.starts_with("h ends by "));
    assert!(
        lifetime.is_some_and(|line| line.ends_with(" (--max-lifetime)")),
        "{}",
        run.stderr
    );
}
