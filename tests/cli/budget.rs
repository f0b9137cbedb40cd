//! `--max-cost`: a budget that holds. A t2.micro with its disk and its address costs
//! 0.0246 USD an hour here.

mod refusals;

use serde_json::{Value, json};
use snapbox::{IntoData, str};

use crate::sandbox::{Account, Run, tags, text};

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

/// A start that launches nothing, and says this.
#[track_caller]
fn refused(account: &Account, line: &str, why: impl IntoData) -> Run {
    let before = account.launched();
    let run = account.run(line);
    run.fails(1, why);
    assert_eq!(account.launched(), before, "{line}");
    run
}

/// One machine is ended, by its id or as the last of its group.
#[track_caller]
fn end(account: &Account, id_or_group: &str) {
    account
        .run(&format!("terminate {id_or_group} -y -q"))
        .assert(0, "[ID]\n", "");
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
    run.assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.4  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
budget: ends by [..], when 0.05 USD are used up
launched [ID]

"#]],
    );
    // With a lifetime the earlier counts.
    account
        .run("start --machine-group-name h --vm-type t2.micro --max-cost 20 --max-lifetime 1h")
        .assert(
            0,
            str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.5  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
            str![[r#"
machine group h
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
budget: ends by [..] (--max-lifetime), before 20 USD are used up
launched [ID]

"#]],
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
    end(&account, &ended);
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
fn a_group_has_one_budget_from_its_first_launch_to_its_end() {
    let account = Account::new();
    let run = account.run(&format!("{LINE} --max-cost 20"));
    run.assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.4  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
budget: ends by [..], when 20 USD are used up
launched [ID]

"#]],
    );
    refused(
        &account,
        &format!("{LINE} -n 2 --max-cost 30"),
        str![[r#"
error: the group g has another budget: --max-cost is 20 USD there, 30 USD here
hint: use the group's, or another --machine-group-name; or end the group: inductiva-aws terminate --machine-group-name g

"#]],
    );
    refused(
        &account,
        &format!("{LINE} -n 2"),
        str![[r#"
error: the group g has another budget: --max-cost is 20 USD there, none here
hint: use the group's, or another --machine-group-name; or end the group: inductiva-aws terminate --machine-group-name g

"#]],
    );
    refused(
        &account,
        &format!("{LINE} --max-cost 21"),
        str![[r#"
error: the group g has another budget: --max-cost is 20 USD there, 21 USD here
hint: use the group's, or another --machine-group-name; or end the group: inductiva-aws terminate --machine-group-name g

"#]],
    );
    account.settle();
    end(&account, "g");
    account.settle();
    // The group has ended, and its budget with it.
    let run = account.run(&format!("{LINE} --max-cost 30"));
    run.assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.4  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
budget: ends by [..], when 30 USD are used up; a new budget, as the earlier one ended with the group
launched [ID]

"#]],
    );
    account.json("start --machine-group-name without --vm-type t2.micro");
    refused(
        &account,
        "start --machine-group-name without --vm-type t2.micro -n 2 --max-cost 5",
        str![[r#"
error: the group without has another budget: --max-cost is none there, 5 USD here
hint: use the group's, or another --machine-group-name; or end the group: inductiva-aws terminate --machine-group-name without

"#]],
    );
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
fn the_list_shows_when_machines_end_and_what_is_left_of_the_budget() {
    let account = Account::new();
    account.json(&format!("{LINE} -n 2 --max-cost 20"));
    account.json("start --machine-group-name h --vm-type t2.micro --max-lifetime 2h");
    account.json("start --machine-group-name i --vm-type t2.micro");
    account.settle();
    account.pass(3_600.0);
    let run = account.run("list --output json");
    run.succeeds(str![[r#"
4 machines run, about 0.0982 USD an hour
g ends by [..], when its budget is used up: about 19.95 of 20 USD left
h ends by [..] (--max-lifetime)

"#]]);
    let document = run.document();
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
}
