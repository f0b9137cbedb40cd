//! Who is signed in, and what they may do and see.

use serde_json::json;
use snapbox::str;

use super::{agrees, named, troubles};
use crate::sandbox::{Account, finish, text};

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
    let report = agrees(
        &account,
        "",
        4,
        str![[r#"
{"error":{"hint":null,"kind":"not_permitted","machines":[],"message":"a start would not go through: permission"}}

"#]],
    );
    assert_eq!(report["ok"], false);
    assert_eq!(troubles(&report), ["failed permission"]);
    assert_eq!(
        named(&report, "permission")["policy"]["Statement"][0]["Action"],
        "ec2:RunInstances"
    );
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
    let report = agrees(
        &account,
        "",
        4,
        str![[r#"
{"error":{"hint":null,"kind":"not_permitted","machines":[],"message":"a start would not go through: permission"}}

"#]],
    );
    let permission = named(&report, "permission");
    assert_eq!(permission["status"], "failed");
    assert!(text(&permission["detail"]).contains("denies it without MFA"));
    assert!(text(&permission["hint"]).contains("--mfa-serial"));
    let line = format!("check -q --mfa-serial {serial} --mfa-code 123456");
    account.run(&line).assert(0, str![], "");
    // The session's end is told.
    let report = account.json(&format!("check --mfa-serial {serial}"));
    assert!(text(&named(&report, "identity")["detail"]).contains("signed in for another 11h59m"));
}

#[test]
fn a_quota_that_may_not_be_seen_is_a_warning() {
    let account = Account::new();
    account.put("policy", json!({"allow": ["ec2:*"]}));
    let report = agrees(&account, "", 0, "");
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
    let report = agrees(&account, "", 0, "");
    assert_eq!(troubles(&report), ["warning vm_type"]);
}

#[test]
fn nobody_is_signed_in() {
    let account = Account::new();
    let mut command = account.command(["check", "-q"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    finish(&mut command).assert(
        4,
        str![],
        str![[r#"
error: a start would not go through: identity

"#]],
    );
    // What does not need AWS is checked all the same.
    let mut command = account.command(["check", "--output", "json"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let run = finish(&mut command);
    run.ends(4, str![[r#"
{"error":{"hint":null,"kind":"not_signed_in","machines":[],"message":"a start would not go through: identity"}}

"#]]);
    let report = run.document();
    assert_eq!(troubles(&report), ["failed identity"]);
    assert_eq!(named(&report, "api_key")["status"], "ok");
    assert_eq!(named(&report, "user_data")["status"], "ok");
    let mut command = account.command(["check", "--output", "json"]);
    let run = finish(command.env_remove("AWS_REGION"));
    run.ends(2, str![[r#"
{"error":{"hint":null,"kind":"usage","machines":[],"message":"a start would not go through: region"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed region"]);
    // A message may have the word in it for any reason.
    let run = account.run("check --output json --profile lab-region");
    run.ends(4, str![[r#"
{"error":{"hint":null,"kind":"not_signed_in","machines":[],"message":"a start would not go through: identity"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed identity"]);
}

#[test]
fn a_hint_that_several_have_in_common_is_said_once() {
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:Describe*"]}));
    let run = account.run("check");
    run.assert(
        4,
        str![[r#"
ok       identity        arn:aws:iam::[ACCOUNT]:user/sandbox (environment variables)
ok       account         [ACCOUNT]
ok       region          eu-west-2
ok       clock           the same as AWS's
failed   vm-type         cannot look up the type t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstanceTypes: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
                         hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
failed   network         cannot look up the subnet: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeSubnets: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
failed   image           cannot look up the image: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeImages: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
failed   machine-group   cannot list machines: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
failed   security-group  cannot look up the security group: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeSecurityGroups: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
warning  quota           cannot list what runs: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
ok       disk            gp3, of the standard size or the image's
ok       user-data       [..] bytes of at most 16384
ok       api-key         of sandbox

"#]],
        str![[r#"
error: a start would not go through: vm-type, network, image, machine-group, security-group

"#]],
    );
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
}
