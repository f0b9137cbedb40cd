//! What cannot be launched is refused with a reason, and nothing is left.

mod sign_in;

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run};

/// Runs a start that must be refused and must leave nothing behind.
fn refused(account: &Account, flags: &str) -> Run {
    let run = account.run(&format!("start --machine-group-name g -q {flags}"));
    assert_ne!(run.code, 0, "{flags} was accepted: {}", run.stdout);
    assert_eq!(account.launched(), 0, "{flags} launched a machine");
    assert_eq!(
        account.groups(),
        [] as [Value; 0],
        "{flags} left a group on Inductiva's side"
    );
    run
}

#[test]
fn a_disk_smaller_than_the_image() {
    refused(&Account::new(), "--volume-size 7").assert(
        1,
        str![],
        str![[r#"
error: a disk of 7 GiB is too small: the image ami-0ab00000000000003 needs at least 8 GiB
hint: --volume-size 8 or more

"#]],
    );
}

#[test]
fn a_disk_smaller_than_a_named_image() {
    refused(
        &Account::new(),
        "--image-id ami-0ef00000000000002 --volume-size 99",
    )
    .assert(
        1,
        str![],
        str![[r#"
error: a disk of 99 GiB is too small: the image ami-0ef00000000000002 needs at least 100 GiB
hint: --volume-size 100 or more

"#]],
    );
}

#[test]
fn iops_that_the_volume_type_cannot_have() {
    refused(&Account::new(), "--volume-type gp2 --iops 4000").assert(
        2,
        str![],
        str![[r#"
error: a gp2 volume takes no --iops

"#]],
    );
}

#[test]
fn throughput_that_the_volume_type_cannot_have() {
    refused(&Account::new(), "--throughput 3000").assert(
        2,
        str![],
        str![[r#"
error: a gp3 volume has a throughput of 125 to 2000 MiB/s, not 3000 (--throughput)

"#]],
    );
}

#[test]
fn an_unknown_type() {
    refused(&Account::new(), "--vm-type t9.micro").assert(1, str![], str![[r#"
error: cannot look up the type t9.micro: The following supplied instance types do not exist: [t9.micro] (InvalidInstanceType, request [UUID])
hint: check --vm-type: not every region has every type (this is eu-west-2)

"#]]);
}

#[test]
fn an_arm_type() {
    let account = Account::new();
    refused(&account, "--vm-type t4g.micro").assert(
        1,
        str![],
        str![[r#"
error: t4g.micro is arm64 only, and the task runner's images are for amd64 (x86_64)
hint: choose a type with an Intel or AMD processor, such as t3.micro or c7i.large

"#]],
    );
    assert!(!account.operations().contains(&"RunInstances".to_owned()));
}

#[test]
fn an_unknown_image() {
    refused(&Account::new(), "--image-id ami-00000000000000000").assert(1, str![], str![[r#"
error: cannot look up the image: The image id '[ami-00000000000000000]' does not exist (InvalidAMIID.NotFound, request [UUID])
hint: check --image-id: an image belongs to one region (this is eu-west-2)

"#]]);
}

#[test]
fn an_image_of_another_architecture() {
    refused(&Account::new(), "--image-id ami-0ab00000000000004").assert(1, str![], str![[r#"
error: the image ami-0ab00000000000004 is for arm64, and the task runner's images are for amd64 (x86_64)
hint: name an x86_64 image with --image-id, or leave it out for the newest Ubuntu 24.04

"#]]);
}

#[test]
fn an_unknown_subnet() {
    refused(&Account::new(), "--subnet-id subnet-00000000000000000").assert(
        1,
        str![],
        str![[r#"
error: cannot look up the subnet: The subnet ID '[SUBNET]' does not exist (InvalidSubnetID.NotFound, request [UUID])
hint: check --subnet-id: a subnet belongs to one region (this is eu-west-2)

"#]],
    );
}

#[test]
fn an_unknown_zone() {
    refused(&Account::new(), "--availability-zone eu-west-2z").assert(
        1,
        str![],
        str![[r#"
error: the default VPC of eu-west-2 has no subnet in eu-west-2z
hint: choose another --availability-zone, or name a subnet with --subnet-id

"#]],
    );
}

#[test]
fn an_unknown_security_group() {
    refused(&Account::new(), "--security-group-id sg-00000000000000000").assert(
        1,
        str![],
        str![[r#"
error: cannot launch t3.micro: The security group '[SG]' does not exist (InvalidGroup.NotFound, request [UUID])
hint: check --security-group-id: a security group belongs to one VPC (this is eu-west-2)

"#]],
    );
}

#[test]
fn an_unknown_key_pair() {
    refused(&Account::new(), "--key-name nobodys").assert(1, str![], str![[r#"
error: cannot launch t3.micro: The key pair 'nobodys' does not exist (InvalidKeyPair.NotFound, request [UUID])
hint: check --key-name: a key pair belongs to one region; --create-key-pair makes one (this is eu-west-2)

"#]]);
}

#[test]
fn an_unknown_instance_profile() {
    refused(&Account::new(), "--instance-profile nobodys").assert(1, str![], str![[r#"
error: cannot launch t3.micro: Value (nobodys) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name (InvalidParameterValue, request [UUID])
hint: check --instance-profile: it is the profile's name, not the role's (this is eu-west-2)

"#]]);
}

#[test]
fn no_default_vpc() {
    let account = Account::new();
    account.post("delete_default_vpc", json!({"region": "eu-west-2"}));
    refused(&account, "").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has no default VPC with a default subnet
hint: make one with `aws ec2 create-default-vpc`, or name a subnet with --subnet-id

"#]],
    );
}

#[test]
fn a_security_group_that_somebody_opened() {
    let account = Account::new();
    let vpcs = account.ec2("describe_vpcs", json!({}));
    let group = account.ec2(
        "create_security_group",
        json!({"GroupName": "inductiva-aws", "Description": "x", "VpcId": vpcs["Vpcs"][0]["VpcId"]}),
    );
    account.ec2(
        "authorize_security_group_ingress",
        json!({"GroupId": group["GroupId"], "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}),
    );
    refused(&account, "").assert(1, str![], str![[r#"
error: the security group [SG] (inductiva-aws) has inbound rules that inductiva-aws did not make: machines would be open to them
hint: remove those rules, or choose a group of your own with --security-group-id

"#]]);
}

#[test]
fn a_private_key_file_that_is_there_already() {
    let account = Account::new();
    account.file("mykey.pem", "precious");
    let run = refused(&account, "--create-key-pair mykey");
    run.assert(
        2,
        str![],
        str![[r#"
error: [HOME]/mykey.pem is there already, and eu-west-2 has no key pair mykey that it could belong to
hint: choose another name, or another folder to run in

"#]],
    );
    assert_eq!(
        std::fs::read_to_string(account.home.path().join("mykey.pem")).expect("the file"),
        "precious"
    );
}

#[test]
fn a_key_pair_that_is_there_already() {
    let account = Account::new();
    account.ec2("create_key_pair", json!({"KeyName": "mykey"}));
    refused(&account, "--create-key-pair mykey").assert(
        1,
        str![],
        str![[r#"
error: eu-west-2 has a key pair mykey already, and its private key is not in [HOME]/mykey.pem
hint: use it with --key-name mykey, or choose another name

"#]],
    );
    assert!(!account.home.path().join("mykey.pem").exists());
}

#[test]
fn wrong_values_are_usage_errors() {
    let account = Account::new();
    for (flags, why) in [
        (
            "--num-machines 0",
            "invalid value '0' for '--num-machines <N>': it is a whole number from 1 to 1000",
        ),
        (
            "--num-machines 1001",
            "invalid value '1001' for '--num-machines <N>': it is a whole number from 1 to 1000",
        ),
        (
            "--vm-type micro",
            "invalid value 'micro' for '--vm-type <TYPE>': an EC2 instance type looks like t2.micro",
        ),
        (
            "--image-id ami-x",
            "invalid value 'ami-x' for '--image-id <AMI>': an id looks like ami-0123456789abcdef0",
        ),
        (
            "--volume-type st1",
            "invalid value 'st1' for '--volume-type <TYPE>'\n  [possible values: gp3, gp2, io1, io2, standard]",
        ),
        (
            "--max-lifetime 8",
            "invalid value '8' for '--max-lifetime <DURATION>': a duration is a number and a unit: 90s, 30m, 8h, 3d, 1h30m",
        ),
        (
            "--machine-group-name a/b",
            "invalid value 'a/b' for '--machine-group-name <NAME>': '/' is not allowed: letters, digits, spaces, '.', '_' and '-' are",
        ),
        (
            "--ssh-from 203.0.113.7/32",
            "the following required arguments were not provided:\n  <--key-name <NAME>|--create-key-pair <NAME>>\n\nUsage: inductiva-aws start [OPTIONS]",
        ),
        (
            "--key-name k --ssh-from 0.0.0.0/0",
            "invalid value '0.0.0.0/0' for '--ssh-from <CIDR>': that is the whole internet: name the block you connect from",
        ),
        (
            "--max-price 0.1",
            "the following required arguments were not provided:\n  --spot\n\nUsage: inductiva-aws start [OPTIONS]",
        ),
        (
            "--tag inductiva:launcher=x",
            "invalid value 'inductiva:launcher=x' for '--tag <KEY=VALUE>': keys that start with \"inductiva:\" are reserved",
        ),
        (
            "--subnet-id subnet-00000000000000000 --availability-zone eu-west-2a",
            "the argument '--subnet-id <SUBNET>' cannot be used with '--availability-zone <ZONE>'\n\nUsage: inductiva-aws start [OPTIONS]",
        ),
        (
            "--wait=never",
            "invalid value 'never' for '--wait[=<UNTIL>]'\n  [possible values: registered, running]",
        ),
    ] {
        let said = format!("error: {why}\n\nFor more information, try '--help'.\n");
        account.run(&format!("start {flags}")).fails(2, said);
    }
    assert_eq!(
        account.requests(),
        [] as [Value; 0],
        "a usage error is found before any call"
    );
}

#[test]
fn no_capacity() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InsufficientInstanceCapacity", "status": 500, "count": null,
        "message": "We currently do not have sufficient t2.micro capacity in the Availability Zone you requested (eu-west-2a)."}));
    refused(&account, "--availability-zone eu-west-2a --vm-type t2.micro").assert(5, str![], str![[r#"
error: cannot launch t2.micro: We currently do not have sufficient t2.micro capacity in the Availability Zone you requested (eu-west-2a) (InsufficientInstanceCapacity, request [UUID])
hint: try another --availability-zone, --vm-type or --region, or try again later

"#]]);
}

#[test]
fn no_quota() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "VcpuLimitExceeded", "status": 400,
        "message": "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to."}));
    refused(&account, "--vm-type t2.micro --num-machines 40").assert(5, str![], str![[r#"
error: cannot launch t2.micro: You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to (VcpuLimitExceeded, request [UUID])
hint: ask for a higher EC2 quota in the Service Quotas console, choose a smaller --vm-type, or fewer --num-machines

"#]]);
}
