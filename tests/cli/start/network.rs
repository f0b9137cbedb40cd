//! Where the machines of a `start` are, and who reaches them.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, list, text};

#[test]
fn a_named_subnet_decides_vpc_zone_and_security_group() {
    let account = Account::new();
    let vpc =
        account.ec2("create_vpc", json!({"CidrBlock": "10.9.0.0/16"}))["Vpc"]["VpcId"].clone();
    let subnet = account.ec2(
        "create_subnet",
        json!({"VpcId": vpc, "CidrBlock": "10.9.1.0/24", "AvailabilityZone": "eu-west-2b"}),
    )["Subnet"]["SubnetId"]
        .clone();
    // One of the same name in the default VPC must not be taken.
    account.json("start --machine-group-name other");
    account.json_that_warns(
        &format!(
            "start --machine-group-name g --allow-no-internet --subnet-id {}",
            text(&subnet)
        ),
        str![[r#"
warning: machines may not reach the internet from [SUBNET]: its route table [ROUTES] has no default route

"#]],
    );
    let instances = account.instances();
    let instance = instances
        .iter()
        .find(|i| i["SubnetId"] == subnet)
        .expect("a machine in the subnet");
    assert_eq!(instance["Placement"]["AvailabilityZone"], "eu-west-2b");
    let group = &instance["SecurityGroups"][0];
    assert_eq!(group["GroupName"], "inductiva-aws");
    let groups = account.ec2(
        "describe_security_groups",
        json!({"GroupIds": [group["GroupId"]]}),
    );
    assert_eq!(groups["SecurityGroups"][0]["VpcId"], vpc);
}

#[test]
fn a_named_zone_and_a_named_security_group_are_used() {
    let account = Account::new();
    let vpcs = account.ec2("describe_vpcs", json!({}));
    let group = account.ec2(
        "create_security_group",
        json!({"GroupName": "mine", "Description": "x", "VpcId": vpcs["Vpcs"][0]["VpcId"]}),
    )["GroupId"]
        .clone();
    account.forget_requests();
    account.json(&format!(
        "start --availability-zone eu-west-2c --security-group-id {}",
        text(&group)
    ));
    let instance = &account.instances()[0];
    assert_eq!(instance["Placement"]["AvailabilityZone"], "eu-west-2c");
    assert_eq!(instance["SecurityGroups"][0]["GroupId"], group);
    assert!(
        !account
            .operations()
            .contains(&"CreateSecurityGroup".to_owned())
    );
}

#[test]
fn ssh_is_opened_to_one_block_and_the_new_key_is_for_the_owner_alone() {
    let account = Account::new();
    let run = account
        .run("start --create-key-pair mykey --ssh-from 203.0.113.7/32 --machine-group-name g");
    run.succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
made the key pair mykey, its private key is in [HOME]/mykey.pem
launched [ID] (t3.micro)

"#]]);
    let instance = &account.instances()[0];
    assert_eq!(instance["KeyName"], "mykey");
    let groups = account.ec2(
        "describe_security_groups",
        json!({"GroupIds": [instance["SecurityGroups"][0]["GroupId"]]}),
    );
    let rules = list(&groups["SecurityGroups"][0]["IpPermissions"]);
    assert_eq!(rules.len(), 1);
    assert_eq!(
        (&rules[0]["FromPort"], &rules[0]["ToPort"]),
        (&json!(22), &json!(22))
    );
    assert_eq!(rules[0]["IpRanges"][0]["CidrIp"], "203.0.113.7/32");
    let path = account.home.path().join("mykey.pem");
    let key = std::fs::read_to_string(&path).expect("the private key's file");
    assert!(
        key.contains("PRIVATE KEY"),
        "no private key in {}",
        path.display()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Again with the same line: the key pair is there, and nothing is to do.
    account
        .run("start --create-key-pair mykey --ssh-from 203.0.113.7/32 --machine-group-name g")
        .succeeds(str![[r#"
the group g has 1 machine already, nothing to launch

"#]]);
    assert_eq!(account.launched(), 1);
}
