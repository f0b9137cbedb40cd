//! This computer's clock, and AWS's.

use serde_json::json;

use crate::sandbox::{Account, finish};

#[test]
fn a_clock_that_is_off_does_not_stop_anybody() {
    for seconds in [1200, -1200] {
        let account = Account::new();
        account.put("settings", json!({"clock_offset_seconds": seconds}));
        account
            .run("start --machine-group-name g --num-machines 2 -q")
            .assert(0, "[ID]\n[ID]\n", "");
        assert_eq!(account.live().len(), 2);
        account
            .run("terminate g -y -q")
            .assert(0, "[ID]\n[ID]\n", "");
        assert_eq!(account.live(), [] as [String; 0]);
    }
}

#[test]
fn a_refusal_for_the_clock_says_by_how_much_it_is_off() {
    for (seconds, says) in [(1230, "20m behind"), (-1230, "20m ahead of")] {
        let account = Account::new();
        account.put("settings", json!({"clock_offset_seconds": seconds}));
        for (command, service, operation, code, what) in [
            (
                "list",
                "ec2",
                "DescribeInstances",
                "RequestExpired",
                "cannot list machines",
            ),
            (
                "list",
                "ec2",
                "DescribeInstances",
                "AuthFailure",
                "cannot list machines",
            ),
            (
                "whoami",
                "sts",
                "GetCallerIdentity",
                "SignatureDoesNotMatch",
                "cannot tell who is signed in",
            ),
        ] {
            account.forget_faults();
            account.fault(json!({"service": service, "operation": operation, "code": code, "message": "no", "status": 403, "count": null}));
            let why = format!("{what}: no ({code}, request [UUID])");
            account.run(command).fails(4, format!("error: this machine's clock is {says} AWS's: {why}\nhint: set the clock, best from a time server: timedatectl set-ntp true on most Linux systems\n"));
        }
    }
}

#[test]
fn only_a_test_whose_ec2_is_on_this_machine_moves_the_clock() {
    let account = Account::new();
    let programs = || account.get("clock")["programs"].clone();
    let clock = format!("{}/_sandbox/clock", account.aws_url());
    for (ec2, clock) in [
        ("https://ec2.eu-west-2.amazonaws.com", clock.as_str()),
        ("http://198.51.100.7", &clock),
        // A name that may lead anywhere.
        ("http://127.0.0.1.example.com", &clock),
        (&account.aws_url(), "http://198.51.100.7/clock"),
    ] {
        let mut command = account.command(["whoami", "-q"]);
        command
            .env("AWS_ENDPOINT_URL_STS", account.aws_url())
            .env("AWS_ENDPOINT_URL_EC2", ec2)
            .env("INDUCTIVA_AWS_TEST_CLOCK", clock);
        finish(&mut command).assert(0, "arn:aws:iam::[ACCOUNT]:user/sandbox\n", "");
        assert_eq!(programs(), 0, "{ec2} {clock}");
    }
    // The option goes before the variables.
    let mut command = account.command(["whoami", "-q", "--endpoint-url", &account.aws_url()]);
    command.env("AWS_ENDPOINT_URL_EC2", "http://198.51.100.7");
    finish(&mut command).assert(0, "arn:aws:iam::[ACCOUNT]:user/sandbox\n", "");
    assert_eq!(programs(), 1);
}
