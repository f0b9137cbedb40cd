//! What a list says of machines that are not in it any more.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, finish};

/// A group of which the machine has powered itself off.
fn ends_by_itself(account: &Account, name: &str) {
    let line = ["start", "--machine-group-name", name, "-q"];
    finish(&mut account.command(line)).assert(0, "[ID]\n", "");
    account.settle();
    account.post("power_off", json!({"instance_ids": account.live()}));
    account.settle();
}

#[test]
fn a_machine_that_ended_by_itself_is_spoken_of() {
    let account = Account::new();
    ends_by_itself(&account, "w4");
    for (line, said) in [
        (
            "list w4",
            str![[r#"
w4: 1 machine has ended: inductiva-aws logs w4 shows why
left over on Inductiva's side, without a machine in eu-west-2: w4; inductiva-aws terminate w4 deletes it

"#]],
        ),
        (
            "list",
            str![[r#"
w4: 1 machine has ended: inductiva-aws logs w4 shows why
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere
left over on Inductiva's side, without a machine in eu-west-2: w4; inductiva-aws terminate w4 deletes it

"#]],
        ),
    ] {
        account.run(line).assert(0, "", said);
    }
    // The lines that it names.
    account.run("logs w4").assert(
        0,
        str![],
        str![[r#"
[ID] has nothing on its console yet

"#]],
    );
    let ended = account.json("terminate w4 -y");
    assert_eq!(ended["deleted_machine_groups"], json!(["w4"]));
}

#[test]
fn the_line_that_deletes_groups_has_their_names_quoted() {
    let account = Account::new();
    ends_by_itself(&account, "w4");
    ends_by_itself(&account, "the lab");
    account.run("list").assert(0, "", str![[r#"
the lab: 1 machine has ended: inductiva-aws logs 'the lab' shows why
w4: 1 machine has ended: inductiva-aws logs w4 shows why
no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere
left over on Inductiva's side, without a machine in eu-west-2: w4, the lab; inductiva-aws terminate w4 'the lab' deletes them

"#]]);
}
