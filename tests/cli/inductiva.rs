//! The group on Inductiva's side.

mod answers;

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    sandbox::{API_KEY, Account, finish, tags, text},
    start::user_data,
};

/// `start` with another key, or none, in the environment.
fn start_with_key(account: &Account, key: Option<&str>, more: &str) -> crate::sandbox::Run {
    let line = format!("start --machine-group-name g -q {more}");
    let mut command = account.command(line.split_whitespace());
    match key {
        Some(key) => command.env("INDUCTIVA_API_KEY", key),
        None => command.env_remove("INDUCTIVA_API_KEY"),
    };
    finish(&mut command)
}

#[test]
fn a_started_group_of_the_name_is_used() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let group = account.groups()[0].clone();
    account
        .run("terminate --instance-id i-00000000000000000 -y")
        .fails(
            1,
            str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
error: eu-west-2 does not have [ID]; nothing was terminated
hint: inductiva-aws list --all-regions shows what there is

"#]],
        );
    account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(account.groups(), [group]);
    assert_eq!(account.calls("POST /compute/group"), 1);
}

#[test]
fn a_terminated_group_of_the_name_is_not_used() {
    let account = Account::new();
    let first = account.json("start --machine-group-name g");
    account.run("terminate g -y -q").assert(0, "[ID]\n", "");
    let second = account.json("start --machine-group-name g");
    assert_ne!(first["machine_group"]["id"], second["machine_group"]["id"]);
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn the_group_is_made_before_the_launch_and_taken_back_when_it_fails() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InvalidParameterValue", "message": "no", "status": 400}));
    account.run("start --machine-group-name g").fails(
        1,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
error: cannot launch t3.micro: no (InvalidParameterValue, request [UUID])

"#]],
    );
    let operations: Vec<String> = account
        .operations()
        .into_iter()
        .filter(|o| o.contains("/compute/group") || o == "RunInstances")
        // Whether it is the only one is asked beside the launch.
        .filter(|o| o != "GET /compute/groups")
        .collect();
    assert_eq!(
        operations,
        [
            "GET /compute/group/g",
            "POST /compute/group",
            "RunInstances",
            "DELETE /compute/group"
        ]
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn a_group_that_this_run_did_not_make_survives_its_failure() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InvalidParameterValue", "message": "no", "status": 400}));
    account.run("start --machine-group-name g --num-machines 2").fails(1, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
error: cannot launch t3.micro: no (InvalidParameterValue, request [UUID])

"#]]);
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn a_refused_key_stops_everything() {
    for (status, expected) in [
        (
            401,
            str![[r#"
error: Inductiva refused the API key: HTTP 401, Invalid API key
hint: get a new key at https://inductiva.ai/ and give it as --api-key, in INDUCTIVA_API_KEY or in ~/.inductiva/api_key

"#]],
        ),
        (
            403,
            str![[r#"
error: Inductiva refused the API key: HTTP 403, Invalid API key
hint: get a new key at https://inductiva.ai/ and give it as --api-key, in INDUCTIVA_API_KEY or in ~/.inductiva/api_key

"#]],
        ),
    ] {
        let account = Account::new();
        account.put("inductiva", json!({"rejected_key_status": status}));
        let run = start_with_key(&account, Some("wrong-key"), "");
        run.fails(4, expected);
        assert_eq!(account.launched(), 0);
        assert!(!account.operations().contains(&"RunInstances".to_owned()));
    }
}

#[test]
fn an_api_that_is_down_is_warned_about_and_machines_look_for_the_group_themselves() {
    let account = Account::new();
    account.put("inductiva", json!({"status": 503}));
    let run = account.run("start --machine-group-name g");
    run.ends(0, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
warning: Inductiva's API is out of reach (HTTP 503, set by the test): launching anyway; the machines look for the group g themselves
launched [ID] (t3.micro)

"#]]);
    let data = String::from_utf8(user_data(&account, 0)).expect("text");
    assert!(
        data.contains("export MACHINE_GROUP_ID=''\nexport MACHINE_GROUP_NAME='g'\n"),
        "{data}"
    );
    assert_eq!(
        tags(&account.instances()[0])["inductiva:machine-group-id"],
        ""
    );
}

#[test]
fn an_api_that_cannot_be_connected_to_is_warned_about_too() {
    let account = Account::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port();
    let run = account.run(&format!(
        "start --machine-group-name g --output json --api-url http://127.0.0.1:{port}/"
    ));
    run.succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
warning: Inductiva's API is out of reach (connection refused): launching anyway; the machines look for the group g themselves
launched [ID] (t3.micro)

"#]]);
    assert_eq!(
        run.document()["machine_group"],
        json!({"name": "g", "id": null})
    );
}

#[test]
fn a_top_up_without_the_api_joins_the_group_of_the_machines_that_are_there() {
    let account = Account::new();
    let first = account.json("start --machine-group-name g");
    account.put("inductiva", json!({"status": 502}));
    account.json_that_warns("start --machine-group-name g --num-machines 2", str![[r#"
warning: Inductiva's API is out of reach (HTTP 502, set by the test): launching anyway; the machines look for the group g themselves

"#]]);
    for instance in account.instances() {
        assert_eq!(
            tags(&instance)["inductiva:machine-group-id"],
            text(&first["machine_group"]["id"])
        );
    }
}

#[test]
fn a_group_that_may_not_name_a_type_is_made_without_it() {
    let account = Account::new();
    account.put("inductiva", json!({"refuse_machine_type": true}));
    account.json("start --machine-group-name g");
    assert_eq!(account.groups()[0]["create_body"].get("machine_type"), None);
}

#[test]
fn a_group_that_is_refused_stops_the_launch() {
    let account = Account::new();
    account.put("inductiva", json!({"strict_names": true}));
    let run = account.run("start --machine-group-name my_group -q");
    run.assert(1, str![], str![[r#"
error: cannot make the machine group: Inductiva's API refused the call: HTTP 422, body.name: String should match pattern '^[0-9a-zA-Z-]+$'

"#]]);
    assert_eq!(account.launched(), 0);
}

#[test]
fn a_new_group_that_is_not_started_yet_is_not_made_twice() {
    let account = Account::new();
    account.put("inductiva", json!({"group_status_on_create": "registered"}));
    account.json("start --machine-group-name g");
    account.json("start --machine-group-name g --num-machines 2");
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn names_with_spaces_reach_inductiva_whole() {
    let account = Account::new();
    let mut command = account.command(["start", "--machine-group-name", "my run 1.2", "-q"]);
    finish(&mut command).assert(0, "[ID]\n", "");
    let mut command = account.command([
        "start",
        "--machine-group-name",
        "my run 1.2",
        "-q",
        "-n",
        "2",
    ]);
    finish(&mut command).assert(0, "[ID]\n[ID]\n", "");
    assert_eq!(account.groups().len(), 1);
    assert_eq!(account.groups()[0]["name"], "my run 1.2");
}

#[test]
fn the_flags_key_goes_before_the_environments() {
    let account = Account::new();
    let run = start_with_key(&account, Some("wrong-key"), &format!("--api-key {API_KEY}"));
    run.assert(0, "[ID]\n", str![]);
}

#[test]
fn the_environments_key_goes_before_the_files() {
    let account = Account::new();
    account.file(".inductiva/api_key", "wrong-key");
    start_with_key(&account, Some(API_KEY), "").assert(0, "[ID]\n", "");
}

#[test]
fn the_files_key_is_trimmed_and_used_when_the_environments_is_empty() {
    let account = Account::new();
    account.file(".inductiva/api_key", format!("  {API_KEY}\r\n\n"));
    start_with_key(&account, Some(""), "").assert(0, "[ID]\n", "");
    let data = String::from_utf8(user_data(&account, 0)).expect("text");
    assert!(
        data.contains("export INDUCTIVA_API_KEY='sandbox-key'\n"),
        "{data}"
    );
}

#[test]
fn no_key_at_all_is_a_usage_error_that_says_where_to_get_one() {
    let account = Account::new();
    start_with_key(&account, None, "").assert(2, str![], str![[r#"
error: there is no Inductiva API key
hint: get one at https://inductiva.ai/; `inductiva-aws configure` stores it, or give it as --api-key or in INDUCTIVA_API_KEY

"#]]);
    assert_eq!(account.requests(), [] as [Value; 0]);
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
    let account = Account::new();
    let run = start_with_key(&account, Some("top\nsecret"), "");
    run.assert(
        2,
        str![],
        str![[r#"
error: the Inductiva API key has characters that no key has
hint: copy it again from your account at https://inductiva.ai/

"#]],
    );
}
