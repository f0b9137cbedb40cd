//! Starts that are interrupted: what they launched is undone, or named.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list, text};

#[test]
fn an_interrupted_start_leaves_nothing_behind() {
    use crate::sandbox::{INTERRUPTED, signal, until_it_says};
    // Before and after EC2 has acted, in the first call and in a later one.
    for (kind, after, launched, expected) in [
        (
            "hold",
            0,
            0,
            str![[r#"
; interrupt again to stop at once
cannot launch t3.micro: cannot reach AWS in eu-west-2: io error: client error (SendRequest): connection error: Connection reset by peer (os error 104); trying again
undoing: terminating 100 machines
error: interrupted while launching; what had been launched was terminated

"#]],
        ),
        (
            "hold_answer",
            0,
            100,
            str![[r#"
; interrupt again to stop at once
cannot launch t3.micro: cannot reach AWS in eu-west-2: other: client error (SendRequest): connection closed before message completed; trying again
undoing: terminating 100 machines
error: interrupted while launching; what had been launched was terminated

"#]],
        ),
        (
            "hold_answer",
            1,
            150,
            str![[r#"
; interrupt again to stop at once
cannot launch t3.micro: cannot reach AWS in eu-west-2: other: client error (SendRequest): connection closed before message completed; trying again
launching: 2 of 2 calls answered
undoing: terminating 150 machines
error: interrupted while launching; what had been launched was terminated

"#]],
        ),
    ] {
        let account = Account::new();
        account.fault(
            json!({"service": "ec2", "operation": "RunInstances", "kind": kind, "after": after}),
        );
        let mut child = account.start("start --machine-group-name g --num-machines 150");
        account.until_held();
        signal(&child, "-TERM");
        until_it_says(&mut child, INTERRUPTED);
        // The answer is lost: it has to be found out what was launched.
        account.post("release", json!({"drop": true}));
        let run = ended(child);
        run.fails(130, expected);
        assert_eq!(account.live(), [] as [String; 0], "{kind} {after}");
        assert!(account.launched() >= launched, "{kind} {after}");
        assert_eq!(account.groups(), [] as [Value; 0]);
    }
}

#[test]
fn a_second_interruption_stops_at_once_and_names_the_machines() {
    use crate::sandbox::{INTERRUPTED, signal, until_it_says};
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "InvalidInstanceID.NotFound", "message": "not yet", "status": 400, "count": null}));
    account
        .fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1}));
    account.hold_pauses();
    let mut child = account.start("start --machine-group-name g --num-machines 101 --output json");
    account.until_held();
    signal(&child, "-INT");
    until_it_says(&mut child, INTERRUPTED);
    account.post("release", json!({}));
    // It is undoing, and waits for the next try, which does not come by itself.
    account.until_pausing();
    assert!(account.calls("TerminateInstances") > 0);
    signal(&child, "-INT");
    let run = ended(child);
    assert_eq!((run.code, run.stdout.as_str()), (130, ""), "{}", run.stderr);
    let mut named: Vec<String> = list(&run.error()["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    named.sort();
    assert_eq!(named, account.live());
    assert!(named.len() >= 100, "{}", run.stderr);
}

#[test]
fn machines_that_another_start_counts_are_not_undone() {
    use crate::sandbox::{INTERRUPTED, signal, until_it_says};
    let account = Account::new();
    // Its second call is accepted, and its answer takes long.
    account.fault(
        json!({"service": "ec2", "operation": "RunInstances", "kind": "hold_answer", "after": 1}),
    );
    let mut slow = account.start("start --machine-group-name g --num-machines 150 --output json");
    account.until_held();
    let larger = account.json("start --machine-group-name g --num-machines 160");
    assert_eq!(
        (&larger["existing"], &larger["launched"]),
        (&json!(150), &json!(10))
    );
    signal(&slow, "-INT");
    until_it_says(&mut slow, INTERRUPTED);
    account.post("release", json!({}));
    let run = ended(slow);
    run.fails(3, str![[r#"
; interrupt again to stop at once
launching: 2 of 2 calls answered
undoing: terminating 150 machines
warning: nothing more is terminated: another start of the group may count these machines
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":["[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]","[ID]"],"message":"interrupted while launching"}}

"#]]);
    assert_eq!(list(&run.error()["machines"]).len(), 150);
    assert_eq!(account.live().len(), 160);
}
