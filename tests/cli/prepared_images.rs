//! `image build`, `list` and `remove`, and starts from prepared images.

mod failures;
#[cfg(unix)]
mod interruptions;
mod leftovers;
mod removal;
mod starts;

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    policies::{actions, policies_of_images, without},
    sandbox::{Account, Run, ended, list, text, until_it_says},
};

const BUILD: &str = "image build --vm-type t3.small";
const START: &str = "start --vm-type t3.micro --machine-group-name g";
/// What user-data.sh says, in the order in which it does.
pub const PREPARED: &str = "inductiva-aws: phase images\ninductiva-aws: phase prepare\ninductiva-aws: prepared, layout 1\n";
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// The machines that are there still.
fn machines(account: &Account) -> Vec<(String, String)> {
    let of = |i: &Value| {
        let state = text(&i["State"]["Name"]).to_owned();
        (text(&i["InstanceId"]).to_owned(), state)
    };
    let mut machines: Vec<(String, String)> = account.instances().iter().map(of).collect();
    machines.retain(|(_, state)| !["shutting-down", "terminated"].contains(&state.as_str()));
    machines
}

/// The account's own images.
pub fn images(account: &Account) -> Vec<Value> {
    let answer = account.ec2("describe_images", json!({"Owners": ["self"]}));
    list(&answer["Images"])
}

fn snapshots(account: &Account) -> Vec<Value> {
    let answer = account.ec2("describe_snapshots", json!({"OwnerIds": ["self"]}));
    list(&answer["Snapshots"])
}

/// EC2 takes a moment for everything: whatever the program waits for is said then.
fn take_moments(account: &Account) {
    account.put(
        "settings",
        json!({"pending_seconds": 0.5, "stopping_seconds": 0.3, "image_pending_seconds": 0.5}),
    );
}

/// Runs a build; its machine says this as soon as it runs.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
pub fn build_that_says(account: &Account, line: &str, console: &str) -> Run {
    take_moments(account);
    account.put("consoles", json!({"*": console}));
    account.run(line)
}

/// A build as a step of a test.
#[track_caller]
fn build(account: &Account, line: &str) {
    build_that_says(account, &format!("{line} -q"), PREPARED).assert(0, "ami-[..]\n", "");
}

/// An account with a prepared image; its id.
pub fn with_image(account: &Account) -> String {
    build(account, BUILD);
    let id = text(&images(account)[0]["ImageId"]).to_owned();
    account.forget_requests();
    id
}

#[test]
fn a_build_makes_one_image_and_leaves_no_machine() {
    let account = Account::new();
    let run = build_that_says(&account, &format!("{BUILD} --output json"), PREPARED);
    run.succeeds(str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
    let report = run.document();
    let [image] = images(&account).try_into().expect("one image");
    assert_eq!(report["image_id"], image["ImageId"]);
    assert_eq!(image["State"], "available");
    assert_eq!(report["size_gib"], 50);
    assert_eq!(machines(&account), []);
    assert_eq!(account.launched(), 1);
    let tag = |resource: &Value, key: &str| {
        let mut tags = list(&resource["Tags"]).into_iter();
        tags.find(|tag| tag["Key"] == key)
            .map(|tag| tag["Value"].clone())
    };
    let [snapshot] = snapshots(&account).try_into().expect("one snapshot");
    for resource in [&image, &snapshot] {
        assert_eq!(
            tag(resource, "inductiva:launcher"),
            Some("inductiva-aws".into())
        );
        assert_eq!(tag(resource, "inductiva:image-layout"), Some("1".into()));
        assert_eq!(
            tag(resource, "inductiva:task-runner-image"),
            Some("inductiva/task-runner:main".into())
        );
        assert_eq!(tag(resource, "inductiva:machine-group"), None);
    }
    let calls = account.operations();
    let order = [
        "RunInstances",
        "StopInstances",
        "CreateImage",
        "TerminateInstances",
    ];
    let made: Vec<&String> = calls
        .iter()
        .filter(|c| order.contains(&c.as_str()))
        .collect();
    assert_eq!(made, order);
}

#[test]
fn a_builder_has_no_key_no_group_and_ends_when_it_powers_off() {
    let account = Account::new();
    build(&account, BUILD);
    let launch = account
        .requests()
        .into_iter()
        .find(|r| r["operation"] == "RunInstances");
    let params = launch.expect("a launch")["params"].clone();
    assert_eq!(params["InstanceInitiatedShutdownBehavior"], "terminate");
    assert_eq!(params["KeyName"], Value::Null);
    assert_eq!(params["IamInstanceProfile.Name"], Value::Null);
    assert_eq!(params["MetadataOptions.HttpTokens"], "required");
    assert_eq!(params["BlockDeviceMapping.1.Ebs.Encrypted"], "true");
    let told = params.to_string();
    assert!(!told.contains("inductiva:machine-group"), "{told}");
    assert!(!told.contains("inductiva:settings"), "{told}");
    assert!(
        account
            .requests()
            .iter()
            .all(|r| r["service"] != "inductiva")
    );
}

#[test]
fn the_plan_and_the_cost_come_first() {
    let account = Account::new();
    let run = build_that_says(&account, BUILD, PREPARED);
    run.assert(0, str![[r#"
image      ami-[..]
region     eu-west-2
made from  ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
disk       50 GiB
cost       at most 2.65 USD a month
took       [..]

"#]], str![[r#"
an image of ami-0ab00000000000003 (ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022) with inductiva/task-runner:main and inductiva/file-tracker:main, layout 1, made in eu-west-2 on one t3.small with 50 GiB
cost: for some minutes about 0.0350 USD an hour, 0.84 a day (machines 0.0236, disks 0.0064, addresses 0.0050); at most 0.1150 an hour, with surplus CPU credits; then the image, at most 2.65 USD a month
launched [ID], which prepares the image
preparing [ID]
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]]);
}

#[test]
fn the_phases_are_said_as_the_console_has_them() {
    let account = Account::new();
    take_moments(&account);
    account.hold_pauses();
    let mut child = account.start(BUILD);
    account.until_pausing();
    for phase in ["container-engine", "images"] {
        account.put(
            "consoles",
            json!({"*": format!("inductiva-aws: phase {phase}\n")}),
        );
        account.pass_pause();
        let line = format!(": phase {phase}\n");
        let said = until_it_says(&mut child, &line);
        assert!(said.ends_with(&line), "{said}");
    }
    account.put("consoles", json!({"*": PREPARED}));
    account.ended(child).assert(
        0,
        str![[r#"
image      ami-[..]
region     eu-west-2
made from  ami-0ab00000000000003 ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022
disk       50 GiB
cost       at most 2.65 USD a month
took       [..]

"#]],
        str![[r#"
[ID] is prepared: stopping it
stopping [ID]
making the image, which takes some minutes
made ami-[..]

"#]],
    );
}

#[test]
fn two_builds_at_once_make_two_images() {
    let account = Account::new();
    account.put("consoles", json!({"*": PREPARED}));
    let line = format!("{BUILD} -q");
    for child in [account.start(&line), account.start(&line)] {
        ended(child).assert(0, "ami-[..]\n", "");
    }
    assert_eq!(images(&account).len(), 2);
    assert_eq!(machines(&account), []);
}

#[test]
fn the_policy_for_images_is_enough_and_each_of_its_actions_is_needed() {
    const WORDS: &str = "how a denial is told is looked at in denials.rs";
    let [least, images_alone] = policies_of_images();
    let failing = |policy: &Value| {
        let account = Account::new();
        // What is made before a build is a start's.
        account.put("policy", json!({"documents": [least, policy]}));
        let built = build_that_says(&account, BUILD, PREPARED).ignoring_the_rest(WORDS);
        account.put("policy", json!({}));
        if images(&account).is_empty() {
            with_image(&account);
        }
        account.put("policy", json!({"documents": [least, policy]}));
        let removed = account.run("image remove --all -y");
        let removed = removed.ignoring_the_rest(WORDS);
        let codes = [("build", built.code), ("remove", removed.code)];
        let failed = codes.into_iter().filter(|(_, code)| *code != 0);
        failed.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(failing(&images_alone), [""; 0]);
    for (action, expected) in [
        ("ec2:DescribeSnapshots", "remove"),
        ("ec2:CreateImage", "build"),
        ("ec2:CreateTags", "build"),
        ("ec2:StopInstances", "build"),
        ("ec2:DeregisterImage", "remove"),
        ("ec2:DeleteSnapshot", "remove"),
    ] {
        assert!(
            actions(&images_alone).contains(&action.to_owned()),
            "{action}"
        );
        assert_eq!(
            failing(&without(&images_alone, action)),
            [expected],
            "{action}"
        );
    }
    assert_eq!(actions(&images_alone).len(), 6);
}

#[test]
fn what_cannot_be_built_is_refused_before_anything_is_made() {
    let account = Account::new();
    account.run("image build --vm-type t2.micro").fails(
        1,
        str![[r#"
error: t2.micro has no live console, on which a machine says that it is prepared
hint: choose a Nitro type with --vm-type, such as t3.small

"#]],
    );
    account.run("image build --gpu --vm-type t3.small").fails(
        2,
        str![[r#"
error: t3.small has no NVIDIA GPU, and --gpu makes an image for types that have one

"#]],
    );
    account.run("image build --vm-type g4dn.xlarge").fails(
        2,
        str![[r#"
error: g4dn.xlarge may have a GPU: add --gpu for an image of such types

"#]],
    );
    assert_eq!(account.launched(), 0);
}
