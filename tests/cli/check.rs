//! `check`: what it finds is what `start` would meet, and it launches nothing.

mod permissions;
mod quotas;

use serde_json::{Value, json};
use snapbox::{IntoData, str};

use crate::sandbox::{Account, Run, ended, finish, list, text};

/// The named check of a report.
#[track_caller]
fn named(report: &Value, name: &str) -> Value {
    list(&report["checks"])
        .into_iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// Runs `check` and the `start` that it is about, whose exit codes must agree; the report.
#[track_caller]
fn agrees(account: &Account, flags: &str, code: i32, error: impl IntoData) -> Value {
    let check = account.run(&format!("check -q --output json {flags}"));
    check.ends(code, error);
    assert_eq!(account.launched(), 0, "check launched something");
    let start = account
        .run(&format!("start -q {flags}"))
        .ignoring_the_rest("how start words the same is looked at in refusals.rs and start/");
    assert_eq!(
        check.code, start.code,
        "check: {}\nstart: {}",
        check.stderr, start.stderr
    );
    check.document()
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
ok       disk        50 GiB gp3
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
    let report = agrees(&Account::new(), "", 0, "");
    assert_eq!(report["ok"], true);
    assert_eq!(troubles(&report), [] as [String; 0]);
    assert_eq!(
        named(&report, "region"),
        json!({"name": "region", "status": "ok", "detail": "eu-west-2", "hint": null})
    );
}

#[test]
fn what_cannot_be_found_is_found_out() {
    for (flags, trouble, code, error) in [
        (
            "--vm-type t9.micro",
            "failed vm_type",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: vm-type"}}

"#]],
        ),
        (
            "--image-id ami-00000000000000000",
            "failed image",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: image"}}

"#]],
        ),
        (
            "--subnet-id subnet-00000000000000000",
            "failed network",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: network"}}

"#]],
        ),
        (
            "--volume-size 7",
            "failed launch",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: launch"}}

"#]],
        ),
        (
            "--vm-type t4g.micro",
            "failed launch",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: launch"}}

"#]],
        ),
        (
            "--volume-type gp2 --iops 4000 --volume-size 50",
            "failed disk",
            2,
            str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"a start would not go through: launch, disk"}}

"#]],
        ),
        (
            "--expect-account 111111111111",
            "failed account",
            4,
            str![[r#"
{"error":{"hint":null,"kind":"not_permitted","machines":[],"message":"a start would not go through: account"}}

"#]],
        ),
        (
            "--key-name nobodys",
            "failed permission",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: permission"}}

"#]],
        ),
        (
            "--security-group-id sg-00000000000000000",
            "failed permission",
            1,
            str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: permission"}}

"#]],
        ),
    ] {
        let report = agrees(&Account::new(), flags, code, error);
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
    let report = agrees(
        &account,
        "",
        1,
        str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: network"}}

"#]],
    );
    assert_eq!(troubles(&report), ["failed network"]);
}

#[test]
fn a_script_that_is_too_large() {
    let account = Account::new();
    let noise: Vec<String> = (0..6000u64)
        .map(|n| format!("{:x}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    account.file("big.sh", format!("#!/bin/bash\n{}", noise.concat()));
    let report = agrees(
        &account,
        "--user-data-path big.sh",
        2,
        str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"a start would not go through: user-data"}}

"#]],
    );
    assert_eq!(troubles(&report), ["failed user_data"]);
}

#[test]
fn an_api_key_that_is_refused_missing_or_out_of_reach() {
    let account = Account::new();
    let report = agrees(
        &account,
        "--api-key wrong",
        4,
        str![[r#"
{"error":{"hint":null,"kind":"not_signed_in","machines":[],"message":"a start would not go through: api-key"}}

"#]],
    );
    assert_eq!(troubles(&report), ["failed api_key"]);
    let mut command = account.command(["check", "-q", "--output", "json"]);
    let run = finish(command.env_remove("INDUCTIVA_API_KEY"));
    run.ends(2, str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"a start would not go through: api-key"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed api_key"]);
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    let report = agrees(&account, "", 0, "");
    assert_eq!(troubles(&report), ["warning api_key"]);
}

#[test]
fn a_clock_that_is_off() {
    let account = Account::new();
    account.put("settings", json!({"clock_offset_seconds": 900}));
    let run = account.run("check -q --output json");
    run.ends(4, str![[r#"
{"error":{"hint":null,"kind":"not_signed_in","machines":[],"message":"a start would not go through: clock"}}

"#]]);
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
    run.ends(1, str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: launch"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed launch"]);
}

#[test]
fn a_key_pair_to_be_made_is_tried_too() {
    let account = Account::new();
    let run = account.run("start --dry-run -q --create-key-pair mykey");
    run.assert(0, str![], "");
    let report = agrees(&account, "--create-key-pair mykey", 0, "");
    assert_eq!(named(&report, "key_pair")["status"], "ok");
    // Now it is there.
    let report = account.json("check --create-key-pair mykey");
    assert_eq!(named(&report, "key_pair")["status"], "ok");
    account.file("mykey.pem", "precious");
    let run = account.run("check --create-key-pair mykey --output json");
    run.ends(2, str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"a start would not go through: key-pair"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed key_pair"]);
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:CreateKeyPair"]}));
    let report = agrees(
        &account,
        "--create-key-pair mykey",
        4,
        str![[r#"
{"error":{"hint":null,"kind":"not_permitted","machines":[],"message":"a start would not go through: permission"}}

"#]],
    );
    assert_eq!(troubles(&report), ["failed permission"]);
}

#[test]
fn a_group_that_costs_more_than_it_may() {
    let report = agrees(
        &Account::new(),
        "--max-cost-per-hour 0.001",
        1,
        str![[r#"
{"error":{"hint":null,"kind":"failed","machines":[],"message":"a start would not go through: cost"}}

"#]],
    );
    assert_eq!(troubles(&report), ["failed cost"]);
}

/// The end of a `check` that has no answer to calls of this operation. Time passes once
/// `all_else` is answered that it asks beside them: they alone take too long.
fn unanswered(
    account: &Account,
    (service, operation): (&str, &str),
    all_else: impl Fn(&[&Value]) -> bool,
) -> Run {
    account
        .fault(json!({"service": service, "operation": operation, "kind": "hold", "count": null}));
    account.forget_requests();
    let mut child = account.start("check --output json");
    let mut passed = 0;
    account.until("check has ended", |account| {
        let requests = account.requests();
        let (held, others): (Vec<_>, Vec<_>) =
            requests.iter().partition(|r| r["operation"] == operation);
        let answered: Vec<_> = others
            .into_iter()
            .filter(|r| r["ended"].is_number())
            .collect();
        if held.len() > passed && all_else(&answered) {
            account.pass(6.0);
            passed = held.len();
        }
        child.try_wait().expect("it can be asked").is_some()
    });
    account.post("release", json!({}));
    account.forget_faults();
    ended(child)
}

#[test]
fn no_service_is_waited_for_longer_than_five_seconds() {
    let account = Account::new();
    // The first keeps the prices that it has asked for.
    account.json("check");
    account.forget_requests();
    account.json("check");
    let calls = account.requests().len();
    let warned = |service, operation, times, what: &str, detail: &str| {
        let all_else = |answered: &[&Value]| answered.len() == calls - times;
        let run = unanswered(&account, (service, operation), all_else);
        run.succeeds("");
        let report = run.document();
        assert_eq!(troubles(&report), [format!("warning {what}")]);
        assert_eq!(named(&report, what)["detail"], detail);
    };
    let quota = "Service Quotas has not answered within 5 s";
    warned("servicequotas", "GetServiceQuota", 2, "quota", quota);
    let api_key = "Inductiva's API is out of reach: no answer within 5 s";
    warned("inductiva", "GET /users/info", 1, "api_key", api_key);

    // Without an answer to who asks, nothing else would be told.
    let who = |answered: &[&Value]| {
        answered
            .iter()
            .any(|r| r["operation"] == "GetCallerIdentity")
    };
    let run = unanswered(&account, ("ec2", "DescribeImages"), who);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.error()["kind"], "unreachable");
    let checks = list(&run.document()["checks"]);
    let not_answered = |check: &Value| {
        let detail = check["detail"].as_str().unwrap_or_default();
        check["status"] == "failed" && detail.ends_with("has not answered within 5 s")
    };
    assert!(checks.iter().any(not_answered), "{checks:?}");
}
