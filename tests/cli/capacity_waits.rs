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
    account.run(&format!("{LINE} -q")).assert(0, "[ID]\n", "");
    capacity(&account, 0);
    let run = account.ended(child);
    run.fails(5, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
...
no capacity: trying again in 10m, for 10m at most
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
{"error":{"hint":"try another --availability-zone, --vm-type or --region, or try again later","kind":"capacity","machines":[],"message":"cannot launch t2.micro: [..] (InsufficientInstanceCapacity, request [UUID]), until the time of --wait-for-capacity was over","tried":[{"availability_zone":"eu-west-2a","code":"InsufficientInstanceCapacity","machines":1,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"t2.micro"}]}}

"#]]);
    assert_eq!(account.live().len(), 1);
    assert_eq!(account.groups().len(), 1, "{}", run.stderr);
    let run = account.run(&format!("{LINE} -n 1 --wait-for-capacity 1h"));
    run.succeeds(str![[r#"
the group g has 1 machine already, nothing to launch

"#]]);
    assert_eq!(account.launched(), 1);
}

#[test]
fn a_group_that_has_machines_in_another_region_by_then_is_not_launched_here_too() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h --output json");
    account.pass(900.0);
    account.until_pausing();
    capacity(&account, 9);
    account
        .run(&format!("{ELSEWHERE} -q"))
        .assert(0, "[ID]\n", "");
    let run = account.ended(child);
    run.fails(1, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 60 s, for 45m at most
{"error":{"hint":"go there: the same line with --region us-west-2; or launch here, too, with --allow-other-regions","kind":"failed","machines":[],"message":"the group g is in another region: it has 1 machine in us-west-2"}}

"#]]);
    assert_eq!(account.launched(), 1);
    assert_eq!(account.groups().len(), 1, "{}", run.stderr);
}

#[test]
fn what_is_too_few_is_not_launched_and_undone() {
    let account = Account::new();
    capacity(&account, 30);
    let line = format!("{LINE} -n 150 --min-machines 60 --wait-for-capacity 10m --output json");
    let run = account.run(&line);
    run.fails(5, str![[r#"
machine group g
cost: about 3.6834 USD an hour, 88.40 a day (machines 1.9800, disks 0.9534, addresses 0.7500)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 10m at most
...
no capacity: trying again in 2m30s, for 3m at most
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
{"error":{"hint":"try another --availability-zone, --vm-type or --region, or try again later","kind":"capacity","machines":[],"message":"cannot launch t2.micro: [..] (InsufficientInstanceCapacity, request [UUID]), until the time of --wait-for-capacity was over","tried":[{"availability_zone":"eu-west-2a","code":"InsufficientInstanceCapacity","machines":100,"market":"on-demand","reason":"[..]","subnet_id":null,"vm_type":"t2.micro"}]}}

"#]]);
    nothing_is_left(&account, &run);
    let sent = launches(&account);
    assert!(sent.len() > 2, "{}", run.stderr);
    assert!(sent.iter().all(|call| call["params"]["MinCount"] == "60"));
    capacity(&account, 70);
    let run = account.run(&line);
    run.succeeds(str![[r#"
machine group g
cost: about 3.6834 USD an hour, 88.40 a day (machines 1.9800, disks 0.9534, addresses 0.7500)
launched 70 machines, [ID] to [ID]
the group has 70 machines of the 150 asked for: there was no capacity for more (the same line later tries again)

"#]]);
    assert_eq!(list(&run.document()["machines"]).len(), 70);
    assert_eq!(account.calls("TerminateInstances"), 0);
}

#[test]
fn more_machines_than_one_call_has_are_waited_for_with_a_least_number() {
    let account = Account::new();
    for (options, code, error) in [
        (
            "-n 101",
            2,
            str![[r#"
error: --wait-for-capacity takes 100 machines at once, and 101 are missing
hint: add --min-machines 100: it launches as many as there are from 100 on, and the same line later fills the group up

"#]],
        ),
        (
            "-n 150 --min-machines 101",
            2,
            str![[r#"
error: --wait-for-capacity takes 100 machines at once, and 150 are missing
hint: add --min-machines 100: it launches as many as there are from 100 on, and the same line later fills the group up

"#]],
        ),
        ("-n 150 --min-machines 100", 0, str![]),
        ("-n 100", 0, str![]),
    ] {
        account
            .run(&format!(
                "{LINE} {options} --wait-for-capacity 1h --dry-run -q"
            ))
            .assert(code, "", error);
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
    run.fails(4, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
{"error":{"hint":"set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA","kind":"not_signed_in","machines":[],"message":"cannot tell who is signed in: The security token included in the request is expired (ExpiredToken, request [UUID])"}}

"#]]);
    nothing_is_left(&account, &run);
}

#[test]
fn a_moment_without_aws_is_waited_out_too() {
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h");
    capacity(&account, 1);
    // A little longer than a round tries.
    account.fault(json!({"service": "ec2", "operation": "*", "kind": "reset", "count": null, "for_seconds": 80}));
    let run = account.ended(child);
    // Its calls fail in any order.
    run.succeeds(str![[r#"
machine group g
cost: [..]
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
...
launched [ID]

"#]]);
    assert!(run.stderr.contains("cannot reach AWS"), "{}", run.stderr);
    assert_eq!(account.launched(), 1);
    assert_eq!(text(&account.groups()[0]["name"]), "g");
}

#[test]
#[cfg(unix)]
fn an_interruption_leaves_nothing() {
    use crate::sandbox::{ended, signal};
    let account = Account::new();
    let child = pausing(&account, "--wait-for-capacity 1h");
    signal(&child, "-INT");
    // The pause does not pass: the clock would run on while the group is deleted.
    let run = ended(child);
    run.fails(
        130,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in eu-west-2a: InsufficientInstanceCapacity
no capacity: trying again in 30 s, for 1h at most
interrupted: bringing what is under way to an end; interrupt again to stop at once
error: interrupted; nothing was launched

"#]],
    );
    nothing_is_left(&account, &run);
}
