//! Starts and terminates of one name in two regions, by chance: what `terminate`
//! says is gone, is gone, and no group ever has more machines than the most that
//! was asked for.

use std::process::Child;

use serde_json::json;

use crate::{
    group::{Group, Verdict},
    random::Chance,
    sandbox::{Run, ended, list, text},
};

const REGIONS: [&str; 2] = ["eu-west-2", "us-east-1"];

/// Seconds, with their tags, by the settings of any history.
const MACHINES_SHOW_WITHIN: f64 = 15.0;

/// One account, in which a history takes place.
struct World {
    group: Group,
    /// The most machines that were asked for, by region.
    most: [usize; 2],
    /// The region of the last start.
    last: Option<usize>,
    /// Whether Inductiva had a group for all machines so far: a start asks it whether
    /// they may be in another region. Where it was out of reach, a start was killed, or
    /// the group was ended beside a start, N is each region's own (plan/protocol.rs, what
    /// is left to chance).
    has_all_groups: bool,
    /// What was done, for the report.
    done: Vec<String>,
}

/// The history of this seed.
pub fn history(seed: u64) -> Verdict {
    let mut chance = Chance(seed);
    let mut world = World {
        group: Group::new(0),
        most: [0; 2],
        last: None,
        has_all_groups: true,
        done: Vec::new(),
    };
    let settings = json!({
        "visible_after_seconds": chance.one_of(&[0, 0, 2, 8]),
        "visible_at_once": chance.below(3),
        "tagged_after_seconds": chance.one_of(&[0, 0, 4]),
    });
    world.done.push(format!("{settings}"));
    world.group.account.put("settings", settings);
    let result = (0..2 + chance.below(4))
        .try_for_each(|_| world.act(&mut chance))
        .and_then(|()| world.settle());
    result.map_err(|why| format!("{why}\n{}", world.done.join("\n")))
}

impl World {
    fn act(&mut self, chance: &mut Chance) -> Verdict {
        self.group.account.forget_faults();
        if chance.below(2) == 0 {
            self.order_fault(chance);
        }
        let place = usize::from(chance.below(3) == 0);
        match chance.below(8) {
            0..=2 => {
                let child = self.start(chance, place);
                self.ended("start", child);
            }
            3 | 4 => {
                let run = self.terminate(place);
                self.judge(&run)?;
            }
            5 => {
                let first = self.spawn(place, "terminate g -y");
                let second = self.spawn(place, "terminate g -y");
                for child in [first, second] {
                    let run = self.ended("terminate", child);
                    self.judge(&run)?;
                }
            }
            6 => {
                self.has_all_groups = false;
                let start = self.start(chance, place);
                let other = usize::from(chance.below(3) == 0);
                let terminate = self.spawn(other, "terminate g -y");
                self.ended("start", start);
                // What the start launched after its last look, it does not know.
                self.ended("terminate", terminate);
            }
            _ => self.kill_a_start(chance, place),
        }
        self.count()
    }

    fn order_fault(&mut self, chance: &mut Chance) {
        self.has_all_groups = false;
        let fault = chance.one_of(&["lost_answer", "reset", "500", "503"]);
        let (kind, status) = match fault {
            "500" => ("error", 500),
            "503" => ("error", 503),
            kind => (kind, 500),
        };
        let probability = chance.one_of(&[0.05, 0.1, 0.3]);
        self.done.push(format!("{fault} with {probability}"));
        self.group.account.fault(json!({
            "service": chance.one_of(&["*", "inductiva"]), "operation": "*", "kind": kind,
            "status": status, "code": "Unavailable", "count": null,
            "probability": probability, "seed": chance.below(1 << 32),
        }));
    }

    fn spawn(&mut self, place: usize, line: &str) -> Child {
        let line = format!("{line} --region {}", REGIONS[place]);
        self.done.push(line.clone());
        self.group.account.start(&line)
    }

    fn start(&mut self, chance: &mut Chance, place: usize) -> Child {
        let number = chance.one_of(&[1, 2, 2, 3]);
        self.most[place] = self.most[place].max(number);
        // A start that looks into a region which does not show its machines yet is
        // left to chance (plan/protocol.rs).
        if self.last.replace(place).is_some_and(|last| last != place) {
            self.group.account.pass(MACHINES_SHOW_WITHIN);
        }
        self.spawn(
            place,
            &format!("start --machine-group-name g --num-machines {number}"),
        )
    }

    fn ended(&mut self, what: &str, child: Child) -> Run {
        let run = ended(child);
        let alive = self.alive();
        self.done.push(format!(
            "  {what}: {}, {} alive\n    {}",
            run.code,
            alive.len(),
            run.stderr.trim().replace('\n', "\n    ")
        ));
        run
    }

    fn terminate(&mut self, place: usize) -> Run {
        let child = self.spawn(place, "terminate g -y");
        self.ended("terminate", child)
    }

    /// A start that is killed while a call is held, which then goes on or is lost.
    fn kill_a_start(&mut self, chance: &mut Chance, place: usize) {
        self.has_all_groups = false;
        let held = chance.one_of(&["hold", "hold_answer"]);
        let operation = chance.one_of(&["RunInstances", "POST /compute/group", "*"]);
        let after = if operation == "*" {
            chance.below(12)
        } else {
            0
        };
        self.group.account.forget_faults();
        self.group
            .account
            .fault(json!({"service": "*", "operation": operation, "kind": held, "after": after}));
        let mut child = self.start(chance, place);
        self.done
            .push(format!("  killed at {operation}#{after} {held}"));
        // It may have come to its end before: that is a start like others.
        if self.group.until_held(&mut child).is_ok() {
            Group::kill(child);
            self.group.release(chance.below(2) == 0);
        } else {
            self.ended("start", child);
        }
        self.group.account.forget_faults();
        // What was let go has taken effect.
        self.group.account.settle();
    }

    /// With nothing beside it, 0 means that nothing is there.
    fn judge(&self, run: &Run) -> Verdict {
        let alive = self.alive();
        if run.code == 0 && !alive.is_empty() {
            return Err(format!("done, over machines that run: {alive:?}"));
        }
        if ![0, 1, 3].contains(&run.code) {
            return Err(format!("exit code {}", run.code));
        }
        let is_known = run.stderr.contains("has no machine group");
        if run.code == 1 && !is_known && !alive.is_empty() {
            return Err(format!("failed, and does not tell of machines: {alive:?}"));
        }
        Ok(())
    }

    fn count(&self) -> Verdict {
        let launched = self.group.account.get("launched");
        for (region, most) in REGIONS.iter().zip(self.most) {
            let here = launched["most_at_once_in"][region].as_u64().unwrap_or(0);
            if here > most as u64 {
                return Err(format!("{here} machines at a time in {region}, of {most}"));
            }
        }
        let most = self.most.into_iter().max().unwrap_or(0);
        if self.has_all_groups && launched["most_at_once"].as_u64() > Some(most as u64) {
            return Err(format!("{} at a time, of {most}", launched["most_at_once"]));
        }
        Ok(())
    }

    /// With nothing in its way, the line for each region ends all that is left.
    fn settle(&mut self) -> Verdict {
        self.group.account.forget_faults();
        // Machines whose start could not reach Inductiva are known by their tags
        // alone: until these show, nobody knows the name, and that is what is said.
        self.group.account.pass(120.0);
        // A region whose machines another one's line has refused to forget.
        for place in [0, 1, 0] {
            let run = self.terminate(place);
            self.judge(&run)?;
        }
        let alive = self.alive();
        if !alive.is_empty() {
            return Err(format!("both regions are ended, and there are {alive:?}"));
        }
        let groups = self.group.account.groups();
        if !groups.is_empty() {
            return Err(format!("a group is left on Inductiva's side: {groups:?}"));
        }
        Ok(())
    }

    /// The machines that live, by the sandbox's own count.
    fn alive(&self) -> Vec<String> {
        list(&self.group.account.get("launched")["instances"])
            .iter()
            .filter(|i| matches!(text(&i["state"]), "pending" | "running"))
            .map(|i| format!("{} in {}", text(&i["instance_id"]), text(&i["region"])))
            .collect()
    }
}
