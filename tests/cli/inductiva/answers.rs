//! What Inductiva's API may answer: nothing in time, bad moments, fields without a value,
//! groups of others.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended};

#[test]
fn an_api_that_never_answers_is_given_up() {
    let account = Account::new();
    account.fault(
        json!({"service": "inductiva", "operation": "GET /compute/group/g", "kind": "hold"}),
    );
    let child = account.start("start --machine-group-name g");
    account.until_held();
    account.pass(15.0);
    let run = ended(child);
    run.ends(0, str![[r#"
machine group g
cost: [..]
warning: Inductiva's API is out of reach (no answer within 15 s): launching anyway; the machines look for the group g themselves
launched [ID] (t3.micro)

"#]]);
    assert_eq!(account.launched(), 1);
}

/// Orders answers of the API to the look-up of g, in place of its own.
fn answer(account: &Account, count: Option<u32>, status: u16, headers: Value, body: &str) {
    account.forget_faults();
    account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/g", "kind": "answer", "count": count, "status": status, "headers": headers, "body": body}));
}

#[test]
fn a_bad_moment_of_the_api_is_tried_again_once_and_stops_no_launch() {
    for (status, headers, body, pause, why) in [
        (408, json!({}), "", 1.0, "HTTP 408"),
        (
            429,
            json!({}),
            r#"{"detail": "slow down"}"#,
            1.0,
            "HTTP 429, slow down",
        ),
        (429, json!({"Retry-After": "7"}), "<html>", 7.0, "HTTP 429"),
        (302, json!({"Location": "/login"}), "", 1.0, "HTTP 302"),
        (502, json!({}), "<html>", 1.0, "HTTP 502"),
        (
            404,
            json!({}),
            "<html>",
            1.0,
            "an answer that cannot be read ([..])",
        ),
        (
            200,
            json!({}),
            "<html>",
            1.0,
            "an answer that cannot be read ([..])",
        ),
        (
            200,
            json!({}),
            r#"{"id": "1", "na"#,
            1.0,
            "an answer that cannot be read ([..])",
        ),
        (
            200,
            json!({}),
            r#"{"id": "1", "name": "h", "status": "started"}"#,
            1.0,
            "it answers with another group than g",
        ),
        (
            200,
            json!({}),
            r#"{"id": "", "name": "g", "status": "started"}"#,
            0.0,
            "it does not tell the id of the group g",
        ),
        (418, json!({}), "", 1.0, "HTTP 418"),
    ] {
        let account = Account::new();
        account.json("start --machine-group-name g");
        let now = || account.get("clock")["now"].as_f64().expect("a time");
        let warned = format!(
            "warning: Inductiva's API is out of reach ({why}): launching anyway; the machines look for the group g themselves\n"
        );

        answer(&account, None, status, headers.clone(), body);
        let since = now();
        account
            .run("start --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", warned);
        assert!(
            (now() - since - pause).abs() < 0.001,
            "{why}: {} s",
            now() - since
        );

        if pause > 0.0 {
            answer(&account, Some(1), status, headers, body);
            account
                .run("start --machine-group-name g --num-machines 3 -q")
                .assert(0, "[ID]\n[ID]\n[ID]\n", "");
        }
        assert_eq!(account.groups().len(), 1, "{why}");
        assert_eq!(account.calls("POST /compute/group"), 1, "{why}");
    }
}

#[test]
fn a_long_retry_after_is_not_waited_for() {
    let account = Account::new();
    let now = || account.get("clock")["now"].as_f64().expect("a time");
    answer(&account, None, 429, json!({"Retry-After": "31"}), "");
    let since = now();
    account
        .run("start --machine-group-name g -q")
        .assert(0, "[ID]\n", str![[r#"
warning: Inductiva's API is out of reach (HTTP 429): launching anyway; the machines look for the group g themselves

"#]]);
    assert!((now() - since).abs() < 0.001);
    assert_eq!(account.calls("GET /compute/group/g"), 1);
}

#[test]
fn null_is_the_default_of_a_field() {
    let account = Account::new();
    let made = account.json("start --machine-group-name g");
    let nulls = json!({"id": made["machine_group"]["id"], "name": "g", "status": "started", "provider_id": null, "machine_type": null, "creation_timestamp": null, "machines": null});
    answer(&account, None, 200, json!({}), &nulls.to_string());
    let again = account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(again["machine_group"], made["machine_group"]);
    assert_eq!(
        account.json("list")["machines"][0]["runner"],
        "not-registered"
    );
    assert_eq!(
        account.json("terminate g -y")["deleted_machine_groups"],
        json!(["g"])
    );
}

#[test]
fn a_group_of_another_providers_machines_is_not_joined() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.json("terminate g -y");
    let launched = account.launched();
    let body = r#"{"id": "1", "name": "g", "provider_id": "GCP", "status": "started"}"#;
    answer(&account, None, 200, json!({}), body);
    account.run("start --machine-group-name g").assert(
        1,
        str![],
        str![[r#"
error: machines on AWS cannot join the group: g has machines of GCP on Inductiva's side
hint: choose another --machine-group-name

"#]],
    );
    let run = account.run("check --machine-group-name g");
    run.ends(
        1,
        str![[r#"
error: a start would not go through: machine-group

"#]],
    );
    let told = "g has machines of GCP on Inductiva's side";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert_eq!(account.launched(), launched);
    assert_eq!(account.calls("POST /compute/group"), 1);
}

#[test]
fn an_id_that_the_api_does_not_tell_is_looked_up_by_name() {
    let account = Account::new();
    let made = account.json("start --machine-group-name g");
    account.json("terminate g -y");
    // The group is there as soon as it is made; the answer to that says little.
    account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/g", "kind": "answer", "status": 404, "body": "{}"}));
    account.fault(json!({"service": "inductiva", "operation": "POST /compute/group", "kind": "answer", "status": 201, "body": "{\"id\": null}"}));
    account.put(
        "inductiva",
        json!({"groups": [{"name": "g", "status": "started", "deleted": false}]}),
    );
    let again = account.json("start --machine-group-name g");
    assert_eq!(again["machine_group"], made["machine_group"]);
    assert_eq!(account.calls("POST /compute/group"), 2);
}
