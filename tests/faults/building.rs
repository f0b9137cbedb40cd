//! `image build`, whatever happens to whichever of its calls: one image and no
//! machine, or neither and a failure; or a machine that is named. What a build that was
//! killed has left is cleared away by its machine's own deadline and the next build.

use std::process::Child;

use serde_json::{Value, json};

use crate::{
    cases::{Case, wanted},
    group::{Call, Group, Verdict, named},
    happenings::refused,
    sandbox::{Account, Run, ended, list, run::read_up_to, signal, tags, text},
};

const LINE: &str = "image build --output json";
const PREPARED: &str = "inductiva-aws: prepared, layout 1\n";
/// What a build says when it was interrupted, and not before.
const INTERRUPTED: &str = "interrupted: ending what was launched";
/// What is as old is nobody's that is at work.
const OLD: f64 = 3_700.0;

/// What can happen to a call.
#[derive(Clone)]
enum Happening {
    Fault(&'static str, Value),
    /// SIGKILL while the call is held, which then goes on.
    Killed(&'static str),
    /// Signals while the call is held, and then whether its answer is lost.
    Signalled(&'static str, &'static [&'static str], bool),
}

impl Happening {
    fn name(&self) -> String {
        let at = |held: &str| if held == "hold" { "before" } else { "after" };
        match self {
            Self::Fault(name, _) => (*name).to_owned(),
            Self::Killed(held) => format!("SIGKILL {} its effect", at(held)),
            Self::Signalled(held, signals, lost) => format!(
                "{} {} its effect{}",
                signals.join(" ").replace('-', "SIG"),
                at(held),
                if *lost { ", answer lost" } else { "" }
            ),
        }
    }
}

/// What can happen to any call.
fn to_any_call() -> Vec<Happening> {
    use Happening::{Fault, Signalled};
    vec![
        Fault("refused", refused()),
        Signalled("hold", &["-INT"], false),
    ]
}

/// What can happen to those from the launch on.
fn to_calls_of_the_build() -> Vec<Happening> {
    use Happening::{Fault, Killed, Signalled};
    let throttled =
        json!({"status": 503, "code": "RequestLimitExceeded", "count": null, "for_seconds": 20});
    vec![
        Fault("lost_answer", json!({"kind": "lost_answer"})),
        Fault("reset", json!({"kind": "reset"})),
        Fault(
            "504 after its effect",
            json!({"kind": "error_answer", "status": 504, "code": "GatewayTimeout"}),
        ),
        Fault("throttled for 20 seconds", throttled),
        Killed("hold"),
        Killed("hold_answer"),
        Signalled("hold_answer", &["-INT"], false),
        Signalled("hold_answer", &["-TERM"], true),
        Signalled("hold_answer", &["-INT", "-INT"], false),
    ]
}

/// An account in which machines say that they are prepared as soon as they run.
fn made_ready(account: &Account) {
    account.put("consoles", json!({"*": PREPARED}));
}

/// The calls of a build that nothing disturbs, or that comes to nothing.
fn calls(images_fail: bool) -> Vec<Call> {
    if !wanted().is_empty() && !wanted().contains("image build") {
        return Vec::new();
    }
    let group = Group::new(0);
    made_ready(&group.account);
    group
        .account
        .put("traits", json!({"images_fail": images_fail}));
    let run = group.account.run(LINE);
    assert_eq!(run.code, i32::from(images_fail), "{}", run.stderr);
    group.calls()
}

pub fn at_every_call() -> Vec<Case> {
    let mut cases = Vec::new();
    let all = calls(false);
    let place = |operation: &str| all.iter().rposition(|call| call.operation == operation);
    let launch = place("RunInstances").unwrap_or_default();
    let created = place("CreateImage").unwrap_or_default();
    // Its answer says that the image is available.
    let made = place("DescribeImages").unwrap_or_default();
    let terminated = place("TerminateInstances").unwrap_or_default();
    for (at, call) in all.iter().enumerate() {
        let stage = match at {
            _ if at > terminated => Stage::Over,
            _ if at >= made => Stage::Made,
            _ if at >= created => Stage::Making,
            _ => Stage::Before,
        };
        let mut happenings = to_any_call();
        if at >= launch {
            happenings.extend(to_calls_of_the_build());
        }
        for happening in happenings {
            let call = call.clone();
            let name = format!("image build: {call} {}", happening.name());
            cases.push(Case::of_account(&name, move |group| {
                made_ready(&group.account);
                happens(group, &happening, &call, stage)
            }));
        }
    }
    cases.extend(undone());
    cases
}

/// Each fault at each call with which a build that has failed is undone.
fn undone() -> Vec<Case> {
    let all = calls(true);
    let created = all.iter().position(|call| call.operation == "CreateImage");
    let undoing = all.iter().skip(created.map_or(0, |at| at + 1));
    let mut cases = Vec::new();
    for call in undoing {
        let happenings = to_any_call().into_iter().chain(to_calls_of_the_build());
        for happening in happenings {
            let call = call.clone();
            let name = format!("image build: undoing, {call} {}", happening.name());
            cases.push(Case::of_account(&name, move |group| {
                made_ready(&group.account);
                group.account.put("traits", json!({"images_fail": true}));
                happens(group, &happening, &call, Stage::Undoing)
            }));
        }
    }
    cases
}

/// How far a build has come with a call.
#[derive(Clone, Copy)]
enum Stage {
    Before,
    /// EC2 has been asked for the image, and has not said that it is available.
    Making,
    Made,
    /// Nothing is left to do but to say so.
    Over,
    /// It has failed, whatever else comes.
    Undoing,
}

impl Stage {
    /// The exit codes of a build that is interrupted there so often.
    fn interrupted(self, times: usize, lost: bool) -> &'static [i32] {
        match self {
            // Until a lost answer is asked for again, the image may have become whole.
            Self::Making if lost => &[0, 130],
            Self::Before | Self::Making => &[130],
            Self::Made if times > 1 => &[130],
            Self::Made | Self::Over => &[0],
            Self::Undoing => &[1, 130],
        }
    }
}

/// Lets it happen to a build, and looks what comes of it.
fn happens(group: &Group, happening: &Happening, call: &Call, stage: Stage) -> Verdict {
    let account = &group.account;
    match happening {
        Happening::Fault(_, fault) => {
            account.fault(call.fault(fault));
            let run = account.run(LINE);
            group.all_struck()?;
            account.forget_faults();
            judge(account, &run)?;
        }
        Happening::Killed(held) => {
            account.fault(call.fault(&json!({"kind": held})));
            let mut child = account.start(LINE);
            group.until_held(&mut child)?;
            Group::kill(child);
            group.release(false);
            account.forget_faults();
        }
        Happening::Signalled(held, signals, lost) => {
            account.fault(call.fault(&json!({"kind": held})));
            let mut child = account.start(LINE);
            group.until_held(&mut child)?;
            let run = interrupted(group, child, signals, *lost);
            account.forget_faults();
            judge(account, &run)?;
            let expected = stage.interrupted(signals.len(), *lost);
            if !expected.contains(&run.code) {
                return Err(format!("{}, not {expected:?}: {}", run.code, run.stderr));
            }
        }
    }
    cleared(account)
}

/// Sends the signals, each when the one before was heard, and lets go of the call.
fn interrupted(group: &Group, mut child: Child, signals: &[&str], drop: bool) -> Run {
    let mut said = String::new();
    for name in signals {
        signal(&child, name);
        let mut stderr = child.stderr.take().expect("stderr is a pipe");
        if said.is_empty() {
            said = read_up_to(&mut stderr, INTERRUPTED);
        }
        child.stderr = Some(stderr);
    }
    if signals.len() > 1 {
        // It ends without the answer.
        let run = ended(child);
        group.release(drop);
        return Run {
            stderr: run.stderr.after(&said),
            ..run
        };
    }
    group.release(drop);
    let run = ended(child);
    Run {
        stderr: run.stderr.after(&said),
        ..run
    }
}

/// What a build that has ended must have left, by its exit code.
fn judge(account: &Account, run: &Run) -> Verdict {
    account.settle();
    let (machines, images) = (machines(account), images(account));
    let said = format!("exit code {}\n{}{}", run.code, run.stdout, run.stderr);
    let must = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("{what}; {machines:?}; {images:?}; {said}"))
        }
    };
    must(account.launched() <= 1, "two machines")?;
    let are_named = |named: &[String]| machines.iter().all(|(id, _)| named.contains(id));
    match run.code {
        0 => {
            must(machines.is_empty(), "done, and a machine is there")?;
            let document: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
            let [image] = images.as_slice() else {
                return must(false, "not one image");
            };
            must(image.is_whole, "the image is not whole")?;
            must(
                document["image_id"] == image.id.as_str(),
                "another image is told",
            )
        }
        1 | 4 => {
            must(machines.is_empty(), "failed, and a machine is there")?;
            let is_told = run.stderr.contains("image list")
                || images
                    .iter()
                    .all(|i| run.stderr.contains(&format!("image remove {}", i.id)));
            must(images.is_empty() || is_told, "failed, and an image is left")
        }
        // Machines that are not known by an id end themselves.
        3 => must(are_named(&named(&run.stderr)), "a machine is not named"),
        130 if run.stderr.contains("interrupted twice") => {
            let told = run.stderr.contains("inductiva-aws list");
            must(
                told || are_named(&named(&run.stderr)),
                "a machine is not named",
            )
        }
        130 => {
            must(machines.is_empty(), "interrupted, and a machine is there")?;
            must(images.is_empty(), "interrupted, and an image is there")
        }
        _ => must(false, "no exit code of `image build`"),
    }
}

/// The end of every case: the machine's own deadline, an hour, and one more build. Then
/// there is no machine, and what images there are are whole; all of them can be removed.
fn cleared(account: &Account) -> Verdict {
    account.put("traits", json!({"images_fail": false}));
    account.settle();
    let there = machines(account);
    let running = there.iter().filter(|(_, state)| state == "running");
    let running: Vec<&String> = running.map(|(id, _)| id).collect();
    if !running.is_empty() {
        account.post("power_off", json!({"instance_ids": running}));
    }
    account.pass(OLD);
    let before = account.launched();
    if there.is_empty() && images(account).iter().all(|image| image.is_whole) {
        return Ok(());
    }
    let run = account.run(LINE);
    if run.code != 0 || account.launched() != before + 1 {
        return Err(format!("one more build: {}\n{}", run.code, run.stderr));
    }
    account.settle();
    let there = machines(account);
    if !there.is_empty() {
        return Err(format!("machines are left: {there:?}\n{}", run.stderr));
    }
    let run = account.run("image remove --all -y");
    account.pass(OLD);
    let again = account.run("image remove --all -y");
    let left = account.ec2("describe_snapshots", json!({"OwnerIds": ["self"]}));
    if (run.code, again.code) != (0, 0) || !images(account).is_empty() {
        return Err(format!(
            "they cannot be removed: {}{}",
            run.stderr, again.stderr
        ));
    }
    if !list(&left["Snapshots"]).is_empty() {
        return Err(format!("a snapshot is left: {left}"));
    }
    Ok(())
}

/// The ids and states of the machines that are there.
fn machines(account: &Account) -> Vec<(String, String)> {
    let machine = |i: &Value| {
        let state = text(&i["State"]["Name"]).to_owned();
        (text(&i["InstanceId"]).to_owned(), state)
    };
    let mut machines: Vec<(String, String)> = account.instances().iter().map(machine).collect();
    machines.retain(|(_, state)| !["shutting-down", "terminated"].contains(&state.as_str()));
    machines
}

#[derive(Debug)]
struct Image {
    id: String,
    /// Available, and tagged as a start wants it.
    is_whole: bool,
}

/// The account's own images.
fn images(account: &Account) -> Vec<Image> {
    let answer = account.ec2("describe_images", json!({"Owners": ["self"]}));
    let image = |image: &Value| Image {
        id: text(&image["ImageId"]).to_owned(),
        is_whole: image["State"] == "available"
            && tags(image).contains_key("inductiva:image-layout"),
    };
    list(&answer["Images"]).iter().map(image).collect()
}
