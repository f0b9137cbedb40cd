//! What `start` asks, says and refuses before it launches.

use serde_json::{Value, json};
use snapbox::str;

use super::UBUNTU;
use crate::sandbox::{Account, ended, text};

#[test]
fn a_start_without_a_name_says_the_new_name_before_it_launches() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InvalidParameterValue", "message": "no", "status": 400}));
    let run = account.run("start");
    run.assert(
        1,
        str![],
        str![[r#"
machine group [GROUP], a new one: to run this again, add --machine-group-name [GROUP]
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
error: cannot launch t3.micro: no (InvalidParameterValue, request [UUID])

"#]],
    );
}

#[test]
fn a_start_takes_two_round_trips_and_one_look_at_what_it_launched() {
    const FACTS: usize = 11;
    let account = Account::new();
    // The security group is made only once.
    account
        .run("start --vm-type t2.micro --machine-group-name f -q")
        .assert(
            0,
            str![[r#"
[ID]

"#]],
            str![],
        );
    let cache = account.home.path().join(".cache/inductiva-aws/prices.json");
    std::fs::remove_file(cache).expect("prices were kept");
    account.forget_requests();
    // All facts are asked at a time, or they would never all be held.
    account.fault(json!({"service": "*", "operation": "*", "kind": "hold", "count": FACTS}));
    let child =
        account.start("start --vm-type t2.micro --machine-group-name g --num-machines 3 -q");
    account.until_so_many_are_held(FACTS);
    assert_eq!(account.calls("RunInstances"), 0, "it waits for them");
    account.post("release", json!({}));
    let run = ended(child);
    run.assert(
        0,
        str![[r#"
[ID]
[ID]
[ID]

"#]],
        str![],
    );
    let requests = account.requests();
    let is_awss = |r: &&Value| !text(&r["operation"]).contains(' ');
    let (launches, facts): (Vec<&Value>, Vec<&Value>) = requests
        .iter()
        .filter(is_awss)
        .partition(|r| r["operation"] == "RunInstances");
    let mut asked: Vec<&str> = facts.iter().map(|r| text(&r["operation"])).collect();
    // When the ids have been said: whether EC2 has ended them at once.
    assert_eq!(asked.pop(), Some("DescribeInstances"));
    let last = requests.iter().rfind(is_awss).map(|r| &r["operation"]);
    assert_eq!(last, Some(&json!("DescribeInstances")));
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            "DescribeImages",
            "DescribeInstanceTypes",
            "DescribeInstances",
            "DescribeRouteTables",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "GetCallerIdentity",
            // The prices of the machine, its disk and its address.
            "GetProducts",
            "GetProducts",
            "GetProducts"
        ]
    );
    assert_eq!(launches.len(), 1);
}

#[test]
fn dry_run_shows_the_plan_asks_ec2_and_makes_nothing() {
    let account = Account::new();
    let run = account.run("start --dry-run --num-machines 2 --machine-group-name g --tag a=b");
    run.assert(0, str![[r#"
machine group   g (to be made)
account         [ACCOUNT]
region          eu-west-2
to launch       2 × t3.micro,t2.micro on-demand
existing        0
cost            about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
image           ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
not prepared    eu-west-2 has none (inductiva-aws image build makes one)
root disk       50 GiB gp3, encrypted
security group  to be made inductiva-aws, inbound: none
user data       [..] bytes
  tag       Name=g
  tag       a=b
  tag       inductiva:launch=[..] call=0 total=2 known=0 wanted=2 hour=[..] number=1
  tag       inductiva:launcher=inductiva-aws
  tag       inductiva:launcher-version=0.1.0
  tag       inductiva:machine-group=g
  tag       inductiva:machine-group-id=
  tag       inductiva:settings=format=2 tags=sha256:42144f3939c3 vm-type=t3.micro/t2.micro
  variable  BOOT_TIMEOUT_SECONDS=1800
  variable  FILE_TRACKER_IMAGE=inductiva/file-tracker:main
  variable  GPU=false
  variable  INDUCTIVA_API_KEY=********
  variable  INDUCTIVA_API_URL=http://[SERVER]/[ACCOUNT]/inductiva
  variable  MACHINE_GROUP_ID=
  variable  MACHINE_GROUP_NAME=g
  variable  MAX_IDLE_MINUTES=30
  variable  MAX_LIFETIME_SECONDS=
  variable  NUM_MACHINES=2
  variable  TASK_RUNNER_IMAGE=inductiva/task-runner:main

"#]], str![[r#"
EC2 would permit this launch (capacity and quotas are only known when it happens)

"#]]);
    let document = account.json("start --dry-run --num-machines 2 --machine-group-name g");
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["launch"], 2);
    assert_eq!(document["machine_group"], json!({"name": "g", "id": null}));
    assert_eq!(document["image_id"], UBUNTU);
    assert_eq!(document["variables"]["INDUCTIVA_API_KEY"], "********");
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
    let security_groups = account.ec2(
        "describe_security_groups",
        json!({"Filters": [{"Name": "group-name", "Values": ["inductiva-aws"]}]}),
    );
    assert_eq!(security_groups["SecurityGroups"], json!([]));
    let asked: Vec<Value> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| r["error_code"].clone())
        .collect();
    assert_eq!(asked, ["DryRunOperation", "DryRunOperation"]);
    for name in ["CreateKeyPair", "POST /compute/group"] {
        assert!(
            !account.operations().contains(&name.to_owned()),
            "{name} was called"
        );
    }
}

#[test]
fn dry_run_of_a_launch_that_is_not_permitted_says_so() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "UnauthorizedOperation", "status": 403,
        "message": "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm"}));
    let run = account.run("start --dry-run --machine-group-name g -q");
    run.assert(4, str![], str![[r#"
error: cannot launch t3.micro: You are not authorized to perform this operation (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
}

#[test]
fn the_wrong_account_is_refused() {
    let account = Account::new();
    let run = account.run("start --machine-group-name g --expect-account 1111-2222-3333");
    run.assert(
        4,
        str![],
        str![[r#"
error: signed in to account [ACCOUNT], not to 111122223333 (--expect-account)
hint: choose another --profile; these credentials came from: environment variables

"#]],
    );
    assert_eq!(account.launched(), 0);
    let own = format!("start --expect-account {}", account.number);
    account.run(&own).succeeds(str![[r#"
machine group [GROUP], a new one: to run this again, add --machine-group-name [GROUP]
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)

"#]]);
}
