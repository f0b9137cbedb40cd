//! Images that are named: what is refused, what is warned of, and their disks.

use serde_json::{Value, json};
use snapbox::{data::Inline, str};

use crate::sandbox::{Account, list, text};

const WINDOWS: &str = "ami-0ef00000000000004";
const BOTTLEROCKET: &str = "ami-0ef00000000000005";
const RED_HAT: &str = "ami-0ef00000000000006";
/// It has two disks beside the root disk, of 30 and of 10 GiB.
const WITH_DATA: &str = "ami-0ef00000000000007";

fn line(image: &str) -> String {
    format!("start --vm-type t3.micro --machine-group-name g --image-id {image}")
}

#[test]
fn images_on_which_nothing_would_end_the_machine_are_refused() {
    let account = Account::new();
    account.run(&line(WINDOWS)).fails(1, str![[r#"
error: the image ami-0ef00000000000004 is Windows: it would not run the script that installs the task runner, and nothing would end the machine
hint: name an image of Ubuntu or Debian with --image-id, or leave it out for the newest Ubuntu 24.04

"#]]);
    account.run(&line(BOTTLEROCKET)).fails(1, str![[r#"
error: the image ami-0ef00000000000005 is Bottlerocket: it would not run the script that installs the task runner, and nothing would end the machine
hint: name an image of Ubuntu or Debian with --image-id, or leave it out for the newest Ubuntu 24.04

"#]]);
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
}

#[test]
fn red_hat_is_warned_of() {
    let account = Account::new();
    account.run(&line(RED_HAT)).ends(0, str![[r#"
machine group g
cost: about 0.0520 USD an hour, 1.25 a day (machines 0.0406, disks 0.0064, addresses 0.0050); at most 0.1420 an hour, with surplus CPU credits
warning: the image ami-0ef00000000000006 is Red Hat Enterprise Linux: the script is made for Ubuntu and Debian; a machine on which it cannot install its packages ends itself, and AWS charges for the system, too
launched [ID]

"#]]);
    assert_eq!(account.launched(), 1);
}

#[test]
fn every_disk_of_an_image_goes_with_its_machine_and_is_encrypted_planned_and_priced() {
    let account = Account::new();
    let plan = account.json(&format!("{} --dry-run -n 2", line(WITH_DATA)));
    assert_eq!(
        plan["other_volumes"],
        json!([
            {"device": "/dev/sdf", "size_gib": 30},
            {"device": "/dev/sdg", "size_gib": 10},
        ])
    );
    let disks = plan["cost"]["disks_usd_per_hour"]
        .as_f64()
        .expect("a price");
    assert!(
        (disks - 2.0 * 90.0 * 0.0928 / 730.0).abs() < 1e-6,
        "{disks}"
    );
    account.json(&line(WITH_DATA));
    let volumes = || list(&account.ec2("describe_volumes", json!({}))["Volumes"]);
    let mut sizes: Vec<i64> = volumes()
        .iter()
        .map(|volume| {
            assert_eq!(volume["Encrypted"], true);
            assert_eq!(volume["VolumeType"], "gp3");
            volume["Size"].as_i64().expect("GiB")
        })
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [10, 30, 50]);
    account.run("terminate g -y").assert(
        0,
        "[ID]\n",
        str![[r#"
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]],
    );
    account.settle();
    assert_eq!(volumes(), [] as [Value; 0]);
}

#[test]
fn standard_credits_are_asked_for_of_burstable_types_alone() {
    let account = Account::new();
    let credits = |line: &str, said: Inline| {
        account.forget_requests();
        account
            .run(&format!("start {line} -q"))
            .assert(0, "[ID]\n", said);
        let requests = account.requests();
        let launch = requests.iter().rfind(|r| r["operation"] == "RunInstances");
        let launch = launch.expect("a launch");
        launch["params"]["CreditSpecification.CpuCredits"].clone()
    };
    let sent = credits("--vm-type t3.micro --machine-group-name a", str![]);
    assert_eq!(sent, Value::Null);
    let sent = credits(
        "--vm-type t3.micro --machine-group-name b --standard-credits",
        str![[r#"
warning: standard credits: t3.micro may not use more of its processors than its baseline and its credits, of which T3 and T3a begin with none, so that a boot takes ten minutes or more

"#]],
    );
    assert_eq!(sent, "standard");
    let sent = credits(
        "--vm-type m5.large --machine-group-name c --standard-credits",
        str![[r#"
warning: --standard-credits does nothing for m5.large

"#]],
    );
    assert_eq!(sent, Value::Null);
    // Of each type in the walk what fits it.
    account.put(
        "capacity",
        json!({"rules": [{"vm_type": "t3.micro", "available": 0}]}),
    );
    let sent = credits(
        "--vm-type t3.micro,m5.large --machine-group-name d --standard-credits",
        str![[r#"
warning: standard credits: t3.micro may not use more of its processors than its baseline and its credits, of which T3 and T3a begin with none, so that a boot takes ten minutes or more

"#]],
    );
    assert_eq!(sent, Value::Null);
    // It is a setting of the group.
    account
        .run("start --vm-type m5.large --machine-group-name c -n 2")
        .fails(1, str![[r#"
error: the group c has machines with other settings: --standard-credits is yes there, no here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name c -n 2 --standard-credits --vm-type m5.large

"#]]);
}

#[test]
fn an_image_that_the_account_hides_is_told_from_one_that_is_not_there() {
    let account = Account::new();
    let missing = line("ami-00000000000000000");
    account.run(&missing).fails(1, str![[r#"
error: cannot look up the image: The image id '[ami-00000000000000000]' does not exist (InvalidAMIID.NotFound, request [UUID])
hint: check --image-id: an image belongs to one region (this is eu-west-2)

"#]]);
    account.put("traits", json!({"allowed_images": "enabled"}));
    account.run(&missing).fails(1, str![[r#"
error: cannot look up the image: The image id '[ami-00000000000000000]' does not exist (InvalidAMIID.NotFound, request [UUID]): the account hides images that are not on its list of Allowed AMIs
hint: have the image's owner put on that list (Canonical is 099720109477; EC2 console, Allowed AMIs), or name an image that it allows with --image-id

"#]]);
    // Whoever may not ask hears what EC2 says.
    account.put("policy", json!({"deny": ["ec2:GetAllowedImagesSettings"]}));
    account.run(&missing).fails(1, str![[r#"
error: cannot look up the image: The image id '[ami-00000000000000000]' does not exist (InvalidAMIID.NotFound, request [UUID])
hint: check --image-id: an image belongs to one region (this is eu-west-2)

"#]]);
    assert_eq!(text(&account.json("list")["regions"][0]), "eu-west-2");
}

#[test]
fn gpus_that_the_standard_driver_does_not_know_are_refused_without_another_image() {
    let account = Account::new();
    let options = "--machine-group-name g --region us-east-1 --vm-type p3dn.24xlarge";
    account
        .run(&format!("start {options}"))
        .fails(1, str![[r#"
error: the NVIDIA driver of AWS's Deep Learning Base image does not support the Tesla V100 (Volta) of p3dn.24xlarge
hint: choose a later GPU type, such as g4dn.xlarge, or name an image with NVIDIA's proprietary driver for it with --image-id

"#]]);
    let check = account.run(&format!("check {options}"));
    let why = "does not support the Tesla V100 (Volta) of p3dn.24xlarge";
    let said = check.ends(
        1,
        str![[r#"
error: a start would not go through: launch

"#]],
    );
    assert!(said.contains(why), "{said}");
    assert_eq!(account.launched(), 0);
    let standard = account.json("start --region us-east-1 --dry-run");
    let line = format!(
        "start {options} --dry-run -q --image-id {}",
        text(&standard["image_id"])
    );
    account.run(&line).assert(0, "", "");
}
