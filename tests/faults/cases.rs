//! The cases: what is done to a group, by name.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    group::{Call, Group, Verdict},
    happenings::{Happening, happenings, large_happenings, long_happenings, refused},
    sandbox::ended,
};

/// The numbers of machines: one, some, many, and more than one call launches.
const NUMBERS: [usize; 3] = [1, 2, 20];
/// With what is left for the last call, and the calls between.
const SEVERAL_CALLS: [usize; 2] = [101, 250];

/// The part of the names that is asked for; empty for all cases.
pub fn wanted() -> String {
    env::var("INDUCTIVA_AWS_FAULT_CASE").unwrap_or_default()
}

type Act = Box<dyn Fn(&Group) -> Verdict + Send + Sync>;

/// Something that happens to a group that is to have `number` machines.
pub struct Case {
    pub name: String,
    /// Whether it does little but wait, for half a minute or more.
    pub waits: bool,
    number: usize,
    act: Act,
    /// Whether it is about a group, which comes to have its machines.
    is_of_group: bool,
    /// Where its group is from, if it leaves the group as it was.
    unchanged: Option<Arc<Running>>,
}

impl Case {
    pub fn new(
        number: usize,
        what: &str,
        act: impl Fn(&Group) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("{number} machines: {what}"),
            waits: false,
            number,
            act: Box::new(act),
            is_of_group: true,
            unchanged: None,
        }
    }

    /// One that is about an account, and about no group.
    pub fn of_account(name: &str, act: impl Fn(&Group) -> Verdict + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            is_of_group: false,
            ..Self::new(0, "", act)
        }
    }

    /// The same, with a group that has its machines already, and which it leaves
    /// as it was.
    pub fn of(self, groups: &Arc<Running>) -> Self {
        Self {
            unchanged: Some(Arc::clone(groups)),
            ..self
        }
    }

    /// The same, which mostly waits.
    fn that_waits(self) -> Self {
        Self {
            waits: true,
            ..self
        }
    }

    /// Lets it happen, and looks whether the group comes to have its machines.
    pub fn run(&self) -> Verdict {
        if let Some(groups) = &self.unchanged {
            return groups.lend(self.number, &self.act);
        }
        let group = Group::new(self.number);
        (self.act)(&group)?;
        if self.is_of_group {
            return group.settle();
        }
        Ok(())
    }
}

/// Groups that have their machines, for cases that change nothing: making one takes
/// longer than such a case.
#[derive(Default)]
pub struct Running(Mutex<Vec<Group>>);

impl Running {
    /// Makes one if all are in use. One with which a case did not hold is not used again.
    fn lend(&self, number: usize, act: &Act) -> Verdict {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = free().pop();
        let group = if let Some(group) = lent {
            group
        } else {
            let group = Group::new(number);
            group.run()?;
            group
        };
        let before = group.live();
        act(&group)?;
        if group.live() != before {
            return Err(format!("it had {before:?}, and has {:?}", group.live()));
        }
        group.account.forget_faults();
        free().push(group);
        Ok(())
    }
}

/// The calls of a start that nothing disturbs, or that the fault does. None for
/// a number of machines that no case is wanted of.
pub fn calls(number: usize, fault: Option<Value>) -> Vec<Call> {
    let wanted = wanted();
    if wanted.contains("machines:") && !wanted.starts_with(&number.to_string()) {
        return Vec::new();
    }
    let group = Group::new(number);
    if let Some(fault) = fault {
        group.account.fault(fault);
    }
    let code = group.account.run(&group.line()).code;
    assert!(
        code == 0 || code == 1,
        "{number} machines: exit code {code}"
    );
    group.calls()
}

pub fn launches(call: &Call) -> bool {
    call.operation == "RunInstances"
}

pub fn every_fault_at_every_call() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in NUMBERS {
        for call in calls(number, None) {
            cases.extend(happening_to(number, &call, happenings()));
            let long = happening_to(number, &call, long_happenings());
            cases.extend(long.map(Case::that_waits));
        }
    }
    for number in SEVERAL_CALLS {
        for call in calls(number, None).iter().filter(|c| launches(c)) {
            cases.extend(happening_to(number, call, large_happenings()));
        }
    }
    cases.extend(undone());
    cases
}

fn happening_to(
    number: usize,
    call: &Call,
    happenings: Vec<Happening>,
) -> impl Iterator<Item = Case> {
    happenings.into_iter().map(move |happening| {
        let call = call.clone();
        let what = format!("{call} {}", happening.name());
        Case::new(number, &what, move |group| happening.happen(group, &call))
    })
}

/// Each fault at each call with which a launch that failed is undone.
fn undone() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in [2, SEVERAL_CALLS[0]] {
        let Some(last) = calls(number, None).into_iter().rfind(launches) else {
            continue;
        };
        let fault = last.fault(&refused());
        let all = calls(number, Some(fault.clone()));
        let after = all.iter().position(|call| *call == last).expect("it fails");
        for call in &all[after + 1..] {
            let undoing = |happening: Happening| {
                let (call, fault) = (call.clone(), fault.clone());
                let what = format!("undoing, {call} {}", happening.name());
                Case::new(number, &what, move |group| {
                    group.account.fault(fault.clone());
                    happening.happen(group, &call)
                })
            };
            if number > 2 {
                cases.extend(large_happenings().into_iter().map(undoing));
                continue;
            }
            cases.extend(happenings().into_iter().map(undoing));
            let long = long_happenings().into_iter().map(undoing);
            cases.extend(long.map(Case::that_waits));
        }
    }
    cases
}

/// What happens around a start, not to one call of it.
pub fn around_a_start() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in NUMBERS {
        for starts in [2, 8] {
            let what = format!("{starts} starts at once");
            cases.push(Case::new(number, &what, move |g| at_once(g, starts)));
        }
        cases.push(Case::new(number, "a start of a group that is there", |g| {
            g.run()?;
            Ok(())
        }));
        cases.push(Case::new(
            number,
            "another after all were terminated",
            move |g| {
                g.run()?;
                g.terminate(number);
                g.run()?;
                Ok(())
            },
        ));
        cases.push(Case::new(
            number,
            "another when EC2 has forgotten the terminated",
            move |g| {
                g.run()?;
                g.terminate(number);
                g.account.post("forget_terminated", json!({}));
                g.run()?;
                Ok(())
            },
        ));
        cases.push(Case::new(number, "one terminated", |g| {
            g.run()?;
            g.terminate(1);
            g.run()?;
            Ok(())
        }));
        for (what, visible_at_once) in [("no machine", 0), ("half of the machines", number / 2)] {
            let unseen = json!({"visible_after_seconds": 30, "visible_at_once": visible_at_once});
            cases.extend(invisible(number, what, &unseen));
        }
        for hours in [-1, 1] {
            let what = format!("the clock is {hours} h wrong");
            cases.push(Case::new(number, &what, move |g| {
                g.account
                    .put("settings", json!({"clock_offset_seconds": hours * 3600}));
                g.run()?;
                Ok(())
            }));
        }
        cases.push(Case::new(number, "Inductiva down", |g| {
            g.account.put("inductiva", json!({"status": 503}));
            succeeds(g)
        }));
        for seed in 0..4 {
            let what = format!("Inductiva flapping, seed {seed}");
            cases.push(Case::new(number, &what, move |g| {
                g.account.fault(json!({"service": "inductiva", "operation": "*", "count": null, "probability": 0.5, "seed": seed}));
                succeeds(g)
            }));
        }
    }
    cases
}

/// A start that must succeed whatever else is the matter.
fn succeeds(group: &Group) -> Verdict {
    let run = group.run()?;
    if run.code == 0 {
        Ok(())
    } else {
        Err(format!("exit code {}\n{}", run.code, run.stderr))
    }
}

/// Several starts of one line at a time: each that succeeds tells the same machines.
fn at_once(group: &Group, starts: usize) -> Verdict {
    let children: Vec<_> = (0..starts).map(|_| group.start()).collect();
    let runs: Vec<_> = children.into_iter().map(ended).collect();
    if runs.iter().all(|run| run.code != 0) {
        return Err(format!("none of them succeeds\n{}", runs[0].stderr));
    }
    for run in runs.iter().filter(|run| run.code == 0) {
        group.judge(run, &[])?;
    }
    Ok(())
}

/// Cases in which new machines do not show for half a minute.
fn invisible(number: usize, what: &str, unseen: &Value) -> Vec<Case> {
    let case = |how: &str, act: fn(&Group) -> Verdict| {
        let unseen = unseen.clone();
        Case::new(number, &format!("{what} shows, {how}"), move |group| {
            group.account.put("settings", unseen.clone());
            act(group)
        })
        .that_waits()
    };
    vec![
        case("a start after another", |g| {
            g.run()?;
            g.run()?;
            Ok(())
        }),
        case("a start after a killed one", |g| {
            kill_at_launch(g)?;
            g.run()?;
            Ok(())
        }),
        case("a newer image after a killed start", |g| {
            kill_at_launch(g)?;
            g.account.post("publish_image", json!({}));
            g.run()?;
            Ok(())
        }),
        case("two starts at once", |g| at_once(g, 2)),
        case("interrupted after the launch", |g| {
            let call = Call::launch();
            g.account.fault(call.fault(&json!({"kind": "hold_answer"})));
            let mut child = g.start();
            g.until_held(&mut child)?;
            let run = g.interrupt(child, &["-INT"], false);
            g.judge(&run, &[])
        }),
    ]
}

/// A start that is killed when its machines are launched, and nobody knows.
fn kill_at_launch(group: &Group) -> Verdict {
    let call = Call::launch();
    group
        .account
        .fault(call.fault(&json!({"kind": "hold_answer"})));
    let mut child = group.start();
    group.until_held(&mut child)?;
    Group::kill(child);
    group.release(true);
    group.account.forget_faults();
    Ok(())
}
