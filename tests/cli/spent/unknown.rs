//! Of what nobody knows the cost is unknown, and what is known of it is said.

use serde_json::{Value, json};
use snapbox::str;

use super::{
    LINE, RATE, assert_came_to, assert_ran, forget_ended, machine, one_of_two_ended, succeeds,
};
use crate::sandbox::{Account, text};

#[test]
fn what_neither_knows_is_said_and_makes_the_sum_unknown() {
    let account = Account::new();
    let gone = one_of_two_ended(&account);
    forget_ended(&account);
    let stays = json!([{"host_name": gone, "terminated_at": null}]);
    account.put(
        "inductiva",
        json!({"auto_register_seconds": null, "machines": stays}),
    );
    let document = account.json("cost g");
    for part in [
        &document,
        &document["groups"][0],
        &machine(&document["groups"][0], &gone),
    ] {
        assert_eq!(part["usd"], Value::Null);
        assert!(
            part["known_usd"].as_f64().is_some_and(|usd| usd > 0.0),
            "{part}"
        );
        let why = text(&part["unknown_because"]);
        assert_eq!(
            why,
            format!("EC2 does not show {gone}, and Inductiva does not tell when it ended")
        );
    }
    let run = account.run("cost g");
    let table = run.succeeds(str![[r#"
machines that EC2 does not show in eu-west-2 may be in another region: inductiva-aws cost --all-regions looks everywhere

"#]]);
    assert!(
        table.contains(" USD as far as it is known (EC2 does not show "),
        "{table}"
    );
    // No type of it is known.
    succeeds(&account, "terminate g -y");
    account.settle();
    forget_ended(&account);
    account.put(
        "inductiva",
        json!({"groups": [{"name": "g", "machine_type": null}]}),
    );
    let document = account.json("cost g");
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(document["known_usd"], 0.0);
}

/// Inductiva sees them alive, and nobody knows for how long.
#[test]
fn machines_in_another_region_have_not_run_for_no_time() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json(&format!("{LINE} -n 2 --region us-east-1"));
    account.settle();
    account.json("list --all-regions");
    account.put("inductiva", json!({"auto_register_seconds": null}));
    account.pass(120.0);
    account.run("cost g").assert(0, str![[r#"
GROUP  REGION     MACHINES            RAN  USD  AT MOST
g      eu-west-2  2, none shown here  n/a  n/a  n/a

INSTANCE ID          STATE      TYPE      BEGAN[..]RAN  USD  AT MOST
[ID]  not shown  t2.micro  [..]  n/a  n/a  n/a
[ID]  not shown  t2.micro  [..]  n/a  n/a  n/a


"#]], str![[r#"
machines that EC2 does not show in eu-west-2 may be in another region: inductiva-aws cost --all-regions looks everywhere

"#]]);
    // In their region it is known.
    let run = account.run("cost g --all-regions");
    let table = run.succeeds("");
    assert!(table.contains("2, 2 running"), "{table}");
}

/// EC2 does not tell when a machine ended that powered itself off.
#[test]
fn a_machine_whose_end_nobody_knows_has_not_run_for_no_time() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    let ids = json!({"instance_ids": account.live()});
    account.post("power_off", ids);
    account.pass(600.0);
    let run = account.run("cost g");
    let table = run.succeeds("");
    assert!(!table.contains(" 0s"), "{table}");
    assert!(
        table.contains(
            "g: 1 machine ran, nobody knows for how long: cost not known (nobody knows when i-"
        ),
        "{table}"
    );
}

#[test]
fn without_inductiva_the_sum_is_what_is_known() {
    let account = Account::new();
    one_of_two_ended(&account);
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let document = account.json("cost g");
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(document["at_most_usd"], Value::Null);
    assert_came_to(&document, "known_usd", 2.5 * RATE);
    let why = text(&document["unknown_because"]);
    assert!(
        why.starts_with("Inductiva cannot be asked about machines"),
        "{why}"
    );
    // What is named by its id is all there.
    let id = account.live()[0].clone();
    assert_came_to(
        &account.json_that_warns(&format!("cost {id}"), str![[r#"
warning: Inductiva cannot be asked for groups whose machines EC2 does not show any more: HTTP 503, Internal Server Error

"#]]),
        "usd",
        1.5 * RATE,
    );
    for (named, error) in [
        (
            "nothing",
            str![[r#"
{"error":{"hint":"try again later","kind":"failed","machines":[],"message":"eu-west-2 has no machine group nothing, and Inductiva cannot be asked what it had: HTTP 503, Internal Server Error"}}

"#]],
        ),
        (
            "i-00000000000000000",
            str![[r#"
warning: Inductiva cannot be asked for groups whose machines EC2 does not show any more: HTTP 503, Internal Server Error
{"error":{"hint":"try again later","kind":"failed","machines":[],"message":"eu-west-2 has no machine [ID], and Inductiva cannot be asked what it had: HTTP 503, Internal Server Error"}}

"#]],
        ),
    ] {
        let run = account.run(&format!("cost {named} --output json"));
        run.ends(1, error);
    }
    // There may be groups whose machines EC2 does not show any more.
    let run = account.run("cost --all-regions --output json");
    run.succeeds(str![[r#"
warning: Inductiva cannot be asked for groups whose machines EC2 does not show any more: HTTP 503, Internal Server Error

"#]]);
    assert_eq!(run.document()["usd"], Value::Null);
    account.forget_faults();
    let mut command = account.command(["cost", "g", "--output", "json"]);
    let run = crate::sandbox::finish(command.env_remove("INDUCTIVA_API_KEY"));
    run.succeeds(str![]);
    let why = run.document()["unknown_because"].clone();
    assert!(
        text(&why).ends_with("there is no Inductiva API key"),
        "{why}"
    );
}

#[test]
fn a_price_that_is_not_known_makes_the_sum_unknown() {
    let account = Account::new();
    account.json(LINE);
    account.pass(3_600.0);
    account.put("policy", json!({"deny": ["pricing:*"]}));
    std::fs::remove_file(account.home.path().join(".cache/inductiva-aws/prices.json"))
        .expect("it was kept");
    let document = account.json("cost g");
    assert_ran(&document, 1.0);
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(document["known_usd"], 0.0);
    assert_eq!(document["at_most_usd"], Value::Null);
    assert_eq!(
        document["unknown_because"],
        "pricing:GetProducts is not permitted"
    );
}

#[test]
fn a_region_that_does_not_answer_makes_the_sum_unknown_and_a_failure() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-west-2", "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("cost --all-regions --output json");
    run.ends(3, str![[r#"
{"error":{"hint":"machines may be running there: try again in a minute","kind":"machines_may_be_running","machines":[],"message":"not all costs are known, us-west-2 did not answer: cannot list machines: broken (InvalidParameterValue, request [UUID])"}}

"#]]);
    let document = run.document();
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(document["left_out"][0]["region"], "us-west-2");
    // The group may have machines there.
    let group = &document["groups"][0];
    assert_eq!(group["usd"], Value::Null);
    assert_eq!(group["at_most_usd"], Value::Null);
    assert!(
        text(&group["unknown_because"]).contains("us-west-2"),
        "{group}"
    );
    assert!(group["machines"][0]["usd"].as_f64().is_some(), "{group}");
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-west-2", "code": "InvalidParameterValue", "message": "broken", "status": 400}));
    let run = account.run("list --all-regions --output json");
    run.ends(3, str![[r#"
1 machine runs, about 0.0246 USD an hour
{"error":{"hint":"machines may be running there: try again in a minute","kind":"machines_may_be_running","machines":[],"message":"the list is not complete, us-west-2 did not answer: cannot list machines: broken (InvalidParameterValue, request [UUID])"}}

"#]]);
    assert_eq!(run.document()["spent"][0]["usd"], Value::Null);
}
