//! What the machines of a `start` are.

use serde_json::{Value, json};
use snapbox::str;

use super::{GPU_IMAGE, UBUNTU, user_data};
use crate::sandbox::{Account, list, tags, text};

#[test]
fn two_machines_are_as_promised_seen_with_boto3() {
    let account = Account::new();
    let run = account.run(
        "start --vm-type t2.micro --num-machines 2 --machine-group-name g -q --tag project=flow",
    );
    let mut printed: Vec<&str> = run.succeeds("").lines().collect();
    printed.sort_unstable();
    assert_eq!(printed, account.live());
    assert_eq!(printed.len(), 2);

    let group_id = text(&account.groups()[0]["id"]).to_owned();
    let launch_tag = tags(&account.instances()[0])["inductiva:launch"].clone();
    let (base, words) = launch_tag.split_once(' ').expect("words");
    let (words, slot) = words.split_once(" hour=").expect("an hour");
    assert_eq!((base.len(), words), (32, "call=0 total=2 known=0 wanted=2"));
    assert!(slot.ends_with(" number=1"), "{slot}");
    let expected_tags = [
        ("Name", "g"),
        ("inductiva:machine-group", "g"),
        ("inductiva:machine-group-id", &group_id),
        ("inductiva:launcher", "inductiva-aws"),
        ("inductiva:launcher-version", env!("CARGO_PKG_VERSION")),
        (
            "inductiva:settings",
            "format=2 tags=sha256:08e083aae3cf vm-type=t2.micro",
        ),
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
    run.assert(
        0,
        str![[r#"
[ID]

"#]],
        str![],
    );
    let group_id = text(&account.groups()[0]["id"]).to_owned();
    let script = include_str!("../../../user-data.sh");
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
    run.ends(
        0,
        str![[r#"
machine group my_aws_machine_group
cost: about 0.0491 USD an hour, 1.18 a day (machines 0.0264, disks 0.0127, addresses 0.0100)
launched [ID] [ID]

"#]],
    );
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
fn tags_and_names_of_any_allowed_character_survive() {
    let account = Account::new();
    let name = "Az 09._- it";
    let value = "naïve \"quoted\" it's $HOME `id` <&> 日本 +-=._:/@";
    let tag = format!("my key:/@={value}");
    let mut command = account.command(["start", "-q", "--machine-group-name", name, "--tag", &tag]);
    let run = crate::sandbox::finish(&mut command);
    run.assert(
        0,
        str![[r#"
[ID]

"#]],
        str![],
    );
    let seen = tags(&account.instances()[0]);
    assert_eq!(seen["my key:/@"], value);
    assert_eq!(seen["inductiva:machine-group"], name);
    let data = String::from_utf8(user_data(&account, 0)).expect("text");
    assert!(
        data.contains(&format!("export MACHINE_GROUP_NAME='{name}'\n")),
        "{data}"
    );
}
