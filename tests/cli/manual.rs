//! Every page of help, and every page of the manual.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use snapbox::{Assert, Data};

use snapbox::str;

use crate::sandbox::{Account, finish};

/// Where the pages are as they should be.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/pages");

/// The files of all pages, written by the program.
fn pages(account: &Account) -> Vec<PathBuf> {
    let run = account.run("man --directory pages");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let named: Vec<PathBuf> = run
        .stdout
        .lines()
        .map(|name| account.home.path().join(name))
        .collect();
    assert!(named.iter().all(|path| path.is_file()), "{}", run.stdout);
    named
}

/// The command that a page is of, as it is typed: its first synopsis.
fn command_of(page: &str) -> String {
    let (_, synopsis) = page.split_once("\n.SH SYNOPSIS\n").expect("a synopsis");
    let (command, _) = synopsis.split_once(r"\fR").expect("bold");
    command.trim_start_matches(r"\fB").replace(r"\-", "-")
}

/// `SNAPSHOTS=overwrite` rewrites what differs, and adds what is new.
#[test]
fn every_page_is_as_it_should_be() {
    let account = Account::new();
    let expected = Path::new(EXPECTED);
    let mut names = BTreeSet::new();
    let mut same = |name: String, text: String| {
        let text = text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
        let path = expected.join(&name);
        Assert::new()
            .action_env("SNAPSHOTS")
            .eq(text, Data::read_from(&path, None).raw());
        names.insert(name);
    };
    for path in pages(&account) {
        let page = fs::read_to_string(&path).expect("a page");
        let command = command_of(&page);
        let line = command
            .strip_prefix("inductiva-aws")
            .expect("the program's name");
        let help = account.run(&format!("{line} --help"));
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{line}");
        let printed = account.run(&format!("man {line}"));
        assert_eq!((printed.code, printed.stderr.as_str()), (0, ""), "{line}");
        assert_eq!(printed.stdout, page, "{line}");
        let name = path.file_stem().expect("a name").to_string_lossy();
        same(format!("{name}.help.txt"), help.stdout.to_string());
        same(format!("{name}.1.txt"), page);
    }
    let there: BTreeSet<String> = fs::read_dir(expected)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        there, names,
        "{EXPECTED} has pages of commands that are gone"
    );
}

#[test]
fn every_help_ends_with_examples() {
    let account = Account::new();
    for path in pages(&account) {
        let command = command_of(&fs::read_to_string(path).expect("a page"));
        let line = command.trim_start_matches("inductiva-aws");
        let help = account.run(&format!("{line} --help")).stdout;
        let (_, examples) = help.split_once("\nExamples:\n").expect("examples");
        let lines = examples.lines().filter(|line| line.starts_with("    "));
        assert!((1..=3).contains(&lines.count()), "{line}: {help}");
    }
}

/// What `man` and its formatter have to say of the pages: nothing.
#[test]
fn every_page_is_rendered_without_warnings() {
    let account = Account::new();
    let is_there = Command::new("man").arg("--version").output();
    if !is_there.is_ok_and(|told| told.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "there is no man-db");
        // Past the test harness, which shows what passing tests print to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "the pages were not rendered: there is no man-db"
        );
        return;
    }
    let render = |path: &Path| {
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(path)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        finish(&mut man).ignoring_the_rest("the pages themselves are looked at in tests/cli/pages")
    };
    for path in pages(&account) {
        let run = render(&path);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (0, ""),
            "{}",
            path.display()
        );
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"] {
            let heading = format!("\n{section}\n");
            assert!(
                run.stdout.contains(&heading),
                "{}: {section}",
                path.display()
            );
        }
    }
    // It would have been told.
    let damaged = account.file("damaged.1", ".TH X 1\n.SH NAME\nx \\- y\n.xyzzy\n");
    assert!(render(&damaged).stderr.contains("xyzzy"));
}

#[test]
fn the_programs_page_has_what_all_commands_share_and_the_others_do_not() {
    let account = Account::new();
    let page = account.run("man").stdout;
    for section in [
        "GLOBAL OPTIONS",
        "COMMANDS",
        "OUTPUT",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "PERMISSIONS",
        "SECURITY",
    ] {
        let heading = |text: &str| {
            let quoted = format!("\n.SH \"{section}\"\n");
            text.contains(&quoted) || text.contains(&quoted.replace('"', ""))
        };
        assert!(heading(&page), "{section}");
        for other in ["start", "list", "configure sso"] {
            let page = account.run(&format!("man {other}"));
            let may = section == "COMMANDS";
            assert!(!heading(page.succeeds("")) || may, "{other}: {section}");
        }
    }
    assert!(!account.run("man start").stdout.contains(r"\-\-profile"));
    assert_eq!(account.run("man ls").stdout, account.run("man list").stdout);
}

/// What settings are read from the environment, and what options are.
#[test]
fn the_manual_names_every_variable() {
    let told = include_str!("../../src/commands/manual/environment.md");
    let source = include_str!("../../src/settings/mod.rs");
    let read = source.split("variable(\"").skip(1);
    let mut names: BTreeSet<&str> = read.filter_map(|rest| rest.split('"').next()).collect();
    let account = Account::new();
    let pages: Vec<String> = pages(&account)
        .iter()
        .map(|path| fs::read_to_string(path).expect("a page"))
        .collect();
    for page in &pages {
        let variables = page.split(r"Environment: \fB").skip(1);
        names.extend(variables.filter_map(|rest| rest.split(r"\fR").next()));
    }
    assert!(names.len() > 15, "{names:?}");
    let missing: Vec<&&str> = names.iter().filter(|name| !told.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn there_is_no_page_of_what_is_no_command() {
    let account = Account::new();
    for command in ["xyzzy", "start xyzzy", "help", "configure list"] {
        let hint = "hint: inductiva-aws --help names the commands there are";
        account
            .run(&format!("man {command}"))
            .fails(2, format!("error: there is no command {command}\n{hint}\n"));
    }
    let run = account.run("man start --directory x");
    run.fails(
        2,
        str![[r#"
error: the argument '[COMMAND]...' cannot be used with '--directory <FOLDER>'

Usage: inductiva-aws man [OPTIONS] [COMMAND]...

For more information, try '--help'.

"#]],
    );
}
