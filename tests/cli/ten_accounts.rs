//! Ten accounts that people have, and what the five commands of a newcomer's first hour
//! come to in each.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

/// What each of the five commands ends with, and the words that matter.
struct Hour {
    check: (i32, &'static [&'static str]),
    start: (i32, &'static [&'static str]),
    list: (i32, &'static [&'static str]),
    logs: (i32, &'static [&'static str]),
    terminate: (i32, &'static [&'static str]),
}

/// An hour in which nothing goes wrong.
const GOOD: Hour = Hour {
    check: (0, &["ok       permission", "ok       network"]),
    start: (0, &["launched i-", "in account "]),
    list: (0, &["first ", "1 machine runs"]),
    logs: (0, &["nothing on its console yet"]),
    terminate: (0, &["shutting down"]),
};

/// What is left where nothing was launched.
const NOTHING_TO_LIST: (i32, &[&str]) = (0, &["no machines in eu-west-2"]);
const NOTHING_TO_READ: (i32, &[&str]) = (1, &["has no machine group first", "list --all-regions"]);
const NOTHING_TO_END: (i32, &[&str]) = (1, &["first"]);

/// Where no machine could do its work: refused before anything is made.
const fn refused(check: &'static [&'static str], start: &'static [&'static str]) -> Hour {
    Hour {
        check: (1, check),
        start: (1, start),
        list: NOTHING_TO_LIST,
        logs: NOTHING_TO_READ,
        terminate: NOTHING_TO_END,
    }
}

impl Hour {
    /// Runs the five commands, with `options` at each. Prices, addresses and times differ
    /// between the accounts: of what is said these words are looked at, the rest where each
    /// command is tested.
    #[track_caller]
    fn passes(&self, account: &Account, options: &str) {
        for (line, (code, words)) in [
            ("check", self.check),
            ("start --machine-group-name first", self.start),
            ("list", self.list),
            ("logs first", self.logs),
            ("terminate first -y", self.terminate),
        ] {
            let run = account.run(&format!("{line} {options}"));
            let said = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(run.code, code, "{line} {options}\n{said}");
            for words in words {
                assert!(
                    said.contains(words),
                    "{line} {options}: no {words:?} in\n{said}"
                );
            }
            account.settle();
        }
        assert_eq!(account.live(), [] as [String; 0]);
        assert_eq!(account.groups(), [] as [Value; 0]);
    }
}

fn with(traits: Value) -> Account {
    let account = Account::new();
    account.put("traits", traits);
    account
}

#[test]
fn a_new_account_on_the_free_plan() {
    let account = with(json!({"plan": "free"}));
    GOOD.passes(&account, "");
    assert_eq!(account.instances()[0]["InstanceType"], "t3.micro");
    let run = account.run("start --vm-type t2.micro");
    run.fails(1, str![[r#"
machine group [GROUP], a new one: to run this again, add --machine-group-name [GROUP]
cost: about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050)
no on-demand t2.micro in any zone: InvalidParameterCombination
error: cannot launch t2.micro: The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run 'describe-instance-types' with the filter 'free-tier-eligible=true' (InvalidParameterCombination, request [UUID])
hint: an account on AWS's free plan launches only t3.micro, t3.small, c7i-flex.large, m7i-flex.large: the same line with --vm-type t3.micro, or upgrade the account to the paid plan

"#]]);
}

#[test]
fn an_account_that_is_years_old() {
    let account = with(json!({"plan": "legacy", "metadata_endpoint": "disabled"}));
    // VPCs of former projects, and machines of the release before.
    account.ec2("create_vpc", json!({"CidrBlock": "10.0.0.0/16"}));
    GOOD.passes(&account, "");
    GOOD.passes(&account, "--region us-east-1");
}

#[test]
fn an_organisation_that_denies_all_regions_but_one() {
    let account = Account::new();
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-2"}}},
    ]});
    account.put("policy", json!({"documents": [everything]}));
    GOOD.passes(&account, "");
    let run = account.run("list --all-regions --output json");
    run.succeeds(str![[r#"
warning: left out: eu-central-1, eu-west-1, us-east-1, us-west-2 (cannot list machines: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID]))

"#]]);
    assert_eq!(run.document()["regions"], json!(["eu-west-2"]));
    let left_out = list(&run.document()["left_out"]);
    let left_out: Vec<&str> = left_out.iter().map(|r| text(&r["region"])).collect();
    assert_eq!(
        left_out,
        ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"]
    );
    let elsewhere = account.run("start --region us-east-1");
    elsewhere.fails(4, str![[r#"
error: cannot list machines: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
}

#[test]
fn no_default_vpc() {
    let account = Account::new();
    account.post("delete_default_vpc", json!({"region": "eu-west-2"}));
    refused(
        &[
            "failed   network",
            "aws ec2 create-default-vpc",
            "--subnet-id",
        ],
        &["aws ec2 create-default-vpc"],
    )
    .passes(&account, "");
}

#[test]
fn default_subnets_without_public_addresses() {
    let account = Account::new();
    let subnets = account.ec2("describe_subnets", json!({}));
    for subnet in list(&subnets["Subnets"]) {
        account.ec2(
            "modify_subnet_attribute",
            json!({"SubnetId": subnet["SubnetId"], "MapPublicIpOnLaunch": {"Value": false}}),
        );
    }
    let words = &["get no public address", "--allow-no-internet", "NAT"];
    refused(words, words).passes(&account, "");
}

#[test]
fn block_public_access() {
    let account = with(json!({"block_public_access": "block-bidirectional"}));
    let words = &["VPC Block Public Access", "--allow-no-internet"];
    refused(words, words).passes(&account, "");
}

#[test]
fn disks_encrypted_with_a_key_that_this_identity_may_not_use() {
    let ends_at_once = json!(["Client.InternalError", "Client error on launch"]);
    let account = with(json!({"ends_at_once": ends_at_once}));
    // The first start has ended before EC2 shows it.
    account.put("settings", json!({"pending_seconds": 0.5}));
    let why = &["was ended by EC2: Client.InternalError", "kms:CreateGrant"];
    Hour {
        list: (0, why),
        logs: (0, why),
        terminate: (0, &[]),
        ..GOOD
    }
    .passes(&account, "");
    let run = account.run("list --output json");
    assert_eq!(run.document()["machines"], json!([]));
    let ended = list(&run.document()["ended"]);
    assert_eq!(ended.len(), 1);
    assert!(text(&ended[0]["reason"]).starts_with("Client.InternalError: "));
    account.run("list -q").assert(0, "", "");
    // Said by the next start, and by one that waits.
    account
        .run("start --machine-group-name first --wait")
        .ends(1, str![[r#"
machine group first
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
warning: EC2 has ended [ID] of this group (Client.InternalError: Client error on launch): usually the account encrypts disks with a KMS key that this identity may not use: ask for kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* for that key
launched [ID] (t3.micro)
0 of 1 running, 0 registered
[ID]  Client.InternalError: Client error on launch
[ID]  usually the account encrypts disks with a KMS key that this identity may not use: ask for kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* for that key
error: 1 machine ended while booting: [ID]
hint: inductiva-aws logs first shows why

"#]]);
}

#[test]
fn a_machine_that_ec2_is_ending_has_ended() {
    let ends_at_once = json!(["Client.InternalError", "Client error on launch"]);
    let account = with(json!({"ends_at_once": ends_at_once}));
    account.put(
        "settings",
        json!({"pending_seconds": 0.5, "shutting_down_seconds": 600}),
    );
    account
        .run("start --machine-group-name g -q")
        .assert(0, "[ID]\n", str![]);
    account.settle();
    let states = account.instances();
    let states: Vec<&Value> = states.iter().map(|i| &i["State"]["Name"]).collect();
    assert_eq!(states, ["shutting-down"]);
    let document = account.json("list");
    assert_eq!(document["machines"], json!([]));
    assert_eq!(list(&document["ended"]).len(), 1);
}

#[test]
fn govcloud() {
    let account = Account::new();
    GOOD.passes(&account, "--region us-gov-west-1");
}

#[test]
fn allowed_images() {
    let account = with(json!({"allowed_images": "enabled", "allowed_owners": ["123456789012"]}));
    let words = &["list of Allowed AMIs", "099720109477", "--image-id"];
    refused(words, words).passes(&account, "");
    account
        .run("start --image-id ami-0ab00000000000003")
        .fails(1, str![[r#"
error: cannot look up the image: The image id '[ami-0ab00000000000003]' does not exist (InvalidAMIID.NotFound, request [UUID]): the account hides images that are not on its list of Allowed AMIs
hint: have the image's owner put on that list (Canonical is 099720109477; EC2 console, Allowed AMIs), or name an image that it allows with --image-id

"#]]);
    account.put("traits", json!({"allowed_owners": ["099720109477"]}));
    GOOD.passes(&account, "");
    // While it is only tried out, everything is there.
    account.put(
        "traits",
        json!({"allowed_images": "audit-mode", "allowed_owners": []}),
    );
    GOOD.passes(&account, "");
}

#[test]
fn an_account_shared_with_others() {
    let account = Account::new();
    let others = json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t3.micro", "MinCount": 2, "MaxCount": 2});
    account.ec2("run_instances", others);
    account.settle();
    let theirs = account.live();
    for (line, (code, words)) in [
        ("check", GOOD.check),
        ("start --machine-group-name first", GOOD.start),
        ("list", GOOD.list),
        ("logs first", GOOD.logs),
        ("terminate first -y", GOOD.terminate),
    ] {
        let run = account.run(line);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, code, "{line}\n{said}");
        for words in words {
            assert!(said.contains(words), "{line}: no {words:?} in\n{said}");
        }
        for id in &theirs {
            assert!(!said.contains(id), "{line} shows {id}");
        }
        account.settle();
    }
    assert_eq!(account.live(), theirs);
}
