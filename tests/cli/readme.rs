//! The README: its picture, and the messages that it explains.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use snapbox::{Assert, file};

use crate::sandbox::{Account, finish, text};

const README: &str = include_str!("../../README.md");

/// Instead of those that the sandbox makes up.
const IDS: [&str; 2] = ["i-0a51c3e2e0cf9d7b3", "i-0d8f4b8b6f0d1c2aa"];

/// What the program prints, in colours. `SNAPSHOTS=overwrite cargo test the_picture`
/// draws it anew.
#[test]
fn the_picture_is_what_the_program_prints() {
    let account = Account::new();
    account.put("settings", json!({"pending_seconds": 0.7}));
    account.put("inductiva", json!({"auto_register_seconds": 0.3}));
    let mut picture = String::new();
    for line in [
        "start --num-machines 2 --machine-group-name wind-tunnel --max-lifetime 12h --wait",
        "list",
        "terminate wind-tunnel --yes",
    ] {
        // As on a terminal: both streams in the order in which they are written.
        let run = finish(
            Command::new("bash")
                .args(["-c", "exec \"$0\" --color always \"$@\" 2>&1"])
                .arg(env!("CARGO_BIN_EXE_inductiva-aws"))
                .args(line.split(' '))
                .env_clear()
                .envs(account.environment())
                .env("TZ", "UTC")
                .current_dir(account.home.path())
                .stdout(Stdio::piped()),
        );
        assert_eq!(run.code, 0, "{line}\n{}", run.stdout);
        // The two are alike, and each command has them in an order of its own.
        let machines = account.instances();
        let ids = machines.iter().map(|m| text(&m["InstanceId"]));
        let mut ids: Vec<&str> = ids.filter(|id| run.stdout.contains(id)).collect();
        ids.sort_unstable_by_key(|id| run.stdout.find(id));
        let ids = ids.into_iter().zip(IDS);
        let printed = ids.fold(run.stdout.to_string(), |printed, (id, instead)| {
            printed.replace(id, instead)
        });
        let _ = writeln!(
            picture,
            "\u{1b}[1m$ inductiva-aws {line}\u{1b}[0m\n{printed}"
        );
    }
    picture = picture.replace(&account.number, "123456789012");
    for (differs, instead) in [
        (r"PRIVATE IP +", "PRIVATE IP   "),
        (r"\b172\.31(\.[0-9]+){2} +", "172.31.10.4  "),
        (r"PUBLIC IP +", "PUBLIC IP       "),
        (r"\b54(\.[0-9]+){3} +", "54.214.220.233  "),
        (r"\b(\w+day )?[0-9]{2}:[0-9]{2}\b", "20:00"),
        (r"\b[0-9]s ", "2s "),
    ] {
        let differs = regex::Regex::new(differs).expect("a pattern");
        picture = differs.replace_all(&picture, instead).into_owned();
    }
    Assert::new()
        .action_env("SNAPSHOTS")
        .eq(picture, file!["../../.github/terminal.svg": TermSvg]);
}

#[test]
fn each_message_that_it_explains_is_one_of_the_programs() {
    let (_, rows) = README
        .split_once("| message | what to do |\n|---|---|\n")
        .expect("a table");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = fs::read_to_string(root.join("user-data.sh")).expect("the script");
    add(&mut said, &root.join("src"));
    let rows: Vec<&str> = rows
        .lines()
        .take_while(|row| row.starts_with("| "))
        .collect();
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let message = row.split('`').nth(1).expect("a message");
        assert!(said.contains(message), "nothing says {message:?}");
    }
}

/// Adds the sources in a folder.
fn add(said: &mut String, folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            add(said, &path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            said.push_str(&fs::read_to_string(path).expect("text"));
        }
    }
}

/// What is reference lives in the manual and in `--help`.
#[test]
fn it_is_read_in_some_minutes() {
    assert!(README.lines().count() <= 200);
}
