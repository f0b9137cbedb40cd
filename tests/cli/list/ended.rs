//! What a list says of machines that are not in it any more.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, finish};

/// A group of which the machine has powered itself off.
fn ends_by_itself(account: &Account, name: &str) {
    let line = ["start", "--machine-group-name", name, "-q"];
    let run = finish(&mut account.command(line));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1);
    account.settle();
    account.post("power_off", json!({"instance_ids": account.live()}));
    account.settle();
}

#[test]
fn a_machine_that_ended_by_itself_is_spoken_of() {
    let account = Account::new();
    ends_by_itself(&account, "w4");
    for line in ["list w4", "list"] {
        let run = account.run(line);
        let said = run.stderr.to_string();
        assert!(
            said.contains("w4: 1 machine has ended: inductiva-aws logs w4 "),
            "{line}: {said}"
        );
    }
    account.run("list w4").assert(
        0,
        str![],
        str![[r#"
w4: 1 machine has ended: inductiva-aws logs w4 shows why
left over on Inductiva's side, without a machine in eu-west-2: w4; inductiva-aws terminate w4 deletes it

"#]],
    );
    // The lines that it names.
    assert_eq!(
        account.run("logs w4").ignoring_the_rest("it is there").code,
        0
    );
    let ended = account.json("terminate w4 -y");
    assert_eq!(ended["deleted_machine_groups"], json!(["w4"]));
}

#[test]
fn the_line_that_deletes_groups_has_their_names_quoted() {
    let account = Account::new();
    ends_by_itself(&account, "w4");
    ends_by_itself(&account, "the lab");
    let run = account.run("list");
    assert!(
        run.stderr.contains(": inductiva-aws logs 'the lab'"),
        "{}",
        run.stderr
    );
    let line = run
        .stderr
        .lines()
        .find(|line| line.starts_with("left over"));
    let line = line.unwrap_or_default();
    assert!(
        line.contains("; inductiva-aws terminate w4 'the lab' ") && line.ends_with(" deletes them"),
        "{}",
        run.stderr
    );
    assert_eq!(run.code, 0);
    assert_eq!(run.stdout, "");
}
