//! Errors of the command line: the right tip, and nothing that was not typed.

use snapbox::str;

use crate::sandbox::{Account, finish};

#[test]
fn an_error_says_what_was_meant() {
    let account = Account::new();
    account.run("strat").assert(
        2,
        str![],
        str![[r#"
error: unrecognized subcommand 'strat'

  tip: did you mean 'inductiva-aws start'?

Usage: inductiva-aws [OPTIONS] <COMMAND>

For more information, try '--help'.

"#]],
    );
    account.run("start --wait running").assert(
        2,
        str![],
        str![[r#"
error: unexpected argument 'running' found

  tip: its value follows an equals sign: '--wait=running'

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
    );
    account.run("start --vmtype t2.micro").assert(
        2,
        str![],
        str![[r#"
error: unexpected argument '--vmtype' found

  tip: did you mean '--vm-type'?

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
    );
    let run = account.run("create --output json");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let hint = run.error()["hint"].clone();
    let hint = hint.as_str().expect("a hint");
    assert!(
        hint.starts_with("tip: did you mean 'inductiva-aws start'?"),
        "{hint}"
    );
    assert_eq!(account.requests().len(), 0);
}

/// clap counts what variables give as if it had been typed.
#[test]
fn usage_shows_no_option_only_because_its_variable_is_set() {
    let account = Account::new();
    for line in [
        "terminate",
        "terminate --nothing",
        "start --spot-fallback",
        "start --nothing",
        "logs",
    ] {
        let mut with = account.command(line.split(' '));
        with.env("INDUCTIVA_AWS_PROXY", "http://proxy.example.org:3128");
        let mut without = account.command(line.split(' '));
        without
            .env_remove("INDUCTIVA_API_KEY")
            .env_remove("INDUCTIVA_API_URL");
        let (with, without) = (finish(&mut with), finish(&mut without));
        assert_eq!((with.code, with.stdout.as_str()), (2, ""), "{line}");
        assert_eq!(with.stderr, without.stderr, "{line}");
        assert!(with.stderr.contains("\nUsage: inductiva-aws "), "{line}");
        assert!(!with.stderr.contains("--api-"), "{line}: {}", with.stderr);
    }
}

#[test]
fn a_mistyped_type_is_told_with_the_one_that_was_meant() {
    let account = Account::new();
    for line in [
        "start --vm-type t2.mirco",
        "start --vm-type t2.micro,t2.mirco",
    ] {
        let run = account.run(line);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        let hint = "\nhint: did you mean --vm-type t2.micro?\n";
        assert!(run.stderr.contains(hint), "{line}: {}", run.stderr);
    }
    assert_eq!(account.launched(), 0);
}

/// `check $OPTIONS` is what somebody runs before `start $OPTIONS`.
#[test]
fn start_refuses_what_would_do_nothing_and_check_takes_it() {
    let account = Account::new();
    for (options, why) in [
        ("--timeout 5m", "--wait"),
        ("--key-format ppk", "--create-key-pair"),
        ("--key-format ppk --key-name k", "--create-key-pair"),
        (
            "--boot-timeout 2h --max-lifetime 60m",
            "--boot-timeout 2h has no effect: it is longer than --max-lifetime 1h, which ends the machine first",
        ),
    ] {
        let run = account.run(&format!("start {options}"));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{options}");
        assert!(run.stderr.contains(why), "{options}: {}", run.stderr);
        let usage = "\nUsage: inductiva-aws start ";
        assert!(run.stderr.contains(usage), "{options}: {}", run.stderr);
        let run = account.run(&format!("check {options} --output json"));
        assert_ne!(run.code, 2, "{options}: {}", run.stderr);
    }
    assert_eq!(account.launched(), 0);
    // The standard boot timeout is nobody's wish.
    let run = account.run("start --max-lifetime 20m --max-idle-time 5m -q");
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn the_usage_is_that_of_the_command_that_was_typed() {
    let account = Account::new();
    let run = account.run("image build --subnet s");
    let usage =
        "\n  tip: did you mean '--subnet-id'?\n\nUsage: inductiva-aws image build [OPTIONS]\n";
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains(usage), "{}", run.stderr);
}

#[test]
fn a_number_that_is_none_is_told_what_it_can_be() {
    let account = Account::new();
    for (option, why) in [
        ("--num-machines 0", "it is a whole number from 1 to 1000"),
        ("--num-machines two", "it is a whole number from 1 to 1000"),
        ("--volume-size 50GB", "it is a whole number from 1 to 65536"),
        ("--iops 3k", "it is a whole number"),
    ] {
        let run = account.run(&format!("start {option}"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        let first = run.stderr.lines().next().unwrap_or_default();
        assert!(first.ends_with(&format!(": {why}")), "{first}");
    }
}

#[test]
fn an_idle_time_is_minutes_or_a_duration() {
    let account = Account::new();
    for (typed, told) in [("90", "90"), ("1h30m", "90"), ("0", "0")] {
        let run = account.run(&format!("user-data --max-idle-time {typed}"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let line = format!("export MAX_IDLE_MINUTES='{told}'\n");
        assert!(run.stdout.contains(&line), "{typed}: {}", run.stdout);
    }
    account.json("start --machine-group-name g --max-idle-time 120 --max-lifetime 3d");
    let run = account.run(
        "start --machine-group-name g --num-machines 2 --max-idle-time 90m --max-lifetime 36h",
    );
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    for told in [
        "max-idle-time is 2h there and 1h30m here",
        "max-lifetime is 3d there and 36h here",
    ] {
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}
