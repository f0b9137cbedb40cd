//! Machines that fail to boot or end meanwhile, and their last lines.

use serde_json::{Value, json};
use snapbox::str;

use super::waited_for;
use crate::{logs::BOOTING, sandbox::Account};

#[test]
fn a_machine_that_fails_to_boot_is_named_with_its_last_lines() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 2, "");
    let said = format!("{BOOTING}inductiva-aws: failed images: no \x1b[2Jsuch host\n");
    account.put("consoles", json!({&ids[0]: said}));
    account.post("power_off", json!({"instance_ids": [ids[0]]}));
    let run = account.ended(child);
    // Which machine is meant, in the order of the lines below.
    let named: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| !line.starts_with("launched "))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("i-"))
        .collect();
    let (gone, left) = (ids[0].as_str(), ids[1].as_str());
    assert_eq!(named.last(), Some(&left));
    assert!(
        named
            .split_last()
            .is_some_and(|(_, others)| others.iter().all(|id| *id == gone))
    );
    run.ends(3, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
2 machines are of a type without a live console (Xen): EC2 posts it some minutes late
0 of 2 running, 0 registered
[ID]  [    0.0] Linux version 6.8
[ID]  [   12.0] cloud-init[500]: inductiva-aws: phase deadlines
[ID]  inductiva-aws: phase images
[ID]  inductiva-aws: failed images: no [2Jsuch host
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why; look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID]

"#]]);
}

#[test]
fn last_lines_that_ec2_has_not_posted_yet_are_waited_for() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 4}));
    let (child, ids) = waited_for(&account, 1, "--vm-type t2.micro");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: format!("{BOOTING}inductiva-aws: failed images: no\n")}),
    );
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    // Nothing is left of this run, the group on Inductiva's side neither.
    run.ends(
        1,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
launched [ID]
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late
0 of 1 running, 0 registered
1 machine ended while booting; the reason is not on the console yet
[ID]  [    0.0] Linux version 6.8
[ID]  [   12.0] cloud-init[500]: inductiva-aws: phase deadlines
[ID]  inductiva-aws: phase images
[ID]  inductiva-aws: failed images: no
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why

"#]],
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn last_lines_that_do_not_come_in_time_are_said_to_come_later() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 600}));
    let (child, ids) = waited_for(&account, 1, "--vm-type t2.micro --timeout 15s");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: "inductiva-aws: failed images: no\n"}),
    );
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    run.ends(
        1,
        str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
launched [ID]
1 machine is of a type without a live console (Xen): EC2 posts it some minutes late
0 of 1 running, 0 registered
1 machine ended while booting; the reason is not on the console yet
[ID]  the reason may be on its console in some minutes: inductiva-aws logs --instance-id [ID]
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why

"#]],
    );
}

#[test]
fn machines_that_end_meanwhile_are_not_named_as_running() {
    let account = Account::new();
    account.put("settings", json!({"console_posted_after_seconds": 600}));
    let (child, ids) = waited_for(&account, 2, "");
    for id in &ids {
        account.put(
            "consoles",
            json!({id: "inductiva-aws: failed images: no\n"}),
        );
    }
    account.post("power_off", json!({"instance_ids": [ids[0]]}));
    // The first one's end is seen, and then the other one's.
    account.pass_pause();
    account.post("power_off", json!({"instance_ids": [ids[1]]}));
    account.pass_pause();
    account.put("settings", json!({"console_posted_after_seconds": 0}));
    let run = account.ended(child);
    let reasons = "  inductiva-aws: failed images: no";
    let mut explained: Vec<&str> = run
        .stderr
        .lines()
        .filter_map(|line| line.strip_suffix(reasons))
        .collect();
    explained.sort_unstable();
    assert_eq!(explained, ids);
    run.ends(
        1,
        str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
2 machines are of a type without a live console (Xen): EC2 posts it some minutes late
0 of 2 running, 0 registered
1 machine ended while booting; the reason is not on the console yet
2 machines ended while booting; the reason is not on the console yet
[ID]  inductiva-aws: failed images: no
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
[ID]  inductiva-aws: failed images: no
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
error: 2 machines ended while booting: [ID] [ID]
hint: inductiva-aws logs g shows why

"#]],
    );
}

#[test]
fn what_was_seen_live_is_shown_when_nothing_more_can_be_read() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 1, "--vm-type t3.micro");
    let id = &ids[0];
    account.put(
        "consoles",
        json!({id: "inductiva-aws: failed images: no\n"}),
    );
    account.pass_pause();
    account.fault(json!({"service": "ec2", "operation": "GetConsoleOutput", "count": null, "code": "IncorrectInstanceState", "status": 400}));
    account.post("power_off", json!({"instance_ids": ids}));
    let run = account.ended(child);
    run.ends(
        1,
        str![[r#"
machine group g
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID]
0 of 1 running, 0 registered
[ID]  failed images: no
[ID]  inductiva-aws: failed images: no
[ID]  Client.InstanceInitiatedShutdown: Instance initiated shutdown
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why

"#]],
    );
}

#[test]
fn a_group_of_which_machines_are_left_stays() {
    let account = Account::new();
    let (child, ids) = waited_for(&account, 2, "");
    account.ec2("terminate_instances", json!({"InstanceIds": ids[..1]}));
    account.ended(child).ends(3, str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]
2 machines are of a type without a live console (Xen): EC2 posts it some minutes late
0 of 2 running, 0 registered
[ID]  Client.UserInitiatedShutdown: User initiated shutdown
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why; look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID]

"#]]);
    assert_eq!(account.groups().len(), 1);
}
