//! Launches that meet each other, die half-way, or do not show yet: never a
//! machine too many.

#[cfg(unix)]
mod interruptions;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list, text};

/// Ends a program at once, as the system does when memory is short.
fn kill(mut child: std::process::Child) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn a_launch_that_died_between_its_calls_is_made_whole() {
    for kind in ["hold", "hold_answer"] {
        let account = Account::new();
        let line = "start --machine-group-name g --num-machines 250 -q";
        account.fault(
            json!({"service": "ec2", "operation": "RunInstances", "kind": kind, "after": 1}),
        );
        let child = account.start(line);
        account.until_held();
        kill(child);
        account.post("release", json!({"drop": true}));
        account.until("the other calls are answered", |a| {
            a.requests().iter().all(|r| r["ended"].is_number())
        });
        account.run(line).assert(0, "[ID]\n".repeat(250), "");
        assert_eq!(account.live().len(), 250, "{kind}");
        assert_eq!(account.launched(), 250, "{kind}");
    }
}

#[test]
fn what_does_not_show_yet_is_not_launched_again() {
    // Nothing shows, some of a call shows, some calls show.
    for (machines, at_once) in [(3, 0), (3, 1), (150, 60), (150, 100)] {
        let account = Account::new();
        account.put(
            "settings",
            json!({"visible_after_seconds": 4, "visible_at_once": at_once}),
        );
        let line =
            format!("start --machine-group-name g --num-machines {machines} -q --output json");
        for _ in 0..2 {
            let run = account.run(&line);
            run.succeeds("");
            assert_eq!(list(&run.document()["machines"]).len(), machines);
        }
        assert_eq!(account.launched(), machines, "{at_once} showed at once");
    }
}

#[test]
fn more_machines_than_another_start_wants_are_topped_up() {
    let account = Account::new();
    account.put("settings", json!({"visible_after_seconds": 2}));
    account
        .run("start --machine-group-name g --num-machines 2 -q")
        .assert(0, "[ID]\n[ID]\n", "");
    let run = account.run("start --machine-group-name g --num-machines 3 --output json");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0737 USD an hour, 1.77 a day with t2.micro, the dearest type (machines 0.0396, disks 0.0191, addresses 0.0150); at most 0.3395 an hour, with surplus CPU credits
another start of this group seems to be under way: waiting for its machines to show, two and a half minutes at most
launched [ID] (t3.micro)
waiting for EC2 to show the machines, two minutes at most

"#]]);
    assert_eq!(list(&run.document()["machines"]).len(), 3);
    assert_eq!(account.launched(), 3);
}

#[test]
fn eight_starts_at_once_with_different_numbers_never_add_up() {
    let account = Account::new();
    account.put("settings", json!({"visible_after_seconds": 1}));
    let runs: Vec<_> = (0..8)
        .map(|n| {
            account.start(&format!(
                "start --machine-group-name g -q --num-machines {}",
                3 + n % 2
            ))
        })
        .collect();
    for run in runs
        .into_iter()
        .map(|child| ended(child).ignoring_the_rest("who comes first differs from run to run"))
    {
        // Who wants three and comes second to four is told so.
        assert!(matches!(run.code, 0 | 1), "{}", run.stderr);
    }
    assert_eq!(account.launched(), account.live().len());
    assert_eq!(account.launched(), 4);
}

#[test]
fn a_start_of_fewer_than_are_under_way_is_refused() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1, "count": null}));
    let child = account.start("start --machine-group-name g --num-machines 150 -q");
    account.until_held();
    kill(child);
    account.post("release", json!({"drop": true}));
    account.forget_faults();
    let run = account.run("start --machine-group-name g --num-machines 120 --output json");
    run.fails(1, str![[r#"
an earlier start of this group may be under way: waiting for its machines to show
{"error":{"hint":"try again when it is done, in ten minutes if it was interrupted; or end the ones you do not need: inductiva-aws terminate --instance-id ID, or the whole group: inductiva-aws terminate --machine-group-name g","kind":"failed","machines":[],"message":"a start of the group g with 150 machines is under way, more than the 120 asked for"}}

"#]]);
    assert_eq!(account.launched(), 100);
}

#[test]
fn a_token_of_terminated_machines_that_ec2_refuses_is_left_behind() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "IdempotentInstanceTerminated", "status": 400, "message": "The client token you have provided is associated with a terminated instance"}));
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(document["launched"], 2);
    let tokens: Vec<Value> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| r["params"]["ClientToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn undoing_waits_for_machines_that_do_not_show() {
    let account = Account::new();
    account.put(
        "settings",
        json!({"visible_after_seconds": 3, "visible_at_once": 40}),
    );
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "VcpuLimitExceeded", "message": "no more", "status": 400, "count": null}));
    account
        .run("start --num-machines 150 --machine-group-name g -q")
        .fails(5, str![[r#"
warning: cannot terminate: The instance IDs '[..]' do not exist (InvalidInstanceID.NotFound, request [UUID])
error: cannot launch t3.micro,t2.micro: there was no capacity in any place that was tried; what had been launched was terminated
TYPE      ZONE  MARKET     MACHINES  ANSWER
t3.micro  any   on-demand  50        VcpuLimitExceeded: no more
t2.micro  any   on-demand  50        VcpuLimitExceeded: no more
hint: ask for a higher EC2 quota in the Service Quotas console, choose a smaller --vm-type, or fewer --num-machines

"#]]);
    assert_eq!((account.launched(), account.live().len()), (100, 0));
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn every_call_of_a_start_waits_throttling_out() {
    let account = Account::new();
    account.fault(json!({"service": "*", "operation": "*", "code": "RequestLimitExceeded", "status": 503, "message": "Request limit exceeded.", "count": null, "for_seconds": 4}));
    account
        .run("start --machine-group-name g --num-machines 2 -q")
        .assert(0, "[ID]\n[ID]\n", str![[r#"
warning: Inductiva's API is out of reach (HTTP 503, Internal Server Error): launching anyway; the machines look for the group g themselves

"#]]);
    assert_eq!(account.launched(), 2);
}

#[test]
fn hundreds_of_machines_are_launched_as_fast_as_the_buckets_allow() {
    let account = Account::new();
    account.put("settings", json!({"strict_buckets": 1}));
    // The first is answered before the others are sent, of which the bucket lets
    // four go out at once: all are held at a time.
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1, "count": null}));
    let child = account.start("start --machine-group-name g --num-machines 601 -q --output json");
    account.until_so_many_are_held(4);
    account.forget_faults();
    account.post("release", json!({}));
    let run = ended(child);
    run.succeeds("");
    assert_eq!(run.document()["launched"], 601);
    assert_eq!((account.launched(), account.live().len()), (601, 601));
    let requests = account.requests();
    let launches: Vec<&Value> = requests
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .collect();
    // Seven calls, of which the bucket has five at once: none comes before its time.
    let early = launches
        .iter()
        .filter(|r| r["error_code"] == "RequestLimitExceeded");
    assert_eq!(early.count(), 0);
    let mut sizes: Vec<&str> = launches
        .iter()
        .map(|r| text(&r["params"]["MaxCount"]))
        .collect();
    sizes.dedup();
    assert_eq!(sizes, ["100", "1"]);
}

#[test]
fn a_security_group_that_was_just_made_need_not_be_known_yet() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InvalidGroup.NotFound", "message": "The security group does not exist", "status": 400, "count": 2}));
    account.json("start --machine-group-name g");
    assert_eq!(account.launched(), 1);
}

#[test]
fn two_starts_at_once_leave_one_group_on_inductivas_side() {
    // Whether the API refuses a second group of a name is not documented.
    for refuses in [false, true] {
        let account = Account::new();
        account.put("inductiva", json!({"refuse_duplicates": refuses}));
        // Both look before one of them has made it.
        account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/g", "kind": "hold_answer", "count": 2}));
        let line = "start --machine-group-name g --num-machines 2 -q";
        let children = [account.start(line), account.start(line)];
        account.until_so_many_are_held(2);
        account.post("release", json!({}));
        for child in children {
            ended(child).assert(0, "[ID]\n[ID]\n", "");
        }
        assert_eq!(account.launched(), 2);
        assert_eq!(account.groups().len(), 1);
    }
}

#[test]
fn no_call_begins_once_another_has_failed() {
    use crate::sandbox::until_it_says;
    let account = Account::new();
    // The first call is accepted. The second is refused. The third finds no capacity,
    // and cannot go on to another zone before the second has failed.
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "match": {"MaxCount": "100"}, "after": 1, "code": "InvalidParameterValue", "message": "no", "status": 400}));
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "match": {"MaxCount": "1"}, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500}));
    account.fault(
        json!({"service": "ec2", "operation": "DescribeInstanceTypeOfferings", "kind": "hold"}),
    );
    let mut child = account.start("start --machine-group-name g --num-machines 201 -v");
    account.until_held();
    until_it_says(&mut child, "RunInstances: 400");
    account.post("release", json!({}));
    let run = ended(child).ignoring_the_rest("the calls that -v shows end in any order");
    assert_eq!(run.code, 1);
    let codes: Vec<Value> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| r["error_code"].clone())
        .collect();
    assert_eq!(codes.len(), 3, "{codes:?}");
    assert_eq!((account.launched(), account.live().len()), (100, 0));
}

#[test]
fn a_plan_from_before_a_sleep_is_not_carried_out() {
    let account = Account::new();
    // The first call that goes by the plan is not accepted. The computer sleeps for
    // more than five minutes before the next.
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "RequestLimitExceeded", "message": "Request limit exceeded.", "status": 503}));
    account.hold_pauses();
    let child = account.start("start --machine-group-name g -q");
    account.until_pausing();
    account.pass(301.0);
    account.ended(child).assert(0, "[ID]\n", "");
    let steps: Vec<String> = account
        .operations()
        .into_iter()
        .filter(|o| matches!(o.as_str(), "DescribeInstances" | "RunInstances"))
        .collect();
    assert_eq!(
        steps,
        [
            "DescribeInstances",
            "RunInstances",
            "DescribeInstances",
            "RunInstances",
            // Whether it has ended at once.
            "DescribeInstances"
        ]
    );
    // All of it is looked at again, not the machines alone.
    assert_eq!(account.calls("DescribeImages"), 2);
    assert_eq!(account.launched(), 1);
}
