//! Where a group ends, a region that cannot be asked may have machines of it.

use serde_json::{Value, json};
use snapbox::{IntoData, str};

use super::{THERE, everywhere, nobody_answers, nobody_may_look, with_a_group_there};
use crate::sandbox::{Account, text};

/// Asserts how a command ends whose document leaves out [`THERE`].
#[track_caller]
fn leaves_out(account: &Account, line: &str, code: i32, said: impl IntoData) {
    let run = account.run(&format!("{line} -y --output json"));
    run.ends(code, said);
    assert_eq!(run.document()["left_out"][0]["region"], THERE);
}

#[test]
fn where_a_group_ends_a_region_that_was_not_looked_at_counts_only_if_machines_may_be_there() {
    for (nobody, said, said_without_inductiva) in [
        (
            nobody_answers as fn(&Account, &str),
            str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))

"#]],
            str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group next stays on Inductiva's side: HTTP 503, set by the test
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
{"error":{"hint":"try again: inductiva-aws terminate --machine-group-name next","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"}}

"#]],
        ),
        (
            nobody_may_look,
            str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
not looked at, because that is not permitted: us-east-1

"#]],
            str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group next stays on Inductiva's side: HTTP 503, set by the test
not looked at, because that is not permitted: us-east-1
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"}}

"#]],
        ),
    ] {
        let account = Account::new();
        account.put("inductiva", json!({"auto_register_seconds": 0}));
        account.json("start --machine-group-name here");
        account.settle();
        nobody(&account, THERE);
        leaves_out(&account, "terminate here", 0, said);
        assert_eq!(account.groups(), [] as [Value; 0]);
        // Its machines here are all that nobody can ask Inductiva about.
        account.json("start --machine-group-name next");
        account.put("inductiva", json!({"status": 503}));
        leaves_out(&account, "terminate next", 3, said_without_inductiva);
        assert_eq!(account.live(), [] as [String; 0]);
    }
}

#[test]
fn machines_that_inductiva_sees_alive_where_nobody_looked_are_not_said_to_have_ended() {
    for (nobody, said) in [
        (
            nobody_answers as fn(&Account, &str),
            [
                str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
{"error":{"hint":"try again: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
                str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
{"error":{"hint":"try again: inductiva-aws terminate --all --all-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: cannot list machines: broken (InvalidParameterValue, request [UUID]); Inductiva sees [ID] [ID] alive"}}

"#]],
                str![[r#"
eu-west-2 does not show [ID] [ID] yet: looking for up to 2m
{"error":{"hint":"try again: inductiva-aws terminate --instance-id [ID],[ID]","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
            ],
        ),
        (
            nobody_may_look,
            [
                str![[r#"
the group g is active on Inductiva's side, and no machine of it shows: looking for up to 2m
not looked at, because that is not permitted: us-east-1
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
                str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
                str![[r#"
eu-west-2 does not show [ID] [ID] yet: looking for up to 2m
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"machines may be running in us-east-1, which could not be asked: Inductiva sees [ID] [ID] alive"}}

"#]],
            ],
        ),
    ] {
        let account = with_a_group_there();
        let ids = account.json(&format!("list --region {THERE}"))["machines"].clone();
        let mut ids: Vec<&str> = ids
            .as_array()
            .expect("machines")
            .iter()
            .map(|m| text(&m["instance_id"]))
            .collect();
        nobody(&account, THERE);
        ids.sort_unstable();
        let by_id = format!("terminate --instance-id {}", ids.join(","));
        let lines = ["terminate g", "terminate --all --all-regions", &by_id];
        for (line, said) in lines.into_iter().zip(said) {
            let run = account.run(&format!("{line} -y --output json"));
            run.ends(3, said);
            if line == "terminate g" {
                let named = run.error()["machines"].clone();
                let mut named: Vec<String> = serde_json::from_value(named).expect("ids");
                named.sort();
                assert_eq!(named, ids);
            }
        }
        assert_eq!(account.groups().len(), 1);
    }
}

#[test]
fn an_id_that_nobody_knows_is_not_taken_for_one_of_a_region_that_was_not_looked_at() {
    let account = with_a_group_there();
    nobody_answers(&account, THERE);
    let line = "terminate --instance-id i-00000000000000000 -y";
    let run = account.run(line);
    run.fails(1, str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
not looked at, because there is no answer: us-east-1 (cannot list machines: broken (InvalidParameterValue, request [UUID]))
error: eu-west-2 does not have [ID]; nothing was terminated
hint: inductiva-aws list --all-regions shows what there is

"#]]);
    account.put("inductiva", json!({"status": 503}));
    account.run(line).assert(3, str![], str![[r#"
eu-west-2 does not show [ID] yet: looking for up to 2m
warning: Inductiva cannot be asked about groups without machines: HTTP 503, set by the test
error: machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either
hint: try again: inductiva-aws terminate --instance-id [ID]

"#]]);
}

#[test]
fn list_and_terminate_agree_on_regions_that_may_not_be_asked() {
    let account = Account::new();
    nobody_may_look(&account, THERE);
    for (inductiva, code, listing, ending) in [
        (
            json!({}),
            0,
            str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))

"#]],
            str![[r#"
looking for machines that EC2 does not show yet, for up to 10 s
there is nothing to terminate
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))

"#]],
        ),
        (
            json!({"status": 503}),
            3,
            str![[r#"
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
warning: Inductiva cannot be asked about the machines: HTTP 503, set by the test
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"}}

"#]],
            str![[r#"
warning: Inductiva cannot be asked about groups without machines: HTTP 503, set by the test
Inductiva cannot be asked whether there are machines: looking for up to 2m
warning: left out: us-east-1 (cannot list machines: with an explicit deny in a service control policy (UnauthorizedOperation, request [UUID]))
{"error":{"hint":"ask somebody who may look there to run inductiva-aws list --all-regions","kind":"machines_may_be_running","machines":[],"message":"machines may be running in us-east-1, which could not be asked: Inductiva cannot be asked either"}}

"#]],
        ),
    ] {
        account.put("inductiva", inductiva);
        let document = everywhere(&account, code, listing);
        assert_eq!(document["left_out"][0]["region"], THERE);
        leaves_out(&account, "terminate --all --all-regions", code, ending);
    }
}
