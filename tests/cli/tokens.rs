//! Client tokens: one intent, one launch.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, text};

/// The client tokens of the launches on record, and how they ended.
fn tokens(account: &Account) -> Vec<(String, Value)> {
    account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| {
            (
                text(&r["params"]["ClientToken"]).to_owned(),
                r["error_code"].clone(),
            )
        })
        .collect()
}

#[test]
fn one_intent_has_one_token_of_64_hex_characters() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "PendingVerification", "message": "not yet", "status": 400, "count": null}));
    for _ in 0..2 {
        account.run("start --machine-group-name g --num-machines 2").fails(5, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
no on-demand t3.micro in any zone: PendingVerification
error: cannot launch t3.micro: not yet (PendingVerification, request [UUID])
hint: AWS is checking the new account for this region; that takes up to 4 hours

"#]]);
    }
    let seen = tokens(&account);
    assert_eq!(seen[0].0, seen[1].0);
    assert_eq!(seen[0].0.len(), 64);
    assert!(seen[0].0.chars().all(|c| c.is_ascii_hexdigit()));
}

#[test]
fn a_token_names_account_region_and_group_and_nothing_of_the_request() {
    let no_capacity = |account: &Account| {
        account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "PendingVerification", "message": "not yet", "status": 400, "count": null}));
    };
    let token = |account: &Account, line: &str| {
        account.run(&format!("{line} -q")).fails(
            5,
            str![[r#"
error: cannot launch t3.micro: not yet (PendingVerification, request [UUID])
hint: AWS is checking the new account for this region; that takes up to 4 hours

"#]],
        );
        tokens(account).last().expect("a launch").0.clone()
    };
    let (account, other_account) = (Account::new(), Account::new());
    no_capacity(&account);
    no_capacity(&other_account);
    let line = "start --machine-group-name g";
    let first = token(&account, line);
    for other in [
        token(&other_account, line),
        token(&account, "start --machine-group-name h"),
        token(&account, &format!("{line} --region eu-west-1")),
    ] {
        assert_ne!(other, first);
    }
    // Two starts with other settings or numbers must not launch both.
    account.put("inductiva", json!({"keys": ["another-key"]}));
    for more in [
        "--vm-type t3.micro",
        "--volume-size 60",
        "--spot",
        "--availability-zone eu-west-2a",
        "--max-lifetime 1h",
        "--image-id ami-0ab00000000000001",
        "--tag a=b --num-machines 2",
    ] {
        let line = format!("{line} --api-key another-key {more}");
        assert_eq!(token(&account, &line), first, "{more}");
    }
    // The next hour has tokens of its own.
    account.pass(3_600.0);
    assert_ne!(
        token(&account, &format!("{line} --api-key another-key")),
        first
    );
}

#[test]
fn a_group_that_was_terminated_can_be_started_again() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    account
        .run("terminate g -y -q")
        .assert(0, "[ID]\n[ID]\n", "");
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(document["launched"], 2);
    assert_eq!(account.live().len(), 2);
}

#[test]
fn a_token_that_outlived_its_machines_is_not_taken_for_a_launch() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    let group = account.groups()[0].clone();
    let gone = account.live();
    account.ec2("terminate_instances", json!({"InstanceIds": gone}));
    account.settle();
    // After an hour EC2 shows them no longer, and remembers the token.
    account.post("forget_terminated", json!({}));
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(document["launched"], 2);
    assert_eq!(document["machine_group"]["id"], group["id"]);
    assert_eq!(account.live().len(), 2);
    let seen = tokens(&account);
    assert_eq!(
        seen.len(),
        3,
        "the launch, its replay, the launch with the next number"
    );
    assert_eq!(seen[0].0, seen[1].0);
    assert_ne!(seen[1].0, seen[2].0);
}

#[test]
fn two_starts_at_once_make_one_group_of_n() {
    let account = Account::new();
    let line = "start --machine-group-name g --num-machines 3 --output json";
    let runs = [account.start(line), account.start(line)].map(|child| {
        ended(child).ignoring_the_rest("which of them launches differs from run to run")
    });
    for run in &runs {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(list_len(&run.document()["machines"]), 3);
    }
    assert_eq!(account.launched(), 3);
}

#[test]
fn lost_answers_are_asked_for_again_and_nothing_is_launched_twice() {
    let account = Account::new();
    account.fault(
        json!({"service": "ec2", "operation": "RunInstances", "kind": "lost_answer", "count": 3}),
    );
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(list_len(&document["machines"]), 2);
    assert_eq!(account.launched(), 2);
    let seen = tokens(&account);
    assert_eq!(seen.len(), 4);
    assert!(
        seen.iter().all(|(token, _)| *token == seen[0].0),
        "{seen:?}"
    );
}

#[test]
fn throttling_and_bad_moments_are_waited_out_with_the_same_token() {
    let account = Account::new();
    for (code, status) in [
        ("RequestLimitExceeded", 503),
        ("InternalError", 500),
        ("Unavailable", 503),
    ] {
        account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": code, "status": status, "count": 1}));
    }
    account
        .fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "reset", "count": 1}));
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(list_len(&document["machines"]), 2);
    assert_eq!(account.launched(), 2);
    let seen = tokens(&account);
    assert_eq!(seen.len(), 5);
    assert!(
        seen.iter().all(|(token, _)| *token == seen[0].0),
        "{seen:?}"
    );
}

#[test]
fn answers_that_stay_lost_are_told_and_another_run_makes_it_good() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "lost_answer", "count": null}));
    let lost = account.run("start --machine-group-name g --num-machines 2 --output json");
    lost.fails(3, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; trying again
{"error":{"hint":"run the same line again with --machine-group-name g (nothing is launched twice), or end them: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[],"message":"cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; machines of the group g may be running"}}

"#]]);
    assert_eq!(
        account.groups().len(),
        1,
        "the machines may need their group"
    );
    account.forget_faults();
    let again = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(list_len(&again["machines"]), 2);
    assert_eq!(account.launched(), 2);
}

fn list_len(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

#[test]
fn after_a_server_error_of_any_code_a_launch_is_looked_for_with_its_token() {
    for (code, status, said) in [
        (
            "ServerInternal",
            500,
            str![[r#"
{"error":{"hint":"run the same line again with --machine-group-name h (nothing is launched twice), or end them: inductiva-aws terminate --machine-group-name h","kind":"machines_may_be_running","machines":[],"message":"cannot launch t3.micro: An internal error has occurred (ServerInternal, request [UUID]); machines of the group h may be running"}}

"#]],
        ),
        (
            "GatewayTimeout",
            504,
            str![[r#"
{"error":{"hint":"run the same line again with --machine-group-name h (nothing is launched twice), or end them: inductiva-aws terminate --machine-group-name h","kind":"machines_may_be_running","machines":[],"message":"cannot launch t3.micro: An internal error has occurred (GatewayTimeout, request [UUID]); machines of the group h may be running"}}

"#]],
        ),
        (
            "BandwidthExceeded",
            509,
            str![[r#"
{"error":{"hint":"run the same line again with --machine-group-name h (nothing is launched twice), or end them: inductiva-aws terminate --machine-group-name h","kind":"machines_may_be_running","machines":[],"message":"cannot launch t3.micro: An internal error has occurred (BandwidthExceeded, request [UUID]); machines of the group h may be running"}}

"#]],
        ),
    ] {
        let account = Account::new();
        let fault = |count: Value| json!({"service": "ec2", "operation": "RunInstances", "kind": "error_answer", "code": code, "status": status, "count": count});
        account.fault(fault(json!(1)));
        let document = account.json("start --machine-group-name g --num-machines 2");
        assert_eq!(list_len(&document["machines"]), 2, "{code}");
        assert_eq!(account.launched(), 2, "{code}");
        let came = account.requests().iter().any(|r| r["status"] == status);
        assert!(came, "{code}");

        // One that does not end is said, with the way to end the machines.
        account.fault(fault(Value::Null));
        account
            .run("start --machine-group-name h --output json -q")
            .fails(3, said);
        let kept = account.groups().iter().any(|group| group["name"] == "h");
        assert!(kept, "{code}: its machines may need the group");
    }
}

#[test]
fn the_tenth_start_of_a_name_in_a_day_launches_as_soon_as_the_first() {
    let account = Account::new();
    let now = || account.get("clock")["now"].as_f64().expect("a time");
    for day in 0..10 {
        let before = now();
        let document = account.json("start --machine-group-name g --num-machines 2");
        assert_eq!(document["launched"], 2, "{day}");
        assert!(now() - before < 5.0, "start {day} has waited");
        account
            .run("terminate g -y -q")
            .assert(0, "[ID]\n[ID]\n", "");
        account.settle();
        // EC2 shows ended machines for about an hour, and remembers their tokens.
        account.pass(900.0);
        if day % 4 == 3 {
            account.post("forget_terminated", json!({}));
        }
    }
    assert_eq!(account.launched(), 20);
}

#[test]
fn right_after_the_turn_of_the_hour_a_launch_of_the_hour_before_is_waited_for() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    account.settle();
    // It is 40 minutes past; tokens have a new hour at 33:20.
    account.pass(53.0 * 60.0 + 50.0);
    let run = account.run("start --machine-group-name g --num-machines 3 --output json");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0737 USD an hour, 1.77 a day with t2.micro, the dearest type (machines 0.0396, disks 0.0191, addresses 0.0150); at most 0.3395 an hour, with surplus CPU credits
the hour of this group's client tokens has just begun: waiting for machines of the last one to show, some three minutes at most
launched [ID] (t3.micro)

"#]]);
    assert_eq!(account.launched(), 3);
    // Whoever makes the group is alone, and waits for nobody.
    account.json("start --machine-group-name h");
}

#[test]
fn two_starts_with_other_settings_launch_the_machines_of_one() {
    let account = Account::new();
    account.put("settings", json!({"visible_after_seconds": 20}));
    let lines = [
        "start --machine-group-name g --num-machines 2 --output json",
        "start --machine-group-name g --num-machines 2 --volume-size 60 --output json",
    ];
    let runs = lines.map(|line| account.start(line)).map(|child| {
        ended(child).ignoring_the_rest("which of them launches differs from run to run")
    });
    let mut codes: Vec<i32> = runs.iter().map(|run| run.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "{}{}", runs[0].stderr, runs[1].stderr);
    assert_eq!(account.launched(), 2);
}

#[test]
fn where_nobody_can_know_what_another_start_has_launched_nothing_is() {
    let account = Account::new();
    // Its machine does not show in time.
    account.put("settings", json!({"visible_after_seconds": 600}));
    account.json("start --machine-group-name g --vm-type t3.micro");
    let now = || account.get("clock")["now"].as_f64().expect("a time");
    let since = now();
    let run = account.run("start --machine-group-name g --output json");
    run.fails(3, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
another start of this group seems to be under way: waiting for its machines to show, two and a half minutes at most
another start of this group is under way: waiting for its machines to show
{"error":{"hint":"nothing was launched; try again after [..] UTC, or end the group: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[],"message":"another start of the group g was accepted a while ago, and EC2 does not show its machines: they may be running, or have ended"}}

"#]]);
    // For the group without machines on Inductiva's side, and for the token.
    let waited = now() - since;
    assert!((300.0..330.0).contains(&waited), "{waited} s");
    assert_eq!(account.launched(), 1);
}

#[test]
fn a_call_that_is_made_again_has_the_bytes_of_its_own_launch() {
    let account = Account::new();
    // The second call of 101 machines is lost before it takes effect.
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "reset", "after": 1, "count": null}));
    let line =
        |number| format!("start --machine-group-name g --num-machines {number} --keep-on-failure");
    account.run(&(line(101) + " -q")).fails(3, str![[r#"
error: cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; machines of the group g may be running
hint: end them: inductiva-aws terminate --machine-group-name g
machines that may be running: [ID] [..]

"#]]);
    account.forget_faults();
    account.post("publish_image", json!({}));
    account.pass(200.0);
    let document = account.json(&line(103));
    assert_eq!(list_len(&document["machines"]), 103);
    assert_eq!(account.launched(), 103);
    let sent: Vec<Value> = account
        .requests()
        .into_iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| r["params"].clone())
        .collect();
    let of = |name: &str, call: usize| sent[call][name].clone();
    let again = sent.len() - 2;
    for name in ["ClientToken", "UserData", "ImageId"] {
        assert_eq!(of(name, again), of(name, 1), "{name}");
    }
    assert_ne!(of("UserData", again + 1), of("UserData", 1));
}

#[test]
fn a_launch_whose_group_was_ended_is_not_gone_on_with() {
    let account = Account::new();
    // The second call of 101 machines is lost before it takes effect.
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "reset", "after": 1, "count": null}));
    let line = "start --machine-group-name g --num-machines 101 --keep-on-failure --output json -q";
    account.run(line).fails(3, str![[r#"
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[[..]],"message":"cannot launch t3.micro: cannot reach AWS in eu-west-2: [..]; machines of the group g may be running"}}

"#]]);
    account.forget_faults();
    account.end_groups();
    account.pass(200.0);
    let run = account.run(line);
    run.fails(3, str![[r#"
{"error":{"hint":"end these, too: inductiva-aws terminate --machine-group-name g; or run the same line again","kind":"machines_may_be_running","machines":[[..]],"message":"the group g was ended while a start of it was under way"}}

"#]]);
    assert_eq!(list_len(&run.error()["machines"]), 100);
    assert_eq!(account.launched(), 100);
}
