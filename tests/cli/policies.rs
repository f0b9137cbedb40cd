//! The policies of the manual: enough, and nothing in them for nothing.

mod options;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, REGION, finish, list, text};

/// PERMISSIONS of the manual.
const PERMISSIONS: &str = include_str!("../../src/commands/manual/permissions.md");

/// The JSON blocks of a text.
fn policies_in(text: &str) -> Vec<Value> {
    let blocks = text.split("```json\n").skip(1);
    blocks
        .map(|block| {
            let block = block.split("```").next().unwrap_or_default();
            serde_json::from_str(block).expect("JSON")
        })
        .collect()
}

/// The least policy, and the one that demands MFA.
fn policies() -> [Value; 2] {
    let [least, mfa, _] = all_policies();
    [least, mfa]
}

#[test]
fn the_readme_has_the_least_policy_of_the_manual() {
    let readme =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let [least, _] = policies();
    assert_eq!(policies_in(&readme), [least]);
}

/// What `image` needs, with the least policy.
pub fn policies_of_images() -> [Value; 2] {
    let [least, _, images] = all_policies();
    [least, images]
}

fn all_policies() -> [Value; 3] {
    policies_in(PERMISSIONS).try_into().expect("three policies")
}

pub fn actions(policy: &Value) -> Vec<String> {
    list(&policy["Statement"])
        .iter()
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        })
        .map(|action| text(&action).to_owned())
        .collect()
}

pub fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().expect("statements");
    for statement in statements.iter_mut() {
        let rest: Vec<Value> = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        };
        statement["Action"] = rest.into_iter().filter(|a| a != action).collect();
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// Which commands fail under these policies: each has what it needs to find.
fn failing(policies: &[Value]) -> Vec<&'static str> {
    let account = Account::new();
    let mut failed = Vec::new();
    for (command, line) in [
        ("start", "start --machine-group-name g -q"),
        ("list", "list -q"),
        ("list --all-regions", "list --all-regions -q"),
        ("logs", "logs g -q"),
        ("cost", "cost g"),
        ("terminate", "terminate g --yes -q"),
    ] {
        if command != "start" {
            account.put("policy", json!({}));
            account.json("start --machine-group-name g");
        }
        account.put("policy", json!({"documents": policies}));
        let run = account
            .run(line)
            .ignoring_the_rest("how each command tells a denial is looked at in denials.rs");
        match run.code {
            0 => {}
            4 => failed.push(command),
            code => panic!("{line}: {code}\n{}", run.stderr),
        }
    }
    failed
}

#[test]
fn the_least_policy_is_enough() {
    let [least, _] = policies();
    assert_eq!(failing(&[least]), [] as [&str; 0]);
}

#[test]
fn each_action_of_the_least_policy_is_needed() {
    let [least, _] = policies();
    let needed: BTreeMap<String, Vec<&str>> = actions(&least)
        .into_iter()
        .map(|action| {
            let mut failing = failing(&[without(&least, &action)]);
            // What the list of one region needs, that of all does too.
            failing.retain(|line| !line.contains("--all"));
            (action, failing)
        })
        .collect();
    let expected: BTreeMap<String, Vec<&str>> = [
        ("ec2:CreateSecurityGroup", &["start"][..]),
        ("ec2:CreateTags", &["start"]),
        ("ec2:DescribeImages", &["start"]),
        ("ec2:DescribeInstanceTypes", &["start", "logs"]),
        (
            "ec2:DescribeInstances",
            &["start", "list", "logs", "cost", "terminate"],
        ),
        // Without it, the regions that are known are asked.
        ("ec2:DescribeRegions", &[]),
        // Without it, a start warns.
        ("ec2:DescribeRouteTables", &[]),
        ("ec2:DescribeSecurityGroups", &["start"]),
        ("ec2:DescribeSubnets", &["start"]),
        ("ec2:GetConsoleOutput", &["logs"]),
        ("ec2:RunInstances", &["start"]),
        ("ec2:TerminateInstances", &["terminate"]),
    ]
    .map(|(action, commands)| (action.to_owned(), commands.to_vec()))
    .into();
    assert_eq!(needed, expected);
}

/// Past the program's own care for machines of others.
const TERMINATE: &str =
    "import boto3, sys; boto3.client('ec2').terminate_instances(InstanceIds=[sys.argv[1]])";
const READ: &str =
    "import boto3, sys; boto3.client('ec2').get_console_output(InstanceId=sys.argv[1])";

#[test]
fn the_least_policy_reads_and_ends_our_machines_only() {
    let [least, _] = policies();
    let account = Account::new();
    let kwargs = json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1});
    let others = account.ec2("run_instances", kwargs)["Instances"][0]["InstanceId"].clone();
    account.json("start --machine-group-name g");
    account.put("policy", json!({"documents": [least]}));
    let boto3 = |script: &str, id: &str| {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sandbox/venv/bin/python");
        let mut command = Command::new(python);
        command
            .args(["-c", script, id])
            .env_clear()
            .envs(account.environment())
            .env("AWS_DEFAULT_REGION", REGION)
            .stdout(Stdio::piped());
        finish(&mut command).ignoring_the_rest("it is boto3 that prints it, not the program")
    };
    for script in [TERMINATE, READ] {
        let refused = boto3(script, text(&others));
        assert!(
            refused.stderr.contains("UnauthorizedOperation"),
            "{}",
            refused.stderr
        );
    }
    for id in account.live() {
        let run = boto3(READ, &id);
        assert_eq!(run.code == 0, id != text(&others), "{}", run.stderr);
    }
    for id in account.live() {
        let run = boto3(TERMINATE, &id);
        assert_eq!(run.code == 0, id != text(&others), "{}", run.stderr);
    }
    assert_eq!(account.live(), [text(&others)]);
}

#[test]
fn what_is_good_to_have_is_done_without() {
    let [least, _] = policies();
    let account = Account::new();
    account.put("policy", json!({"documents": [least]}));
    let run = account.run("check --output json -q");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let warnings: Vec<Value> = list(&run.document()["checks"])
        .into_iter()
        .filter(|check| check["status"] != "ok")
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(warnings, ["vm_type", "quota"]);
    for flags in ["", "--spot"] {
        account
            .run(&format!("start -q {flags}"))
            .assert(0, "[ID]\n", "");
    }
}

#[test]
fn the_second_policy_makes_launches_ask_for_mfa() {
    let [least, mfa] = policies();
    let account = Account::new();
    let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
    account.put(
        "identity",
        json!({"mfa_devices": [{"serial": serial, "codes": ["123456"]}]}),
    );
    account.put("policy", json!({"documents": [least, mfa]}));
    for (line, stdout, stderr) in [
        (
            "start -q",
            str![],
            str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]],
        ),
        (
            "check",
            str![[r#"
ok       identity    arn:aws:iam::[ACCOUNT]:user/sandbox (environment variables)
ok       account     [ACCOUNT]
ok       region      eu-west-2
ok       clock       the same as AWS's
warning  vm-type     cannot look up which zones offer a type: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstanceTypeOfferings: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
                     hint: hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
{
  "Statement": [
    {
      "Action": "ec2:DescribeInstanceTypeOfferings",
      "Effect": "Allow",
      "Resource": "*"
    }
  ],
  "Version": "2012-10-17"
}
ok       network     default VPC [VPC] with 3 default subnets
ok       cost        n/a (pricing:GetProducts is not permitted; machines n/a, disks n/a, addresses n/a)
ok       image       ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022; not a prepared one: eu-west-2 has none (inductiva-aws image build makes one)
failed   permission  cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
                     hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
warning  quota       cannot look up the vCPU quota L-1216C47A: arn:aws:iam::[ACCOUNT]:user/sandbox may not servicequotas:GetServiceQuota: no identity-based policy allows it (AccessDeniedException, request [UUID])
{
  "Statement": [
    {
      "Action": "servicequotas:GetServiceQuota",
      "Effect": "Allow",
      "Resource": "*"
    }
  ],
  "Version": "2012-10-17"
}
ok       disk        50 GiB gp3
ok       user-data   [..] bytes of at most 16384
ok       api-key     of sandbox

"#]],
            str![[r#"
error: a start would not go through: permission

"#]],
        ),
    ] {
        let run = account.run(line);
        run.assert(4, stdout, stderr);
    }
    assert_eq!(account.launched(), 0);
    // All else goes without.
    account.run("list -q").assert(0, "", "");
    account
        .run(&format!("check -q --mfa-serial {serial} --mfa-code 123456"))
        .assert(0, "", "");
    account
        .run(&format!("start -q --mfa-serial {serial}"))
        .assert(0, "[ID]\n", "");
    assert_eq!(account.launched(), 1);
}
