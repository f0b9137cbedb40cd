//! One machine group, what is done to it, and what must hold afterwards: judged
//! from the sandbox's own count and by boto3, never by the program's `list`.

use std::{
    io::Read as _,
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::sandbox::{Account, INTERRUPTED, Run, ended, list, run::read_up_to, signal, text};

/// What did not hold, in words.
pub type Verdict<T = ()> = Result<T, String>;

/// One call of a `start`: the `nth` of its kind, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub service: String,
    pub operation: String,
    pub nth: usize,
}

impl Call {
    /// The first launch.
    pub fn launch() -> Self {
        Self {
            service: "ec2".to_owned(),
            operation: "RunInstances".to_owned(),
            nth: 0,
        }
    }

    /// A fault of the sandbox's that strikes this call.
    pub fn fault(&self, fault: &Value) -> Value {
        let mut order =
            json!({"service": self.service, "operation": self.operation, "after": self.nth});
        let order_map = order.as_object_mut().expect("an object");
        order_map.extend(fault.as_object().expect("an object").clone());
        order
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.operation, self.nth + 1)
    }
}

/// An account with a group that is to have `number` machines.
pub struct Group {
    pub account: Account,
    number: usize,
}

impl Group {
    pub fn new(number: usize) -> Self {
        Self {
            account: Account::new(),
            number,
        }
    }

    pub fn line(&self) -> String {
        format!(
            "start --machine-group-name g --num-machines {} --output json",
            self.number
        )
    }

    pub fn start(&self) -> Child {
        self.account.start(&self.line())
    }

    /// Starts, and judges how that ended.
    pub fn run(&self) -> Verdict<Run> {
        let before = self.live();
        let run = self.account.run(&self.line());
        self.judge(&run, &before)?;
        Ok(run)
    }

    /// What a `start` that has ended must have left behind, by its exit code.
    pub fn judge(&self, run: &Run, before: &[String]) -> Verdict {
        let live = self.live();
        let said = format!("exit code {}\n{}{}", run.code, run.stdout, run.stderr);
        let must = |holds: bool, what: &str| {
            if holds {
                Ok(())
            } else {
                Err(format!(
                    "{what}; live: {live:?}; before: {before:?}; {said}"
                ))
            }
        };
        must(live.len() <= self.number, "a machine too many")?;
        match run.code {
            0 => {
                must(live.len() == self.number, "done, but not N machines")?;
                must(told(&run.stdout)? == live, "other ids are told")
            }
            1 | 4 | 5 => {
                let new = live.iter().any(|id| !before.contains(id));
                must(!new, "failed, and machines are left")
            }
            3 | 130 => {
                let named = named(&run.stderr);
                let all = run.stderr.contains("terminate --machine-group-name");
                let lives = named.iter().all(|id| live.contains(id));
                must(lives, "machines are named that do not live")?;
                let new = live.iter().filter(|id| !before.contains(*id));
                let forgotten = new.filter(|id| !named.contains(*id)).count();
                must(all || forgotten == 0, "machines may be running, not named")
            }
            _ => must(false, "no exit code of `start`"),
        }
    }

    /// The end of every case: with nothing in its way, one more start of the
    /// same line makes the group have N machines, and there never were more.
    pub fn settle(&self) -> Verdict {
        self.account.forget_faults();
        self.account.put(
            "settings",
            json!({"visible_after_seconds": 0, "clock_offset_seconds": 0}),
        );
        self.account.put("inductiva", json!({"status": null}));
        let run = self.run()?;
        if run.code != 0 {
            return Err(format!(
                "one more start fails: {}\n{}",
                run.code, run.stderr
            ));
        }
        let (counted, shown) = (self.live(), self.account.live());
        if counted != shown {
            return Err(format!("live: {counted:?}; by boto3: {shown:?}"));
        }
        let most = self.account.get("launched")["most_at_once"].clone();
        if most != self.number {
            return Err(format!("{most} machines at a time"));
        }
        Ok(())
    }

    /// The machines that live, by the sandbox's own count: sorted ids.
    pub fn live(&self) -> Vec<String> {
        let mut live: Vec<String> = list(&self.account.get("launched")["instances"])
            .iter()
            .filter(|i| matches!(text(&i["state"]), "pending" | "running"))
            .map(|i| text(&i["instance_id"]).to_owned())
            .collect();
        live.sort();
        live
    }

    /// Fails unless each fault that was ordered has struck.
    pub fn all_struck(&self) -> Verdict {
        let faults = list(&self.account.get("faults"));
        match faults.iter().find(|fault| fault["struck"] == 0) {
            Some(fault) => Err(format!("never struck: {fault}")),
            None => Ok(()),
        }
    }

    /// Waits until a call is held; fails when the program ends before.
    pub fn until_held(&self, child: &mut Child) -> Verdict {
        let deadline = Instant::now() + Duration::from_mins(3);
        loop {
            let faults = list(&self.account.get("faults"));
            if faults.iter().any(|fault| fault["held"] != 0) {
                return Ok(());
            }
            if child.try_wait().expect("a child").is_some() {
                return Err("the program ended before the call was made".to_owned());
            }
            if Instant::now() > deadline {
                return Err("the call was never made".to_owned());
            }
            sleep(Duration::from_millis(40));
        }
    }

    /// Lets go of the calls that are held.
    pub fn release(&self, drop: bool) {
        self.account.post("release", json!({"drop": drop}));
    }

    /// Ends it as SIGKILL does.
    pub fn kill(mut child: Child) {
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Sends the signals, each when the one before was heard, and lets go of the
    /// call that is held; the end of the program.
    pub fn interrupt(&self, mut child: Child, signals: &[&str], drop: bool) -> Run {
        let mut said = String::new();
        for (place, name) in signals.iter().enumerate() {
            signal(&child, name);
            // The second ends it, and so does the first before anything is launched.
            let mut stderr = child.stderr.take().expect("stderr is a pipe");
            if place == 0 {
                said = read_up_to(&mut stderr, INTERRUPTED);
            } else {
                stderr.read_to_string(&mut said).expect("stderr is UTF-8");
            }
            child.stderr = Some(stderr);
        }
        self.release(drop);
        let run = ended(child);
        Run {
            stderr: run.stderr.after(&said),
            ..run
        }
    }

    /// Ends machines of the group as somebody else would.
    pub fn terminate(&self, number: usize) {
        let ids: Vec<String> = self.live().into_iter().take(number).collect();
        if ids.is_empty() {
            return;
        }
        self.account
            .ec2("terminate_instances", json!({"InstanceIds": ids}));
        self.account.settle();
    }

    /// The calls that were made, in their order.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls: Vec<Call> = Vec::new();
        for request in self.account.requests() {
            let (service, operation) = (text(&request["service"]), text(&request["operation"]));
            let same = |call: &&Call| call.service == service && call.operation == operation;
            let nth = calls.iter().filter(same).count();
            calls.push(Call {
                service: service.to_owned(),
                operation: operation.to_owned(),
                nth,
            });
        }
        calls
    }
}

/// The ids in the document of a `start` or a `list`, sorted.
pub fn told(stdout: &str) -> Verdict<Vec<String>> {
    let document: Value =
        serde_json::from_str(stdout).map_err(|_| format!("no JSON on stdout: {stdout}"))?;
    let machines = list(&document["machines"]);
    let mut ids: Vec<String> = machines
        .iter()
        .map(|m| text(&m["instance_id"]).to_owned())
        .collect();
    ids.sort();
    Ok(ids)
}

/// The ids in the document of an error.
pub fn named(stderr: &str) -> Vec<String> {
    let last = stderr.lines().last().unwrap_or_default();
    let document: Value = serde_json::from_str(last).unwrap_or_default();
    let machines = document["error"]["machines"].as_array().cloned();
    machines
        .unwrap_or_default()
        .iter()
        .map(|id| text(id).to_owned())
        .collect()
}
