//! What groups have come to, as `cost` tells it. A t2.micro with its disk and its address
//! costs 0.0246 USD an hour here.

mod unknown;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

pub const LINE: &str = "start --machine-group-name g --vm-type t2.micro";
/// What `terminate` says of one machine, its last line aside, which is looked at by itself.
pub const ENDED: &str = "\
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s
";
/// Of a t2.micro, USD an hour.
pub const RATE: f64 = 0.0132 + 50.0 * 0.0928 / 730.0 + ADDRESS;
/// Of that, its address: EC2 does not tell whether a machine that does not run had one.
const ADDRESS: f64 = 0.005;
/// Commands pause a little, by the sandbox's clock.
const SECONDS: f64 = 40.0;

#[track_caller]
fn assert_ran(document: &Value, hours: f64) {
    let told = document["hours"].as_f64().expect("hours");
    assert!(
        (told - hours).abs() < SECONDS / 3_600.0,
        "{told}: {document}"
    );
}

#[track_caller]
pub fn assert_came_to(document: &Value, field: &str, usd: f64) {
    let told = document[field].as_f64();
    let told = told.unwrap_or_else(|| panic!("no {field}: {document}"));
    assert!(
        (told - usd).abs() < 1.5 * SECONDS / 3_600.0 * RATE,
        "{told}: {document}"
    );
}

/// A step on the way, which prints the ids of machines.
#[track_caller]
pub fn succeeds(account: &Account, line: &str) {
    account.run(&format!("{line} -q")).succeeds("");
}

/// Two machines that register as soon as they run, one of which ended after an hour, half
/// an hour ago; its id.
pub fn one_of_two_ended(account: &Account) -> String {
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json(&format!("{LINE} -n 2 --wait"));
    account.pass(3_600.0);
    let ended = account.live()[0].clone();
    succeeds(account, &format!("terminate {ended} -y"));
    account.pass(1_800.0);
    ended
}

/// EC2 shows ended machines for about an hour. Inductiva has seen them leave before.
fn forget_ended(account: &Account) {
    account.json("list");
    account.post("forget_terminated", json!({}));
}

fn machine(group: &Value, id: &str) -> Value {
    let machines = list(&group["machines"]).into_iter();
    let mut machines = machines.filter(|m| m["instance_id"] == id);
    let machine = machines
        .next()
        .unwrap_or_else(|| panic!("no {id}: {group}"));
    assert!(machines.next().is_none(), "twice: {group}");
    machine
}

#[test]
fn a_group_costs_what_its_machines_ran_ended_ones_too() {
    let account = Account::new();
    let gone = one_of_two_ended(&account);
    let lives = account.live()[0].clone();
    let document = account.json("cost g");
    let group = &document["groups"][0];
    assert_eq!(list(&document["groups"]).len(), 1);
    assert_eq!(group["machine_group"], "g");
    assert_eq!(group["regions"], json!(["eu-west-2"]));
    let (gone, lives) = (machine(group, &gone), machine(group, &lives));
    assert_ran(&gone, 1.0);
    assert_came_to(&gone, "usd", RATE);
    assert_ran(&lives, 1.5);
    assert_came_to(&lives, "usd", 1.5 * RATE);
    assert_eq!(gone["state"], "terminated");
    assert_eq!(lives["ended_at"], Value::Null);
    assert!(text(&gone["ended_at"]).ends_with('Z'));
    assert_eq!(gone["vm_type"], "t2.micro");
    assert_eq!(gone["market"], "on-demand");
    for whole in [group, &document] {
        assert_ran(whole, 2.5);
        assert_came_to(whole, "usd", 2.5 * RATE);
        assert_eq!(whole["unknown_because"], Value::Null);
        // EC2 shows both, and nothing of it can be dearer.
        assert_eq!(whole["at_most_usd"], whole["usd"]);
        assert_eq!(whole["known_usd"], whole["usd"]);
    }
    assert_eq!(document["regions"], json!(["eu-west-2"]));
    assert_eq!(document["left_out"], json!([]));
}

/// `terminate` has seen it, and what it says is more.
#[test]
fn an_address_that_ec2_no_longer_shows_is_said_to_be_left_out() {
    let account = Account::new();
    account.json(LINE);
    account.settle();
    let without = "(without public addresses, which EC2 no longer shows)";
    let running = account.run("cost g");
    assert!(!running.succeeds("").contains(without));
    let ending = account.run("terminate g -y");
    ending.assert(0, "[ID]\n", ENDED);
    assert!(!ending.stderr.contains(without), "{}", ending.stderr);
    account.settle();
    let ended = account.run("cost g");
    assert!(ended.succeeds("").contains(without), "{}", ended.stdout);
}

#[test]
fn machines_that_ec2_forgot_are_counted_by_inductiva() {
    let account = Account::new();
    let gone = one_of_two_ended(&account);
    forget_ended(&account);
    // Long enough for the end of a machine whose runner has left.
    account.pass(900.0);
    let document = account.json("cost g");
    let group = &document["groups"][0];
    let forgotten = machine(group, &gone);
    assert_eq!(forgotten["state"], Value::Null);
    // The sandbox lets a machine leave when Inductiva is asked next.
    let left = machine(&account.json("cost g")["groups"][0], &gone)["hours"].clone();
    let hours = left.as_f64().expect("hours");
    assert!((0.9..1.6).contains(&hours), "{forgotten}");
    // It was like the other: its boot and its end are in the most alone.
    assert_came_to(&forgotten, "usd", hours * RATE);
    let most = forgotten["at_most_usd"].as_f64().expect("a bound");
    assert!(most > hours * RATE, "{forgotten}");
    assert_came_to(group, "usd", (hours + 1.75) * RATE);
    // The group is over, and EC2 shows nothing of it.
    succeeds(&account, "terminate g -y");
    account.settle();
    forget_ended(&account);
    let document = account.json("cost g");
    let group = &document["groups"][0];
    assert_eq!(list(&group["machines"]).len(), 2);
    // As the type and the disk that it was made with, which is not certain.
    assert!(
        document["known_usd"]
            .as_f64()
            .is_some_and(|usd| usd > 2.0 * (RATE - ADDRESS)),
        "{document}"
    );
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(document["at_most_usd"], Value::Null);
    assert_eq!(machine(group, &gone)["vm_type"], "t2.micro");
}

#[test]
fn a_stopped_machine_goes_on_costing_its_disk() {
    let account = Account::new();
    account.json(LINE);
    account.pass(3_600.0);
    account.ec2("stop_instances", json!({"InstanceIds": account.live()}));
    account.pass(7_200.0);
    let document = account.json("cost g");
    assert_ran(&document, 1.0);
    let disk = 50.0 * 0.0928 / 730.0;
    assert_came_to(&document, "usd", RATE - ADDRESS + 2.0 * disk);
    assert_came_to(&document, "at_most_usd", RATE + 2.0 * disk);
    assert_eq!(document["groups"][0]["machines"][0]["state"], "stopped");
}

/// EC2 does not tell when a machine ended itself.
#[test]
fn a_machine_that_ended_itself_ran_until_inductiva_saw_it_leave() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json(&format!("{LINE} --wait"));
    account.pass(3_600.0);
    account.post("power_off", json!({"instance_ids": account.live()}));
    account.settle();
    account.json("list");
    account.pass(1_800.0);
    let document = account.json("cost g");
    assert_ran(&document, 1.0);
    assert_came_to(&document, "usd", RATE - ADDRESS);
    // It may have been a little longer: it is gone by now.
    assert_came_to(&document, "at_most_usd", 1.5 * RATE);
    // Of one that never registered nobody knows it.
    account.put("inductiva", json!({"auto_register_seconds": null}));
    account.json("start --machine-group-name h --vm-type t2.micro");
    account.pass(3_600.0);
    let id = account.live()[0].clone();
    account.post("power_off", json!({"instance_ids": [id]}));
    account.settle();
    let document = account.json("cost h");
    assert_eq!(document["usd"], Value::Null);
    assert_eq!(
        document["known_usd"].as_f64().map(|usd| usd < 0.001),
        Some(true)
    );
    assert_came_to(&document, "at_most_usd", RATE);
    assert_eq!(
        document["unknown_because"],
        format!("nobody knows when {id} ended")
    );
}

#[test]
fn disks_that_may_not_be_looked_at_are_those_of_the_launch() {
    let account = Account::new();
    account.json(&format!("{LINE} --volume-size 100"));
    account.pass(3_600.0);
    account.put("policy", json!({"deny": ["ec2:DescribeVolumes"]}));
    let document = account.json("cost g");
    assert_came_to(&document, "usd", RATE + 50.0 * 0.0928 / 730.0);
    succeeds(&account, "terminate g -y");
    account.settle();
    let document = account.json("cost g");
    assert_came_to(&document, "usd", RATE - ADDRESS + 50.0 * 0.0928 / 730.0);
    assert_came_to(&document, "at_most_usd", RATE + 50.0 * 0.0928 / 730.0);
}

#[test]
fn a_spot_machine_has_come_to_about_so_much_and_at_most_to_more() {
    let account = Account::new();
    let others = RATE - 0.0132;
    for (name, option, most) in [("g", "", 0.0132), ("h", "--max-price 0.009", 0.009)] {
        account.json(&format!(
            "start --vm-type t2.micro --spot --availability-zone eu-west-2b --machine-group-name {name} {option}"
        ));
        account.settle();
        account.pass(3_600.0);
        succeeds(&account, &format!("terminate {name} -y"));
        account.settle();
        let document = account.json(&format!("cost {name}"));
        assert_eq!(document["groups"][0]["machines"][0]["market"], "spot");
        assert_came_to(&document, "usd", 0.004_62 + others - ADDRESS);
        assert_came_to(&document, "at_most_usd", most + others);
    }
}

#[test]
fn groups_and_machines_are_named_as_in_list() {
    let account = Account::new();
    account.json(LINE);
    account.json("start --machine-group-name h --vm-type t2.micro -n 2");
    account.json("start --machine-group-name there --vm-type t2.micro --region us-east-1");
    account.settle();
    let names = |line: &str| -> Vec<String> {
        let groups = list(&account.json(line)["groups"]).into_iter();
        groups
            .map(|group| {
                let machines = list(&group["machines"]).len();
                format!("{} {machines}", text(&group["machine_group"]))
            })
            .collect()
    };
    assert_eq!(names("cost"), ["g 1", "h 2"]);
    assert_eq!(names("cost --all-regions"), ["g 1", "h 2", "there 1"]);
    assert_eq!(names("cost h"), ["h 2"]);
    let h = list(&account.json("list h")["machines"])[0]["instance_id"].clone();
    assert_eq!(names(&format!("cost g {}", text(&h))), ["g 1", "h 1"]);
    account.run("cost g -q").assert(0, "[ID]\n", "");
    account.run("cost nothing").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no machine group nothing
hint: inductiva-aws list --all-regions shows what there is

"#]],
    );
    let run = account.run("cost g nothing i-00000000000000000 --output json");
    run.ends(1, str![[r#"
{"error":{"hint":"inductiva-aws list --all-regions shows what there is","kind":"not_found","machines":[],"message":"eu-west-2 has no machine group nothing, no machine [ID]"}}

"#]]);
    assert_eq!(list(&run.document()["groups"]).len(), 1);
    let nothing = Account::new().run("cost");
    nothing.assert(
        0,
        str![],
        str![[r#"
no machines in eu-west-2; inductiva-aws cost --all-regions looks everywhere

"#]],
    );
}

#[test]
fn the_text_is_a_table_in_the_users_own_time_and_a_line() {
    let account = Account::new();
    let gone = one_of_two_ended(&account);
    let run = account.run("cost");
    let lines: Vec<&str> = run.succeeds("").lines().collect();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(lines[0]), "GROUP REGION MACHINES RAN USD AT MOST");
    assert!(
        words(lines[1]).starts_with("g eu-west-2 2, 1 running 2h3"),
        "{}",
        run.stdout
    );
    assert_eq!(
        words(lines[3]),
        "INSTANCE ID STATE TYPE BEGAN RAN USD AT MOST"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with(&format!("{gone}  terminated"))),
        "{}",
        run.stdout
    );
    let last = lines.last().expect("a line");
    assert!(last.starts_with("g: 2 machines ran 2h3"), "{last}");
    assert!(last.contains("m in all: about 0.06"), "{last}");
    // A time of one's own day.
    let began = text(&list(&account.json("cost")["groups"][0]["machines"])[0]["began_at"])[11..16]
        .to_owned();
    assert!(run.stdout.contains(&began), "{began}: {}", run.stdout);
    let mut command = account.command(["cost"]);
    let tokyo = crate::sandbox::finish(command.env("TZ", "Asia/Tokyo"));
    let hour: u32 = began[..2].parse().expect("an hour");
    let there = format!(" {:02}{}", (hour + 9) % 24, &began[2..]);
    let table = tokyo.succeeds("");
    assert!(table.contains(&there), "{there}: {table}");
}
