//! What `terminate` shows before it asks, and what an answer does.

use serde_json::json;
use snapbox::str;

use super::on_a_terminal;
use crate::{
    sandbox::Account,
    screens::{WIDE, shows},
};

#[test]
fn terminate_shows_what_goes_and_asks() {
    let account = Account::new();
    account.json("start --machine-group-name g --num-machines 2");
    // Their addresses show.
    account.settle();
    let question = format!(
        "see:2 machines of account {} in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])? ",
        account.number
    );
    let question = question.as_str();
    let run = on_a_terminal(
        &account,
        "terminate g",
        &["see:INSTANCE ID", question, "type:\n"],
        &[("NO_COLOR", "1"), WIDE],
    );
    // In a row of the table each, and nowhere else.
    let mut shown: Vec<&str> = run
        .stdout
        .split_whitespace()
        .filter(|word| word.starts_with("i-"))
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, account.live());
    assert_eq!(shown.len(), 2);
    // With what they have cost: a minute of both, which is the least.
    shows(
        &run,
        1,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
g      eu-west-2  2, 0 busy  t3.micro  [..]s   0.0463  0.0008

INSTANCE ID          STATE    ZONE        RUNNER          TASK
[ID]  running  eu-west-2a  not registered
[ID]  running  eu-west-2a  not registered
2 machines of account [ACCOUNT] in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])?
error: not confirmed: nothing was terminated

"#]],
    );
    let run = on_a_terminal(&account, "terminate g", &[question, "type:y\n"], &[WIDE]);
    shows(
        &run,
        0,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
g      eu-west-2  2, 0 busy  t3.micro  [..]s   0.0463  0.0008

INSTANCE ID          STATE    ZONE        RUNNER          TASK
[ID]  running  eu-west-2a  not registered
[ID]  running  eu-west-2a  not registered
2 machines of account [ACCOUNT] in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])? y
2 machines are shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
[ID]
[ID]

"#]],
    );
    assert_eq!(account.live(), [] as [String; 0]);
}

/// The table has no room for it.
#[test]
fn terminate_tells_on_a_narrow_terminal_too_what_has_been_spent() {
    let account = Account::new();
    account.json("start --machine-group-name wind-tunnel --vm-type t2.micro");
    account.settle();
    let run = on_a_terminal(
        &account,
        "terminate wind-tunnel",
        &["see:INSTANCE ID", "see:Are you sure", "type:\n"],
        &[("NO_COLOR", "1"), ("SIZE", "24x60")],
    );
    assert!(!run.stdout.contains("SPENT"), "{}", run.stdout);
    assert!(
        run.stdout.contains("wind-tunnel: 1 machine ran ")
            && run.stdout.contains(": about 0.0004 USD"),
        "{}",
        run.stdout
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
}

#[test]
fn terminate_says_before_it_asks_that_a_cost_is_not_known() {
    let account = Account::new();
    account.json("start --machine-group-name g --vm-type t2.micro");
    // Their addresses, which cost something, show.
    account.settle();
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = on_a_terminal(
        &account,
        "terminate g",
        &[
            "see: USD as far as it is known (",
            "see:Are you sure",
            "type:\n",
        ],
        &[WIDE],
    );
    shows(
        &run,
        1,
        str![[r#"
GROUP  REGION     MACHINES  TYPE      AGE  USD/H
g      eu-west-2  1         t2.micro  [..]s   0.0246

INSTANCE ID          STATE    ZONE        RUNNER  TASK
[ID]  running  eu-west-2a  n/a
1 machine of account [ACCOUNT] in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])?
error: not confirmed: nothing was terminated

"#]],
    );
    assert_eq!(account.live().len(), 1);
}

#[test]
fn terminate_asks_once_and_says_which_tasks_would_be_lost() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --machine-group-name g --wait");
    let id = account.live()[0].clone();
    account.json("start --machine-group-name h");
    // Their addresses, which cost something, show.
    account.settle();
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": id, "current_task_id": "task-7"}]}));
    let question = format!(
        "see:2 machines of account {} in eu-west-2 will be terminated. Are you sure",
        account.number
    );
    let run = on_a_terminal(
        &account,
        "terminate g h",
        &["see:1 task would be lost: task-7", &question, "type:y\n"],
        &[WIDE],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(run.stdout.matches("Are you sure").count(), 1);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn terminate_shows_groups_without_machines_too() {
    let account = Account::new();
    account.json("start --machine-group-name lost");
    account.ec2(
        "terminate_instances",
        json!({"InstanceIds": account.live()}),
    );
    account.json("start --machine-group-name g");
    // Their addresses, which cost something, show.
    account.settle();
    let run = on_a_terminal(
        &account,
        "terminate --all",
        &[
            "see:machine group lost, without machines",
            "see:1 machine and 1 machine group of account",
            "see:will be terminated. Are you sure",
            "type:n\n",
        ],
        &[WIDE],
    );
    shows(
        &run,
        1,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
g      eu-west-2  1, 0 busy  t3.micro  [..]s   0.0232  0.0004

INSTANCE ID          STATE    ZONE        RUNNER          TASK
[ID]  running  eu-west-2a  not registered
machine group lost, without machines
1 machine and 1 machine group of account [ACCOUNT] in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])? n
error: not confirmed: nothing was terminated

"#]],
    );
    assert_eq!((account.live().len(), account.groups().len()), (1, 2));
}

#[test]
fn nobody_is_asked_with_no_input() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    // Their addresses, which cost something, show.
    account.settle();
    let run = on_a_terminal(&account, "terminate g --no-input", &["see:--yes"], &[WIDE]);
    shows(
        &run,
        2,
        str![[r#"
GROUP  REGION     MACHINES  TYPE      AGE  USD/H
g      eu-west-2  1         t3.micro  [..]s   n/a

INSTANCE ID          STATE    ZONE        RUNNER  TASK
[ID]  running  eu-west-2a  n/a
error: there is no terminal to ask on
hint: add -y/--yes to go ahead without being asked

"#]],
    );
    assert_eq!(account.live().len(), 1);
}

#[test]
fn ctrl_c_at_a_question_is_130_and_ends_nothing() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    // Their addresses, which cost something, show.
    account.settle();
    let run = on_a_terminal(
        &account,
        "terminate g",
        &["see:proceed", "type:\\x03"],
        &[WIDE],
    );
    // The error is on a line of its own.
    shows(
        &run,
        130,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE  USD/H   SPENT
g      eu-west-2  1, 0 busy  t3.micro  [..]s   0.0232  0.0004

INSTANCE ID          STATE    ZONE        RUNNER          TASK
[ID]  running  eu-west-2a  not registered
1 machine of account [ACCOUNT] in eu-west-2 will be terminated. Are you sure you want to proceed (y/[N])? ^C
error: interrupted at the question: nothing was sent, nothing was terminated

"#]],
    );
    assert_eq!(account.live().len(), 1);
}
