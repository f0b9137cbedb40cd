//! stdout is data, stderr is conversation, and secrets are on neither.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, finish, list, text};

#[test]
fn start_in_json_is_what_the_contract_names() {
    let account = Account::new();
    let run = account
        .run("start --vm-type t2.micro --machine-group-name g --num-machines 2 --output json");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]

"#]]);
    let document = run.document();
    let fields = |value: &Value| {
        let mut fields: Vec<String> = value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        fields.sort();
        fields
    };
    assert_eq!(
        fields(&document),
        [
            "account",
            "budget",
            "cost",
            "existing",
            "image_id",
            "launched",
            "machine_group",
            "machines",
            "region",
            "requested",
            "vm_type"
        ]
    );
    assert_eq!(fields(&document["machine_group"]), ["id", "name"]);
    assert_eq!(
        fields(&document["cost"]),
        [
            "addresses_usd_per_hour",
            "at_most_usd_per_hour",
            "dearest_vm_type",
            "disks_usd_per_hour",
            "initialization_usd",
            "machines_usd_per_hour",
            "surplus_credits_usd_per_hour",
            "unknown_because",
            "usd_per_day",
            "usd_per_hour"
        ]
    );
    assert_eq!(
        fields(&document["machines"][0]),
        [
            "availability_zone",
            "instance_id",
            "market",
            "private_ip",
            "public_ip",
            "state",
            "vm_type"
        ]
    );
    assert_eq!(document["account"], account.number);
    assert_eq!(
        document["machine_group"],
        json!({"name": "g", "id": account.groups()[0]["id"]})
    );
    assert_eq!(
        (&document["launched"], &document["existing"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(document["vm_type"], "t2.micro");
    assert_eq!(document["region"], "eu-west-2");
    assert_eq!(list(&document["machines"]).len(), 2);
}

#[test]
fn every_command_gives_one_document_on_stdout() {
    let account = Account::new();
    for line in [
        "start --vm-type t2.micro --machine-group-name g",
        "start --vm-type t2.micro --machine-group-name g",
        "start --vm-type t2.micro --machine-group-name h --dry-run",
        "list",
        "list --all-regions",
        "whoami",
        "terminate g -y",
        "terminate g -y",
    ] {
        assert!(account.json(line).is_object(), "{line}");
    }
}

#[test]
fn a_failure_in_json_is_one_document_on_stderr_and_nothing_on_stdout() {
    let account = Account::new();
    let run = account.run("terminate nothing -y --output json");
    run.assert(1, str![], str![[r#"
{"error":{"hint":"inductiva-aws list --all-regions shows the groups there are","kind":"not_found","machines":[],"message":"eu-west-2 has no machine group nothing"}}

"#]]);
    let error = run.error();
    assert_eq!(error["kind"], "not_found");
    assert_eq!(error["machines"], json!([]));
}

#[test]
fn a_command_line_that_is_wrong_is_told_in_json_too() {
    let account = Account::new();
    let no_number = str![[r#"
{"error":{"hint":"For more information, try '--help'.","kind":"usage","machines":[],"message":"invalid value '0' for '--num-machines <N>': it is a whole number from 1 to 1000"}}

"#]];
    for (line, said) in [
        (
            "start --vm-type t2.micro --num-machines 0 --output json",
            no_number.clone(),
        ),
        (
            "start --vm-type t2.micro --output=json --num-machines 0",
            no_number,
        ),
        (
            "terminate --output json",
            str![[r#"
{"error":{"hint":"Usage: inductiva-aws terminate [OPTIONS] <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>; For more information, try '--help'.","kind":"usage","machines":[],"message":"the following required arguments were not provided:/n  <NAME|ID|--machine-group-name <NAME>|--instance-id <ID>|--all>"}}

"#]],
        ),
    ] {
        account.run(line).fails(2, said);
    }
    let help = account.run("start --vm-type t2.micro --help --output json");
    assert_eq!(account.run("start --help").stdout, help.succeeds(""));
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g --num-machines 50");
    account.settle();
    for (line, said) in [
        (
            "list",
            str![[r#"
50 machines run, about 1.2278 USD an hour

"#]],
        ),
        (
            "list --output json",
            str![[r#"
50 machines run, about 1.2278 USD an hour

"#]],
        ),
        (
            "start --vm-type t2.micro --machine-group-name h",
            str![[r#"
machine group h
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
launched [ID]

"#]],
        ),
        ("user-data", str![]),
        ("man", str![]),
        ("completions bash", str![]),
        ("--help", str![]),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = account.command(line.split(' '));
        command.stdout(writer);
        let run = finish(&mut command);
        run.succeeds(said);
    }
    assert_eq!(account.live().len(), 51);
}

#[test]
fn verbose_names_calls_and_times() {
    let account = Account::new();
    let run = account.run("whoami -v -q");
    run.assert(
        0,
        str![[r#"
arn:aws:iam::[ACCOUNT]:user/sandbox

"#]],
        str![[r#"
STS GetCallerIdentity: 200, [..] ms

"#]],
    );
}

#[test]
fn secrets_reach_no_stream() {
    let account = Account::new();
    let api_key = "MARKED-api-key";
    let secret = "MARKED/secret/access/key";
    let token = "MARKED-session-token";
    account.put("inductiva", json!({"keys": [api_key]}));
    account.file("boot.sh", "#!/bin/sh\ntrue\n");
    let mut streams = String::new();
    for line in [
        "start --vm-type t2.micro --machine-group-name g --num-machines 2 --wait=running -vv",
        "start --vm-type t2.micro --machine-group-name g --num-machines 1 -vv",
        "start --vm-type t2.micro --machine-group-name g --num-machines 3 -vv --output json",
        "start --vm-type t2.micro --machine-group-name d --dry-run -vv",
        "start --vm-type t2.micro --machine-group-name d --dry-run -vv --output json",
        "start --machine-group-name x --vm-type t9.micro -vv",
        "start --vm-type t2.micro --machine-group-name x --user-data-path boot.sh -vv",
        "list -vv",
        "list --all-regions -vv --output json",
        "whoami -vv",
        "user-data -vv",
        "start --vm-type t2.micro --help",
        "terminate g -y -vv",
        "terminate g -y -vv",
    ] {
        let mut command = account.command(line.split(' '));
        command
            .env("INDUCTIVA_API_KEY", api_key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SESSION_TOKEN", token);
        let run = finish(&mut command);
        streams += &["$ ", line, "\n", &run.stdout, &run.stderr].concat();
    }
    let mut refused = account.command(["start", "-vv", "--output", "json"]);
    refused.env("INDUCTIVA_API_KEY", "MARKED-wrong-key");
    let run = finish(&mut refused);
    assert_eq!(run.code, 4);
    streams += &run.stderr;
    assert!(
        streams.contains("RunInstances: 200"),
        "the calls are not traced: {streams}"
    );
    let leak = streams.lines().find(|line| line.contains("MARKED"));
    assert_eq!(leak, None, "a secret was written");
    // The machine does get the key, in its user data and nowhere else.
    for request in account.requests() {
        let parameters = request["params"].as_object().expect("parameters");
        for (name, value) in parameters {
            if name != "UserData" {
                assert!(
                    !value.to_string().contains("MARKED"),
                    "{name} of {}",
                    request["operation"]
                );
            }
        }
    }
}

#[test]
fn help_names_every_flag_once_and_no_alias_of_the_old_launcher() {
    let account = Account::new();
    let run = account.run("start --vm-type t2.micro --help");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for flag in [
        "--vm-type",
        "--num-machines",
        "--machine-group-name",
        "--user-data-path",
        "--max-lifetime",
        "--dry-run",
    ] {
        assert!(run.stdout.contains(flag), "{flag} is missing");
    }
    for alias in ["--vm_type", "--num_machines", "--user_data_path"] {
        assert!(!run.stdout.contains(alias), "{alias} is shown");
    }
}

#[test]
fn without_a_command_there_is_help_and_2() {
    let account = Account::new();
    let run = account.run("");
    run.fails(
        2,
        str![[r#"
Machines of your own AWS account on the Inductiva platform

Usage: inductiva-aws [OPTIONS] <COMMAND>

Commands:
  start        Launch machines that run the task runner
  list         List machine groups and their machines [alias: ls]
  logs         Show the boot logs (consoles) of machines
  terminate    Terminate a group, single machines, or everything
  cost         Show what groups have cost so far, ended machines too
  types        List the amd64 types of the region, with what they have and cost
  image        Prepared images, from which machines boot in seconds
  check        Check everything that start needs, without launching
  whoami       Show the AWS identity in use and where its credentials came from
  login        Sign in with IAM Identity Center (SSO) or the AWS console
  logout       Sign out of IAM Identity Center (SSO) or the AWS console
  configure    Store access keys, the region and the Inductiva API key
  credentials  Print session credentials for other programs
  user-data    Print the user data that a machine would get, with secrets hidden
  completions  Print a completion script for your shell
  man          Print the manual page of the program or of a command, in roff format
  help         Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help (see more with '--help')
  -V, --version  Print version

Global options:
      --region <REGION>     AWS region, such as eu-west-2
      --profile <NAME>      AWS profile to sign in with
      --endpoint-url <URL>  Send AWS calls to this address instead of AWS
      --mfa-serial <ARN>    MFA device to sign in with, such as arn:aws:iam::123456789012:mfa/NAME
      --mfa-code <CODE>     Current six-digit code of the MFA device [default: you are asked for it]
                            [alias: --token-code]
      --output <FORMAT>     Format of the results on stdout [default: text] [possible values: text,
                            json]
  -q, --quiet               Print only ids, and no progress
  -v, --verbose...          Show each call and how long it takes
      --color <WHEN>        When to use colors [default: auto] [possible values: auto, always,
                            never]
      --no-input            Never prompt

"#]],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn machines_are_named_when_their_ids_cannot_be_written() {
    let account = Account::new();
    for (group, format, said) in [
        (
            "a",
            "json",
            str![[r#"
{"error":{"hint":"end them: inductiva-aws terminate --machine-group-name a","kind":"machines_may_be_running","machines":["[ID]"],"message":"cannot write to stdout: No space left on device (os error 28)"}}

"#]],
        ),
        (
            "b",
            "text",
            str![[r#"
error: cannot write to stdout: No space left on device (os error 28)
hint: end them: inductiva-aws terminate --machine-group-name b
machines that may be running: [ID]

"#]],
        ),
    ] {
        let full = std::fs::File::create("/dev/full").expect("Linux has it");
        let line = format!("start -q --machine-group-name {group} --output {format}");
        let run = finish(account.command(line.split(' ')).stdout(full));
        run.fails(3, said);
        let id = account
            .instances()
            .iter()
            .find(|i| crate::sandbox::tags(i)["inductiva:machine-group"] == group)
            .map(|i| text(&i["InstanceId"]).to_owned())
            .expect("its machine");
        assert!(run.stderr.contains(&id), "{}", run.stderr);
    }
}

#[test]
fn a_test_fails_on_output_that_it_does_not_look_at() {
    let account = Account::new();
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let run = account.run("list");
        assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    }));
    let failure = failure.expect_err("nobody has looked at stderr");
    let words = failure.downcast::<String>().expect("words");
    assert!(words.contains(" has printed this on stderr, "), "{words}");
    assert!(
        words.ends_with(
            "no machines in eu-west-2; inductiva-aws list --all-regions looks everywhere\n"
        ),
        "{words}"
    );
    let run = account
        .run("list")
        .ignoring_the_rest("this is the way out of it");
    assert_eq!(run.code, 0);
}
