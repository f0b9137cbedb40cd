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
    account.run("create --output json").fails(2, str![[r#"
{"error":{"hint":"tip: did you mean 'inductiva-aws start'?; Usage: inductiva-aws [OPTIONS] <COMMAND>; For more information, try '--help'.","kind":"usage","machines":[],"message":"unrecognized subcommand 'create'"}}

"#]]);
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
    account.run("start --vm-type t2.mirco").fails(1, str![[r#"
error: cannot look up the type t2.mirco: The following supplied instance types do not exist: [t2.mirco] (InvalidInstanceType, request [UUID])
hint: did you mean --vm-type t2.micro?

"#]]);
    account
        .run("start --vm-type t2.micro,t2.mirco")
        .fails(1, str![[r#"
error: cannot look up the types t2.mirco: The following supplied instance types do not exist: [t2.mirco] (InvalidInstanceType, request [UUID])
hint: did you mean --vm-type t2.micro?

"#]]);
    assert_eq!(account.launched(), 0);
}

/// `check $OPTIONS` is what somebody runs before `start $OPTIONS`.
#[test]
fn start_refuses_what_would_do_nothing_and_check_takes_it() {
    let account = Account::new();
    // There is no key pair k.
    for (options, why, code_of_check, error_of_check) in [
        (
            "--timeout 5m",
            str![[r#"
error: --timeout has no effect without --wait

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
            0,
            str![],
        ),
        (
            "--key-format ppk",
            str![[r#"
error: --key-format has no effect without --create-key-pair

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
            0,
            str![],
        ),
        (
            "--key-format ppk --key-name k",
            str![[r#"
error: --key-format has no effect without --create-key-pair

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: permission"}}

"#]],
        ),
        (
            "--boot-timeout 2h --max-lifetime 60m",
            str![[r#"
error: --boot-timeout 2h has no effect: it is longer than --max-lifetime 1h, which ends the machine first

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
            0,
            str![],
        ),
    ] {
        account.run(&format!("start {options}")).fails(2, why);
        let run = account.run(&format!("check {options} --output json"));
        run.ends(code_of_check, error_of_check);
    }
    assert_eq!(account.launched(), 0);
    // The standard boot timeout is nobody's wish.
    let run = account.run("start --max-lifetime 20m --max-idle-time 5m -q");
    run.assert(0, "[ID]\n", "");
}

#[test]
fn the_usage_is_that_of_the_command_that_was_typed() {
    let account = Account::new();
    account.run("image build --subnet s").fails(
        2,
        str![[r#"
error: unexpected argument '--subnet' found

  tip: did you mean '--subnet-id'?

Usage: inductiva-aws image build [OPTIONS]

For more information, try '--help'.

"#]],
    );
}

#[test]
fn a_number_that_is_none_is_told_what_it_can_be() {
    let account = Account::new();
    for (option, why) in [
        (
            "--num-machines 0",
            str![[r#"
error: invalid value '0' for '--num-machines <N>': it is a whole number from 1 to 1000

For more information, try '--help'.

"#]],
        ),
        (
            "--num-machines two",
            str![[r#"
error: invalid value 'two' for '--num-machines <N>': it is a whole number from 1 to 1000

For more information, try '--help'.

"#]],
        ),
        (
            "--volume-size 50GB",
            str![[r#"
error: invalid value '50GB' for '--volume-size <GIB>': it is a whole number from 1 to 65536

For more information, try '--help'.

"#]],
        ),
        (
            "--iops 3k",
            str![[r#"
error: invalid value '3k' for '--iops <N>': it is a whole number

For more information, try '--help'.

"#]],
        ),
    ] {
        account.run(&format!("start {option}")).fails(2, why);
    }
}

#[test]
fn an_idle_time_is_minutes_or_a_duration() {
    let account = Account::new();
    for (typed, told) in [("90", "90"), ("1h30m", "90"), ("0", "0")] {
        let run = account.run(&format!("user-data --max-idle-time {typed}"));
        let script = run.succeeds("");
        let line = format!("export MAX_IDLE_MINUTES='{told}'\n");
        assert!(script.contains(&line), "{typed}: {script}");
    }
    account.json("start --machine-group-name g --max-idle-time 120 --max-lifetime 3d");
    account
        .run("start --machine-group-name g --num-machines 2 --max-idle-time 90m --max-lifetime 36h")
        .fails(1, str![[r#"
error: the group g has machines with other settings: --max-idle-time is 2h there, 1h30m here; --max-lifetime is 3d there, 36h here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 2 --max-idle-time 2h --max-lifetime 3d --vm-type 't3.micro,t2.micro'

"#]]);
}
