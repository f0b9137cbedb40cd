//! Random histories of groups with a budget: machines are launched, end, are added, made
//! again or forgotten, and prices change. What a group costs stays within its budget.
//!
//! The sum leaves out only what nobody can see: a machine that never registered with
//! Inductiva, once EC2 no longer shows it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    budget::{Budget, ENDING},
    budget_of_launch::{of_launch, refuse_another},
    examples::{facts, request},
    luck::Luck,
};
use crate::model::{
    active_group::{ActiveGroup, Record},
    machine::{Machine, State, TAG_BUDGET, TAG_GROUP_ID, TAG_LAUNCH},
};

const HISTORIES: u64 = 10_000;
const BUDGET: f64 = 20.0;
/// For how many seconds EC2 shows a machine after its end.
const SHOWN_FOR: u64 = 3_600;

/// A machine as it really is.
struct Real {
    id: String,
    life: usize,
    launched: u64,
    /// When it begins to be billed.
    runs: u64,
    /// When it is off: at its deadline, or before.
    off: u64,
    /// When it is told to end.
    ended: u64,
    registered: Option<u64>,
    usd_per_hour: f64,
    usd_once: f64,
    budget: Budget,
    launch: String,
    group_id: String,
}

impl Real {
    fn cost(&self) -> f64 {
        seconds_f64(self.off.saturating_sub(self.runs).max(60)) / 3_600.0 * self.usd_per_hour
            + self.usd_once
    }

    fn is_invisible(&self, now: u64) -> bool {
        self.registered.is_none_or(|at| at > self.ended) && now > self.off + SHOWN_FOR
    }
}

#[expect(clippy::cast_precision_loss, reason = "some years")]
fn seconds_f64(seconds: u64) -> f64 {
    seconds as f64
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

struct BudgetWorld {
    luck: Luck,
    now: u64,
    machines: Vec<Real>,
    /// Its id, and when it was made.
    group: Option<(String, u64)>,
    groups: usize,
    launches: usize,
    lives: usize,
    most: f64,
    /// What filling a machine's disk costs once.
    once: f64,
    refusals: usize,
}

impl BudgetWorld {
    fn new(seed: u64) -> Self {
        Self {
            luck: Luck::new(seed),
            now: 1_764_000_000,
            machines: Vec::new(),
            group: None,
            groups: 0,
            launches: 0,
            lives: 0,
            most: 0.5,
            once: 0.0,
            refusals: 0,
        }
    }

    fn live(&self) -> usize {
        self.machines.iter().filter(|m| m.ended > self.now).count()
    }

    /// The machines as EC2 shows them.
    fn shown(&self) -> Vec<Machine> {
        let shown = self
            .machines
            .iter()
            .filter(|m| self.now <= m.off + SHOWN_FOR);
        let machine = |m: &Real| Machine {
            launched_at: Some(time(m.launched)),
            // EC2 does not always tell this.
            ended_at: (m.ended <= self.now && !m.launched.is_multiple_of(3)).then(|| time(m.ended)),
            tags: vec![
                (TAG_BUDGET.into(), m.budget.to_string()),
                (TAG_LAUNCH.into(), format!("{} call=0", m.launch)),
                (TAG_GROUP_ID.into(), m.group_id.clone()),
            ],
            ..Machine::example(
                &m.id,
                if m.ended > self.now {
                    State::Running
                } else {
                    State::Terminated
                },
            )
        };
        shown.map(machine).collect()
    }

    /// The group as Inductiva has it.
    fn active(&self) -> Option<ActiveGroup> {
        let (id, made) = self.group.as_ref()?;
        let of_it = self.machines.iter().filter(|m| m.group_id == *id);
        let record = |m: &Real| {
            let registered = m
                .registered
                .filter(|at| *at <= self.now && *at <= m.ended)?;
            Some(Record {
                host_name: m.id.clone(),
                started_at: Some(time(registered)),
                ended_at: (m.ended <= self.now && !m.launched.is_multiple_of(2))
                    .then(|| time(m.ended)),
                last_seen_at: None,
            })
        };
        Some(ActiveGroup {
            id: id.clone(),
            created_at: (made % 4 > 0).then(|| time(*made)),
            machines: of_it.filter_map(record).collect(),
        })
    }

    fn start(&mut self) {
        let number = u32::try_from(self.luck.below(4)).expect("few") + 1;
        // The list price has changed, or the type is another.
        if self.luck.chance(0.3) {
            self.most = 0.05 + seconds_f64(self.luck.below(200)) / 100.0;
        }
        let mut request = request(number);
        request.max_cost = Some(BUDGET.to_string());
        let mut facts = facts(self.shown(), time(self.now));
        // The image has another size, prepared or not.
        if self.luck.chance(0.3) {
            self.once = seconds_f64(self.luck.below(3)) / 4.0;
        }
        facts.most_usd_per_hour = Ok(self.most);
        facts.usd_once = Ok(self.once);
        facts.group = if self.luck.chance(0.05) {
            Err("no answer".into())
        } else {
            Ok(self.active())
        };
        let have = u32::try_from(self.live()).expect("few");
        if have >= number || refuse_another(&request, &facts).is_err() {
            return;
        }
        let Ok(budget) = of_launch(&request, &facts, number - have) else {
            self.refusals += 1;
            return;
        };
        let budget = budget.expect("a budget");
        if budget.later.is_none() {
            self.lives += 1;
        }
        if self.group.is_none() {
            self.groups += 1;
            self.group = Some((format!("group-{}", self.groups), self.now));
        }
        self.launches += 1;
        // A mismatch, or no capacity: nothing is launched.
        if self.luck.chance(0.1) {
            return;
        }
        for _ in have..number {
            self.launch(&budget);
        }
        // The same call, made again, is answered with the same machines.
    }

    fn launch(&mut self, budget: &Budget) {
        // A call that is made again launches its machines later.
        let late = if self.luck.chance(0.1) {
            self.luck.below(600)
        } else {
            0
        };
        let launched = self.now + late;
        let runs = launched + self.luck.below(60);
        let begins_to_end = match &budget.later {
            Some(later) => later.ends.min(runs + budget.seconds),
            None => runs + budget.seconds,
        };
        let mut ended = begins_to_end.max(runs);
        // The machine fails, is idle, or is taken back.
        if self.luck.chance(0.4) {
            let spans = [20, 600, 7_200, 86_400];
            let span = spans[usize::try_from(self.luck.below(4)).expect("an index")];
            ended = ended.min(runs + 1 + self.luck.below(span));
        }
        let registers = self.luck.chance(0.85);
        let registered = registers.then(|| runs + self.luck.below(1_700));
        let place = self.machines.len();
        self.machines.push(Real {
            id: format!("i-{place:017x}"),
            life: self.lives,
            launched,
            runs,
            off: ended + self.luck.below(ENDING.as_secs() + 1),
            ended,
            registered,
            // The machines may be of several types and markets.
            usd_per_hour: self.most * seconds_f64(30 + self.luck.below(71)) / 100.0,
            usd_once: self.once,
            budget: budget.clone(),
            launch: format!("launch-{}", self.launches),
            group_id: self
                .group
                .as_ref()
                .map_or(String::new(), |(id, _)| id.clone()),
        });
    }

    fn terminate(&mut self) {
        for machine in &mut self.machines {
            if machine.ended > self.now {
                machine.ended = self.now.max(machine.launched);
                machine.off = machine.ended + 30;
            }
        }
        self.group = None;
    }

    fn step(&mut self) {
        match self.luck.below(10) {
            0 => self.terminate(),
            // The last machine of a group deletes it, or Inductiva does.
            1 if self.live() == 0 => self.group = None,
            _ => self.start(),
        }
        let spans = [30, 900, 7_200, 40_000];
        let span = spans[usize::try_from(self.luck.below(4)).expect("an index")];
        self.now += 1 + self.luck.below(span);
    }

    /// What each group has cost that machines were launched in, as far as it can be seen.
    fn costs(&self) -> Vec<f64> {
        let mut costs = vec![0.0; self.lives + 1];
        for machine in &self.machines {
            let mut of_life = self.machines.iter().filter(|m| m.life == machine.life);
            let is_forgotten = of_life.any(|later| machine.is_invisible(later.launched));
            if !is_forgotten {
                costs[machine.life] += machine.cost();
            }
        }
        costs
    }
}

#[test]
fn no_group_costs_more_than_its_budget() {
    let (mut launched, mut later, mut refused, mut dearest) = (0, 0, 0, 0.0_f64);
    for seed in 0..HISTORIES {
        let mut world = BudgetWorld::new(seed);
        for _ in 0..16 {
            world.step();
        }
        for cost in world.costs() {
            assert!(cost <= BUDGET + 1e-6, "seed {seed}: {cost} USD");
            dearest = dearest.max(cost);
        }
        let by_launch = |m: &&Real| m.budget.later.is_some();
        later += world.machines.iter().filter(by_launch).count();
        launched += world.machines.len();
        refused += world.refusals;
    }
    // The histories have launches, later launches and refusals in them.
    assert!(launched > 10_000 && later > 1_000 && refused > 1_000);
    assert!(dearest > 0.95 * BUDGET, "{dearest}");
}
