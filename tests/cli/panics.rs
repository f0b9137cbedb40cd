//! When the program itself fails: it says so as it says any failure, names what
//! may be running, and leaves neither core nor what the panic quotes.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, finish, list, text};

/// What the panic says. It may be anything: a request, with all that is in it.
const QUOTED: &str = "Request { headers: MarkedWordsOfThePanic }";

/// The program fails at the answer of a call, which has taken effect.
fn fails_at(account: &Account, service: &str, operation: &str) {
    account.fault(json!({
        "service": service, "operation": operation, "kind": "headers", "count": null,
        "headers": {"x-sandbox-panic": QUOTED},
    }));
}

#[test]
fn a_start_that_fails_itself_after_its_launch_says_what_may_be_running() {
    let account = Account::new();
    fails_at(&account, "ec2", "RunInstances");
    let run = account.run("start --machine-group-name g --output json");
    run.fails(3, str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g; report it, with that place and the version [..]","kind":"machines_may_be_running","machines":[],"message":"inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws; machines of this run may be running"}}

"#]]);
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_start_that_fails_itself_names_the_machines_that_it_knows() {
    let account = Account::new();
    account.hold_pauses();
    let child =
        account.start("start --machine-group-name g --num-machines 2 --wait -q --output json");
    account.until_pausing();
    fails_at(&account, "ec2", "DescribeInstances");
    let run = account.ended(child);
    run.fails(3, str![[r#"
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name g; report it, with that place and the version [..]","kind":"machines_may_be_running","machines":["[ID]","[ID]"],"message":"inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws; machines of this run may be running"}}

"#]]);
    let mut named: Vec<String> = list(&run.error()["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    named.sort();
    assert_eq!(named, account.live());
    assert_eq!(named.len(), 2);
}

#[test]
fn what_fails_itself_before_any_launch_is_1_and_after_terminate_3() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    fails_at(&account, "ec2", "DescribeInstances");
    let failed = str![[r#"
{"error":{"hint":"report it, with that place and the version [..]","kind":"failed","machines":[],"message":"inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws"}}

"#]];
    for (line, code, said) in [
        ("list", 1, failed.clone()),
        ("start --machine-group-name h", 1, failed.clone()),
        ("start --machine-group-name h --dry-run", 1, failed.clone()),
        (
            "terminate g --yes",
            3,
            str![[r#"
{"error":{"hint":"inductiva-aws list shows what runs, and the same command again ends it; report it, with that place and the version [..]","kind":"machines_may_be_running","machines":[],"message":"inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws; machines that were to be terminated may still be running"}}

"#]],
        ),
    ] {
        let run = account.run(&format!("{line} --output json"));
        run.fails(code, said);
    }
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_task_that_fails_is_a_failure_of_the_command() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    fails_at(&account, "ec2", "GetConsoleOutput");
    let run = account.run("logs g --output json");
    run.fails(1, str![[r#"
{"error":{"hint":"report it, with that place and the version [..]","kind":"failed","machines":[],"message":"inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws"}}

"#]]);
    let run = account.run("logs g");
    run.fails(
        1,
        str![[r#"
error: inductiva-aws itself has failed, at src/time/sandbox_clock.rs:[..]: this is a bug in inductiva-aws
hint: report it, with that place and the version [..]

"#]],
    );
}

/// The tests' way to make it fail is closed to everybody else, as src/time.rs says.
#[test]
fn no_answer_makes_a_program_fail_that_does_not_run_by_a_tests_clock() {
    let account = Account::new();
    fails_at(&account, "*", "*");
    let mut command = account.command(["list"]);
    command.env_remove("INDUCTIVA_AWS_TEST_CLOCK");
    finish(&mut command).assert(
        0,
        str![],
        str![[r#"
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere

"#]],
    );
}
