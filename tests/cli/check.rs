//! `check`: what it finds is what `start` would meet, and it launches nothing.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run, finish, list, text};

/// The named check of a report.
#[track_caller]
fn named(report: &Value, name: &str) -> Value {
    list(&report["checks"])
        .into_iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// Runs `check` and the `start` that it is about: their exit codes must agree.
#[track_caller]
fn agrees(account: &Account, flags: &str) -> Run {
    let check = account.run(&format!("check -q --output json {flags}"));
    assert_eq!(account.launched(), 0, "check launched something");
    let start = account.run(&format!("start -q {flags}"));
    assert_eq!(
        check.code, start.code,
        "check: {}{}\nstart: {}",
        check.stdout, check.stderr, start.stderr
    );
    check
}

/// The statuses of the checks that are not ok.
fn troubles(report: &Value) -> Vec<String> {
    list(&report["checks"])
        .iter()
        .filter(|check| check["status"] != "ok")
        .map(|check| format!("{} {}", text(&check["status"]), text(&check["name"])))
        .collect()
}

#[test]
fn everything_in_order() {
    let account = Account::new();
    account
        .run("check --vm-type t2.micro --machine-group-name g --num-machines 3")
        .assert(
            0,
            str![[r#"
ok       identity    arn:aws:iam::[ACCOUNT]:user/sandbox (environment variables)
ok       account     [ACCOUNT]
ok       region      eu-west-2
ok       clock       the same as AWS's
ok       vm-type     t2.micro with 1 vCPU, offered in eu-west-2a, eu-west-2b, eu-west-2c
ok       network     default VPC [VPC] with 3 default subnets
ok       cost        about [..] USD an hour, [..]
ok       image       ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022; not a prepared one: eu-west-2 has none (inductiva-aws image build makes one)
ok       permission  EC2 would permit the launch of 3 machines
ok       quota       0 of 256 vCPUs in use, 3 more needed for t2.micro (Standard (A, C, D, H, I, M, R, T, Z), on demand)
ok       disk        gp3, of the standard size or the image's
ok       user-data   [..] bytes of at most 16384
ok       api-key     of sandbox

"#]],
            str![],
        );
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
    let groups = account.ec2(
        "describe_security_groups",
        json!({"Filters": [{"Name": "group-name", "Values": ["inductiva-aws"]}]}),
    );
    assert_eq!(groups["SecurityGroups"], json!([]));
}

#[test]
fn json_is_one_document() {
    let run = agrees(&Account::new(), "");
    let report = run.document();
    assert_eq!(report["ok"], true);
    assert_eq!(troubles(&report), [] as [String; 0]);
    assert_eq!(
        named(&report, "region"),
        json!({"name": "region", "status": "ok", "detail": "eu-west-2", "hint": null})
    );
}

#[test]
fn a_launch_that_is_not_permitted() {
    let account = Account::new();
    let allow = [
        "ec2:Describe*",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "servicequotas:*",
    ];
    account.put("policy", json!({"allow": allow}));
    let run = agrees(&account, "");
    let report = run.document();
    assert_eq!((run.code, &report["ok"]), (4, &json!(false)));
    assert_eq!(troubles(&report), ["failed permission"]);
    assert_eq!(
        named(&report, "permission")["policy"]["Statement"][0]["Action"],
        "ec2:RunInstances"
    );
    assert_eq!(run.error()["kind"], "not_permitted");
}

#[test]
fn a_policy_that_demands_mfa_is_told_as_the_reason() {
    let account = Account::new();
    let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
    account.put(
        "identity",
        json!({"mfa_devices": [{"serial": serial, "codes": ["123456"]}]}),
    );
    let deny = json!({"documents": [{"Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*",
         "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}},
    ]}]});
    account.put("policy", deny);
    let report = agrees(&account, "").document();
    let permission = named(&report, "permission");
    assert_eq!(permission["status"], "failed");
    assert!(text(&permission["detail"]).contains("denies it without MFA"));
    assert!(text(&permission["hint"]).contains("--mfa-serial"));
    let line = format!("check -q --mfa-serial {serial} --mfa-code 123456");
    let run = account.run(&line);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    // The session's end is told.
    let report = account.json(&format!("check --mfa-serial {serial}"));
    assert!(text(&named(&report, "identity")["detail"]).contains("signed in for another 11h59m"));
}

#[test]
fn a_quota_that_is_used_up() {
    let account = Account::new();
    // Two of them have four vCPUs; spot machines and other families do not count.
    account.json("start --machine-group-name other --vm-type t3.micro --num-machines 2");
    account.json("start --machine-group-name spot --vm-type t3.micro --spot");
    account.put("quotas", json!({"L-1216C47A": 5}));
    let run = account.run("check --vm-type t2.micro -q --output json");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(
        named(&run.document(), "quota")["detail"],
        "4 of 5 vCPUs in use, 1 more needed for t2.micro (Standard (A, C, D, H, I, M, R, T, Z), on demand)"
    );
    let run = account.run("check --vm-type t3.micro -q --output json");
    assert_eq!((run.code, text(&run.error()["kind"])), (5, "capacity"));
    assert_eq!(troubles(&run.document()), ["failed quota"]);
    let run = account.run("check --vm-type t3.micro --spot -q --output json");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(text(&named(&run.document(), "quota")["detail"]).starts_with("2 of 256 vCPUs"));
}

#[test]
fn one_type_or_market_with_room_in_its_quota_is_enough() {
    let account = Account::new();
    account.put(
        "quotas",
        json!({"L-1216C47A": 1, "L-1945791B": 1000, "L-34B43A08": 1}),
    );
    let quotas = |line: &str| {
        let run = account.run(&format!("check -q --output json {line}"));
        let checks = list(&run.document()["checks"]);
        let quotas = checks.iter().filter(|check| check["name"] == "quota");
        let told = quotas.map(|q| format!("{} {}", text(&q["status"]), text(&q["detail"])));
        (run.code, told.collect::<Vec<String>>())
    };
    let standard = "0 of 1 vCPUs in use, 2 more needed for t3.micro (Standard (A, C, D, H, I, M, R, T, Z), on demand)";
    assert_eq!(
        quotas("--vm-type t3.micro,inf1.xlarge"),
        (
            0,
            vec![
                format!("warning {standard}"),
                "ok 0 of 1000 vCPUs in use, 4 more needed for inf1.xlarge (Inf, on demand)"
                    .to_owned(),
            ]
        )
    );
    let (code, told) = quotas("--vm-type t3.micro,t3.small");
    assert_eq!(code, 5, "{told:?}");
    assert_eq!(told[0], format!("failed {standard}"));
    assert_eq!(told.len(), 2);
    // Spot has no room for two vCPUs, on demand has.
    account.put("quotas", json!({"L-1216C47A": 2}));
    let (code, told) = quotas("--vm-type t3.micro --spot --spot-fallback");
    assert_eq!(code, 0, "{told:?}");
    assert!(told[0].starts_with("warning 0 of 1 vCPUs"), "{told:?}");
    assert!(told[1].starts_with("ok 0 of 2 vCPUs"), "{told:?}");
    assert_eq!(quotas("--vm-type t3.micro --spot").0, 5);
}

#[test]
fn a_quota_that_may_not_be_seen_is_a_warning() {
    let account = Account::new();
    account.put("policy", json!({"allow": ["ec2:*"]}));
    let run = agrees(&account, "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = run.document();
    assert_eq!(troubles(&report), ["warning quota"]);
    assert!(text(&named(&report, "quota")["detail"]).contains("servicequotas:GetServiceQuota"));
}

#[test]
fn zones_that_may_not_be_seen_are_a_warning() {
    let account = Account::new();
    account.put(
        "policy",
        json!({"deny": ["ec2:DescribeInstanceTypeOfferings"]}),
    );
    let report = agrees(&account, "").document();
    assert_eq!(troubles(&report), ["warning vm_type"]);
}

#[test]
fn what_cannot_be_found_is_found_out() {
    for (flags, trouble) in [
        ("--vm-type t9.micro", "failed vm_type"),
        ("--image-id ami-00000000000000000", "failed image"),
        ("--subnet-id subnet-00000000000000000", "failed network"),
        ("--volume-size 7", "failed launch"),
        ("--vm-type t4g.micro", "failed launch"),
        (
            "--volume-type gp2 --iops 4000 --volume-size 50",
            "failed disk",
        ),
        ("--expect-account 111111111111", "failed account"),
        ("--key-name nobodys", "failed permission"),
        (
            "--security-group-id sg-00000000000000000",
            "failed permission",
        ),
    ] {
        let report = agrees(&Account::new(), flags).document();
        assert_eq!(report["ok"], false, "{flags}");
        assert!(
            troubles(&report).contains(&trouble.to_owned()),
            "{flags}: {report}"
        );
    }
}

#[test]
fn no_default_vpc() {
    let account = Account::new();
    account.post("delete_default_vpc", json!({"region": "eu-west-2"}));
    let report = agrees(&account, "").document();
    assert_eq!(troubles(&report), ["failed network"]);
}

#[test]
fn a_script_that_is_too_large() {
    let account = Account::new();
    let noise: Vec<String> = (0..6000u64)
        .map(|n| format!("{:x}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    account.file("big.sh", format!("#!/bin/bash\n{}", noise.concat()));
    let report = agrees(&account, "--user-data-path big.sh").document();
    assert_eq!(troubles(&report), ["failed user_data"]);
}

#[test]
fn an_api_key_that_is_refused_missing_or_out_of_reach() {
    let account = Account::new();
    let report = agrees(&account, "--api-key wrong").document();
    assert_eq!(troubles(&report), ["failed api_key"]);
    let mut command = account.command(["check", "-q", "--output", "json"]);
    let run = finish(command.env_remove("INDUCTIVA_API_KEY"));
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(troubles(&run.document()), ["failed api_key"]);
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let report = agrees(&account, "").document();
    assert_eq!(troubles(&report), ["warning api_key"]);
}

#[test]
fn nobody_is_signed_in() {
    let account = Account::new();
    let mut command = account.command(["check", "-q"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let run = finish(&mut command);
    assert_eq!(run.code, 4);
    // What does not need AWS is checked all the same.
    let mut command = account.command(["check", "--output", "json"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let report = finish(&mut command).document();
    assert_eq!(troubles(&report), ["failed identity"]);
    assert_eq!(named(&report, "api_key")["status"], "ok");
    assert_eq!(named(&report, "user_data")["status"], "ok");
    let mut command = account.command(["check", "--output", "json"]);
    let run = finish(command.env_remove("AWS_REGION"));
    assert_eq!(
        (run.code, troubles(&run.document())),
        (2, vec!["failed region".to_owned()])
    );
    // A message may have the word in it for any reason.
    let run = account.run("check --output json --profile lab-region");
    assert_eq!(
        (run.code, troubles(&run.document())),
        (4, vec!["failed identity".to_owned()])
    );
}

#[test]
fn a_clock_that_is_off() {
    let account = Account::new();
    account.put("settings", json!({"clock_offset_seconds": 900}));
    let run = account.run("check -q --output json");
    assert!(
        troubles(&run.document()).contains(&"failed clock".to_owned()),
        "{}",
        run.stdout
    );
}

#[test]
fn a_group_that_is_complete_or_of_another_kind() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    let report = account.json("check --machine-group-name g");
    assert!(text(&named(&report, "launch")["detail"]).contains("nothing to launch"));
    let run = account.run("check --machine-group-name g --vm-type t3.micro --output json");
    assert_eq!(run.code, 1);
    assert_eq!(troubles(&run.document()), ["failed launch"]);
}

#[test]
fn a_key_pair_to_be_made_is_tried_too() {
    let account = Account::new();
    let run = account.run("start --dry-run -q --create-key-pair mykey");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let report = agrees(&account, "--create-key-pair mykey").document();
    assert_eq!(named(&report, "key_pair")["status"], "ok");
    // Now it is there.
    let report = account.json("check --create-key-pair mykey");
    assert_eq!(named(&report, "key_pair")["status"], "ok");
    account.file("mykey.pem", "precious");
    let report = account.run("check --create-key-pair mykey --output json");
    assert_eq!(report.code, 2, "{}", report.stdout);
    assert_eq!(troubles(&report.document()), ["failed key_pair"]);
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:CreateKeyPair"]}));
    let report = agrees(&account, "--create-key-pair mykey").document();
    assert_eq!(troubles(&report), ["failed permission"]);
}

#[test]
fn a_group_that_costs_more_than_it_may() {
    let report = agrees(&Account::new(), "--max-cost-per-hour 0.001").document();
    assert_eq!(troubles(&report), ["failed cost"]);
}

#[test]
fn no_service_is_waited_for_longer_than_five_seconds() {
    let account = Account::new();
    account.fault(json!({"service": "servicequotas", "operation": "*", "kind": "stall", "seconds": 30, "count": null}));
    let run = account.run("check --output json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = run.document();
    assert_eq!(troubles(&report), ["warning quota"]);
    assert_eq!(
        named(&report, "quota")["detail"],
        "Service Quotas has not answered within 5 s"
    );
    account.forget_faults();
    account.fault(json!({"service": "inductiva", "operation": "*", "kind": "stall", "seconds": 30, "count": null}));
    let run = account.run("check --output json");
    // The clock has passed the limit for what was asked at the same time, too, which may
    // be worth more than a warning.
    let troubles = troubles(&run.document());
    assert!(
        troubles.contains(&"warning api_key".to_owned()),
        "{troubles:?}"
    );
    account.forget_faults();
    account.fault(json!({"service": "ec2", "operation": "DescribeImages", "kind": "stall", "seconds": 30, "count": null}));
    let run = account.run("check --output json");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.error()["kind"], "unreachable");
    let checks = list(&run.document()["checks"]);
    let not_answered = |check: &Value| {
        let detail = check["detail"].as_str().unwrap_or_default();
        check["status"] == "failed" && detail.ends_with("has not answered within 5 s")
    };
    assert!(checks.iter().any(not_answered), "{checks:?}");
}

#[test]
fn a_hint_that_several_have_in_common_is_said_once() {
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:Describe*"]}));
    let run = account.run("check");
    let hints: Vec<&str> = run
        .stdout
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("hint: "))
        .collect();
    let mut different = hints.clone();
    different.sort_unstable();
    different.dedup();
    assert!(
        !hints.is_empty() && different.len() == hints.len(),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("failed   vm-type "), "{}", run.stdout);
    assert!(
        run.stderr.contains("vm-type") && !run.stderr.contains('_'),
        "{}",
        run.stderr
    );
}
