//! How the runs of a simulated world take turns by its clock, and when they sleep and
//! die.

use std::{
    collections::{BTreeMap, HashMap},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::sync::watch;

use super::state::{SimulatedState, Weather, micros};
use crate::{plan::luck::Luck, time::Simulated};

/// The world, shared by all its runs.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<SimulatedState>>);

impl Shared {
    pub fn new(now: f64, luck: Luck, weather: Weather, is_told: bool) -> Self {
        Self(Arc::new(Mutex::new(SimulatedState {
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

    pub fn state(&self) -> MutexGuard<'_, SimulatedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the world's clock shows `time`.
    pub async fn until(&self, time: f64) {
        self.state().at(time, |_| {});
        std::future::poll_fn(|context| {
            self.ready(context, |state| micros(state.now) >= micros(time))
        })
        .await;
    }

    pub fn ready(
        &self,
        context: &Context<'_>,
        is_ready: impl Fn(&SimulatedState) -> bool,
    ) -> Poll<()> {
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
pub struct SimulatedClock {
    pub world: Shared,
    pub who: usize,
}

impl Simulated for SimulatedClock {
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

/// Lets a run sleep now and then, as a laptop does.
pub async fn nap(world: &Shared, who: usize) {
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

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A run that has not ended. It comes to an exit code and the machines that it counted.
pub type SimulatedRun = Pin<Box<dyn Future<Output = (u8, Vec<String>)>>>;

/// Runs the world until nothing is left to do.
pub fn run(world: &Shared, spawn: impl Fn(&Shared, usize) -> (SimulatedRun, watch::Sender<u32>)) {
    let begins: Vec<f64> = world.state().processes.iter().map(|p| p.begins).collect();
    for begin in &begins {
        world.state().at(*begin, |_| {});
    }
    let mut running: Vec<Option<(SimulatedRun, watch::Sender<u32>)>> =
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
                    // What it has sent may still arrive.
                    state.processes[who].ended = state.now + 30.0;
                    state.tell(|| format!("{who}: dies"));
                    state.leaves(who);
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
