//! Lines in messages: pasted into another shell, they do what is meant.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::sandbox::{API_KEY, Account, Run, finish};

/// A shell of somebody who works by a profile of an odd name, with an address that the
/// environment has.
fn working_by_a_profile(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split(' '));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env_remove(name);
    }
    command.env("AWS_PROFILE", "the lab's");
    command
}

fn with_a_profile() -> Account {
    let account = Account::new();
    account.file(
        ".aws/config",
        "[profile \"the lab's\"]\nregion = eu-west-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    );
    account
}

/// What the line ends with that follows `start` in a message.
#[track_caller]
fn line_from<'a>(said: &'a str, start: &str) -> &'a str {
    let from = said
        .find(start)
        .unwrap_or_else(|| panic!("no {start:?} in {said}"));
    let line = said[from..].lines().next().unwrap_or_default();
    line.split(['`', ';']).next().unwrap_or_default()
}

/// Runs a line in a shell that has nothing of this one but the home folder and the
/// Inductiva key.
fn pasted(account: &Account, line: &str) -> Run {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_inductiva-aws"));
    let path = program.parent().expect("a folder").display();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear();
    let environment = account.environment();
    for name in [
        "HOME",
        "AWS_EC2_METADATA_DISABLED",
        "INDUCTIVA_API_URL",
        "INDUCTIVA_AWS_TEST_CLOCK",
    ] {
        shell.env(name, &environment[name]);
    }
    shell
        .env("INDUCTIVA_API_KEY", API_KEY)
        .env("PATH", format!("{path}:{}", environment["PATH"]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    finish(&mut shell)
        .ignoring_the_rest("what a pasted line says is looked at where its command is tested")
}

#[test]
fn every_commands_lines_have_the_region_the_profile_and_the_address_that_were_used() {
    let account = with_a_profile();
    let options = format!(
        r#" --region eu-west-1 --profile "the lab's" --endpoint-url {}"#,
        account.aws_url()
    );
    let run = |line: &str| {
        finish(&mut working_by_a_profile(&account, line))
            .ignoring_the_rest("the rest of each message is looked at where its command is tested")
    };
    let two = run("start -n 2 --machine-group-name two");
    assert_eq!(two.code, 0, "{}", two.stderr);
    for (line, start) in [
        (
            "start -n 1 --machine-group-name two",
            "inductiva-aws terminate --machine-group-name two",
        ),
        (
            "start -n 1 --machine-group-name two",
            "inductiva-aws terminate --instance-id ID",
        ),
        ("logs nothing", "inductiva-aws list --all-regions"),
        ("terminate nothing -y", "inductiva-aws list --all-regions"),
    ] {
        let run = run(line);
        assert_ne!(run.code, 0, "{line}");
        let found = line_from(&run.stderr, start);
        assert!(
            found.starts_with(&format!("{start}{options}")),
            "{line}: {found}\n{}",
            run.stderr
        );
    }
    account.post("delete_default_vpc", json!({"region": "eu-west-1"}));
    for line in ["check", "start"] {
        let run = run(line);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(
            line_from(&said, "aws ec2 create-default-vpc"),
            format!("aws ec2 create-default-vpc{options}")
        );
    }
    account.settle();
    let stopped = account.ec2_in("eu-west-1", "describe_instances", json!({}));
    let id = &stopped["Reservations"][0]["Instances"][0]["InstanceId"];
    account.ec2_in("eu-west-1", "stop_instances", json!({"InstanceIds": [id]}));
    account.settle();
    let listed = run("list");
    let line = line_from(&listed.stderr, "inductiva-aws terminate i-");
    assert!(line.ends_with(&options), "{line}");
    // It is what ends the machine.
    let ended = pasted(&account, &format!("{line} -y"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout.trim(), id.as_str().expect("an id"));
}

#[test]
fn a_profile_that_gave_no_credentials_is_not_named_but_its_address_is() {
    let account = Account::new();
    account.file(
        ".aws/config",
        format!(
            "[profile w]\nregion = eu-west-1\nendpoint_url = {}\n",
            account.aws_url()
        ),
    );
    let mut command = account.command(["logs", "nothing"]);
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_PROFILE", "w");
    let run = finish(&mut command);
    assert_eq!(
        line_from(&run.stderr, "inductiva-aws list"),
        format!(
            "inductiva-aws list --all-regions --region eu-west-1 --endpoint-url {} shows what there is",
            account.aws_url()
        ),
        "{}",
        run.stderr
    );
}

#[test]
fn the_address_of_one_service_is_not_given_to_all() {
    let account = with_a_profile();
    let url = account.aws_url();
    let mut command = working_by_a_profile(&account, "start -n 2 --machine-group-name g");
    command
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_ENDPOINT_URL_EC2", &url)
        .env("AWS_ENDPOINT_URL_STS", &url)
        .env("AWS_ENDPOINT_URL_PRICING", &url);
    finish(command.arg("-q")).assert(0, "[ID]\n[ID]\n", "");
    let mut again = working_by_a_profile(&account, "start -n 1 --machine-group-name g");
    again
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_ENDPOINT_URL_EC2", &url)
        .env("AWS_ENDPOINT_URL_STS", &url)
        .env("AWS_ENDPOINT_URL_PRICING", &url);
    let refused = finish(&mut again);
    let whole = format!(
        "AWS_ENDPOINT_URL_EC2={url} AWS_ENDPOINT_URL_PRICING={url} AWS_ENDPOINT_URL_STS={url} inductiva-aws terminate --machine-group-name g"
    );
    let line = line_from(&refused.stderr, &whole);
    assert!(!line.contains("--endpoint-url"), "{line}");
    let ended = pasted(&account, &format!("{line} -y"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(account.groups(), [] as [serde_json::Value; 0]);
}
