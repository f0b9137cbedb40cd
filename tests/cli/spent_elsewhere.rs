//! What groups have come to, as the end of `terminate` and a column of `list` tell it.

use serde_json::{Value, json};

use crate::{
    sandbox::{Account, ended, text},
    spent::{LINE, RATE, assert_came_to, one_of_two_ended, outcome},
};

#[test]
fn the_end_of_terminate_tells_what_the_group_came_to() {
    let account = Account::new();
    one_of_two_ended(&account);
    let run = outcome(&account, "terminate g -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let last = run.stderr.lines().last().expect("a line");
    // The machine too that ended before.
    assert!(last.starts_with("g: 2 machines ran 2h3"), "{last}");
    assert!(last.contains("m in all: about 0.06"), "{last}");
    assert!(!run.stdout.contains("USD"), "{}", run.stdout);
    // Of machines that are named, those.
    account.json(&format!("{LINE} -n 2"));
    account.settle();
    account.pass(3_600.0);
    let id = account.live()[0].clone();
    let run = outcome(&account, &format!("terminate {id} -y"));
    let last = run.stderr.lines().last().expect("a line");
    assert!(
        last.starts_with(&format!("{id}: 1 machine ran 1h0m: about 0.024")),
        "{last}"
    );
    // Of several, all together.
    account.json("start --machine-group-name h --vm-type t2.micro");
    let run = outcome(&account, "terminate --all -y");
    let last = run.stderr.lines().last().expect("a line");
    assert!(last.starts_with("in total: "), "{last}");
    let run = outcome(&account, "terminate g -y -q");
    assert!(!run.stderr.contains("USD"), "{}", run.stderr);
}

#[test]
fn prices_that_do_not_come_delay_no_end_and_fail_none() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    std::fs::remove_file(account.home.path().join(".cache/inductiva-aws/prices.json"))
        .expect("it was kept");
    account.fault(
        json!({"service": "pricing", "operation": "GetProducts", "kind": "hold", "count": null}),
    );
    let child = account.start("terminate g -y");
    account.until_held();
    assert_eq!(account.live(), [""; 0]);
    assert_eq!(account.groups(), [] as [Value; 0]);
    account.pass(3.0);
    let run = ended(child).ignoring_the_rest("the last line is what the test is about");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.is_empty());
    let last = run.stderr.lines().last().expect("a line");
    assert!(last.contains(" USD as far as it is known ("), "{last}");
}

#[cfg(unix)]
#[test]
fn an_interruption_of_the_last_line_is_no_failure() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    std::fs::remove_file(account.home.path().join(".cache/inductiva-aws/prices.json"))
        .expect("it was kept");
    account.fault(
        json!({"service": "pricing", "operation": "GetProducts", "kind": "hold", "count": null}),
    );
    let child = account.start("terminate g -y");
    account.until_held();
    crate::sandbox::signal(&child, "-INT");
    let run = ended(child).ignoring_the_rest("the last line is what the test is about");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("interrupted"), "{}", run.stderr);
}

#[test]
fn the_list_has_what_a_group_has_spent() {
    let account = Account::new();
    one_of_two_ended(&account);
    let run = outcome(&account, "list");
    let header = run.stdout.lines().next().expect("a header");
    let at = header
        .find("SPENT")
        .unwrap_or_else(|| panic!("{}", run.stdout));
    let row = run.stdout.lines().nth(1).expect("a row");
    assert!(row[at..].starts_with("0.06"), "{}", run.stdout);
    let spent = account.json("list")["spent"][0].clone();
    assert_eq!(spent["machine_group"], "g");
    assert_came_to(&spent, "usd", 2.5 * RATE);
    // Nobody knows it without Inductiva: then there is no column.
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = outcome(&account, "list");
    assert!(!run.stdout.contains("SPENT"), "{}", run.stdout);
    assert_eq!(account.json("list")["spent"][0]["usd"], Value::Null);
}

/// A machine registers only after its boot: until then only the region that it is in
/// shows it.
#[test]
fn a_group_whose_machines_nobody_has_looked_for_has_not_come_to_nothing() {
    let account = Account::new();
    account.json(&format!("{LINE} --region us-east-1"));
    account.settle();
    let run = outcome(&account, "cost g --output json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in [&run.document(), &run.document()["groups"][0]] {
        assert_eq!(part["usd"], Value::Null);
        assert_eq!(part["at_most_usd"], Value::Null);
        assert_eq!(
            part["unknown_because"],
            "EC2 shows no machine of it in eu-west-2"
        );
    }
    let run = outcome(&account, "cost g");
    assert!(
        run.stderr
            .contains("may be in another region: inductiva-aws cost --all-regions"),
        "{}",
        run.stderr
    );
    let everywhere = account.json("cost g --all-regions");
    assert!(everywhere["usd"].as_f64().is_some(), "{everywhere}");
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-east-1", "code": "UnauthorizedOperation", "message": "no", "status": 403}));
    let run = outcome(&account, "cost g --all-regions --output json");
    let document = run.document();
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(
        document["unknown_because"],
        "EC2 shows no machine of it, and us-east-1 could not be asked"
    );
}

#[test]
fn all_groups_are_not_known_without_inductiva() {
    let account = Account::new();
    let mut command = account.command(["cost", "--all-regions", "--output", "json"]);
    let run = crate::sandbox::finish(command.env_remove("INDUCTIVA_API_KEY"))
        .ignoring_the_rest("a cost is what the test is about");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.document()["usd"], Value::Null);
    let why = run.document()["unknown_because"].clone();
    assert!(
        text(&why).ends_with("there is no Inductiva API key"),
        "{why}"
    );
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = outcome(&account, "cost --all-regions --output json");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.error()["kind"], "failed");
    assert_eq!(run.document()["usd"], Value::Null);
    assert_eq!(run.document()["at_most_usd"], Value::Null);
}

#[test]
fn the_end_of_terminate_counts_a_stopped_machine_until_it_was_stopped() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    account.pass(3_600.0);
    account.ec2("stop_instances", json!({"InstanceIds": account.live()}));
    account.pass(7_200.0);
    let run = outcome(&account, "terminate g -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let last = run.stderr.lines().last().expect("a line");
    assert!(last.starts_with("g: 1 machine ran 1h0m: about "), "{last}");
}

/// What Inductiva keeps of a group that is not active, the list of active ones does not
/// tell.
#[test]
fn the_end_of_terminate_all_does_not_know_groups_that_are_not_listed() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    account.fault(json!({"service": "inductiva", "operation": "GET /compute/groups", "kind": "answer", "count": null, "status": 200, "body": "[]"}));
    let run = outcome(&account, "terminate --all -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let last = run.stderr.lines().last().expect("a line");
    assert!(
        last.contains(" USD as far as it is known (Inductiva cannot be asked about machines that EC2 does not show any more: Inductiva was not asked about it)"),
        "{last}"
    );
}
