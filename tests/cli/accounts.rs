//! The accounts that people have: what is set in them for all launches, and what their
//! plan, their organisation and their network leave.

mod vm_types;

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, list};

fn with(traits: serde_json::Value) -> Account {
    let account = Account::new();
    account.put("traits", traits);
    account
}

#[test]
fn machines_reach_their_metadata_whatever_the_accounts_default_is() {
    let account = with(json!({"metadata_endpoint": "disabled"}));
    account.json("start --machine-group-name g");
    let options = account.instances()[0]["MetadataOptions"].clone();
    assert_eq!(options["HttpEndpoint"], "enabled");
    assert_eq!(options["HttpTokens"], "required");
}

#[test]
fn an_accounts_first_spot_machine_needs_a_permission_that_on_demand_does_not() {
    let account = with(json!({"has_spot_role": false}));
    account
        .run("start --machine-group-name g --vm-type t3.micro --spot")
        .fails(4, str![[r#"
machine group g
cost: about 0.0161 USD an hour, 0.39 a day (machines 0.0047, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
no spot t3.micro in any zone: AuthFailure.ServiceLinkedRoleCreationNotPermitted
error: cannot launch t3.micro: The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances (AuthFailure.ServiceLinkedRoleCreationNotPermitted, request [UUID])
hint: an account's first spot machine makes a role: ask for the permission iam:CreateServiceLinkedRole, or have an administrator run it once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com; --spot-fallback launches on demand instead

"#]]);
    assert_eq!(account.launched(), 0);
    let started =
        account.json("start --machine-group-name g --vm-type t3.micro --spot --spot-fallback");
    assert_eq!(started["machines"][0]["market"], "on-demand");
}

#[test]
fn an_image_of_the_marketplace_wants_a_subscription() {
    Account::new()
        .run("start --machine-group-name g --vm-type t3.micro --image-id ami-0ef00000000000003")
        .fails(4, str![[r#"
machine group g
cost: n/a (the image ami-0ef00000000000003 is of AWS Marketplace, which may charge for it; machines n/a, disks 0.0064, addresses 0.0050)
error: cannot launch t3.micro: In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please visit https://aws.amazon.com/marketplace/pp?sku=aw0evgkw8e5c1q413zgy5pjce (OptInRequired, request [UUID])
hint: subscribe to the image's product in AWS Marketplace and accept its terms, once for the account, or name another image with --image-id

"#]]);
}

#[test]
fn the_image_that_is_being_deregistered_is_named() {
    let account = Account::new();
    refuse(
        &account,
        "InvalidAMIID.Unavailable",
        400,
        "The image ID 'ami-0ab00000000000003' is no longer available",
    );
    account
        .run("start --machine-group-name g --vm-type t3.micro")
        .fails(1, str![[r#"
machine group g
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
error: cannot launch t3.micro: The image ID 'ami-0ab00000000000003' is no longer available (InvalidAMIID.Unavailable, request [UUID])
hint: the image is no longer there, or not yet: name another of eu-west-2 with --image-id, or leave it out for the newest Ubuntu 24.04

"#]]);
}

#[test]
fn an_account_that_aws_has_blocked() {
    let account = Account::new();
    refuse(
        &account,
        "Blocked",
        400,
        "This account is currently blocked and not recognized as a valid account. Please contact aws-verification@amazon.com if you have questions.",
    );
    account
        .run("start --machine-group-name g --vm-type t3.micro")
        .fails(4, str![[r#"
machine group g
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
error: cannot launch t3.micro: This account is currently blocked and not recognized as a valid account. Please contact aws-verification@amazon.com if you have questions (Blocked, request [UUID])
hint: AWS has blocked the account: ask AWS Support, https://console.aws.amazon.com/support

"#]]);
}

#[test]
fn the_tag_policy_of_an_organisation() {
    let account = Account::new();
    refuse(
        &account,
        "TagPolicyViolation",
        400,
        "The tag policy does not allow the specified value for the following tag key: 'CostCenter'.",
    );
    account
        .run("start --machine-group-name g --vm-type t3.micro --tag CostCenter=none")
        .fails(4, str![[r#"
machine group g
cost: about 0.0232 USD an hour, 0.56 a day (machines 0.0118, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
error: cannot launch t3.micro: The tag policy does not allow the specified value for the following tag key: 'CostCenter' (TagPolicyViolation, request [UUID])
hint: give the tag a value that your organisation's tag policy takes: --tag KEY=VALUE

"#]]);
}

#[test]
fn a_spot_price_that_is_too_low() {
    let account = Account::new();
    account
        .run("start --machine-group-name g --vm-type t3.micro --availability-zone eu-west-2a --spot --max-price 0.0001")
        .fails(5, str![[r#"
machine group g
cost: about 0.0115 USD an hour, 0.27 a day (machines 0.0001, disks 0.0064, addresses 0.0050); at most 0.1015 an hour, with surplus CPU credits
no spot t3.micro in eu-west-2a: SpotMaxPriceTooLow
error: cannot launch t3.micro: Your Spot request price of 0.0001 is lower than the minimum required Spot request fulfillment price of 0.00354 (SpotMaxPriceTooLow, request [UUID])
hint: raise --max-price, or leave it out: the limit is the on-demand price then

"#]]);
}

/// EC2 refuses the launch, once and for all.
fn refuse(account: &Account, code: &str, status: u16, message: &str) {
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": code, "status": status, "message": message, "count": null}));
}

#[test]
fn answers_of_others_than_aws_are_named_with_their_status() {
    let account = Account::new();
    for (operation, cannot) in [
        ("DescribeInstances", "list machines"),
        ("GetCallerIdentity", "tell who is signed in"),
    ] {
        for status in [200, 403, 407] {
            account.fault(json!({"service": "*", "operation": operation, "kind": "answer", "status": status, "headers": {"Content-Type": "text/html; charset=utf-8"}, "body": "<html><body>Sign in to the hotel's network</body></html>", "count": null}));
            let run = account.run("start --machine-group-name g --vm-type t3.micro");
            account.forget_faults();
            run.fails(1, format!("\
...
error: cannot {cannot}: the answer is not AWS's: HTTP {status}, text/html
hint: a proxy, a firewall or the sign-in page of a network may have answered instead: check HTTPS_PROXY, NO_PROXY, --endpoint-url and AWS_ENDPOINT_URL
"));
            assert!(!run.stderr.contains("hotel"), "{}", run.stderr);
        }
    }
    assert_eq!(account.launched(), 0);
}

#[test]
fn throttling_without_a_code_is_tried_again() {
    let account = Account::new();
    for status in [429, 503] {
        for operation in ["DescribeInstances", "DescribeSubnets", "RunInstances"] {
            account.fault(json!({"service": "ec2", "operation": operation, "kind": "answer", "status": status, "body": "slow down", "count": 2}));
            let run = account.run(&format!(
                "start --vm-type t3.micro -q --machine-group-name g-{status}-{operation}"
            ));
            account.forget_faults();
            run.assert(0, "[ID]\n", "");
        }
    }
    assert_eq!(account.launched(), 6);
}

#[test]
fn a_key_pair_that_is_mistyped_is_not_waited_for() {
    let account = Account::new();
    account.fault(
        json!({"service": "ec2", "operation": "RunInstances", "kind": "none", "count": null}),
    );
    account
        .run("start --machine-group-name g --vm-type t3.micro --key-name nobodys -q")
        .fails(1, str![[r#"
error: cannot launch t3.micro: The key pair 'nobodys' does not exist (InvalidKeyPair.NotFound, request [UUID])
hint: check --key-name: a key pair belongs to one region; --create-key-pair makes one (this is eu-west-2)

"#]]);
    assert_eq!(account.calls("CreateSecurityGroup"), 1);
    assert_eq!(account.calls("RunInstances"), 1);
}

#[test]
fn tags_that_ec2_would_refuse_are_usage() {
    let account = Account::new();
    account.run("start --tag a=1 --tag b=2 --tag a=3").fails(
        2,
        str![[r#"
error: the tag a is given twice (--tag)

"#]],
    );
    let tags: Vec<String> = (0..44).map(|n| format!("--tag k{n}=v")).collect();
    account
        .run(&format!("check {}", tags.join(" ")))
        .fails(2, str![[r#"
error: 44 tags are too many: EC2 takes 50, and with these options there is room for 43 beside the machine's own (--tag)

"#]]);
    // One less is right, to the last.
    let tags = tags[1..].join(" ");
    account.json(&format!("start --machine-group-name g {tags}"));
    assert_eq!(list(&account.instances()[0]["Tags"]).len(), 50);
    assert_eq!(
        account
            .requests()
            .iter()
            .filter(|r| r["operation"] == "RunInstances")
            .count(),
        1
    );
}

#[test]
fn a_new_security_group_is_waited_for_in_every_call_that_names_it() {
    let ssh = "--key-name k --ssh-from 203.0.113.7/32";
    for (more, name) in [
        ("", "inductiva-aws"),
        (ssh, "inductiva-aws ssh from 203.0.113.7/32"),
    ] {
        // Whether this start has made it, or another one a second ago.
        for is_made in [false, true] {
            let account = with(json!({"groups_known_after_seconds": 7}));
            account.ec2("create_key_pair", json!({"KeyName": "k"}));
            if is_made {
                let vpcs = account.ec2("describe_vpcs", json!({}));
                let made = json!({"GroupName": name, "Description": "x", "VpcId": vpcs["Vpcs"][0]["VpcId"]});
                account.ec2("create_security_group", made);
            }
            let line = format!("start --vm-type t3.micro -q --machine-group-name g {more}");
            account.run(&line).assert(0, "[ID]\n", "");
            assert_eq!(account.launched(), 1);
            let groups = account.ec2("describe_security_groups", json!({}));
            let groups = list(&groups["SecurityGroups"]);
            assert_eq!(groups.len(), 2);
            let ours = groups.iter().find(|group| group["GroupName"] == name);
            let rules = list(&ours.expect("our group")["IpPermissions"]);
            assert_eq!(rules.len(), usize::from(!more.is_empty()));
        }
    }
}

#[test]
fn a_security_group_that_never_shows_is_given_up() {
    let account = with(json!({"groups_known_after_seconds": 1e6}));
    let run = account.run("start --vm-type t3.micro -q --machine-group-name g");
    run.fails(1, str![[r#"
error: cannot launch t3.micro: The security group '[SG]' does not exist (InvalidGroup.NotFound, request [UUID])
hint: check --security-group-id: a security group belongs to one VPC (this is eu-west-2)

"#]]);
    assert_eq!((account.launched(), account.groups().len()), (0, 0));
}

/// Its new machines are ended by the next request.
fn that_ends_machines_at_once() -> Account {
    let account =
        with(json!({"ends_at_once": ["Client.VolumeLimitExceeded", "Volume limit exceeded"]}));
    account.put("settings", json!({"pending_seconds": 0}));
    account
}

#[test]
fn a_start_tells_of_machines_that_have_ended_by_the_time_it_has_launched_them() {
    let account = that_ends_machines_at_once();
    let run = account.run("start --machine-group-name g -q");
    run.assert(
        1,
        "[ID]\n",
        str![[r#"
error: EC2 ended 1 of 1 machine at once: [ID] (Client.VolumeLimitExceeded: Volume limit exceeded)
hint: the quota of EBS storage is used up: delete volumes, choose a smaller --volume-size, or ask for more in the Service Quotas console

"#]],
    );
    // Nothing of it is left.
    assert_eq!(account.groups(), [] as [serde_json::Value; 0]);
    // Those of before live.
    account.put("traits", json!({"ends_at_once": []}));
    account.json("start --machine-group-name h");
    account.put(
        "traits",
        json!({"ends_at_once": ["Client.InternalError", "Client error on launch"]}),
    );
    let run = account.run("start --machine-group-name h -n 2 --output json");
    run.ends(3, str![[r#"
machine group h
cost: about 0.0491 USD an hour, 1.18 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
launched [ID] (t3.micro)
{"error":{"hint":"usually the account encrypts disks with a KMS key that this identity may not use: ask for kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* for that key; look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name h","kind":"machines_may_be_running","machines":["[ID]"],"message":"EC2 ended 1 of 2 machines at once: [ID] (Client.InternalError: Client error on launch)"}}

"#]]);
    assert_eq!(run.error()["machines"], json!(account.live()));
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_look_at_what_was_launched_that_fails_takes_nothing_back() {
    let account = Account::new();
    for fault in [
        json!({"kind": "error", "code": "UnauthorizedOperation", "status": 403}),
        json!({"kind": "error", "code": "RequestLimitExceeded", "status": 503}),
        json!({"kind": "reset"}),
        json!({"kind": "stall", "seconds": 3}),
    ] {
        account.forget_faults();
        let mut fault = fault;
        for (name, value) in [
            ("service", json!("ec2")),
            ("operation", json!("DescribeInstances")),
            ("after", json!(1)),
            ("count", json!(null)),
        ] {
            fault[name] = value;
        }
        let kind = fault.to_string();
        account.fault(fault);
        assert_eq!(account.json("start")["launched"], 1, "{kind}");
    }
}

#[test]
fn a_security_group_that_is_there_and_does_not_show_is_waited_for() {
    let account = Account::new();
    let duplicate = |count: serde_json::Value| {
        account.fault(json!({"service": "ec2", "operation": "CreateSecurityGroup", "code": "InvalidGroup.Duplicate", "status": 400, "message": "The security group 'inductiva-aws' already exists for VPC 'vpc-1'", "count": count}));
    };
    duplicate(json!(null));
    let run = account.run("start --machine-group-name g -q");
    run.fails(1, str![[r#"
error: cannot make the security group inductiva-aws: The security group 'inductiva-aws' already exists for VPC 'vpc-1' (InvalidGroup.Duplicate, request [UUID])
hint: EC2 says that it is there and does not show it: try again in a minute, or name another with --security-group-id

"#]]);
    assert_eq!((account.launched(), account.groups().len()), (0, 0));
    account.forget_faults();
    // What is deleted may be in the way for some seconds.
    duplicate(json!(3));
    account.json("start --machine-group-name g");
    assert_eq!(account.launched(), 1);
}
