//! `image build`, `list` and `remove`, and starts from prepared images.

use serde_json::{Value, json};
use snapbox::str;

#[cfg(unix)]
use crate::sandbox::signal;
use crate::{
    policies::{actions, policies_of_images, without},
    sandbox::{Account, Run, ended, list, text, until_it_says},
};

const BUILD: &str = "image build --vm-type t3.small";
/// What user-data.sh says, in the order in which it does.
const PREPARED: &str = "inductiva-aws: phase images\ninductiva-aws: phase prepare\ninductiva-aws: prepared, layout 1\n";
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

/// Runs a build; its machine says this as soon as it runs.
fn build_that_says(account: &Account, line: &str, console: &str) -> Run {
    account.put("consoles", json!({"*": console}));
    account.run(line)
}

/// An account with a prepared image; its id.
pub fn with_image(account: &Account) -> String {
    let run = build_that_says(account, BUILD, PREPARED);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let id = text(&images(account)[0]["ImageId"]).to_owned();
    account.forget_requests();
    id
}

#[test]
fn a_build_makes_one_image_and_leaves_no_machine() {
    let account = Account::new();
    let run = build_that_says(&account, &format!("{BUILD} --output json"), PREPARED);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
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
    build_that_says(&account, BUILD, PREPARED);
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
    account.put(
        "settings",
        json!({"pending_seconds": 0.5, "stopping_seconds": 0.3, "image_pending_seconds": 0.5}),
    );
    let run = build_that_says(&account, BUILD, PREPARED);
    run.ends(0, str![[r#"
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
    let run = account.ended(child);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_builder_that_gives_up_leaves_no_image() {
    let account = Account::new();
    account.hold_pauses();
    let child = account.start(BUILD);
    account.until("a machine is launched", |account| {
        account.calls("GetConsoleOutput") > 0
    });
    let [(id, _)] = machines(&account).try_into().expect("one machine");
    account.put(
        "consoles",
        json!({id.as_str(): "inductiva-aws: failed images: docker pull: toomanyrequests\n"}),
    );
    account.post("power_off", json!({"instance_ids": [id]}));
    let run = account.ended(child);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("failed images: docker pull: toomanyrequests"),
        "{}",
        run.stderr
    );
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(machines(&account), []);
}

/// It would say so at its end, which never comes.
#[test]
fn a_builder_that_says_nothing_is_ended() {
    let account = Account::new();
    let run = account.run(&format!("{BUILD} --boot-timeout 20m"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("has not said that it is prepared"),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0]);
}

#[test]
fn an_image_that_ec2_cannot_make_is_removed() {
    let account = Account::new();
    account.put("traits", json!({"images_fail": true}));
    let run = build_that_says(&account, BUILD, PREPARED);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("EC2 could not make ami-"),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
}

/// Every fault, at each of its calls: one image and no machine, or neither.
#[test]
fn a_fault_at_any_call_leaves_no_machine_and_no_half_image() {
    let operations = [
        "RunInstances",
        "DescribeInstances",
        "GetConsoleOutput",
        "StopInstances",
        "CreateImage",
        "DescribeImages",
        "DescribeSnapshots",
        "TerminateInstances",
    ];
    for operation in operations {
        for (kind, code, status, passes) in [
            ("error", "UnauthorizedOperation", 403, false),
            ("error", "RequestLimitExceeded", 503, true),
            ("error", "InternalError", 500, true),
            ("error_answer", "InternalError", 500, true),
            ("lost_answer", "", 500, true),
            ("reset", "", 500, true),
        ] {
            let account = Account::new();
            account.fault(json!({
                "service": "ec2", "operation": operation, "kind": kind, "code": code,
                "status": status, "message": "no", "count": if passes { json!(1) } else { Value::Null },
            }));
            let run = build_that_says(&account, BUILD, PREPARED);
            account.forget_faults();
            account.settle();
            let case = format!("{operation} {kind} {code}: {} {}", run.code, run.stderr);
            let there = machines(&account);
            let mut available = images(&account);
            available.retain(|image| image["State"] == "available");
            assert!(account.launched() <= 1, "{case}");
            if passes {
                assert_eq!((run.code, available.len()), (0, 1), "{case}");
            }
            if operation == "TerminateInstances" && !passes {
                // It cannot be ended: named, and it does not run.
                let [(id, state)] = there.try_into().expect(&case);
                assert_eq!((run.code, state.as_str()), (3, "stopped"), "{case}");
                let line = format!("terminate --instance-id {id}");
                assert!(run.stderr.contains(&line), "{case}");
            } else {
                assert_eq!(there, [], "{case}");
                assert_eq!(run.code == 0, available.len() == 1, "{case}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_at_any_time_leaves_no_machine_and_no_half_image() {
    let times = ["RunInstances", "StopInstances", "CreateImage"];
    for time in times {
        let account = Account::new();
        account.put(
            "settings",
            json!({"pending_seconds": 0.5, "stopping_seconds": 0.3, "image_pending_seconds": 0.5}),
        );
        account.put("consoles", json!({"*": PREPARED}));
        // The answer is there, and comes only later.
        account.fault(json!({"service": "ec2", "operation": time, "kind": "hold_answer"}));
        let child = account.start(BUILD);
        account.until_held();
        signal(&child, "-INT");
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        assert_eq!(run.code, 130, "{time}: {}", run.stderr);
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
        assert_eq!(images(&account), [] as [Value; 0], "{time}: {}", run.stderr);
    }
}

/// The one that stays is told as it always is.
#[cfg(unix)]
#[test]
fn an_interruption_once_the_image_is_there_changes_nothing() {
    for time in ["TerminateInstances", "DescribeSnapshots"] {
        let account = Account::new();
        account.put("consoles", json!({"*": PREPARED}));
        // Snapshots are looked at before the launch, too.
        let before = usize::from(time == "DescribeSnapshots");
        account.fault(
            json!({"service": "ec2", "operation": time, "kind": "hold_answer", "after": before}),
        );
        let mut child = account.start(&format!("{BUILD} --output json"));
        account.until_held();
        signal(&child, "-INT");
        // With nothing left to do it ends at once.
        if time == "TerminateInstances" {
            until_it_says(&mut child, "interrupt again to stop at once\n");
        }
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        assert_eq!(run.code, 0, "{time}: {}", run.stderr);
        let [image] = images(&account).try_into().expect("one image");
        assert_eq!(run.document()["image_id"], image["ImageId"], "{time}");
        assert_eq!(machines(&account), [], "{time}: {}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_before_the_image_is_there_undoes_the_build() {
    let undisturbed = Account::new();
    assert_eq!(build_that_says(&undisturbed, BUILD, PREPARED).code, 0);
    for (time, after) in [
        // The last of them says that it is prepared.
        (
            "GetConsoleOutput",
            undisturbed.calls("GetConsoleOutput") - 1,
        ),
        ("StopInstances", 0),
        ("CreateImage", 0),
        // After the look for images of before, and the first for this one.
        ("DescribeImages", 2),
    ] {
        let account = Account::new();
        account.put("consoles", json!({"*": PREPARED}));
        account.put("settings", json!({"image_pending_seconds": 3_600.0}));
        account.fault(
            json!({"service": "ec2", "operation": time, "kind": "hold_answer", "after": after}),
        );
        let mut child = account.start(BUILD);
        account.until_held();
        signal(&child, "-TERM");
        let said = until_it_says(&mut child, "interrupt again to stop at once\n");
        account.post("release", json!({}));
        let run = account.ended(child);
        account.settle();
        let why = format!("{time}: {said}{}", run.stderr);
        assert_eq!(run.code, 130, "{why}");
        assert!(
            run.stderr.contains("interrupted: no image was made"),
            "{why}"
        );
        assert_eq!(machines(&account), [], "{why}");
        assert_eq!(images(&account), [] as [Value; 0], "{why}");
        // And it goes no further.
        let stopped = account.calls("StopInstances");
        assert_eq!(stopped, usize::from(time != "GetConsoleOutput"), "{why}");
        let made = account.calls("CreateImage");
        assert_eq!(
            made,
            usize::from(["CreateImage", "DescribeImages"].contains(&time)),
            "{why}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_second_interruption_names_the_machine_and_the_line_that_ends_it() {
    let account = Account::new();
    account.put("consoles", json!({"*": PREPARED}));
    account.fault(json!({"service": "ec2", "operation": "StopInstances", "kind": "hold_answer"}));
    let mut child = account.start(&format!("{BUILD} --output json"));
    account.until_held();
    signal(&child, "-INT");
    until_it_says(&mut child, "interrupt again to stop at once\n");
    signal(&child, "-INT");
    let run = ended(child);
    account.post("release", json!({}));
    account.settle();
    let [(id, _)] = machines(&account)
        .try_into()
        .expect("the machine is there still");
    let error = run.error();
    assert_eq!(
        (run.code, &error["machines"]),
        (130, &json!([id])),
        "{}",
        run.stderr
    );
    let hint = text(&error["hint"]);
    assert!(
        hint.starts_with(&format!(
            "end it: inductiva-aws terminate --instance-id {id}"
        )),
        "{hint}"
    );
}

/// It would come to be an image that nobody knows of, and pays for.
#[test]
fn an_image_that_does_not_show_yet_is_removed_too() {
    let account = Account::new();
    account.put("settings", json!({"images_shown_after_seconds": 60.0}));
    account.put("consoles", json!({"*": PREPARED}));
    // It is made, and no answer says so.
    let failed = json!({
        "service": "ec2", "operation": "CreateImage", "status": 504, "code": "GatewayTimeout",
    });
    for (kind, after, count) in [("error_answer", 0, json!(1)), ("error", 1, Value::Null)] {
        let mut fault = failed.clone();
        fault["kind"] = kind.into();
        fault["after"] = after.into();
        fault["count"] = count;
        account.fault(fault);
    }
    let run = account.run(BUILD);
    assert_eq!(run.code, 1, "{}", run.stderr);
    account.pass(120.0);
    assert_eq!(machines(&account), []);
    assert_eq!(images(&account), [] as [Value; 0], "{}", run.stderr);
    assert_eq!(snapshots(&account), [] as [Value; 0], "{}", run.stderr);
}

#[test]
fn two_builds_at_once_make_two_images() {
    let account = Account::new();
    account.put("consoles", json!({"*": PREPARED}));
    for child in [account.start(BUILD), account.start(BUILD)] {
        let run = ended(child);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(images(&account).len(), 2);
    assert_eq!(machines(&account), []);
}

/// A build that was killed after it had stopped its machine.
fn stopped_builder(account: &Account) -> String {
    account.hold_pauses();
    let mut child = account.start(BUILD);
    account.until("a machine is launched", |account| {
        account.calls("GetConsoleOutput") > 0
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    account.put("clock", json!({"pauses_wait": false}));
    account.settle();
    let [(id, _)] = machines(account).try_into().expect("one machine");
    account.ec2("stop_instances", json!({"InstanceIds": [id]}));
    account.settle();
    id
}

#[test]
fn a_builder_that_was_left_stopped_is_named_and_after_an_hour_ended() {
    let account = Account::new();
    let id = stopped_builder(&account);
    let named = format!("{id} is a stopped machine of an image build");
    account.pass(HOUR - 120.0);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    assert_eq!(machines(&account), [(id.clone(), "stopped".into())]);
    let run = account.run("list");
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    let run = account.run("image list");
    assert!(run.stderr.contains(&named), "{}", run.stderr);
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(
        run.stderr
            .contains(&format!("terminated {id}, which an earlier")),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), []);
}

#[test]
fn terminate_all_ends_a_stopped_builder_only_once_it_is_old() {
    let account = Account::new();
    let id = stopped_builder(&account);
    let run = account.run("terminate --all -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("{id} is a stopped machine")),
        "{}",
        run.stderr
    );
    assert_eq!(machines(&account), [(id, "stopped".into())]);
    account.pass(HOUR);
    assert_eq!(account.run("terminate --all -y").code, 0);
    assert_eq!(machines(&account), []);
}

#[test]
fn terminate_all_says_what_images_cost() {
    let account = Account::new();
    let id = with_image(&account);
    let run = account.run("terminate --all -y");
    assert!(
        run.stderr
            .contains(&format!("{id} (eu-west-2), at most 2.65 USD a month")),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("image remove --all"), "{}", run.stderr);
}

// --- Permissions ------------------------------------------------------------------

#[test]
fn the_policy_for_images_is_enough_and_each_of_its_actions_is_needed() {
    let [least, images_alone] = policies_of_images();
    let failing = |policy: &Value| {
        let account = Account::new();
        // What is made before a build is a start's.
        account.put("policy", json!({"documents": [least, policy]}));
        let built = build_that_says(&account, BUILD, PREPARED);
        account.put("policy", json!({}));
        if images(&account).is_empty() {
            with_image(&account);
        }
        account.put("policy", json!({"documents": [least, policy]}));
        let removed = account.run("image remove --all -y");
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

// --- Starts ---------------------------------------------------------------------

const START: &str = "start --vm-type t3.micro --machine-group-name g";

fn image_of(report: &Value) -> String {
    text(&report["image_id"]).to_owned()
}

#[test]
fn a_start_takes_the_newest_image_that_fits_and_says_so() {
    let account = Account::new();
    with_image(&account);
    account.pass(HOUR);
    let newest = {
        let known = images(&account);
        let run = build_that_says(&account, BUILD, PREPARED);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let mut all = images(&account);
        all.retain(|image| !known.contains(image));
        text(&all[0]["ImageId"]).to_owned()
    };
    account.pass(2.0 * DAY);
    account.run(&format!("{START} -n 2")).ends(
        0,
        str![[r#"
machine group g
cost: about 0.0463 USD an hour, 1.11 a day (machines 0.0236, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
prepared image ami-[..], 2 days old
launched [ID] [ID]

"#]],
    );
    let used: Vec<String> = account
        .instances()
        .iter()
        .filter(|i| i["State"]["Name"] != "terminated")
        .map(|i| text(&i["ImageId"]).to_owned())
        .collect();
    assert_eq!(used, [newest.clone(), newest]);
}

#[test]
fn a_start_does_without_where_it_is_told_to_or_none_fits() {
    let standard = "ami-0ab00000000000003";
    let account = Account::new();
    let prepared = with_image(&account);
    for (options, expected, why) in [
        ("", prepared.as_str(), Value::Null),
        (
            "--no-prepared-image",
            standard,
            json!("--no-prepared-image"),
        ),
        (
            "--image-id ami-0ab00000000000003",
            standard,
            json!("--image-id names another"),
        ),
        (
            "--task-runner-image my/runner",
            standard,
            json!(format!(
                "{prepared} holds inductiva/task-runner:main, not my/runner"
            )),
        ),
        (
            "--volume-size 20",
            standard,
            json!(format!("{prepared} needs a disk of 50 GiB, more than 20")),
        ),
    ] {
        let plan = account.json(&format!("{START} --dry-run {options}"));
        assert_eq!(image_of(&plan), expected, "{options}");
        assert_eq!(plan["not_prepared_because"], why, "{options}");
        assert_eq!(plan["image_is_prepared"], why.is_null(), "{options}");
    }
    account.pass(30.0 * DAY + HOUR);
    let plan = account.json(&format!("{START} --dry-run"));
    assert_eq!(image_of(&plan), standard);
    let plan = account.json(&format!("{START} --dry-run --prepared-image-age 31d"));
    assert_eq!(image_of(&plan), prepared);
    let check = account.run("check --vm-type t3.micro");
    assert!(
        check
            .stdout
            .contains(&format!("not a prepared one: {prepared} is 30 days old")),
        "{}",
        check.stdout
    );
}

#[test]
fn a_group_of_before_the_image_goes_on_with_it_in_one_round_trip() {
    let account = Account::new();
    assert_eq!(account.run(START).code, 0);
    account.settle();
    let id = with_image(&account);
    let run = account.run(&format!("{START} -n 2"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("prepared image {id}")),
        "{}",
        run.stderr
    );
    assert_eq!(account.calls("DescribeImages"), 1);
    assert_eq!(account.live().len(), 2);
}

/// Its bytes are those of the launch, not those that this start would choose.
#[test]
fn a_launch_that_is_resumed_has_its_own_image() {
    let account = Account::new();
    let prepared = with_image(&account);
    // The second call of the launch is never made.
    account
        .fault(json!({"service": "ec2", "operation": "RunInstances", "kind": "hold", "after": 1}));
    let mut child = account.start(&format!("{START} -n 150"));
    account.until_held();
    child.kill().expect("killed");
    child.wait().expect("gone");
    account.post("release", json!({"drop": true}));
    account.until("the other calls are answered", |account| {
        account.requests().iter().all(|r| r["ended"].is_number())
    });
    let run = account.run(&format!("{START} -n 150 --no-prepared-image"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(account.live().len(), 150);
    assert_eq!(account.launched(), 151);
    let instances = account.instances();
    let live = instances
        .iter()
        .filter(|i| i["State"]["Name"] != "terminated");
    assert!(
        live.map(|i| &i["ImageId"])
            .all(|id| *id == prepared.as_str())
    );
}

#[test]
fn the_disk_is_filled_at_the_rate_asked_for_and_else_as_ebs_does() {
    let account = Account::new();
    let rate = |line: &str| {
        account.forget_requests();
        let run = account.run(line);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let launch = account
            .requests()
            .into_iter()
            .find(|r| r["operation"] == "RunInstances");
        let key = "BlockDeviceMapping.1.Ebs.VolumeInitializationRate";
        (launch.expect("a launch")["params"][key].clone(), run.stderr)
    };
    let (asked, said) =
        rate("start --vm-type t3.micro --machine-group-name g --initialization-rate 200");
    assert_eq!(asked, "200");
    // The image has 8 GiB.
    assert!(
        said.contains("; and at most 0.0192 once, for --initialization-rate\n"),
        "{said}"
    );
    assert_eq!(
        rate("start --vm-type t3.micro --machine-group-name h").0,
        Value::Null
    );
    for wrong in ["99", "301"] {
        let run = account.run(&format!("{START} --initialization-rate {wrong}"));
        assert_eq!(run.code, 2, "{}", run.stderr);
    }
}

// --- list and remove --------------------------------------------------------------

#[test]
fn images_are_listed_with_age_base_containers_cost_and_use() {
    let account = Account::new();
    let id = with_image(&account);
    account.json(START);
    account.pass(3.0 * DAY);
    let report = account.json("image list");
    let [image] = list(&report["images"]).try_into().expect("one");
    assert_eq!(image["image_id"], json!(id));
    assert_eq!(image["age_seconds"].as_u64().map(|s| s / 86_400), Some(3));
    assert_eq!(image["used_by"], json!(["g"]));
    assert_eq!(image["usd_per_month"], 2.65);
    assert_eq!(image["state"], "available");
    let run = account.run("image list");
    for words in [
        id.as_str(),
        "3 days old",
        "ubuntu-noble-24.04",
        "inductiva/task-runner:main",
        "2.65",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert_eq!(account.run("image list -q").stdout.trim(), id);
}

#[test]
fn an_image_is_removed_with_its_snapshot() {
    let account = Account::new();
    let id = with_image(&account);
    let run = account.run(&format!("image remove {id}"));
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(images(&account).len(), 1);
    account
        .run(&format!("image remove {id} -y"))
        .assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(images(&account), [] as [Value; 0]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
    let run = account.run("image remove --all -y");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "there is no prepared image\n")
    );
}

#[test]
fn nothing_but_prepared_images_is_removed() {
    let account = Account::new();
    let id = with_image(&account);
    for other in ["ami-0ab00000000000003", "ami-0123456789abcdef0"] {
        let run = account.run(&format!("image remove {id} {other} -y"));
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("no prepared image {other}")),
            "{}",
            run.stderr
        );
    }
    assert_eq!(images(&account).len(), 1);
}

#[test]
fn a_removal_that_was_interrupted_is_finished_later() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error",
        "code": "UnauthorizedOperation", "status": 403, "message": "no", "count": 1,
    }));
    let run = account.run(&format!("image remove {id} -y"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert_eq!((images(&account).len(), snapshots(&account).len()), (0, 1));
    // Somebody's that is at work is not touched.
    assert_eq!(account.run("image remove --all -y").code, 0);
    assert_eq!(snapshots(&account).len(), 1);
    let [left] = snapshots(&account).try_into().expect("one snapshot");
    let left = text(&left["SnapshotId"]).to_owned();
    with_image(&account);
    account.pass(HOUR);
    let said = format!(
        "left over in eu-west-2 without an image, and costing: {left}; inductiva-aws image remove {left}"
    );
    for line in ["image list", "list"] {
        let run = account.run(line);
        assert!(run.stderr.contains(&said), "{line}: {}", run.stderr);
    }
    let document = account.json("list");
    assert_eq!(
        document["leftover_snapshots"],
        json!([{"snapshot_id": left, "region": "eu-west-2"}])
    );
    // Where something is named, and to whoever may not look, it is not told.
    assert_eq!(account.run("list -q").stderr, "");
    account.put("policy", json!({"deny": ["ec2:DescribeSnapshots"]}));
    let run = account.run("list");
    assert!(!run.stderr.contains(&left), "{}", run.stderr);
    account.put("policy", json!({}));
    // The line that is told does it, and removes nothing else.
    let run = account.run(&format!("image remove {left} -y"));
    run.assert(
        0,
        format!("deleted {left}, which had lost its image\n"),
        str![],
    );
    assert_eq!((images(&account).len(), snapshots(&account).len()), (1, 1));
    let run = account.run(&format!("image remove {left} -y"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("has no snapshot {left}")),
        "{}",
        run.stderr
    );
}

/// An image that was removed a moment ago may still count as its user.
#[test]
fn a_snapshot_that_ec2_takes_for_used_is_asked_for_again() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": 3,
    }));
    let run = account.run(&format!("image remove {id} -y"));
    run.assert(0, format!("removed {id}\n"), str![]);
    assert_eq!(snapshots(&account), [] as [Value; 0]);
    // One that somebody uses for an image of their own is left to them.
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "kind": "error", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": null,
    }));
    let run = account.run("image remove --all -y");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(snapshots(&account).len(), 1);
}

#[test]
fn the_next_build_deletes_an_old_snapshot_without_its_image() {
    let account = Account::new();
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    let run = build_that_says(&account, BUILD, PREPARED);
    assert!(
        run.stderr.contains(", which had lost its image"),
        "{}",
        run.stderr
    );
    assert_eq!((images(&account).len(), snapshots(&account).len()), (1, 1));
}

#[test]
fn a_snapshot_that_is_named_and_in_use_stays_and_is_a_failure() {
    let account = Account::new();
    let id = with_image(&account);
    account.ec2("deregister_image", json!({"ImageId": id}));
    account.pass(HOUR);
    let snapshot = text(&snapshots(&account)[0]["SnapshotId"]).to_owned();
    account.fault(json!({
        "service": "ec2", "operation": "DeleteSnapshot", "status": 400,
        "code": "InvalidSnapshot.InUse", "message": "in use", "count": null,
    }));
    let run = account.run(&format!("image remove -y {snapshot}"));
    assert_eq!(
        (run.code, snapshots(&account).len()),
        (1, 1),
        "{}",
        run.stdout
    );
    let told = format!("cannot delete the snapshot {snapshot}: in use");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
}

#[test]
fn an_image_that_cannot_be_removed_yet_is_removed_later() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DeregisterImage", "status": 400,
        "code": "InvalidAMIID.Unavailable", "message": "is pending", "count": 3,
    }));
    let run = account.run(&format!("image remove -y {id}"));
    assert_eq!((run.code, images(&account).len()), (0, 0), "{}", run.stderr);
    assert!(
        run.stdout.contains(&format!("removed {id}\n")),
        "{}",
        run.stdout
    );
}

#[test]
fn a_region_that_does_not_answer_is_missed_in_a_list_of_images_and_in_their_removal() {
    let account = Account::new();
    let id = with_image(&account);
    account.fault(json!({
        "service": "ec2", "operation": "DescribeImages", "region": "us-east-1",
        "status": 503, "code": "Unavailable", "count": null,
    }));
    let run = account.run("image list --all-regions -q");
    assert_eq!(
        (run.code, run.stdout.trim()),
        (1, id.as_str()),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("us-east-1"), "{}", run.stderr);
    account.forget_faults();
    account.fault(json!({
        "service": "ec2", "operation": "DescribeInstances", "region": "us-east-1",
        "status": 503, "code": "Unavailable", "count": null,
    }));
    let run = account.run("image remove --all --all-regions -y");
    assert_eq!((run.code, images(&account).len()), (1, 0), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("images may be left, us-east-1 did not answer"),
        "{}",
        run.stderr
    );
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

#[test]
fn gpu_images_and_others_do_not_stand_in_for_each_other() {
    let account = Account::new();
    let run = build_that_says(&account, "image build --gpu", PREPARED);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let id = text(&images(&account)[0]["ImageId"]).to_owned();
    let plan = |line: &str| image_of(&account.json(&format!("{line} --dry-run")));
    assert_eq!(plan("start --vm-type g4dn.xlarge"), id);
    assert_eq!(plan("start --vm-type t3.micro"), "ami-0ab00000000000003");
}
