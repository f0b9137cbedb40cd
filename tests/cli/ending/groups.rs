//! What becomes of the groups on Inductiva's side.

use serde_json::{Value, json};
use snapbox::str;

use super::{alive, nothing};
use crate::sandbox::{Account, ended, finish};

#[test]
fn what_aws_does_not_need_keeps_no_machine_running() {
    let account = Account::new();
    let folder = Account::new();
    std::fs::create_dir_all(folder.home.path().join(".inductiva/api_key")).expect("a folder");
    let home = folder.home.path().display().to_string();
    for (name, value, of_list, of_terminate) in [
        (
            "INDUCTIVA_API_KEY",
            "top\nsecret",
            str![[r#"
warning: Inductiva cannot be asked: the Inductiva API key has characters that no key has
1 machine runs, about 0.0232 USD an hour

"#]],
            str![[r#"
warning: Inductiva cannot be asked: the Inductiva API key has characters that no key has
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
        ),
        (
            "INDUCTIVA_API_URL",
            "no address",
            str![[r#"
warning: Inductiva cannot be asked: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "no address" has a blank, a line break or another control character in it
1 machine runs, about 0.0232 USD an hour

"#]],
            str![[r#"
warning: Inductiva cannot be asked: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "no address" has a blank, a line break or another control character in it
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
        ),
        (
            "INDUCTIVA_API_KEY",
            "wrong-key",
            str![[r#"
warning: Inductiva cannot be asked about the machines: HTTP 401, Invalid API key
1 machine runs, about 0.0232 USD an hour

"#]],
            str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group g stays on Inductiva's side: HTTP 401, Invalid API key

"#]],
        ),
        (
            "HOME",
            home.as_str(),
            str![[r#"
warning: Inductiva cannot be asked: cannot read [HOME]/.inductiva/api_key: [..] (os error [..])
1 machine runs, about 0.0232 USD an hour

"#]],
            str![[r#"
warning: Inductiva cannot be asked: cannot read [HOME]/.inductiva/api_key: [..] (os error [..])
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
        ),
    ] {
        account.json("start --machine-group-name g");
        account.settle();
        let run = |line: &str| {
            let mut command = account.command(line.split_whitespace());
            if name == "HOME" {
                command.env_remove("INDUCTIVA_API_KEY");
            }
            finish(command.env(name, value))
        };
        run("list").succeeds(of_list);
        run("terminate g -y").assert(0, "[ID]\n", of_terminate);
        assert_eq!(alive(&account), nothing());
        assert_eq!(account.groups().len(), 1);
        account.json("terminate g -y");
    }
}

#[test]
fn many_groups_are_asked_for_and_deleted_side_by_side() {
    let account = Account::new();
    for number in 0..20 {
        account.json(&format!("start --machine-group-name g{number}"));
    }
    account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/*", "kind": "hold", "count": 16}));
    let child = account.start("terminate --all -y");
    account.until_so_many_are_held(16);
    account.post("release", json!({}));
    let run = ended(child);
    run.ends(0, str![[r#"
20 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
machine groups: 1 of 20
machine groups: 2 of 20
machine groups: 3 of 20
machine groups: 4 of 20
machine groups: 5 of 20
machine groups: 6 of 20
machine groups: 7 of 20
machine groups: 8 of 20
machine groups: 9 of 20
machine groups: 10 of 20
machine groups: 11 of 20
machine groups: 12 of 20
machine groups: 13 of 20
machine groups: 14 of 20
machine groups: 15 of 20
machine groups: 16 of 20
machine groups: 17 of 20
machine groups: 18 of 20
machine groups: 19 of 20
machine groups: 20 of 20
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --remove-security-group removes it

"#]]);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn an_answer_about_another_group_deletes_nothing() {
    let account = Account::new();
    account.json("start --machine-group-name mine");
    account.json("start --machine-group-name theirs");
    let groups = account.groups();
    let mut theirs = groups[1].clone();
    let wrong = |body: &Value| {
        account.forget_faults();
        account.fault(json!({"service": "inductiva", "operation": "GET /compute/group/mine", "kind": "answer", "count": null, "status": 200, "body": body.to_string()}));
    };
    // Its name shows it, or only its id.
    wrong(&theirs);
    account.run("terminate mine -y").assert(
        0,
        "[ID]\n",
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group mine stays on Inductiva's side: it answers with another group than mine

"#]],
    );
    assert_eq!(account.groups(), groups);
    account.forget_faults();
    account.json("start --machine-group-name mine");
    theirs["name"] = "mine".into();
    wrong(&theirs);
    let run = account.run("terminate mine -y");
    run.ends(0, str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
the group mine is active on Inductiva's side, and no machine of it shows: looking for up to 2m
warning: the machine group mine stays on Inductiva's side: Inductiva answers with the id of the group theirs

"#]]);
    assert_eq!(account.groups(), groups);
    // A colleague's, of which no machine is in this account.
    account.forget_faults();
    let response = ureq::post(format!("{}/compute/group", account.api_url()))
        .header("X-API-Key", crate::sandbox::API_KEY)
        .send_json(json!({"name": "colleague", "provider_id": "LOCAL"}));
    assert_eq!(response.expect("an answer").status(), 201);
    let groups = account.groups();
    let mut theirs = groups[2].clone();
    theirs["name"] = "mine".into();
    account.json("start --machine-group-name mine");
    wrong(&theirs);
    let run = account.run("terminate mine -y");
    run.ends(0, str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
the group mine is active on Inductiva's side, and no machine of it shows: looking for up to 2m
warning: the machine group mine stays on Inductiva's side: Inductiva's answers do not agree on its id

"#]]);
    assert_eq!(account.groups(), groups);
}

#[test]
fn a_group_that_a_start_makes_meanwhile_is_not_deleted_under_its_machines() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.json("terminate g -y");
    // Nothing of that launch is waited for any more.
    account.pass(700.0);
    account.hold_pauses();
    // It knows of a machine that has ended, and looks for ten seconds.
    let terminate = account.start("terminate g -y");
    account.until_pausing();
    account.put("settings", json!({"visible_after_seconds": 60}));
    account.run("start --machine-group-name g").succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)

"#]]);
    account.ended(terminate).assert(
        0,
        "[ID]\n",
        str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
1 machine is shutting down: billing of the machines has ended, their disks go with them

"#]],
    );
    assert_eq!((alive(&account).len(), account.groups().len()), (0, 0));
}
