//! What a policy refuses is told in plain words: who, what, why, and what to ask for.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run};

/// A start under a policy of the account's.
fn start_under(account: &Account, policy: Value, flags: &str) -> Run {
    account.put("policy", policy);
    let run = account.run(&format!("start -q {flags}"));
    assert_eq!(account.launched(), 0);
    run
}

#[test]
fn the_missing_statement_is_shown() {
    let allow = ["ec2:Describe*", "ec2:CreateSecurityGroup", "ec2:CreateTags"];
    start_under(&Account::new(), json!({"allow": allow}), "").assert(4, str![], str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
hint: hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
{
  "Statement": [
    {
      "Action": "ec2:RunInstances",
      "Effect": "Allow",
      "Resource": "arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*"
    }
  ],
  "Version": "2012-10-17"
}

"#]]);
}

#[test]
fn json_has_the_policy_as_a_field() {
    let account = Account::new();
    let allow = ["ec2:Describe*", "ec2:CreateSecurityGroup", "ec2:CreateTags"];
    let run = start_under(&account, json!({"allow": allow}), "--output json");
    run.fails(4, str![[r#"
{"error":{"hint":"hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, /"Security credentials/")","kind":"not_permitted","machines":[],"message":"cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: no identity-based policy allows it (UnauthorizedOperation, request [UUID])","policy":{"Statement":[{"Action":"ec2:RunInstances","Effect":"Allow","Resource":"arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*"}],"Version":"2012-10-17"}}}

"#]]);
}

#[test]
fn an_older_message_is_decoded_where_that_is_permitted() {
    let account = Account::new();
    let allow = [
        "ec2:Describe*",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "sts:DecodeAuthorizationMessage",
    ];
    let policy = json!({"allow": allow, "older_messages": true});
    let run = start_under(&account, policy, "--output json");
    run.fails(4, str![[r#"
{"error":{"hint":"hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, /"Security credentials/")","kind":"not_permitted","machines":[],"message":"cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: no identity-based policy allows it (UnauthorizedOperation, request [UUID])","policy":{"Statement":[{"Action":"ec2:RunInstances","Effect":"Allow","Resource":"arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*"}],"Version":"2012-10-17"}}}

"#]]);
}

#[test]
fn an_older_message_that_may_not_be_decoded_is_told_as_it_is() {
    let allow = ["ec2:Describe*", "ec2:CreateSecurityGroup", "ec2:CreateTags"];
    let policy = json!({"allow": allow, "older_messages": true});
    start_under(&Account::new(), policy, "").assert(4, str![], str![[r#"
error: cannot launch t3.micro: You are not authorized to perform this operation (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
}

#[test]
fn a_service_control_policy_is_named() {
    let policy = json!({"deny": ["ec2:RunInstances"], "reason": "scp"});
    start_under(&Account::new(), policy, "").assert(4, str![], str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: a service control policy (of the AWS organization) denies it (UnauthorizedOperation, request [UUID])
hint: the AWS organization forbids it for the whole account: only an administrator of the organization can change that

"#]]);
}

#[test]
fn a_permissions_boundary_is_named() {
    let policy = json!({"deny": ["ec2:CreateSecurityGroup"], "reason": "boundary"});
    start_under(&Account::new(), policy, "").assert(4, str![], str![[r#"
error: cannot make the security group inductiva-aws: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:CreateSecurityGroup on arn:aws:ec2:eu-west-2:[ACCOUNT]:security-group/*: a permissions boundary denies it (UnauthorizedOperation, request [UUID])
hint: an administrator has to change the permissions boundary of the user or role: another policy does not help

"#]]);
}

#[test]
fn a_session_policy_is_named() {
    let policy = json!({"deny": ["ec2:DescribeImages"], "reason": "session"});
    start_under(&Account::new(), policy, "").assert(4, str![], str![[r#"
error: cannot look up the image: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeImages: a session policy denies it (UnauthorizedOperation, request [UUID])
hint: the session was made with a policy of its own: sign in without that policy, or have it changed

"#]]);
}

#[test]
fn a_role_for_the_machines_has_to_be_passed() {
    let account = Account::new();
    for (method, kwargs) in [
        (
            "create_role",
            json!({"RoleName": "storage", "AssumeRolePolicyDocument": "{}"}),
        ),
        (
            "create_instance_profile",
            json!({"InstanceProfileName": "storage"}),
        ),
        (
            "add_role_to_instance_profile",
            json!({"InstanceProfileName": "storage", "RoleName": "storage"}),
        ),
    ] {
        account.boto3("iam", "us-east-1", method, kwargs);
    }
    let policy = json!({"allow": ["ec2:*"]});
    start_under(&account, policy, "--instance-profile storage").assert(4, str![], str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not iam:PassRole on arn:aws:iam::[ACCOUNT]:role/storage: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
hint: --instance-profile needs iam:PassRole for the profile's role: hand the policy below to the account's administrator, or leave out --instance-profile
{
  "Statement": [
    {
      "Action": "iam:PassRole",
      "Condition": {
        "StringEquals": {
          "iam:PassedToService": "ec2.amazonaws.com"
        }
      },
      "Effect": "Allow",
      "Resource": "arn:aws:iam::[ACCOUNT]:role/storage"
    }
  ],
  "Version": "2012-10-17"
}

"#]]);
}

#[test]
fn a_policy_that_demands_mfa_is_recognised() {
    let account = Account::new();
    account.put("policy", json!({"require_mfa": true}));
    account.run("terminate --all --yes").assert(
        4,
        str![],
        str![[r#"
error: cannot list machines: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]],
    );
    // Only what changes something has an encoded message.
    let policy = json!({"documents": [{"Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*",
         "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}},
    ]}]});
    start_under(&account, policy, "").assert(4, str![], str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: an identity-based policy denies it without MFA (UnauthorizedOperation, request [UUID])
hint: sign in with MFA: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
}
