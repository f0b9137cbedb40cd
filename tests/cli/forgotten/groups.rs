//! Groups that are left on Inductiva's side, and those that have to stay there.

use serde_json::{Value, json};
use snapbox::str;

use super::{group_names, names};
use crate::sandbox::Account;

/// A group on Inductiva's side alone, made so many hours ago as others make it.
fn group_alone(account: &Account, name: &str, provider: &str, hours_ago: u64) {
    let group = json!({"name": name, "provider_id": provider});
    make_group(account, &group, hours_ago);
}

/// The same, as this program makes it.
fn our_group_alone(account: &Account, name: &str, hours_ago: u64) {
    let group = json!({"name": name, "provider_id": "LOCAL", "machine_type": "t2.micro"});
    make_group(account, &group, hours_ago);
}

fn make_group(account: &Account, group: &Value, hours_ago: u64) {
    let address = format!("{}/compute/group", account.api_url());
    let response = ureq::post(&address)
        .header("X-API-Key", crate::sandbox::API_KEY)
        .send_json(group);
    let name = &group["name"];
    assert_eq!(response.expect("an answer").status(), 201);
    account.put(
        "inductiva",
        json!({"groups": [{"name": name, "created_hours_ago": hours_ago}]}),
    );
}

#[test]
fn a_group_without_machines_is_shown_and_cleaned() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name lost");
    account.ec2(
        "terminate_instances",
        json!({"InstanceIds": account.live()}),
    );
    account.settle();
    our_group_alone(&account, "aws-abcdefgh", 2);
    let run = account.run("list --all-regions --output json");
    run.succeeds(str![[r#"
lost: 1 machine has ended: inductiva-aws logs lost shows why
left over on Inductiva's side, without a machine in any region: lost, [GROUP]; inductiva-aws terminate lost [GROUP] deletes them

"#]]);
    assert_eq!(
        names(&run.document()["leftover_groups"]),
        ["lost", "aws-abcdefgh"]
    );
    account
        .run("list --machine-group-name lost --all-regions")
        .assert(
            0,
            str![],
            str![[r#"
lost: 1 machine has ended: inductiva-aws logs lost shows why
left over on Inductiva's side, without a machine in any region: lost; inductiva-aws terminate lost deletes it

"#]],
        );
    account.run("terminate --all --all-regions -y").assert(
        0,
        str![],
        str![[r#"
the group [GROUP] is active on Inductiva's side, and no machine of it shows: looking for up to 2m
deleted the machine group lost, which had no machines left
deleted the machine group [GROUP], which had no machines left
kept for the next start, at no cost: security group inductiva-aws ([SG], eu-west-2); inductiva-aws terminate --all --all-regions --remove-security-group removes it

"#]],
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
    assert_eq!(
        account.json("list --all-regions")["leftover_groups"],
        json!([])
    );
}

#[test]
fn groups_that_are_not_surely_ours_or_in_use_stay() {
    let account = Account::new();
    group_alone(&account, "aws-abcdefgh", "GCP", 2);
    group_alone(&account, "lab", "LOCAL", 2);
    group_alone(&account, "aws-23456789", "LOCAL", 0);
    group_alone(&account, "aws-bbbbbbbb", "LOCAL", 2);
    account.put(
        "inductiva",
        json!({"register": {"group": "aws-bbbbbbbb", "host_name": "lab-7"}}),
    );
    // A name like those that are made up may be anybody's.
    group_alone(&account, "aws-research", "LOCAL", 2);
    // One that may still be about to have machines.
    our_group_alone(&account, "new", 0);
    our_group_alone(&account, "aws-cccccccc", 2);
    let all = group_names(&account);
    assert_eq!(all.len(), 7);
    assert_eq!(
        names(&account.json_that_warns("list", str![[r#"
warning: the group new is active on Inductiva's side, and no machine of it shows: machines launched in the last 2m may be missing, or are in another region; look again

"#]])["leftover_groups"]),
        ["aws-research", "aws-cccccccc"]
    );
    let run = account.run("terminate --all --all-regions -y");
    run.assert(0, str![], str![[r#"
the group [GROUP] is active on Inductiva's side, and no machine of it shows: looking for up to 2m
deleted the machine group [GROUP], which had no machines left
kept on Inductiva's side, because they may not be from inductiva-aws: [GROUP]; inductiva-aws terminate [GROUP] deletes it

"#]]);
    assert_eq!(group_names(&account), all[..6]);
}

#[test]
fn a_group_with_machines_elsewhere_is_not_deleted_by_name() {
    let account = Account::new();
    group_alone(&account, "lab", "LOCAL", 2);
    account.put(
        "inductiva",
        json!({"register": {"group": "lab", "host_name": "lab-7"}}),
    );
    account.run("terminate lab -y").assert(
        1,
        str![],
        str![[r#"
error: the machine group lab was not deleted: according to Inductiva, it has machines elsewhere: lab-7
hint: inductiva-aws list --all-regions shows its machines on AWS

"#]],
    );
    group_alone(&account, "cloud", "GCP", 2);
    account.run("terminate cloud -y").fails(
        1,
        str![[r#"
error: the machine group cloud was not deleted: its machines are not on AWS but on GCP
hint: inductiva-aws list --all-regions shows its machines on AWS

"#]],
    );
    assert_eq!(group_names(&account), ["lab", "cloud"]);
    account.put(
        "inductiva",
        json!({"machines": [{"host_name": "lab-7", "last_seen_at": "2026-01-01T00:00:00Z"}]}),
    );
    let document = account.json("terminate lab -y");
    assert_eq!(document["deleted_machine_groups"], json!(["lab"]));
    assert_eq!(group_names(&account), ["cloud"]);
}

#[test]
fn a_group_whose_other_machines_are_elsewhere_stays_when_its_last_one_here_ends() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name both");
    account.put(
        "inductiva",
        json!({"register": {"group": "both", "host_name": "i-0123456789abcdef0"}}),
    );
    account.run("terminate both -y").assert(0, "[ID]\n", str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
warning: the machine group both stays on Inductiva's side: according to Inductiva, it has machines elsewhere: [ID]

"#]]);
    assert_eq!(group_names(&account), ["both"]);
}
