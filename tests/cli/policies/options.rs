//! What options and the like need beside the least policy, by the manual.

use serde_json::json;
use snapbox::str;

use super::{PERMISSIONS, policies};
use crate::sandbox::Account;

/// What the manual says that an option, or whatever it is, needs.
fn needs(what: &str) -> Vec<&'static str> {
    let line = PERMISSIONS
        .lines()
        .find(|line| line.starts_with("- ") && line.contains(what))
        .unwrap_or_else(|| panic!("nothing is said of {what}"));
    let (_, actions) = line.split_once(": ").expect("actions");
    actions.split('`').skip(1).step_by(2).collect()
}

#[test]
fn options_need_what_the_manual_says() {
    let [least, _] = policies();
    let key_pair = needs("--create-key-pair");
    let both = [&key_pair[..], &needs("--ssh-from")].concat();
    for (flags, actions) in [
        ("--create-key-pair key", key_pair),
        ("--create-key-pair key --ssh-from 203.0.113.0/24", both),
    ] {
        let line = format!("start -q {flags}");
        let account = Account::new();
        account.put("policy", json!({"documents": [least]}));
        account.run(&line).fails(4, str![[r#"
error: cannot look up the key pair key: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeKeyPairs: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
hint: hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
{
  "Statement": [
    {
      "Action": "ec2:DescribeKeyPairs",
      "Effect": "Allow",
      "Resource": "*"
    }
  ],
  "Version": "2012-10-17"
}

"#]]);
        let more = json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let account = Account::new();
        account.put("policy", json!({"documents": [least, more]}));
        account.run(&line).assert(0, "[ID]\n", "");
    }
}

#[test]
fn removing_the_security_group_needs_what_the_manual_says() {
    let [least, _] = policies();
    let line = "terminate --all --yes --remove-security-group -q";
    let more = json!({"Statement": [{"Effect": "Allow", "Action": needs("--remove-security-group"), "Resource": "*"}]});
    for (documents, code, said) in [
        (
            json!([least]),
            4,
            str![[r#"
error: cannot remove the security group [SG]: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DeleteSecurityGroup on arn:aws:ec2:eu-west-2:[ACCOUNT]:security-group/[SG]: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
hint: hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
{
  "Statement": [
    {
      "Action": "ec2:DeleteSecurityGroup",
      "Effect": "Allow",
      "Resource": "arn:aws:ec2:eu-west-2:[ACCOUNT]:security-group/[SG]"
    }
  ],
  "Version": "2012-10-17"
}

"#]],
        ),
        (json!([least, more]), 0, str![]),
    ] {
        let account = Account::new();
        account.json("start --machine-group-name g");
        account.put("policy", json!({"documents": documents}));
        account.run(line).assert(code, "[ID]\n", said);
    }
}

/// EC2 takes the launch, and ends machines whose disks it cannot encrypt.
#[test]
fn a_disk_key_of_the_accounts_own_needs_what_the_manual_says() {
    let [least, _] = policies();
    let actions = needs("a key of its own");
    assert_eq!(actions.len(), 5, "{actions:?}");
    let key = "arn:aws:kms:eu-west-2:123456789012:key/of-the-account";
    let start = |actions: &[&str], resource: &str| {
        let account = Account::new();
        account.put("settings", json!({"pending_seconds": 0.5}));
        account.put("identity", json!({"disk_key": key}));
        let more =
            json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]});
        account.put("policy", json!({"documents": [least, more]}));
        account.run("start --wait=running --machine-group-name g")
    };
    start(&actions, key).succeeds(str![[r#"
machine group g
cost: n/a (pricing:GetProducts is not permitted; machines n/a, disks n/a, addresses n/a)
launched [ID] (t3.micro)
0 of 1 running
1 of 1 running

"#]]);
    let fails = |actions: &[&str], resource: &str| {
        start(actions, resource).ends(1, str![[r#"
machine group g
cost: n/a (pricing:GetProducts is not permitted; machines n/a, disks n/a, addresses n/a)
launched [ID] (t3.micro)
0 of 1 running
[ID]  Client.InternalError: Client error on launch
[ID]  usually the account encrypts disks with a KMS key that this identity may not use: ask for kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* for that key
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs g shows why

"#]]);
    };
    for action in &actions {
        let others: Vec<&str> = actions.iter().filter(|a| *a != action).copied().collect();
        fails(&others, key);
    }
    fails(&actions, "arn:aws:kms:eu-west-2:123456789012:key/another");
}
