//! What groups have come to, as the end of `terminate` and a column of `list` tell it.

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    sandbox::{Account, ended, text},
    spent::{ENDED, LINE, RATE, assert_came_to, one_of_two_ended},
};

#[test]
fn the_end_of_terminate_tells_what_the_group_came_to() {
    let account = Account::new();
    one_of_two_ended(&account);
    let run = account.run("terminate g -y");
    run.assert(0, "[ID]\n", ENDED);
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
    let run = account.run(&format!("terminate {id} -y"));
    run.assert(
        0,
        "[ID]\n",
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them

"#]],
    );
    let last = run.stderr.lines().last().expect("a line");
    assert!(
        last.starts_with(&format!("{id}: 1 machine ran 1h0m: about 0.024")),
        "{last}"
    );
    // Of several, all together.
    account.json("start --machine-group-name h --vm-type t2.micro");
    let run = account.run("terminate --all -y");
    run.assert(0, "[ID]\n[ID]\n", str![[r#"
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]]);
    let last = run.stderr.lines().last().expect("a line");
    assert!(last.starts_with("in total: "), "{last}");
    let run = account.run("terminate g -y -q");
    run.assert(0, str![], str![]);
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
    let run = ended(child);
    run.assert(0, "[ID]\n", ENDED);
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
    let run = ended(child);
    run.assert(0, "[ID]\n", ENDED);
}

#[test]
fn the_list_has_what_a_group_has_spent() {
    let account = Account::new();
    one_of_two_ended(&account);
    let run = account.run("list");
    run.succeeds(str![[r#"
1 machine runs, about 0.0246 USD an hour

"#]]);
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
    let run = account.run("list");
    run.succeeds(str![[r#"
warning: Inductiva cannot be asked about the machines: HTTP 503, Internal Server Error
1 machine runs, about 0.0246 USD an hour

"#]]);
    assert!(!run.stdout.contains("SPENT"), "{}", run.stdout);
    assert_eq!(
        account.json_that_warns(
            "list",
            str![[r#"
warning: Inductiva cannot be asked about the machines: HTTP 503, Internal Server Error

"#]]
        )["spent"][0]["usd"],
        Value::Null
    );
}

/// A machine registers only after its boot: until then only the region that it is in
/// shows it.
#[test]
fn a_group_whose_machines_nobody_has_looked_for_has_not_come_to_nothing() {
    let account = Account::new();
    account.json(&format!("{LINE} --region us-east-1"));
    account.settle();
    let run = account.run("cost g --output json");
    run.succeeds(str![[r#"
machines that EC2 does not show in eu-west-2 may be in another region: inductiva-aws cost --all-regions looks everywhere

"#]]);
    for part in [&run.document(), &run.document()["groups"][0]] {
        assert_eq!(part["usd"], Value::Null);
        assert_eq!(part["at_most_usd"], Value::Null);
        assert_eq!(
            part["unknown_because"],
            "EC2 shows no machine of it in eu-west-2"
        );
    }
    let run = account.run("cost g");
    run.assert(0, str![[r#"
GROUP  REGION  MACHINES         RAN  USD  AT MOST
g              none shown here  n/a  n/a  n/a

g: nobody knows what ran: cost not known (EC2 shows no machine of it in eu-west-2)

"#]], str![[r#"
machines that EC2 does not show in eu-west-2 may be in another region: inductiva-aws cost --all-regions looks everywhere

"#]]);
    let everywhere = account.json("cost g --all-regions");
    assert!(everywhere["usd"].as_f64().is_some(), "{everywhere}");
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "region": "us-east-1", "code": "UnauthorizedOperation", "message": "no", "status": 403}));
    let run = account.run("cost g --all-regions --output json");
    run.succeeds(str![[r#"
warning: left out: us-east-1 (cannot list machines: no (UnauthorizedOperation, request [UUID]))
machines that EC2 does not show may be in us-east-1, which could not be asked: inductiva-aws cost --all-regions shows them to somebody who may look there

"#]]);
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
    let run = crate::sandbox::finish(command.env_remove("INDUCTIVA_API_KEY"));
    run.succeeds(str![[r#"
no machines in any region
Inductiva cannot be asked for groups whose machines EC2 does not show any more: there is no Inductiva API key

"#]]);
    assert_eq!(run.document()["usd"], Value::Null);
    let why = run.document()["unknown_because"].clone();
    assert!(
        text(&why).ends_with("there is no Inductiva API key"),
        "{why}"
    );
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = account.run("cost --all-regions --output json");
    run.ends(1, str![[r#"
warning: Inductiva cannot be asked for groups whose machines EC2 does not show any more: HTTP 503, Internal Server Error
no machines in any region
{"error":{"hint":"try again later","kind":"failed","machines":[],"message":"Inductiva cannot be asked for groups whose machines EC2 does not show any more: HTTP 503, Internal Server Error"}}

"#]]);
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
    let run = account.run("terminate g -y");
    run.assert(0, "[ID]\n", ENDED);
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
    let run = account.run("terminate --all -y");
    run.assert(0, "[ID]\n", str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]]);
    let last = run.stderr.lines().last().expect("a line");
    assert!(
        last.contains(" USD as far as it is known (Inductiva cannot be asked about machines that EC2 does not show any more: Inductiva was not asked about it)"),
        "{last}"
    );
}
