//! What a simulated world consists of, and how its time passes.

#![expect(clippy::struct_excessive_bools, reason = "a world has many switches")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    task::Waker,
};

use crate::{
    model::machine::{Machine, State},
    plan::luck::Luck,
};

/// How harsh a world is.
#[derive(Clone, Debug)]
pub struct Weather {
    /// The longest time that a machine does not show, in seconds.
    pub visible_within: f64,
    /// Whether tags show later than their machine.
    pub tags_are_late: bool,
    /// Whether EC2 refuses a spent token; else it answers with the machines.
    pub says_spent: bool,
    pub token_life: f64,
    /// How long ended machines show, in seconds. None: for a random time of up to an
    /// hour.
    pub linger: Option<f64>,
    /// Whether Inductiva makes a second group of one name.
    pub duplicates: bool,
    /// How often Inductiva goes out of reach.
    pub flapping: f64,
    pub die: f64,
    pub nap: f64,
    pub lose: f64,
    pub slow: f64,
    pub machines_end: bool,
    /// Whether there are two places, whose capacity comes and goes.
    pub places: bool,
    pub salt: u64,
    pub new_image_at: f64,
}

impl Weather {
    /// A random one. A `quiet` one has no faults, except that EC2 shows machines late.
    pub fn by_chance(luck: &mut Luck, quiet: bool, plain: bool) -> Self {
        let faults = f64::from(if quiet {
            0
        } else {
            luck.weighted(&[(0, 3), (1, 6), (2, 1)])
        });
        Self {
            visible_within: luck.weighted(&[(2.0, 3), (10.0, 3), (60.0, 3), (120.0, 1)]),
            tags_are_late: luck.chance(0.3),
            says_spent: luck.chance(0.6),
            token_life: luck.between(86_400.0, 3.0 * 86_400.0),
            linger: luck.weighted(&[(Some(3_600.0), 12), (None, 5), (Some(0.0), 3)]),
            duplicates: luck.chance(0.5),
            flapping: if quiet || plain {
                0.0
            } else {
                luck.weighted(&[(0.0, 14), (0.15, 4), (1.0, 2)])
            },
            die: 0.012 * faults,
            nap: 0.012 * faults,
            lose: 0.04 * faults,
            slow: 0.03 * faults,
            machines_end: luck.chance(0.4),
            places: !quiet && !plain && luck.chance(0.3),
            salt: luck.draw(),
            new_image_at: if luck.chance(0.3) {
                luck.between(0.0, 80_000.0)
            } else {
                f64::INFINITY
            },
        }
    }
}

/// A machine, and when EC2 shows what of it.
#[derive(Clone, Debug)]
pub struct SimulatedMachine {
    pub machine: Machine,
    pub at: f64,
    pub shows: f64,
    pub tags_show: f64,
    pub ended: f64,
    pub gone: f64,
    pub ends_itself: bool,
    /// The start that launched it.
    pub by: usize,
}

impl SimulatedMachine {
    pub fn lives(&self, now: f64) -> bool {
        self.ended > now
    }

    pub fn as_shown(&self, now: f64) -> Machine {
        Machine {
            state: if self.lives(now) {
                State::Running
            } else {
                State::Terminated
            },
            ..self.machine.clone()
        }
    }
}

#[derive(Clone, Debug)]
pub struct SimulatedGroup {
    pub id: String,
    pub made: f64,
    pub ended: f64,
}

/// What a run is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Job {
    /// A start of `number` machines or at least `least`, with the group's settings or
    /// others.
    Start {
        number: u32,
        least: u32,
        other_settings: bool,
    },
    Terminate,
}

/// A run, and how it ended.
#[derive(Clone, Debug)]
pub struct Process {
    pub what: Job,
    pub begins: f64,
    pub interrupted_at: f64,
    pub ended: f64,
    /// None while it runs, and once it has died.
    pub code: Option<u8>,
    pub is_dead: bool,
    pub frozen_until: f64,
    /// The machines that a start which exited 0 said the group is made of.
    pub counted: Vec<String>,
    /// Whether a terminate reported success while this start was under way, and missed
    /// machines of it.
    pub passed_over: bool,
    /// For how many seconds it was asleep.
    pub napped: f64,
}

impl Process {
    pub fn new(what: Job, begins: f64) -> Self {
        Self {
            what,
            begins,
            interrupted_at: f64::INFINITY,
            ended: f64::INFINITY,
            code: None,
            is_dead: false,
            frozen_until: 0.0,
            counted: Vec::new(),
            passed_over: false,
            napped: 0.0,
        }
    }
}

pub struct SimulatedState {
    pub now: f64,
    pub luck: Luck,
    pub weather: Weather,
    pub machines: Vec<SimulatedMachine>,
    /// By token and place: the request's bytes, and the machines.
    pub tokens: HashMap<(String, String), (String, Vec<usize>)>,
    pub groups: Vec<SimulatedGroup>,
    pub down_until: f64,
    pub processes: Vec<Process>,
    pub events: BTreeMap<(u64, u64), Event>,
    pub sequence: u64,
    pub wakers: Vec<Waker>,
    /// What must never happen, and did.
    pub broken: Vec<(&'static str, String)>,
    pub told: Option<Vec<String>>,
}

pub type Event = Box<dyn FnOnce(&mut SimulatedState) + Send>;

impl fmt::Debug for SimulatedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the world at {}", self.now)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times since 1970"
)]
pub fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

impl SimulatedState {
    pub fn at(&mut self, time: f64, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.sequence += 1;
        let key = (micros(time.max(self.now)), self.sequence);
        self.events.insert(key, Box::new(event));
    }

    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(told) = &mut self.told {
            told.push(format!("{now:10.2} {}", what()));
        }
    }

    pub fn broke(&mut self, how: &'static str, what: String) {
        self.tell(|| format!("!! {how}: {what}"));
        self.broken.push((how, what));
    }

    pub fn live(&self) -> usize {
        self.machines.iter().filter(|m| m.lives(self.now)).count()
    }
}
