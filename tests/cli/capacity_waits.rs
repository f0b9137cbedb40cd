//! `--wait-for-capacity`: the launch is tried again until there is capacity, and
//! nothing is left of it if there is none.

use std::process::Child;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run, list, text};

const LINE: &str = "start --machine-group-name g --vm-type t2.micro --availability-zone eu-west-2a";
/// The same group in another region.
const ELSEWHERE: &str = "start --machine-group-name g --vm-type t2.micro --region us-west-2";

fn capacity(account: &Account, machines: u32) {
    account.put("capacity", json!({"rules": [{"available": machines}]}));
}

fn launches(account: &Account) -> Vec<Value> {
    let mut requests = account.requests();
    requests.retain(|r| r["operation"] == "RunInstances");
    requests
}

fn now(account: &Account) -> f64 {
    account.get("clock")["now"].as_f64().expect("a time")
}

/// A start that has found no capacity, and pauses.
fn pausing(account: &Account, options: &str) -> Child {
    capacity(account, 0);
    account.hold_pauses();
    let child = account.start(&format!("{LINE} {options}"));
    account.until_pausing();
    assert_eq!(launches(account).len(), 1);
    child
}

/// Nothing was launched, and no group is left.
fn nothing_is_left(account: &Account, run: &Run) {
    assert_eq!(account.launched(), 0, "{}", run.stderr);
    assert_eq!(account.groups(), [] as [Value; 0], "{}", run.stderr);
}

#[test]
fn it_launches_when_there_is_capacity_and_what_the_first_round_would_have() {
    let account = Account::new();
    let child = pausing(&account, "-n 2 --wait-for-capacity 2h");
    account.post("publish_image", json!({}));
    account.pass_pause();
    account.pass_pause();
    assert_eq!(launches(&account).len(), 3);
    capacity(&account, 2);
    let run = account.ended(child);
    let said = run.succeeds(str![[r#"
machine group g
cost: [..]
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 2h at most
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 60 s, for 2h at most
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 2m, for 1h59m at most
launched [..]

"#]]);
    assert_eq!(said.matches("eu-west-2a").count(), 2);
    assert_eq!(account.live().len(), 2);
    assert_eq!(account.launched(), 2);
    assert_eq!(account.groups().len(), 1);
    let sent = launches(&account);
    assert_eq!(sent.len(), 4);
    for name in ["ImageId", "UserData", "MinCount"] {
        let of = |call: &Value| call["params"][name].clone();
        assert!(sent.iter().all(|call| of(call) == of(&sent[0])), "{name}");
    }
}

#[test]
fn its_pauses_grow_to_ten_minutes_until_the_time_is_over() {
    let account = Account::new();
    capacity(&account, 0);
    let since = now(&account);
    let run = account.run(&format!("{LINE} --wait-for-capacity 1h --output json"));
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(run.error()["kind"], "capacity");
    assert_eq!(list(&run.error()["tried"]).len(), 1);
    let pauses: Vec<&str> = run
        .stderr
        .split("trying again in ")
        .skip(1)
        .filter_map(|rest| rest.split(", for ").next())
        .collect();
    let grows = ["30 s", "60 s", "2m", "4m", "8m", "10m", "10m", "10m", "10m"];
    assert_eq!(pauses[..grows.len()], grows);
    // The last one ends with the time.
    assert_eq!(pauses.len(), grows.len() + 1);
    let waited = now(&account) - since;
    assert!((3_600.0..3_660.0).contains(&waited), "{waited} s");
    assert_eq!(launches(&account).len(), pauses.len() + 1);
    nothing_is_left(&account, &run);
}

#[test]
fn a_group_that_was_ended_meanwhile_is_not_made_again() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h");
    account.end_groups();
    capacity(&account, 9);
    let run = account.ended(child);
    run.fails(
        1,
        str![[r#"
machine group g
cost: [..]
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
error: the group g was ended while this start waited for capacity
hint: nothing was launched; run the same line again to start the group again

"#]],
    );
    nothing_is_left(&account, &run);
}

#[test]
fn machines_that_another_start_has_launched_meanwhile_count_and_keep_their_group() {
    let account = Account::new();
    let child = pausing(&account, "-n 2 --wait-for-capacity 1h --output json");
    // Its group is there for longer than a start takes.
    account.pass(900.0);
    account.until_pausing();
    capacity(&account, 1);
    let other = account.run("start --machine-group-name g --vm-type t2.micro --availability-zone eu-west-2a --output json").ignoring_the_rest("a step on the way: that it succeeds is enough");
    assert_eq!(other.code, 0, "{}", other.stderr);
    capacity(&account, 0);
    let run = account
        .ended(child)
        .ignoring_the_rest("how it ends is what counts");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(account.live().len(), 1);
    assert_eq!(account.groups().len(), 1, "{}", run.stderr);
    let run = account
        .run(&format!("{LINE} -n 1 --wait-for-capacity 1h"))
        .ignoring_the_rest("a step on the way: that it succeeds is enough");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(account.launched(), 1);
}

#[test]
fn a_group_that_has_machines_in_another_region_by_then_is_not_launched_here_too() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h --output json");
    account.pass(900.0);
    account.until_pausing();
    capacity(&account, 9);
    let other = account
        .run(&format!("{ELSEWHERE} -q"))
        .ignoring_the_rest("a step on the way: that it succeeds is enough");
    assert_eq!(other.code, 0, "{}", other.stderr);
    let run = account.ended(child);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(
        run.error()["message"],
        "the group g is in another region: it has 1 machine in us-west-2"
    );
    assert_eq!(account.launched(), 1);
    assert_eq!(account.groups().len(), 1, "{}", run.stderr);
}

#[test]
fn what_is_too_few_is_not_launched_and_undone() {
    let account = Account::new();
    capacity(&account, 30);
    let line = format!("{LINE} -n 150 --min-machines 60 --wait-for-capacity 10m --output json");
    let run = account
        .run(&line)
        .ignoring_the_rest("the document is what counts");
    assert_eq!(run.code, 5, "{}", run.stderr);
    nothing_is_left(&account, &run);
    let sent = launches(&account);
    assert!(sent.len() > 2, "{}", run.stderr);
    assert!(sent.iter().all(|call| call["params"]["MinCount"] == "60"));
    capacity(&account, 70);
    let run = account
        .run(&line)
        .ignoring_the_rest("the document is what counts");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(list(&run.document()["machines"]).len(), 70);
    assert_eq!(account.calls("TerminateInstances"), 0);
}

#[test]
fn more_machines_than_one_call_has_are_waited_for_with_a_least_number() {
    let account = Account::new();
    for (options, code) in [
        ("-n 101", 2),
        ("-n 150 --min-machines 101", 2),
        ("-n 150 --min-machines 100", 0),
        ("-n 100", 0),
    ] {
        let run = account
            .run(&format!(
                "{LINE} {options} --wait-for-capacity 1h --dry-run"
            ))
            .ignoring_the_rest("how it ends is what counts");
        assert_eq!(run.code, code, "{options}: {}", run.stderr);
    }
    let run = account.run(&format!("{LINE} -n 101 --wait-for-capacity 1h"));
    run.fails(
        2,
        str![[r#"
error: --wait-for-capacity takes 100 machines at once, and 101 are missing
hint: add --min-machines 100: it launches as many as there are from 100 on, and the same line later fills the group up

"#]],
    );
    let run = account.run(&format!("{LINE} --wait-for-capacity 25h"));
    run.fails(
        2,
        str![[r#"
error: invalid value '25h' for '--wait-for-capacity <DURATION>': that is more than 24h

For more information, try '--help'.

"#]],
    );
    nothing_is_left(&account, &run);
}

#[test]
fn a_session_that_ends_meanwhile_leaves_nothing() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h --output json");
    for service in ["ec2", "sts"] {
        account.fault(json!({"service": service, "operation": "*", "code": "ExpiredToken", "message": "The security token included in the request is expired", "status": 403, "count": null}));
    }
    let run = account.ended(child);
    account.forget_faults();
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert_eq!(run.error()["machines"], json!([]));
    nothing_is_left(&account, &run);
}

#[test]
fn a_moment_without_aws_is_waited_out_too() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h");
    capacity(&account, 1);
    // A little longer than a round tries.
    account.fault(json!({"service": "ec2", "operation": "*", "kind": "reset", "count": null, "for_seconds": 80}));
    let run = account
        .ended(child)
        .ignoring_the_rest("its calls fail in any order");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("cannot reach AWS"), "{}", run.stderr);
    assert_eq!(account.launched(), 1);
    assert_eq!(text(&account.groups()[0]["name"]), "g");
}

#[test]
#[cfg(unix)]
fn an_interruption_leaves_nothing() {
    use crate::sandbox::signal;
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h");
    signal(&child, "-INT");
    let run = account.ended(child);
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(
        run.stderr
            .ends_with("error: interrupted; nothing was launched\n"),
        "{}",
        run.stderr
    );
    nothing_is_left(&account, &run);
}
