//! `start` on the undisturbed path: what EC2 and Inductiva have afterwards.

use std::io::Read as _;

use base64::Engine as _;
use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list, tags, text};

/// The newest of Canonical's amd64 images in the sandbox.
const UBUNTU: &str = "ami-0ab00000000000003";
/// The newest of AWS's GPU images in the sandbox.
const GPU_IMAGE: &str = "ami-0cd00000000000002";

#[test]
fn two_machines_are_as_promised_seen_with_boto3() {
    let account = Account::new();
    let run = account.run(
        "start --vm-type t2.micro --num-machines 2 --machine-group-name g -q --tag project=flow",
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let mut printed: Vec<&str> = run.stdout.lines().collect();
    printed.sort_unstable();
    assert_eq!(printed, account.live());
    assert_eq!(printed.len(), 2);

    let group_id = text(&account.groups()[0]["id"]).to_owned();
    let launch_tag = tags(&account.instances()[0])["inductiva:launch"].clone();
    let (base, words) = launch_tag.split_once(' ').expect("words");
    assert_eq!((base.len(), words), (32, "call=0 total=2 known=0"));
    let expected_tags = [
        ("Name", "g"),
        ("inductiva:machine-group", "g"),
        ("inductiva:machine-group-id", &group_id),
        ("inductiva:launcher", "inductiva-aws"),
        ("inductiva:launcher-version", env!("CARGO_PKG_VERSION")),
        ("inductiva:settings", "vm-type=t2.micro"),
        ("inductiva:launch", &launch_tag),
        ("project", "flow"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    for instance in account.instances() {
        let id = text(&instance["InstanceId"]);
        assert_eq!(instance["InstanceType"], "t2.micro");
        assert_eq!(instance["ImageId"], UBUNTU);
        assert_eq!(instance["MetadataOptions"]["HttpTokens"], "required");
        assert_eq!(instance["MetadataOptions"]["HttpPutResponseHopLimit"], 1);
        assert_eq!(instance.get("KeyName"), None);
        assert_eq!(instance.get("IamInstanceProfile"), None);
        assert_eq!(instance.get("InstanceLifecycle"), None);
        assert_eq!(tags(&instance), expected_tags);

        let attribute = |name: &str| {
            account.ec2(
                "describe_instance_attribute",
                json!({"InstanceId": id, "Attribute": name}),
            )
        };
        let shutdown = attribute("instanceInitiatedShutdownBehavior");
        assert_eq!(
            shutdown["InstanceInitiatedShutdownBehavior"]["Value"],
            "terminate"
        );

        let mappings = list(&instance["BlockDeviceMappings"]);
        assert_eq!(mappings.len(), 1);
        assert_eq!(mappings[0]["DeviceName"], "/dev/sda1");
        assert_eq!(mappings[0]["Ebs"]["DeleteOnTermination"], true);
        let volumes = account.ec2(
            "describe_volumes",
            json!({"VolumeIds": [mappings[0]["Ebs"]["VolumeId"]]}),
        );
        let volume = &volumes["Volumes"][0];
        assert_eq!(volume["Size"], 50);
        assert_eq!(volume["VolumeType"], "gp3");
        assert_eq!(volume["Encrypted"], true);
        assert_eq!(tags(volume), expected_tags);

        let interface = &instance["NetworkInterfaces"][0]["NetworkInterfaceId"];
        let interfaces = account.ec2(
            "describe_network_interfaces",
            json!({"NetworkInterfaceIds": [interface]}),
        );
        assert_eq!(tags(&interfaces["NetworkInterfaces"][0]), expected_tags);

        let vpcs = account.ec2(
            "describe_vpcs",
            json!({"Filters": [{"Name": "is-default", "Values": ["true"]}]}),
        );
        assert_eq!(instance["VpcId"], vpcs["Vpcs"][0]["VpcId"]);
        let groups = list(&instance["SecurityGroups"]);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0]["GroupName"], "inductiva-aws");
        let groups = account.ec2(
            "describe_security_groups",
            json!({"GroupIds": [groups[0]["GroupId"]]}),
        );
        assert_eq!(groups["SecurityGroups"][0]["IpPermissions"], json!([]));
        assert_eq!(groups["SecurityGroups"][0]["VpcId"], instance["VpcId"]);
    }
    let calls = account.calls("RunInstances");
    assert_eq!(calls, 1, "two machines are one call");
}

#[test]
fn user_data_is_the_preamble_and_the_script_byte_for_byte() {
    let account = Account::new();
    let run = account.run(
        "start --machine-group-name g -q --max-idle-time 5 --max-lifetime 8h --boot-timeout 10m",
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let group_id = text(&account.groups()[0]["id"]).to_owned();
    let script = include_str!("../../user-data.sh");
    let (shebang, rest) = script.split_once('\n').expect("lines");
    let expected = format!(
        "{shebang}\n\
         export INDUCTIVA_API_KEY='sandbox-key'\n\
         export INDUCTIVA_API_URL='{}'\n\
         export MACHINE_GROUP_ID='{group_id}'\n\
         export MACHINE_GROUP_NAME='g'\n\
         export TASK_RUNNER_IMAGE='inductiva/task-runner:main'\n\
         export FILE_TRACKER_IMAGE='inductiva/file-tracker:main'\n\
         export MAX_IDLE_MINUTES='5'\n\
         export MAX_LIFETIME_SECONDS='28800'\n\
         export BOOT_TIMEOUT_SECONDS='600'\n\
         export NUM_MACHINES='1'\n\
         export GPU='false'\n\
         {rest}",
        account.api_url()
    );
    assert_eq!(
        String::from_utf8(user_data(&account, 0)).expect("text"),
        expected
    );
}

/// The user data of a machine as it reads it: unpacked, where they are gzip.
pub fn user_data(account: &Account, machine: usize) -> Vec<u8> {
    let sent = sent_user_data(account, machine);
    if !sent.starts_with(&[0x1f, 0x8b]) {
        return sent;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&sent[..])
        .read_to_end(&mut unpacked)
        .expect("gzip");
    unpacked
}

/// What boto3 shows as the user data of a machine.
pub fn sent_user_data(account: &Account, machine: usize) -> Vec<u8> {
    let id = account.instances()[machine]["InstanceId"].clone();
    let attribute = account.ec2(
        "describe_instance_attribute",
        json!({"InstanceId": id, "Attribute": "userData"}),
    );
    base64::engine::general_purpose::STANDARD
        .decode(text(&attribute["UserData"]["Value"]))
        .expect("base64")
}

#[test]
fn the_command_of_the_guide_runs_with_its_own_flags() {
    let account = Account::new();
    account.file(
        ".aws/credentials",
        "[p]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n",
    );
    account.file(
        "user-data.sh",
        "#!/bin/bash\necho \"$MACHINE_GROUP_NAME\"\n",
    );
    let mut command = account.command(
        "start --vm_type t2.micro --num_machines 2 --region eu-west-2 --machine_group_name my_aws_machine_group --profile p --user_data_path user-data.sh"
            .split(' '),
    );
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let run = crate::sandbox::finish(&mut command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(account.live().len(), 2);
    assert!(
        user_data(&account, 0).ends_with(b"export GPU='false'\necho \"$MACHINE_GROUP_NAME\"\n")
    );
    assert!(
        account
            .requests()
            .iter()
            .all(|r| r["service"] == "inductiva" || r["access_key_id"] == "AKIAI44QH8DHBEXAMPLE")
    );
}

#[test]
fn the_launch_of_the_mfa_guide_runs_with_keys_and_session_token_in_the_environment() {
    let account = Account::new();
    account.ec2(
        "create_key_pair",
        json!({"KeyName": "aws-default-key-pair"}),
    );
    let mut command = account.command(
        "start --image-id ami-0ab00000000000001 --count 1 --instance-type t2.micro --key-name aws-default-key-pair -q".split(' '),
    );
    command
        .env("AWS_ACCESS_KEY_ID", account.session_key_id())
        .env("AWS_SESSION_TOKEN", "session-token-of-the-test");
    let run = crate::sandbox::finish(&mut command);
    run.assert(
        0,
        str![[r#"
[ID]

"#]],
        str![],
    );
    let instances = account.instances();
    assert_eq!(instances[0]["KeyName"], "aws-default-key-pair");
    assert_eq!(instances[0]["ImageId"], "ami-0ab00000000000001");
}

#[test]
fn a_start_without_a_name_says_the_new_name_before_it_launches() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InvalidParameterValue", "message": "no", "status": 400}));
    let run = account.run("start");
    run.assert(
        1,
        str![],
        str![[r#"
machine group [GROUP]
cost: about 0.0196 USD an hour, 0.47 a day (machines 0.0132, disks 0.0064)
error: cannot launch t2.micro: no (InvalidParameterValue, request [UUID])

"#]],
    );
}

#[test]
fn a_start_takes_two_round_trips() {
    const FACTS: usize = 9;
    let account = Account::new();
    // The security group and the Inductiva group are made only once.
    assert_eq!(account.run("start --machine-group-name g -q").code, 0);
    account.forget_requests();
    // All facts are asked at a time, or they would never all be held.
    account.fault(json!({"service": "*", "operation": "*", "kind": "hold", "count": FACTS}));
    let child = account.start("start --machine-group-name g --num-machines 3 -q");
    account.until_so_many_are_held(FACTS);
    assert_eq!(account.calls("RunInstances"), 0, "it waits for them");
    account.post("release", json!({}));
    let run = ended(child);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let requests = account.requests();
    let (launches, facts): (Vec<&Value>, Vec<&Value>) = requests
        .iter()
        .partition(|r| r["operation"] == "RunInstances");
    let mut asked: Vec<&str> = facts.iter().map(|r| text(&r["operation"])).collect();
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            "DescribeImages",
            "DescribeInstanceTypes",
            "DescribeInstances",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "GET /compute/group/g",
            "GetCallerIdentity",
            // The machine's price and the disk's.
            "GetProducts",
            "GetProducts"
        ]
    );
    assert_eq!(launches.len(), 1);
}

#[test]
fn an_nvidia_type_gets_the_gpu_image_and_says_so_to_inductiva() {
    let account = Account::new();
    let document = account.json("start --vm-type g4dn.12xlarge --machine-group-name g");
    assert_eq!(document["image_id"], GPU_IMAGE);
    let data = String::from_utf8(user_data(&account, 0)).expect("text");
    assert!(data.contains("export GPU='true'\n"), "{data}");
    let body = &account.groups()[0]["create_body"];
    assert_eq!(body["gpu_count"], 4);
    assert_eq!(body["gpu_name"], "NVIDIA T4");
    assert_eq!(body["cpu_cores_logical"], 48);
    assert_eq!(body["cpu_cores_physical"], 24);
    // The image's own 75 GiB are more than the usual 50.
    assert_eq!(body["disk_size_gb"], 75);
    let volumes = account.ec2("describe_volumes", json!({}));
    assert_eq!(volumes["Volumes"][0]["Size"], 75);
}

#[test]
fn cpu_counts_of_the_group_come_from_ec2() {
    let account = Account::new();
    account.json("start --vm-type c5.2xlarge --machine-group-name g --volume-size 120");
    let body = &account.groups()[0]["create_body"];
    assert_eq!(body["provider_id"], "LOCAL");
    assert_eq!(body["name"], "g");
    assert_eq!(body["machine_type"], "c5.2xlarge");
    assert_eq!(body["disk_size_gb"], 120);
    assert_eq!(body["cpu_cores_logical"], 8);
    assert_eq!(body["cpu_cores_physical"], 4);
    assert_eq!(body.get("max_idle_time"), None);
}

#[test]
fn disk_options_reach_the_volume() {
    let account = Account::new();
    account.json("start --disk-size 200 --volume-type gp3 --iops 4000 --throughput 500");
    account.json("start --volume_type io1 --volume_size 100 --iops 1000");
    let volumes = list(&account.ec2("describe_volumes", json!({}))["Volumes"]);
    let mut seen: Vec<(&Value, &Value, &Value)> = volumes
        .iter()
        .map(|v| (&v["Size"], &v["VolumeType"], &v["Iops"]))
        .collect();
    seen.sort_by_key(|(size, ..)| size.as_u64());
    assert_eq!(
        seen,
        [
            (&json!(100), &json!("io1"), &json!(1000)),
            (&json!(200), &json!("gp3"), &json!(4000))
        ]
    );
    let fast = volumes
        .iter()
        .find(|v| v["Size"] == 200)
        .expect("the gp3 volume");
    assert_eq!(fast["Throughput"], 500);
}

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
    account.json(&format!(
        "start --machine-group-name g --subnet-id {}",
        text(&subnet)
    ));
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
    assert_eq!(run.code, 0, "{}", run.stderr);
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
    assert_eq!(
        account
            .run("start --create-key-pair mykey --ssh-from 203.0.113.7/32 --machine-group-name g")
            .code,
        0
    );
    assert_eq!(account.launched(), 1);
}

#[test]
fn a_key_pair_made_for_a_launch_that_fails_is_taken_back() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run = account.run("start --create-key-pair mykey --machine-group-name g");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(!account.home.path().join("mykey.pem").exists());
    assert_eq!(
        account.ec2("describe_key_pairs", json!({}))["KeyPairs"],
        json!([])
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn spot_machines_are_asked_for_and_reported_as_such() {
    let account = Account::new();
    let document = account.json("start --spot --max-price 0.01 --machine-group-name g");
    assert_eq!(document["machines"][0]["market"], "spot");
    assert_eq!(account.instances()[0]["InstanceLifecycle"], "spot");
    let launch = account
        .requests()
        .into_iter()
        .find(|r| r["operation"] == "RunInstances")
        .expect("a launch");
    let parameters = &launch["params"];
    assert_eq!(parameters["InstanceMarketOptions.MarketType"], "spot");
    assert_eq!(
        parameters["InstanceMarketOptions.SpotOptions.MaxPrice"],
        "0.01"
    );
    assert_eq!(
        parameters["InstanceMarketOptions.SpotOptions.SpotInstanceType"],
        "one-time"
    );
}

#[test]
fn an_instance_profile_is_passed_on_when_named() {
    let account = Account::new();
    account.boto3(
        "iam",
        "us-east-1",
        "create_instance_profile",
        json!({"InstanceProfileName": "simulations"}),
    );
    account.json("start --instance-profile simulations");
    let arn = account.instances()[0]["IamInstanceProfile"]["Arn"].clone();
    assert!(
        text(&arn).ends_with("instance-profile/simulations"),
        "{arn}"
    );
}

#[test]
fn more_than_a_hundred_machines_go_out_in_calls_of_a_hundred() {
    let account = Account::new();
    let document = account.json("start --num-machines 230 --machine-group-name g");
    assert_eq!(document["launched"], 230);
    assert_eq!(account.live().len(), 230);
    let mut sizes: Vec<String> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| text(&r["params"]["MinCount"]).to_owned())
        .collect();
    assert_eq!(sizes.first().map(String::as_str), Some("100"));
    // The calls after the first go out side by side.
    sizes.sort();
    assert_eq!(sizes, ["100", "100", "30"]);
}

#[test]
fn a_launch_that_fails_part_way_is_undone() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run = account.run("start --num-machines 150 --machine-group-name g");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(
        run.stderr.contains("undoing: terminating 100 machines"),
        "{}",
        run.stderr
    );
    assert_eq!(account.launched(), 100);
    assert_eq!(account.live(), [] as [String; 0]);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn undoing_goes_on_when_ids_are_not_visible_yet() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "InvalidInstanceID.NotFound", "message": "not yet", "status": 400, "count": 2}));
    let run = account.run("start --num-machines 101 --machine-group-name g -q");
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("; what had been launched was terminated\n"),
        "{}",
        run.stderr
    );
    assert_eq!(account.live(), [] as [String; 0]);
}

#[test]
fn a_launch_that_cannot_be_undone_names_its_machines() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    account.fault(json!({"service": "ec2", "operation": "TerminateInstances", "code": "UnauthorizedOperation", "message": "no", "status": 403, "count": null}));
    let run = account.run("start --num-machines 101 --machine-group-name g --output json");
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
    let error = run.error();
    assert_eq!(list(&error["machines"]).len(), 100);
    assert_eq!(
        error["hint"],
        "end them: inductiva-aws terminate --machine-group-name g"
    );
    assert_eq!(account.groups().len(), 1);
}

#[test]
fn a_launch_that_fails_part_way_is_kept_on_request_and_named() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "after": 1, "code": "InsufficientInstanceCapacity", "message": "none left", "status": 500, "count": null}));
    let run = account
        .run("start --num-machines 101 --machine-group-name g --keep-on-failure --output json");
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    let error = run.error();
    assert_eq!(error["kind"], "machines_may_be_running");
    let mut named: Vec<String> = list(&error["machines"])
        .iter()
        .map(|id| text(id).to_owned())
        .collect();
    named.sort();
    assert_eq!(named, account.live());
    assert_eq!(named.len(), 100);
}

#[test]
fn dry_run_shows_the_plan_asks_ec2_and_makes_nothing() {
    let account = Account::new();
    let run = account.run("start --dry-run --num-machines 2 --machine-group-name g --tag a=b");
    run.assert(0, str![[r#"
machine group   g (to be made)
account         [ACCOUNT]
region          eu-west-2
to launch       2 × t2.micro on-demand
existing        0
cost            about 0.0391 USD an hour, 0.94 a day (machines 0.0264, disks 0.0127)
image           ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
root disk       50 GiB gp3, encrypted
security group  to be made inductiva-aws, inbound: none
user data       [..] bytes
  tag       Name=g
  tag       a=b
  tag       inductiva:launch=[..] call=0 total=2 known=0
  tag       inductiva:launcher=inductiva-aws
  tag       inductiva:launcher-version=0.1.0
  tag       inductiva:machine-group=g
  tag       inductiva:machine-group-id=
  tag       inductiva:settings=vm-type=t2.micro
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
machine group g
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
error: cannot launch t2.micro: You are not authorized to perform this operation (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the README lists the least policy; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

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
machine group g
error: signed in to account [ACCOUNT], not to 111122223333 (--expect-account)
hint: choose another --profile; these credentials came from: environment variables

"#]],
    );
    assert_eq!(account.launched(), 0);
    let own = format!("start --expect-account {}", account.number);
    assert_eq!(account.run(&own).code, 0);
}

#[test]
fn tags_and_names_of_any_allowed_character_survive() {
    let account = Account::new();
    let name = "Az 09._- it";
    let value = "naïve \"quoted\" it's $HOME `id` <&> 日本 +-=._:/@";
    let tag = format!("my key:/@={value}");
    let mut command = account.command(["start", "-q", "--machine-group-name", name, "--tag", &tag]);
    let run = crate::sandbox::finish(&mut command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let seen = tags(&account.instances()[0]);
    assert_eq!(seen["my key:/@"], value);
    assert_eq!(seen["inductiva:machine-group"], name);
    let data = String::from_utf8(user_data(&account, 0)).expect("text");
    assert!(
        data.contains(&format!("export MACHINE_GROUP_NAME='{name}'\n")),
        "{data}"
    );
}
