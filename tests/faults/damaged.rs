//! Answers of AWS's that are cut, or lack what they must have: at every call of
//! `start`, `list` and `terminate`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    cases::{Case, Running, calls, launches},
    group::{Call, Group, Verdict, told},
    happenings::refused,
    sandbox::Run,
};

/// What happens to an answer, by name; the sandbox's damage.py says what that is.
fn damages(cuts: u32) -> Vec<(String, Value)> {
    let lists = ["empty_set", "no_set", "ids_twice", "ids_missing"]
        .map(|damage| (damage.to_owned(), json!({"damage": damage})));
    // The last is the end of the root alone.
    let cut = |n: u32| {
        let at = (f64::from(n) / f64::from(cuts)).min(0.9999);
        let name = format!("cut at {:.0} %", at * 100.0);
        let until_close = n % 2 == 1;
        (name, json!({"at": at, "until_close": until_close}))
    };
    lists.into_iter().chain((0..=cuts).map(cut)).collect()
}

/// The same once, and to all answers from that one on.
fn faults(call: &Call, cuts: u32) -> impl Iterator<Item = (String, Value)> + use<> {
    let call = call.clone();
    damages(cuts).into_iter().flat_map(move |(name, damage)| {
        let call = call.clone();
        [("", json!(1)), (" for good", json!(null))].map(move |(often, count)| {
            let mut fault = json!({"kind": "damaged_answer", "count": count});
            let more = damage.as_object().expect("an object").clone();
            fault.as_object_mut().expect("an object").extend(more);
            (format!("{call} {name}{often}"), call.fault(&fault))
        })
    })
}

/// Whether it is a call of AWS's.
fn is_awss(call: &Call) -> bool {
    call.service != "inductiva"
}

pub fn at_every_call() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, cuts, cuts_of_launches) in [(1, 1, 4), (2, 2, 30), (20, 1, 4), (250, 1, 1)] {
        for call in calls(number, None).iter().filter(|call| is_awss(call)) {
            // Of the others' answers the number changes little.
            if number != 2 && !launches(call) {
                continue;
            }
            let cuts = if launches(call) {
                cuts_of_launches
            } else {
                cuts
            };
            for (what, fault) in faults(call, cuts) {
                cases.push(Case::new(number, &what, move |group| {
                    group.account.fault(fault.clone());
                    group.run()?;
                    group.all_struck()
                }));
            }
        }
    }
    cases.extend(undone());
    let changes_nothing = true;
    cases.extend(of_another_command(
        "list --output json",
        changes_nothing,
        |group, run, fault| {
            let is_empty = fault["damage"] == "empty_set";
            if run.code != 0 || (is_empty && fault["operation"] == "DescribeInstances") {
                return Ok(());
            }
            let (live, told) = (group.live(), told(&run.stdout)?);
            must(told == live, &format!("not all is shown: {told:?}"), run)
        },
    ));
    cases.extend(of_another_command(
        "terminate --machine-group-name g -y",
        !changes_nothing,
        |group, run, fault| {
            let live = group.live();
            // Nobody can tell a group that does not show from one that is not there.
            let is_empty = fault["damage"] == "empty_set";
            if is_empty && fault["operation"] == "DescribeInstances" {
                return Ok(());
            }
            must(
                run.code != 0 || live.is_empty(),
                "done, and machines live",
                run,
            )?;
            let all = run.stderr.contains("terminate");
            let is_named = |id: &String| run.stderr.contains(id.as_str());
            must(
                run.code != 3 || all || live.iter().all(is_named),
                "machines may be running, not named",
                run,
            )
        },
    ));
    cases
}

/// Damage to the answers with which a launch that failed is undone.
fn undone() -> Vec<Case> {
    let number = 101;
    let Some(last) = calls(number, None).into_iter().rfind(launches) else {
        return Vec::new();
    };
    let refusal = last.fault(&refused());
    let all = calls(number, Some(refusal.clone()));
    let after = all.iter().position(|call| *call == last).expect("it fails");
    let mut cases = Vec::new();
    for call in all[after + 1..].iter().filter(|call| is_awss(call)) {
        for (what, fault) in faults(call, 1) {
            let refusal = refusal.clone();
            cases.push(Case::new(
                number,
                &format!("undoing, {what}"),
                move |group| {
                    group.account.fault(refusal.clone());
                    group.account.fault(fault.clone());
                    let run = group.account.run(&group.line());
                    judge_undone(group, &run)?;
                    group.all_struck()
                },
            ));
        }
    }
    cases
}

/// An end that is not confirmed has taken place all the same: machines are named
/// then that do not live, but never the other way round.
fn judge_undone(group: &Group, run: &Run) -> Verdict {
    let live = group.live();
    must(matches!(run.code, 1 | 3), "not undone", run)?;
    must(
        live.is_empty() || run.code == 3,
        "failed, and machines are left",
        run,
    )?;
    let is_named = |id: &String| run.stderr.contains(id.as_str());
    must(
        live.iter().all(is_named),
        "machines are running, not named",
        run,
    )
}

type Judge = fn(&Group, &Run, &Value) -> Verdict;

/// Damage at each call of a command that is run when the group is there.
fn of_another_command(line: &'static str, changes_nothing: bool, judge: Judge) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, cuts) in [(2, 2), (120, 1)] {
        let group = Group::new(number);
        group.run().expect("a group");
        group.account.forget_requests();
        let run = group.account.run(line);
        assert_eq!(run.code, 0, "{line}: {}", run.stderr);
        // Of many machines, the first calls that name them.
        let names_them = |call: &&Call| {
            let operation = call.operation.as_str();
            let names = matches!(operation, "DescribeInstances" | "TerminateInstances");
            number == 2 || names && call.nth == 0
        };
        let calls = group.calls();
        let running = Arc::new(Running::default());
        for call in calls.iter().filter(|call| is_awss(call)).filter(names_them) {
            for (what, fault) in faults(call, cuts) {
                let what = format!("{line}, {what}");
                let case = Case::new(number, &what, move |group| {
                    if !changes_nothing {
                        group.run()?;
                    }
                    // The calls of `start` have been seen by then.
                    group.account.fault(fault.clone());
                    let run = group.account.run(line);
                    judge(group, &run, &fault)?;
                    group.all_struck()
                });
                cases.push(if changes_nothing {
                    case.of(&running)
                } else {
                    case
                });
            }
        }
    }
    cases
}

fn must(holds: bool, what: &str, run: &Run) -> Verdict {
    if holds {
        return Ok(());
    }
    Err(format!(
        "{what}; exit code {}\n{}{}",
        run.code, run.stdout, run.stderr
    ))
}
