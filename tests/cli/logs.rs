//! `logs`.

use std::cell::RefCell;

use serde_json::{Value, json};
use snapbox::str;

#[cfg(unix)]
use crate::sandbox::signal;
use crate::sandbox::{Account, ended, spawn, text};

pub const BOOTING: &str = "[    0.0] Linux version 6.8\n[   12.0] cloud-init[500]: inductiva-aws: phase deadlines\ninductiva-aws: phase images\n";

/// A group with this console on each of its machines; their ids.
pub fn group_that_says(account: &Account, flags: &str, console: &str) -> Vec<String> {
    account.json(&format!("start --machine-group-name g {flags}"));
    let ids = account.live();
    for id in &ids {
        account.put("consoles", json!({id: console}));
    }
    ids
}

/// With 8,000 of them, more than EC2 keeps.
fn numbered_lines(number: u32) -> String {
    let lines: Vec<String> = (0..number).map(|n| format!("line {n} é\n")).collect();
    lines.concat()
}

#[test]
fn the_console_of_a_nitro_machine_is_live() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", BOOTING);
    account.run("logs g").assert(0, BOOTING, str![]);
    account
        .run(&format!("logs --instance-id {}", ids[0]))
        .assert(0, BOOTING, str![]);
    account
        .run(&format!("logs {}", ids[0]))
        .assert(0, BOOTING, str![]);
    let looks: Vec<Value> = account
        .requests()
        .into_iter()
        .filter(|r| r["operation"] == "GetConsoleOutput")
        .collect();
    assert!(
        looks.iter().all(|r| r["params"]["Latest"] == "true"),
        "{looks:?}"
    );
}

#[test]
fn the_console_of_an_older_machine_lags_and_that_is_said() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t2.micro", BOOTING);
    account.run("logs g").assert(
        0,
        BOOTING,
        str![[r#"
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late

"#]],
    );
}

#[test]
fn a_long_console_comes_in_lines_and_with_its_end() {
    let account = Account::new();
    let console = numbered_lines(8_000);
    group_that_says(&account, "--vm-type t3.micro", &console);
    let run = account.run("logs g");
    assert_eq!(run.code, 0, "{}", run.stderr);
    // 64 KB, of which the first line is cut.
    let (_, whole) = run.stdout.split_once('\n').expect("lines");
    assert!(whole.len() > 65_000 && console.ends_with(whole));
}

#[test]
fn a_live_console_that_has_nothing_is_that_which_ec2_posted() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", BOOTING);
    account.fault(json!({"operation": "GetConsoleOutput", "service": "ec2", "match": {"Latest": "true"}, "count": null, "code": "IncorrectInstanceState", "status": 400}));
    account
        .run(&format!("logs --instance-id {}", ids[0]))
        .assert(0, BOOTING, str![]);
    assert_eq!(account.json("logs g")["logs"][0]["live"], json!(false));
}

#[test]
fn lines_say_whose_they_are_when_there_are_many() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro --num-machines 2", "one\n");
    let run = account.run("logs g");
    let mut lines: Vec<&str> = run.succeeds("").lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [format!("{}  one", ids[0]), format!("{}  one", ids[1])]
    );
}

#[test]
fn phases_and_failures_stand_out_and_nothing_else_reaches_the_terminal() {
    let account = Account::new();
    group_that_says(
        &account,
        "--vm-type t3.micro",
        "\x1b[2Jplain\ninductiva-aws: phase images\ninductiva-aws: failed images: no\n",
    );
    let run = account.run("logs g --color always");
    assert_eq!(
        run.succeeds(""),
        "[2Jplain\n\x1b[1m\x1b[32minductiva-aws: phase images\x1b[0m\n\x1b[1m\x1b[31minductiva-aws: failed images: no\x1b[0m\n"
    );
}

#[test]
fn a_console_that_cannot_be_read_does_not_hide_the_others() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro --num-machines 2", "one\n");
    account.fault(json!({"service": "ec2", "operation": "GetConsoleOutput", "match": {"InstanceId": ids[0]}, "count": null, "code": "IncorrectInstanceState", "status": 400, "message": "not now"}));
    let run = account.run("logs g");
    assert_eq!(run.stdout, format!("{}  one\n", ids[1]));
    let why = format!("error: cannot read the console of {}: not now", ids[0]);
    assert!(run.stderr.starts_with(&why), "{}", run.stderr);
    run.assert(
        1,
        str![[r#"
[ID]  one

"#]],
        str![[r#"
error: cannot read the console of [ID]: not now (IncorrectInstanceState, request [UUID])

"#]],
    );
    let run = account.run("logs g --output json");
    assert_eq!(run.code, 1);
    assert_eq!(run.error()["kind"], "failed");
    assert_eq!(
        run.document(),
        json!({"logs": [{"instance_id": ids[1], "live": true, "console": "one\n"}], "ended": []})
    );
}

#[test]
fn json_has_the_whole_console() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", BOOTING);
    assert_eq!(
        account.json("logs g"),
        json!({"logs": [{"instance_id": ids[0], "live": true, "console": BOOTING}], "ended": []})
    );
}

#[test]
fn a_console_with_nothing_on_it_is_said() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t3.micro", "");
    account.run("logs g").assert(
        0,
        str![],
        str![[r#"
[ID] has nothing on its console yet

"#]],
    );
}

#[test]
fn what_is_not_there_or_not_ours_has_no_logs() {
    let account = Account::new();
    account.run("logs nothing").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no machine group nothing
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    let other = account.ec2("run_instances", json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}));
    let other = text(&other["Instances"][0]["InstanceId"]).to_owned();
    account.run(&format!("logs --instance-id {other}")).assert(
        1,
        str![],
        str![[r#"
error: not launched by inductiva-aws: [ID]

"#]],
    );
    account.run("logs").fails(
        2,
        str![[r#"
error: the following required arguments were not provided:
  <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>>

Usage: inductiva-aws logs [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>>

For more information, try '--help'.

"#]],
    );
}

#[cfg(unix)]
#[test]
fn follow_goes_on_with_what_is_new_until_interrupted() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", "one\n");
    account.hold_pauses();
    let child = account.start("logs g --follow");
    account.until_pausing();
    account.put("consoles", json!({&ids[0]: "one\ntwo\n"}));
    account.pass_pause();
    account.pass_pause();
    signal(&child, "-INT");
    let run = ended(child);
    assert_eq!((run.code, run.stdout.as_str()), (0, "one\ntwo\n"));
    assert_eq!(run.stderr, "");
}

#[cfg(unix)]
#[test]
fn follow_shows_a_line_when_it_has_its_end() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", "one\ntw");
    account.hold_pauses();
    let child = account.start("logs g --follow");
    account.until_pausing();
    account.put("consoles", json!({&ids[0]: "one\ntwo\nth"}));
    account.pass_pause();
    account.pass_pause();
    signal(&child, "-INT");
    assert_eq!(ended(child).stdout, "one\ntwo\n");
}

#[cfg(unix)]
#[test]
fn follow_repeats_nothing_of_a_console_that_is_longer_than_what_ec2_keeps() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro", &numbered_lines(8_000));
    // A pipe that nobody reads would be full.
    let path = account.file("shown", "");
    let file = std::fs::File::create(&path).expect("a file");
    account.hold_pauses();
    let child = spawn(account.command(["logs", "g", "--follow"]).stdout(file));
    account.until_pausing();
    account.put("consoles", json!({&ids[0]: numbered_lines(8_010)}));
    account.pass_pause();
    account.pass_pause();
    signal(&child, "-INT");
    ended(child).assert(0, str![], str![]);
    let shown = std::fs::read_to_string(path).expect("it is UTF-8");
    let (_, whole) = shown.split_once('\n').expect("lines");
    assert!(numbered_lines(8_010).ends_with(whole));
}

#[cfg(unix)]
#[test]
fn follow_goes_on_with_the_others_and_comes_back_to_one_that_cannot_be_read() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro --num-machines 2", "one\n");
    let fault = json!({"service": "ec2", "operation": "GetConsoleOutput", "match": {"InstanceId": ids[0]}, "count": null, "code": "IncorrectInstanceState", "status": 400, "message": "not now"});
    account.fault(fault);
    account.hold_pauses();
    let child = account.start("logs g --follow");
    account.pass_pause();
    account.forget_faults();
    account.put("consoles", json!({&ids[1]: "one\ntwo\n"}));
    account.pass_pause();
    account.pass_pause();
    signal(&child, "-INT");
    let run = ended(child);
    let mut shown: Vec<&str> = run.stdout.lines().collect();
    shown.sort_unstable();
    let expected = [
        format!("{}  one", ids[0]),
        format!("{}  one", ids[1]),
        format!("{}  two", ids[1]),
    ];
    assert_eq!(
        (run.code, shown),
        (0, expected.each_ref().map(String::as_str).to_vec())
    );
    assert_eq!(run.stderr.matches("not now").count(), 1, "{}", run.stderr);
}

#[test]
fn follow_ends_when_all_machines_have_ended() {
    let account = Account::new();
    let ids = group_that_says(&account, "--vm-type t3.micro --num-machines 2", "one\n");
    account.settle();
    account.hold_pauses();
    let child = account.start("logs g --follow");
    account.until_pausing();
    account.ec2("terminate_instances", json!({"InstanceIds": [ids[0]]}));
    account.pass_pause();
    account.ec2("terminate_instances", json!({"InstanceIds": [ids[1]]}));
    account.put("consoles", json!({&ids[1]: "one\ntwo\n"}));
    account.settle();
    let run = account.ended(child);
    let mut shown: Vec<&str> = run.stdout.lines().collect();
    shown.sort_unstable();
    let mut expected = [
        format!("{}  one", ids[0]),
        format!("{}  one", ids[1]),
        format!("{}  two", ids[1]),
    ];
    expected.sort();
    assert_eq!(
        (run.code, shown),
        (0, expected.each_ref().map(String::as_str).to_vec())
    );
    run.ends(
        0,
        str![[r#"
[ID] has ended: Client.UserInitiatedShutdown: User initiated shutdown
[ID] has ended: Client.UserInitiatedShutdown: User initiated shutdown

"#]],
    );
}

#[test]
fn follow_ends_when_it_may_not_look_or_is_to_be_a_document() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t3.micro", "one\n");
    account.fault(json!({"service": "ec2", "operation": "GetConsoleOutput", "count": null, "code": "UnauthorizedOperation", "status": 403}));
    account.run("logs g --follow").fails(4, str![[r#"
error: cannot read the console of [ID]: An internal error has occurred (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
    account.run("logs g --follow --output json").fails(2, str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"--follow cannot be combined with --output json: it goes on and on, and JSON output is one document"}}

"#]]);
}

#[test]
fn what_goes_on_and_on_ends_when_its_reader_goes_away() {
    let account = Account::new();
    group_that_says(&account, "--vm-type t3.micro", "one\n");
    for line in ["logs g --follow", "list -q --watch 1"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = spawn(account.command(line.split(' ')).stdout(writer));
        let child = RefCell::new(child);
        account.until(line, |_| {
            let status = child.borrow_mut().try_wait();
            status.expect("it can be waited for").is_some()
        });
        ended(child.into_inner()).assert(0, "", "");
    }
}
