//! What stands on the screen, in terminals of 60, 80 and 120 columns.

use std::num::NonZero;

use serde_json::json;
use snapbox::{IntoData, str};

use crate::{
    prepared_images::with_image,
    sandbox::{Account, Run, list, run::whole, text},
    terminal::on_a_terminal,
};

/// More rows than any of these screens has lines.
const ROWS: u16 = 60;
const WIDTHS: [u16; 3] = [60, 80, 120];

/// The screen of a terminal that is so wide, after the program has run there.
pub fn screen(account: &Account, line: &str, columns: u16) -> (Run, vt100::Screen) {
    let size = format!("{ROWS}x{columns}");
    let run = on_a_terminal(account, line, &[], &[("SIZE", &size)]);
    let screen = drawn(&run.stdout, ROWS, columns);
    (run, screen)
}

/// What a terminal shows that was sent this.
pub fn drawn(sent: &str, rows: u16, columns: u16) -> vt100::Screen {
    let size = |number| NonZero::new(number).expect("some");
    let mut terminal = vt100::Parser::new(size(rows), size(columns), 0);
    terminal.process(sent.replace('\n', "\r\n").as_bytes());
    terminal.screen().clone()
}

/// The variable that makes a terminal wide enough for every line.
pub const WIDE: (&str, &str) = ("SIZE", "60x400");

/// Asserts code and all that stands on the screen in the end, of a run on a terminal
/// that is [`WIDE`].
#[track_caller]
pub fn shows(run: &Run, code: i32, screen: impl IntoData) {
    assert_eq!(run.code, code, "{}", run.stdout);
    let mut text = lines(&drawn(&run.stdout, ROWS, 400)).join("\n");
    text.push('\n');
    whole(&text, screen);
    assert_eq!(run.stderr, "");
}

/// Its lines. None of them was broken in two by the terminal.
pub fn lines(screen: &vt100::Screen) -> Vec<String> {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    for row in 0..rows {
        assert!(!screen.row_wrapped(row), "{}", screen.contents());
    }
    let lines = screen.rows(0, columns);
    let mut lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

const ALIKE: [&str; 2] = [
    "parameter-sweep-of-the-wind-tunnel-a-with-a-very-long-name-2026",
    "parameter-sweep-of-the-wind-tunnel-b-with-a-very-long-name-2026",
];

fn groups_alike() -> Account {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    for name in ALIKE {
        account.json(&format!(
            "start --vm-type t2.micro --machine-group-name {name} --wait"
        ));
    }
    account
        .json("start --vm-type t2.micro -n 2 --machine-group-name there --region us-east-1 --wait");
    account
}

#[test]
fn a_list_has_the_width_of_the_terminal() {
    let account = groups_alike();
    let id = account.live()[0].clone();
    let task = "a-task-whose-id-is-much-longer-than-there-is-room-for-on-a-screen";
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": id, "current_task_id": task}]}));
    for columns in WIDTHS {
        let (run, screen) = screen(&account, "list --all-regions", columns);
        assert_eq!(run.code, 0, "{}", run.stdout);
        let lines = lines(&screen);
        let shown: Vec<&str> = lines[1..4]
            .iter()
            .map(|line| line.split("  ").next().unwrap_or_default())
            .collect();
        // They stay different, and whole where there is room.
        assert_ne!(shown[0], shown[1], "{columns}: {lines:?}");
        assert!(
            shown
                .iter()
                .all(|name| name.starts_with('p') || *name == "there")
        );
        assert_eq!(lines[0].contains("USD/H"), columns > 60, "{lines:?}");
        assert_eq!(shown[0] == ALIKE[0], columns == 120, "{lines:?}");
        for id in account.live() {
            assert!(
                lines.iter().any(|line| line.starts_with(&id)),
                "{columns}: {lines:?}"
            );
        }
        assert!(
            lines.iter().any(|line| line == "there, us-east-1"),
            "{lines:?}"
        );
    }
    // What goes to a pipe is never cut.
    let run = account.run("list");
    let table = run.succeeds(str![[r#"
2 machines run, about 0.0491 USD an hour

"#]]);
    for whole in [ALIKE[0], ALIKE[1], task] {
        assert!(table.contains(whole), "{table}");
    }
}

#[test]
fn what_start_has_launched_has_the_width_of_the_terminal() {
    for columns in WIDTHS {
        let account = Account::new();
        let line = "start --vm-type c7i.large,t2.micro -n 2 --machine-group-name g -q";
        let run = account.run(line);
        let ids = run.succeeds("");
        // Of machines that have all their addresses.
        account.settle();
        let (run, screen) = screen(&account, &line.replace(" -q", ""), columns);
        assert_eq!(run.code, 0, "{columns}: {}", run.stdout);
        let lines = screen.rows(0, columns).collect::<Vec<_>>();
        let header = lines.iter().position(|l| l.starts_with("INSTANCE ID"));
        let header = header.expect("a header");
        assert!(lines[header].contains("TYPE"), "{lines:?}");
        assert_eq!(lines[header].contains("MARKET"), columns == 120);
        for (row, id) in ids.lines().enumerate() {
            let row = header + 1 + row;
            assert!(lines[row].starts_with(id), "{columns}: {lines:?}");
            let row = u16::try_from(row).expect("a row");
            assert!(!screen.row_wrapped(row), "{columns}: {lines:?}");
        }
    }
}

#[test]
fn what_check_finds_is_broken_between_words() {
    let account = Account::new();
    let (run, screen) = screen(&account, "check", 60);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let indent = " ".repeat("ok       permission  ".len());
    let broken =
        format!("ok       permission  EC2 would permit the launch of 1\n{indent}machine\n");
    let shown = screen.contents();
    assert!(shown.contains(&broken), "{shown}");
    // What goes to a pipe is not broken.
    let piped = account.run("check");
    let table = piped.succeeds("");
    let whole = "  EC2 would permit the launch of 1 machine\n";
    assert!(table.contains(whole), "{table}");
}

#[test]
fn types_have_the_width_of_the_terminal() {
    let account = Account::new();
    for columns in WIDTHS {
        let (run, screen) = screen(&account, "types --gpu --min-vcpus 32", columns);
        assert_eq!(run.code, 0, "{columns}: {}", run.stdout);
        let lines = lines(&screen);
        let header = lines.first().expect("a header");
        assert!(header.contains("SPOT USD/H"), "{header}");
        assert_eq!(header.contains("FREE PLAN  GPU"), columns > 60, "{header}");
        assert_eq!(
            header.contains("LOCAL DISKS GB"),
            columns == 120,
            "{header}"
        );
    }
    let run = account.run("types --gpu --min-vcpus 32");
    let table = run.succeeds(str![[r#"
looking up types
looking up the prices of 22 types

"#]]);
    assert!(table.contains("NVIDIA RTX PRO Server 6000"), "{table}");
}

#[test]
fn groups_come_first_and_then_their_machines() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    account.json("start --vm-type t2.micro --machine-group-name beta --wait");
    let id = account.live()[0].clone();
    account.json("start --vm-type t3.small -n 2 --machine-group-name alpha --wait");
    account.put("inductiva", json!({"auto_register_seconds": null, "machines": [{"host_name": id, "current_task_id": "task-7"}]}));
    account.put("clock", json!({"advance": 3600}));
    account.run("list").assert(
        0,
        str![[r#"
GROUP  REGION     MACHINES   TYPE      AGE   USD/H   SPENT
alpha  eu-west-2  2, 0 busy  t3.small  1h0m  0.0699  0.0[..]
beta   eu-west-2  1, 1 busy  t2.micro  1h0m  0.0246  0.02[..]

INSTANCE ID          STATE    ZONE        RUNNER  TASK
alpha
[ID]  running  eu-west-2a  idle
[ID]  running  eu-west-2a  idle
beta
[ID]  running  eu-west-2a  busy    task-7

"#]],
        str![[r#"
3 machines run, about [..] USD an hour

"#]],
    );
}

#[test]
fn two_hundred_machines_are_all_there() {
    let account = Account::new();
    account.json("start --vm-type t2.micro -n 200 --machine-group-name g");
    // Their addresses, which cost something, show.
    account.settle();
    let run = account.run("list");
    let table = run.succeeds(str![[r#"
200 machines run, about 4.9112 USD an hour

"#]]);
    assert_eq!(table.lines().count(), 204, "{table}");
    assert!(table.contains("  200, 0 busy  "), "{table}");
}

#[test]
fn a_start_counts_machines_where_a_row_for_each_would_be_a_wall() {
    let account = Account::new();
    let start =
        |number: usize| format!("start --vm-type t2.micro -n {number} --machine-group-name g");
    let rows = |screen: &vt100::Screen| {
        let lines = screen.rows(0, 80);
        lines.filter(|line| line.starts_with("i-")).count()
    };
    let (run, twenty) = screen(&account, &start(20), 80);
    assert_eq!((run.code, rows(&twenty)), (0, 20), "{}", run.stdout);
    let (run, more) = screen(&account, &start(21), 80);
    assert_eq!((run.code, rows(&more)), (0, 0), "{}", run.stdout);
    let shown: Vec<String> = more.rows(0, 80).collect();
    let counted = |line: &String| line.split_whitespace().last() == Some("on-demand");
    let counts = shown.iter().filter(|line| counted(line));
    let counts = counts.map(|line| {
        line.split_whitespace()
            .next()
            .and_then(|n| n.parse::<u32>().ok())
    });
    assert_eq!(counts.sum::<Option<u32>>(), Some(21), "{shown:?}");
    assert!(more.contents().contains("shows each"), "{shown:?}");
    // A pipe has them all.
    assert_eq!(
        account
            .run(&start(21))
            .succeeds("the group g has 21 machines already, nothing to launch\n")
            .lines()
            .count(),
        23
    );
}

#[test]
fn the_wide_list_has_every_column() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    let (_, screen) = screen(&account, "list --wide", 400);
    let lines = lines(&screen);
    let header: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(
        header.join(" "),
        "MACHINE GROUP INSTANCE ID TYPE STATE ZONE PRIVATE IP PUBLIC IP MARKET LAUNCHED AGE USD/H RUNNER TASK REASON"
    );
    let launched = list(&account.json("list")["machines"])[0]["launch_time"].clone();
    // The terminal is in UTC, and in Tokyo nine hours later.
    let hour: u32 = text(&launched)[11..13].parse().expect("an hour");
    for (zone, hours) in [("UTC", 0), ("Asia/Tokyo", 9)] {
        let size = format!("{ROWS}x400");
        let environment = [("TZ", zone), ("SIZE", size.as_str())];
        let run = crate::terminal::on_a_terminal(&account, "list --wide", &[], &environment);
        let time = format!(" {:02}:{}", (hour + hours) % 24, &text(&launched)[14..16]);
        assert!(run.stdout.contains(&time), "{zone} {time}: {}", run.stdout);
    }
}

#[test]
fn a_group_with_a_deadline_shows_when_it_ends() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --max-lifetime 12h");
    let run = account.run("list");
    let header = run.stdout.lines().next().unwrap_or_default();
    assert!(header.ends_with("  ENDS"), "{}", run.stdout);
    // It is said in words, too.
    let moment = run.stderr.split("g ends by ").nth(1).unwrap_or_default();
    let moment = moment.split(" (").next().unwrap_or_default();
    let row = run.stdout.lines().nth(1).unwrap_or_default();
    assert!(
        !moment.is_empty() && row.ends_with(moment),
        "{}{}",
        run.stdout,
        run.stderr
    );
}

#[test]
fn prepared_images_have_the_width_of_the_terminal() {
    let account = Account::new();
    let id = with_image(&account);
    let group = "a-group-with-a-long-name-of-its-own";
    account.json(&format!(
        "start --vm-type t3.small --machine-group-name {group}"
    ));
    for columns in WIDTHS {
        let (run, screen) = screen(&account, "image list", columns);
        assert_eq!(run.code, 0, "{columns}: {}", run.stdout);
        let lines = lines(&screen);
        let [header, image] = &lines[..] else {
            panic!("{columns}: {lines:?}");
        };
        assert!(image.starts_with(&id), "{columns}: {image}");
        assert!(header.contains("USD/MONTH"), "{columns}: {header}");
        assert_eq!(header.contains("IN USE BY"), columns > 60, "{header}");
        assert_eq!(header.contains("CONTAINERS"), columns == 120, "{header}");
    }
    // What goes to a pipe is never cut.
    let piped = account.run("image list");
    let table = piped.succeeds("");
    assert!(table.contains(group), "{table}");
}

/// More than a call each, so that each has a spinner.
#[test]
fn groups_that_end_side_by_side_leave_nothing_of_their_progress() {
    let account = Account::new();
    for group in ["g", "h"] {
        account.json(&format!(
            "start --vm-type t2.micro --machine-group-name {group} -n 101"
        ));
    }
    let run = on_a_terminal(&account, "terminate g h -y", &[], &[WIDE]);
    let screen = drawn(&run.stdout, 500, 400);
    let shown = lines(&screen);
    let left: Vec<&String> = shown
        .iter()
        .filter(|line| line.contains("(0s)") || line.contains("terminated 1"))
        .collect();
    assert!(left.is_empty(), "{shown:?}");
    assert_eq!(run.code, 0, "{shown:?}");
    assert_eq!(account.live(), [] as [String; 0]);
}
