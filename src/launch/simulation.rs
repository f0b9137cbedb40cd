//! A world in which the launching itself is run, by chance and in no time: EC2 with
//! its client tokens, its late answers and late sights, Inductiva's groups, and
//! runs that die, sleep and race. Harsher than life: it is to find what is wrong.

#![expect(
    clippy::struct_excessive_bools,
    clippy::result_large_err,
    reason = "a world has many switches, and answers what EC2 answers"
)]

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use super::{
    key_pair::NewKeyPair,
    look_up::{Found, GroupLookup},
    world::World,
};
use crate::{
    aws::{
        Identity,
        run_instances::{Launch, LaunchError, NoCapacity, Remedy},
        terminate::Terminated,
    },
    error::{Failure, Kind, Result, Tried},
    inductiva::{ApiError, Group},
    machines::{everywhere, last_look},
    model::{
        machine::{Machine, State as MachineState, TAG_GROUP_ID},
        network::Subnet,
        request::Request,
        vm_type::VmTypeFacts,
    },
    plan::{cost::Prices, examples::facts},
    terminal::output::Output,
    time::{Simulated, Time},
};

/// EC2 refuses what was signed longer ago.
const SIGNATURES_LAST: f64 = 300.0;
/// The limit of a `RunInstances` call.
const ANSWERED_WITHIN: f64 = 20.0;

/// All chance, from a seed (`SplitMix64`).
#[derive(Debug)]
pub struct Luck(u64);

impl Luck {
    pub fn new(seed: u64) -> Self {
        let mut luck = Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        luck.draw();
        luck
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    pub fn number(&mut self, from: u32, to: u32) -> u32 {
        from + u32::try_from(self.draw() % u64::from(to - from + 1)).expect("few")
    }

    /// One of the values, by their weights.
    pub fn weighted<T: Copy>(&mut self, choices: &[(T, u32)]) -> T {
        let all: u32 = choices.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.number(1, all);
        for (value, weight) in choices {
            if drawn <= *weight {
                return *value;
            }
            drawn -= weight;
        }
        choices[0].0
    }
}

/// How harsh a world is.
#[derive(Clone, Debug)]
pub struct Weather {
    /// The longest that a machine hides, in seconds.
    visible_within: f64,
    /// Whether tags show later than their machine.
    tags_are_late: bool,
    /// Whether EC2 says of a spent token that it is; else it shows the machines.
    says_spent: bool,
    token_life: f64,
    /// How long ended machines show; none for any time up to an hour.
    linger: Option<f64>,
    /// Whether Inductiva makes a second group of a name.
    pub duplicates: bool,
    /// How often Inductiva goes out of reach.
    pub flapping: f64,
    die: f64,
    nap: f64,
    lose: f64,
    slow: f64,
    machines_end: bool,
    /// Whether there are two places, whose capacity comes and goes.
    pub places: bool,
    salt: u64,
    new_image_at: f64,
}

impl Weather {
    /// One of many; a `quiet` one has no faults but what EC2's sights are.
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

/// A machine, and when what is seen of it.
#[derive(Clone, Debug)]
struct SimulatedMachine {
    machine: Machine,
    at: f64,
    shows: f64,
    tags_show: f64,
    ended: f64,
    gone: f64,
    ends_itself: bool,
}

impl SimulatedMachine {
    fn lives(&self, now: f64) -> bool {
        self.ended > now
    }

    fn as_shown(&self, now: f64) -> Machine {
        Machine {
            state: if self.lives(now) {
                MachineState::Running
            } else {
                MachineState::Terminated
            },
            ..self.machine.clone()
        }
    }
}

#[derive(Clone, Debug)]
struct SimulatedGroup {
    id: String,
    made: f64,
    ended: f64,
}

/// What a run is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A start of so many machines, or at least so many, with which settings.
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
    pub what: What,
    pub begins: f64,
    pub interrupted_at: f64,
    pub ended: f64,
    /// None while it runs, and when it has died.
    pub code: Option<u8>,
    is_dead: bool,
    frozen_until: f64,
    /// What a start that exited 0 said that the group is made of.
    counted: Vec<String>,
    /// For how long it was asleep.
    pub napped: f64,
}

impl Process {
    pub fn new(what: What, begins: f64) -> Self {
        Self {
            what,
            begins,
            interrupted_at: f64::INFINITY,
            ended: f64::INFINITY,
            code: None,
            is_dead: false,
            frozen_until: 0.0,
            counted: Vec::new(),
            napped: 0.0,
        }
    }
}

/// The world's state.
pub struct State {
    pub now: f64,
    pub luck: Luck,
    pub weather: Weather,
    machines: Vec<SimulatedMachine>,
    /// By token and place: the bytes, and the machines.
    tokens: HashMap<(String, String), (String, Vec<usize>)>,
    groups: Vec<SimulatedGroup>,
    down_until: f64,
    pub processes: Vec<Process>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    wakers: Vec<Waker>,
    /// What must never happen, and did.
    pub broken: Vec<(&'static str, String)>,
    pub told: Option<Vec<String>>,
}

type Event = Box<dyn FnOnce(&mut State) + Send>;

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the world at {}", self.now)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times since 1970"
)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

impl State {
    fn at(&mut self, time: f64, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.sequence += 1;
        let key = (micros(time.max(self.now)), self.sequence);
        self.events.insert(key, Box::new(event));
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(told) = &mut self.told {
            told.push(format!("{now:10.2} {}", what()));
        }
    }

    fn broke(&mut self, how: &'static str, what: String) {
        self.tell(|| format!("!! {how}: {what}"));
        self.broken.push((how, what));
    }

    fn live(&self) -> usize {
        self.machines.iter().filter(|m| m.lives(self.now)).count()
    }

    /// The machines that EC2 shows by their tags.
    fn shown(&self) -> Vec<Machine> {
        let shown = self
            .machines
            .iter()
            .filter(|m| m.tags_show <= self.now && self.now < m.gone);
        shown.map(|m| m.as_shown(self.now)).collect()
    }

    fn has_capacity(&self, place: &str) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds"
        )]
        let minute = (self.now / 40.0) as u64;
        let place_hash: u64 = place.bytes().map(u64::from).sum();
        let mut luck = Luck::new(self.weather.salt ^ (minute << 20) ^ (place_hash << 50));
        !self.weather.places
            || match place {
                "any" => luck.chance(0.5),
                "eu-west-2a" => luck.chance(0.8),
                _ => false,
            }
    }

    /// `RunInstances`, when it arrives.
    fn run_instances(
        &mut self,
        by: usize,
        call: &SimulatedCall,
    ) -> Result<Vec<Machine>, LaunchError> {
        let now = self.now;
        let key = (call.token.clone(), call.place.clone());
        if let Some((bytes, indices)) = self.tokens.get(&key).cloned() {
            let any_lives = indices.iter().any(|&i| self.machines[i].lives(now));
            let last = indices
                .iter()
                .map(|&i| self.machines[i].ended)
                .fold(0.0, f64::max);
            if any_lives || last + self.weather.token_life >= now {
                if bytes != call.bytes {
                    self.tell(|| format!("{by}: mismatch"));
                    return Err(LaunchError::TokenMismatch);
                }
                if !any_lives && self.weather.says_spent {
                    self.tell(|| format!("{by}: spent"));
                    return Err(LaunchError::TokenSpent);
                }
                self.tell(|| format!("{by}: replay"));
                return Ok(indices
                    .iter()
                    .map(|&i| self.machines[i].as_shown(now))
                    .collect());
            }
        }
        let mut number = call.number;
        if !self.has_capacity(&call.place) {
            number = 0;
        } else if call.least < call.number && self.luck.chance(0.3) {
            number = self.luck.number(0, call.number);
        }
        if number < call.least || number == 0 {
            self.tell(|| format!("{by}: no capacity in {}", call.place));
            return Err(no_capacity(call));
        }
        let first = self.machines.len();
        let together = self.luck.chance(0.5);
        let lag = self.lag();
        for index in 0..number as usize {
            let shows = now + if together { lag } else { self.lag() };
            let late = self.weather.tags_are_late;
            let tags_show = shows
                + if late {
                    self.luck.between(0.0, 8.0)
                } else {
                    0.0
                };
            let machine = Machine {
                launched_at: Some(UNIX_EPOCH + Duration::from_secs_f64(now.floor())),
                image_id: Some(call.image_id.clone()),
                tags: call.tags.clone(),
                ..Machine::example(&format!("i-{}", first + index), MachineState::Pending)
            };
            self.machines.push(SimulatedMachine {
                machine,
                at: now,
                shows,
                tags_show,
                ended: f64::INFINITY,
                gone: f64::INFINITY,
                ends_itself: false,
            });
            if self.weather.machines_end {
                let life = self.luck.between(300.0, 10_800.0);
                self.at(now + life, move |state| state.ends_itself(first + index));
            }
        }
        let indices: Vec<usize> = (first..self.machines.len()).collect();
        self.tokens
            .insert(key, (call.bytes.clone(), indices.clone()));
        self.tell(|| format!("{by}: launched {number} from i-{first} in {}", call.place));
        self.accepted();
        Ok(indices
            .iter()
            .map(|&i| self.machines[i].as_shown(now))
            .collect())
    }

    fn lag(&mut self) -> f64 {
        let luck = self.luck.unit();
        self.weather.visible_within * luck * luck
    }

    /// Judges the number of machines after a launch: no more than the largest that
    /// was asked for since the last `terminate` that said done.
    fn accepted(&mut self) {
        let done = |p: &&Process| p.what == What::Terminate && p.code == Some(0);
        let ended = self.processes.iter().filter(done);
        let since = ended.map(|p| p.begins).fold(f64::NEG_INFINITY, f64::max);
        let mut most = 0;
        for process in &self.processes {
            if let What::Start { number, .. } = process.what
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

    fn end(&mut self, index: usize, by: Option<usize>) {
        if !self.machines[index].lives(self.now) {
            return;
        }
        let linger = match self.weather.linger {
            Some(linger) => linger,
            None => self.luck.between(0.0, 3_600.0),
        };
        let machine = &mut self.machines[index];
        machine.ended = self.now;
        machine.gone = self.now + linger;
        let id = machine.machine.instance_id.clone();
        self.tell(|| format!("{by:?}: {id} ends"));
        let Some(by) = by.filter(|&by| self.processes[by].what != What::Terminate) else {
            return;
        };
        let how = if self.processes[by].interrupted_at <= self.now {
            "ended by an interruption"
        } else {
            "overtaken"
        };
        for other in 0..self.processes.len() {
            let process = &self.processes[other];
            if other != by && process.code == Some(0) && process.counted.contains(&id) {
                self.broke(how, format!("{by} ends {id}, which {other} counted"));
            }
        }
    }

    fn ends_itself(&mut self, index: usize) {
        if !self.machines[index].lives(self.now) {
            return;
        }
        self.end(index, None);
        self.machines[index].ends_itself = true;
        if self.live() == 0 && self.luck.chance(0.8) {
            let machine = &self.machines[index].machine;
            let id = machine.tag(TAG_GROUP_ID).unwrap_or_default().to_owned();
            let now = self.now;
            for group in self
                .groups
                .iter_mut()
                .filter(|g| g.id == id && g.ended > now)
            {
                group.ended = now;
            }
        }
    }

    /// Whether Inductiva is out of reach.
    fn api_is_down(&mut self) -> bool {
        if self.weather.flapping >= 1.0 || self.now < self.down_until {
            return true;
        }
        let flapping = self.weather.flapping;
        let down = self.luck.chance(flapping);
        if down {
            self.down_until = self.now + self.luck.between(0.0, 60.0);
        }
        down
    }

    fn active_groups(&mut self) -> Result<Vec<Group>, ApiError> {
        if self.api_is_down() {
            return Err(ApiError::OutOfReach("down".into()));
        }
        let active = self.groups.iter().filter(|g| g.ended > self.now);
        let group = |group: &SimulatedGroup| Group {
            id: group.id.clone(),
            name: "g".into(),
            provider_id: Some("LOCAL".into()),
            machine_type: None,
            created_at: Some(UNIX_EPOCH + Duration::from_secs_f64(group.made)),
            status: Some("started".into()),
            machines: Vec::new(),
        };
        Ok(active.map(group).collect())
    }

    fn make_group(&mut self, by: usize) -> Result<String, ApiError> {
        if !self.active_groups()?.is_empty() && !self.weather.duplicates {
            return Err(ApiError::NameTaken("taken".into()));
        }
        let id = format!("group-{}", self.groups.len());
        self.tell(|| format!("{by}: makes {id}"));
        self.groups.push(SimulatedGroup {
            id: id.clone(),
            made: self.now,
            ended: f64::INFINITY,
        });
        Ok(id)
    }

    fn delete_group(&mut self, id: &str) -> Result<(), ApiError> {
        if self.api_is_down() {
            return Err(ApiError::OutOfReach("down".into()));
        }
        let now = self.now;
        for group in self
            .groups
            .iter_mut()
            .filter(|g| g.id == id && g.ended > now)
        {
            group.ended = now;
        }
        self.tell(|| format!("{id} is deleted"));
        Ok(())
    }

    /// Judges how a run has ended.
    fn ended(&mut self, who: usize, code: u8, counted: Vec<String>) {
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
            What::Terminate => {
                let left = self
                    .machines
                    .iter()
                    .any(|m| m.lives(now) && m.at < process.begins);
                if left && code <= 1 {
                    self.broke("forgotten", format!("{who} says done"));
                }
            }
            What::Start { number, least, .. } if code == 0 && alone => {
                // A machine that ended itself meanwhile may have been counted.
                let recently = now - 160.0 - process.napped;
                let counts =
                    |m: &&SimulatedMachine| m.lives(now) || m.ends_itself && m.ended > recently;
                let counted = self.machines.iter().filter(counts).count();
                let range = least as usize..=number as usize;
                if !range.contains(&counted) && !range.contains(&self.live()) {
                    // Or another start has launched more, which do not show yet.
                    let unseen = counted > number as usize
                        && self.processes.iter().any(|p| {
                            matches!(p.what, What::Start { number: more, .. } if more > number)
                                && p.code == Some(0)
                        });
                    let how = if unseen { "unseen" } else { "false exit" };
                    self.broke(how, format!("{who} says {number}, {counted} live"));
                }
            }
            What::Start { .. } => {}
        }
    }
}

/// What a call of `RunInstances` says.
#[derive(Debug)]
struct SimulatedCall {
    token: String,
    place: String,
    bytes: String,
    least: u32,
    number: u32,
    image_id: String,
    tags: Vec<(String, String)>,
}

fn no_capacity(call: &SimulatedCall) -> LaunchError {
    LaunchError::NoCapacity(NoCapacity {
        remedy: Remedy::Place,
        tried: Tried {
            vm_type: "t2.micro".into(),
            availability_zone: Some(call.place.clone()),
            subnet_id: None,
            market: crate::values::Market::OnDemand,
            machines: call.number,
            code: "InsufficientInstanceCapacity".into(),
            reason: String::new(),
        },
        failure: Failure::new(Kind::Capacity, "no capacity"),
    })
}

/// The world, as all its runs share it.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn new(now: f64, luck: Luck, weather: Weather, is_told: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            luck,
            weather,
            machines: Vec::new(),
            tokens: HashMap::new(),
            groups: Vec::new(),
            down_until: 0.0,
            processes: Vec::new(),
            events: BTreeMap::new(),
            sequence: 0,
            wakers: Vec::new(),
            broken: Vec::new(),
            told: is_told.then(Vec::new),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the world's clock shows `time`.
    async fn until(&self, time: f64) {
        self.state().at(time, |_| {});
        std::future::poll_fn(|context| {
            self.ready(context, |state| micros(state.now) >= micros(time))
        })
        .await;
    }

    fn ready(&self, context: &Context<'_>, is_ready: impl Fn(&State) -> bool) -> Poll<()> {
        let mut state = self.state();
        if is_ready(&state) {
            return Poll::Ready(());
        }
        state.wakers.push(context.waker().clone());
        Poll::Pending
    }
}

/// The clock of one run.
#[derive(Debug)]
struct Clock {
    world: Shared,
    who: usize,
}

impl Simulated for Clock {
    fn now(&self) -> Duration {
        Duration::from_secs_f64(self.world.state().now)
    }

    fn pause(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let (world, who) = (self.world.clone(), self.who);
        Box::pin(async move {
            let until = world.state().now + pause.as_secs_f64();
            world.until(until).await;
            nap(&world, who).await;
        })
    }
}

/// Now and then a run sleeps, as a laptop does.
async fn nap(world: &Shared, who: usize) {
    const LENGTHS: [(f64, u32); 8] = [
        (20.0, 1),
        (70.0, 1),
        (130.0, 1),
        (200.0, 1),
        (290.0, 1),
        (400.0, 1),
        (1_000.0, 1),
        (4_000.0, 1),
    ];
    let until = {
        let mut state = world.state();
        let probability = state.weather.nap;
        if !state.luck.chance(probability) {
            return;
        }
        let nap = state.luck.weighted(&LENGTHS);
        state.tell(|| format!("{who}: sleeps for {nap}"));
        let until = state.now + nap;
        state.processes[who].frozen_until = until;
        state.processes[who].napped += nap;
        until
    };
    world.until(until).await;
}

/// The world as one run sees it.
pub struct Sight {
    pub world: Shared,
    pub who: usize,
    pub request: Request,
    pub time: Time,
    /// What it was installed with: the newest image of its day.
    newer_image: bool,
}

impl Sight {
    pub fn new(world: &Shared, who: usize, request: Request) -> Self {
        let clock = Clock {
            world: world.clone(),
            who,
        };
        let state = world.state();
        let newer_image = state.now > state.weather.new_image_at;
        drop(state);
        Self {
            world: world.clone(),
            who,
            request,
            time: Time::simulated(Arc::new(clock)),
            newer_image,
        }
    }

    /// A call: none where there is no answer, or none in time. What is not late
    /// is applied when it arrives, whatever has become of its caller.
    async fn call<T: Send + 'static>(
        &self,
        before: Option<SystemTime>,
        apply: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<Option<T>, TooLate> {
        let slot: Arc<Mutex<Option<T>>> = Arc::default();
        let who = self.who;
        {
            let mut state = self.world.state();
            let die = state.weather.die / 2.0;
            if state.luck.chance(die) {
                state.processes[who].is_dead = true;
            }
        }
        if self.world.state().processes[who].is_dead {
            std::future::pending::<()>().await;
        }
        nap(&self.world, who).await;
        if before.is_some_and(|before| self.time.now() >= before) {
            return Err(TooLate);
        }
        let (until, dies) = {
            let mut state = self.world.state();
            let weather = state.weather.clone();
            let mut transit = state.luck.between(0.02, 0.25);
            if state.luck.chance(weather.slow) {
                transit = state.luck.between(1.0, 25.0);
            }
            if state.luck.chance(weather.nap / 10.0) {
                transit = state.luck.between(30.0, 420.0);
            }
            let mut back = state.luck.between(0.02, 0.25);
            if state.luck.chance(weather.slow) {
                back = state.luck.between(1.0, 25.0);
            }
            let is_lost = state.luck.chance(weather.lose);
            let dies = state.luck.chance(weather.die / 2.0);
            let until = state.now + ANSWERED_WITHIN;
            let arrives = state.now + transit;
            if transit <= SIGNATURES_LAST {
                let slot = Arc::clone(&slot);
                state.at(arrives, move |state| {
                    let answer = apply(state);
                    if !is_lost {
                        state.at(arrives + back, move |_| {
                            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                        });
                    }
                });
            }
            state.at(until, |_| {});
            (until, dies)
        };
        if dies {
            self.world.state().processes[who].is_dead = true;
        }
        std::future::poll_fn(|context| {
            let is_there = || {
                let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.is_some()
            };
            self.world.ready(context, |state| {
                is_there() || micros(state.now) >= micros(until)
            })
        })
        .await;
        nap(&self.world, who).await;
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// A call that only reads: the SDK tries again.
    async fn read<T: Send + 'static>(&self, read: fn(&mut State) -> T) -> T {
        loop {
            if let Ok(Some(answer)) = self.call(None, read).await {
                return answer;
            }
            self.time.pause(Duration::from_millis(500)).await;
        }
    }

    /// A call of Inductiva's API.
    async fn api<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut State) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.call(None, call).await {
            Ok(Some(answer)) => answer,
            _ => Err(ApiError::OutOfReach("no answer".into())),
        }
    }

    /// `terminate NAME`: ends what shows, and says done only after a look that began
    /// late enough, as [`last_look`] tells; it takes `at_least` so many seconds.
    pub async fn terminate_all(&self, at_least: Duration) -> u8 {
        let mut group = self.group().await;
        let mut began = self.time.now();
        let mut seen: BTreeMap<String, Machine> = BTreeMap::new();
        let mut some_lived = false;
        loop {
            let asked_at = self.time.now();
            let machines = self.read(|state| state.shown()).await;
            let live = machines.iter().filter(|m| m.state.is_live());
            let ids: Vec<String> = live.map(|m| m.instance_id.clone()).collect();
            seen.extend(machines.into_iter().map(|m| (m.instance_id.clone(), m)));
            if !ids.is_empty() {
                some_lived = true;
                if !self.end_all(&ids).await {
                    return 3;
                }
                self.time.pause(Duration::from_millis(200)).await;
                continue;
            }
            let seen: Vec<Machine> = seen.values().cloned().collect();
            // Nobody knows the name: told at once.
            if seen.is_empty() && matches!(group, Ok(None)) && at_least.is_zero() {
                return 1;
            }
            let groups = group.as_ref().ok().map(Option::as_slice);
            let sign = last_look::sign(&seen, some_lived, groups, asked_at);
            if asked_at < began + last_look::look_for(sign.as_ref()).max(at_least) {
                self.time.pause(Duration::from_secs(2)).await;
                continue;
            }
            // Another start may have made the group anew meanwhile.
            let side = self.group().await;
            let Ok(Some(new)) = &side else { break };
            let is_known = matches!(&group, Ok(Some(known)) if known.id == new.id);
            if is_known || last_look::without_machines(&seen, new).is_none() {
                let _ = self.delete_group(&new.id).await;
                break;
            }
            began = self.time.now();
            group = side;
        }
        // Nobody could be asked, and nothing has shown.
        if group.is_err() && !some_lived && seen.is_empty() {
            return 3;
        }
        0
    }

    async fn end_all(&self, ids: &[String]) -> bool {
        let mut left = ids.to_vec();
        for _ in 0..6 {
            left = self.terminate(&left).await.left(&left);
            if left.is_empty() {
                return true;
            }
            self.time.pause(Duration::from_secs(1)).await;
        }
        false
    }
}

struct TooLate;

impl World for Sight {
    fn time(&self) -> &Time {
        &self.time
    }

    fn ec2_time(&self, local: SystemTime) -> SystemTime {
        local
    }

    fn local_time(&self, ec2: SystemTime) -> SystemTime {
        ec2
    }

    async fn look(&self) -> Result<Found> {
        let asked_at = self.time.now();
        let (machines, group) = tokio::join!(self.machines(), self.group());
        let mut facts = facts(machines?, asked_at);
        if self.world.state().weather.places {
            facts.subnets.push(Subnet {
                zone: "eu-west-2b".into(),
                id: "subnet-2".into(),
                ..facts.subnets[0].clone()
            });
        }
        if self.newer_image {
            let newer = crate::model::image::Image {
                id: "ami-2".into(),
                creation_date: "2027".into(),
                ..facts.images[0].clone()
            };
            facts.images.push(newer);
        }
        Ok(Found {
            asked_at,
            identity: Identity {
                account: facts.account.clone(),
                arn: String::new(),
            },
            facts,
            group: match group {
                Ok(Some(group)) => GroupLookup::Active(group),
                Ok(None) => GroupLookup::Absent,
                Err(why) => GroupLookup::OutOfReach(why.why().to_owned()),
            },
            prices: Prices {
                machine: Err(String::new()),
                disk: Err(String::new()),
            },
        })
    }

    async fn machines(&self) -> Result<Vec<Machine>> {
        Ok(self.read(|state| state.shown()).await)
    }

    async fn everywhere(&self) -> Result<everywhere::Found> {
        Ok(everywhere::Found {
            everywhere: true,
            ..everywhere::Found::default()
        })
    }

    async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        before: SystemTime,
    ) -> Result<Vec<Machine>, LaunchError> {
        let call = SimulatedCall {
            token: client_token.to_owned(),
            place: launch.candidate.place.to_string(),
            bytes: format!(
                "{} {} {} {} {:?} {:?}",
                launch.candidate,
                launch.least,
                launch.number,
                launch.plan.image.id,
                launch.tags,
                launch.user_data
            ),
            least: launch.least,
            number: launch.number,
            image_id: launch.plan.image.id.clone(),
            tags: launch.tags.to_vec(),
        };
        let who = self.who;
        let answer = self.call(Some(before), move |state| state.run_instances(who, &call));
        match answer.await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(LaunchError::Unknown(Failure::failed("no answer"))),
            Err(TooLate) => Err(LaunchError::TooLate),
        }
    }

    async fn terminate(&self, ids: &[String]) -> Terminated {
        let (ids, who) = (ids.to_vec(), self.who);
        let end = move |state: &mut State| {
            let mut ended = Vec::new();
            for index in 0..state.machines.len() {
                let machine = &state.machines[index];
                let id = machine.machine.instance_id.clone();
                if ids.contains(&id) && machine.shows <= state.now {
                    state.end(index, Some(who));
                    ended.push((id, MachineState::ShuttingDown));
                }
            }
            ended
        };
        let states = self.call(None, end).await;
        Terminated {
            states: states.ok().flatten().unwrap_or_default(),
            ..Terminated::default()
        }
    }

    async fn offerings(&self) -> Option<Vec<(String, String)>> {
        None
    }

    async fn make_security_group(&self, _: &str, _: &str) -> Result<String> {
        Ok("sg-1".into())
    }

    async fn look_at_key_pair(&self, _: &NewKeyPair) -> Result<()> {
        Ok(())
    }

    async fn make_key_pair(&self, _: &NewKeyPair, _: Output) -> Result<bool> {
        Ok(false)
    }

    async fn unmake_key_pair(&self, _: &NewKeyPair, _: Output) {}

    async fn group(&self) -> Result<Option<Group>, ApiError> {
        let mut answer = self.api(State::active_groups).await;
        for _ in 0..2 {
            if answer.is_ok() {
                break;
            }
            self.time.pause(Duration::from_millis(500)).await;
            answer = self.api(State::active_groups).await;
        }
        answer.map(|groups| groups.into_iter().next())
    }

    async fn active_groups(&self) -> Result<Vec<Group>, ApiError> {
        self.api(State::active_groups).await
    }

    async fn make_group(&self, _: &VmTypeFacts, _: u32) -> Result<String, ApiError> {
        let who = self.who;
        self.api(move |state| state.make_group(who)).await
    }

    async fn delete_group(&self, id: &str) -> Result<(), ApiError> {
        let id = id.to_owned();
        self.api(move |state| state.delete_group(&id)).await
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A run that is to come or goes on: its exit code, and what it counted.
pub type Running = Pin<Box<dyn Future<Output = (u8, Vec<String>)>>>;

/// Runs the world until nothing is left to do.
pub fn run(world: &Shared, spawn: impl Fn(&Shared, usize) -> (Running, watch::Sender<u32>)) {
    let begins: Vec<f64> = world.state().processes.iter().map(|p| p.begins).collect();
    for begin in &begins {
        world.state().at(*begin, |_| {});
    }
    let mut running: Vec<Option<(Running, watch::Sender<u32>)>> =
        begins.iter().map(|_| None).collect();
    let mut has_begun = vec![false; begins.len()];
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    loop {
        for (who, slot) in running.iter_mut().enumerate() {
            let (now, process) = {
                let state = world.state();
                (state.now, state.processes[who].clone())
            };
            if !has_begun[who] && now >= process.begins {
                has_begun[who] = true;
                world
                    .state()
                    .tell(|| format!("{who}: {:?} begins", process.what));
                let (future, interrupt) = spawn(world, who);
                if process.interrupted_at.is_finite() {
                    let sender = interrupt.clone();
                    world.state().at(process.interrupted_at, move |_| {
                        sender.send_replace(1);
                    });
                }
                *slot = Some((future, interrupt));
            }
            let Some((future, _)) = slot else { continue };
            if process.frozen_until > now {
                continue;
            }
            loop {
                flag.0.store(false, Ordering::Relaxed);
                let polled = future.as_mut().poll(&mut context);
                if world.state().processes[who].is_dead {
                    let mut state = world.state();
                    // What it has sent may arrive still.
                    state.processes[who].ended = state.now + 30.0;
                    state.tell(|| format!("{who}: dies"));
                    drop(state);
                    *slot = None;
                    break;
                }
                if let Poll::Ready((code, counted)) = polled {
                    world.state().ended(who, code, counted);
                    *slot = None;
                    break;
                }
                let is_frozen = {
                    let state = world.state();
                    state.processes[who].frozen_until > state.now
                };
                if is_frozen || !flag.0.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        let next = world.state().events.pop_first();
        let Some(((at, _), event)) = next else { return };
        let mut state = world.state();
        state.now = state.now.max(Duration::from_micros(at).as_secs_f64());
        event(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}
