//! What `terminate` shows before it asks, and what an answer does.

use serde_json::json;

use super::on_a_terminal;
use crate::sandbox::Account;

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
        &[("NO_COLOR", "1")],
    );
    // What it has cost, too: a minute of both, which is the least.
    let spent = run.stdout.lines().find(|line| line.starts_with("g "));
    assert!(
        run.stdout.contains(" SPENT") && spent.is_some_and(|row| row.contains(" 0.0008")),
        "{}",
        run.stdout
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
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(
        run.stdout.contains("not confirmed: nothing was terminated"),
        "{}",
        run.stdout
    );
    let run = on_a_terminal(&account, "terminate g", &[question, "type:y\n"], &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn terminate_says_before_it_asks_that_a_cost_is_not_known() {
    let account = Account::new();
    account.json("start --machine-group-name g --vm-type t2.micro");
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let run = on_a_terminal(
        &account,
        "terminate g",
        &[
            "see: USD as far as it is known (",
            "see:Are you sure",
            "type:\n",
        ],
        &[],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_eq!(account.live().len(), 1);
}

#[test]
fn terminate_asks_once_and_says_which_tasks_would_be_lost() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --machine-group-name g --wait");
    let id = account.live()[0].clone();
    account.json("start --machine-group-name h");
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": id, "current_task_id": "task-7"}]}));
    let question = format!(
        "see:2 machines of account {} in eu-west-2 will be terminated. Are you sure",
        account.number
    );
    let run = on_a_terminal(
        &account,
        "terminate g h",
        &["see:1 task would be lost: task-7", &question, "type:y\n"],
        &[],
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
    let run = on_a_terminal(
        &account,
        "terminate --all",
        &[
            "see:machine group lost, without machines",
            "see:1 machine and 1 machine group of account",
            "see:will be terminated. Are you sure",
            "type:n\n",
        ],
        &[],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert_eq!((account.live().len(), account.groups().len()), (1, 2));
}

#[test]
fn nobody_is_asked_with_no_input() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let run = on_a_terminal(&account, "terminate g --no-input", &["see:--yes"], &[]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert_eq!(account.live().len(), 1);
}

#[test]
fn ctrl_c_at_a_question_is_130_and_ends_nothing() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let run = on_a_terminal(&account, "terminate g", &["see:proceed", "type:\\x03"], &[]);
    assert_eq!(run.code, 130, "{}", run.stdout);
    let said = "interrupted at the question: nothing was sent, nothing was terminated";
    assert!(run.stdout.contains(said), "{}", run.stdout);
    // On a line of its own.
    let screen = crate::screens::drawn(&run.stdout, 24, 120).contents();
    assert!(screen.contains("\nerror: interrupted"), "{screen}");
    assert_eq!(account.live().len(), 1);
}
