//! What must never happen in a simulated world.

use std::collections::BTreeSet;

use super::state::{Job, Process, SimulatedMachine, SimulatedState};

impl SimulatedState {
    /// Judges the number of machines after a launch. There may be no more than the
    /// largest number that was asked for since the last `terminate` that reported
    /// success.
    pub fn accepted(&mut self) {
        let done = |p: &&Process| p.what == Job::Terminate && p.code == Some(0);
        let ended = self.processes.iter().filter(done);
        let since = ended.map(|p| p.begins).fold(f64::NEG_INFINITY, f64::max);
        let mut most = 0;
        for process in &self.processes {
            if let Job::Start { number, .. } = process.what
                && process.begins <= self.now
                && process.ended > since
            {
                most = most.max(number);
            }
        }
        let live = self.live();
        if live > most as usize {
            self.broke("too many", format!("{live} live, {most} asked for"));
        }
    }

    /// Judges a start of which a terminate has missed machines: it may say nothing of
    /// them only if it has died, or if none of them is left.
    pub fn leaves(&mut self, who: usize) {
        let now = self.now;
        let lives = self.machines.iter().any(|m| m.by == who && m.lives(now));
        if lives && self.processes[who].passed_over {
            self.broke("forgotten", format!("{who} does not tell of its machines"));
        }
    }

    /// Judges how a run has ended.
    pub fn ended(&mut self, who: usize, code: u8, counted: Vec<String>) {
        let now = self.now;
        let process = &mut self.processes[who];
        (process.ended, process.code, process.counted) = (now, Some(code), counted);
        let process = process.clone();
        self.tell(|| format!("{who}: exit {code}"));
        let alone = !self
            .processes
            .iter()
            .enumerate()
            .any(|(other, p)| other != who && p.begins < now && p.ended > process.begins);
        match process.what {
            Job::Terminate => {
                let left = self.machines.iter();
                let left = left.filter(|m| m.lives(now) && m.at < process.begins);
                let starts: BTreeSet<usize> = left.map(|m| m.by).collect();
                for start in starts.into_iter().filter(|_| code <= 1) {
                    // A start that is under way tells of its machines, or undoes them.
                    let start = &mut self.processes[start];
                    if start.code.is_none() && !start.is_dead {
                        start.passed_over = true;
                    } else {
                        self.broke("forgotten", format!("{who} says done"));
                    }
                }
            }
            Job::Start { .. } if process.passed_over && !matches!(code, 0 | 3) => {
                self.leaves(who);
            }
            Job::Start { number, least, .. } if code == 0 && alone => {
                // A machine that has ended itself meanwhile may or may not have been
                // counted.
                let recently = now - 160.0 - process.napped;
                let counts =
                    |m: &&SimulatedMachine| m.lives(now) || m.ends_itself && m.ended > recently;
                let counted = self.machines.iter().filter(counts).count();
                let live = self.live();
                if counted < least as usize || live > number as usize {
                    // Another start may have launched more, which do not show yet.
                    let unseen = live > number as usize
                        && self.processes.iter().any(|p| {
                            matches!(p.what, Job::Start { number: more, .. } if more > number)
                                && p.code == Some(0)
                        });
                    let how = if unseen { "unseen" } else { "false exit" };
                    self.broke(how, format!("{who} says {number}, {live} live"));
                }
            }
            Job::Start { .. } => {}
        }
    }
}
