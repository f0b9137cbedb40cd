//! Time as a run sees it: its pauses, its time limits, and what the clock says.
//!
//! All of it is the computer's, but for one case that no user meets. A test
//! cannot wait for minutes, and must not depend on how fast its machine is, so
//! [`CLOCK`] may name the clock of the tests' sandbox. Then
//!
//! - a pause is over as soon as nothing else of this run goes on, and the
//!   sandbox's clock has moved by it;
//! - a time limit is over when the test, or a fault that the test ordered, has
//!   moved the clock beyond it, however long that takes.
//!
//! It counts only where the sandbox is all that this run can launch machines in:
//! exactly-once stands on some of these waits, and no environment may shorten
//! them anywhere else. So the variable is passed over unless EC2's address, and
//! the clock's, is loopback (`127.0.0.0/8`, `::1` or `localhost`).

use std::{
    env,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector as _, SharedHttpConnector},
        orchestrator::HttpRequest,
    },
    http::Headers,
};
use aws_smithy_types::date_time::{DateTime, Format};
use tokio::{sync::Notify, task::yield_now, time::Instant};
use url::{Host, Url};

/// The environment variable that names the sandbox's clock, by its address.
const CLOCK: &str = "INDUCTIVA_AWS_TEST_CLOCK";
/// The header in which a clock that stands tells the time.
const HEADER: &str = "x-sandbox-clock";
/// The header of an answer at which the program is to fail as if by a bug.
const PANIC: &str = "x-sandbox-panic";
/// The SDK's sleeps up to this are pauses between tries; what is longer limits a call.
const LONGEST_SDK_PAUSE: Duration = Duration::from_secs(5);
/// So often a pause lets everything else of the run go on before it is over.
const TURNS: usize = 16;

/// The clock of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Time(Arc<OnceLock<Other>>);

/// A clock other than the computer's.
#[derive(Clone, Debug)]
enum Other {
    /// The sandbox's.
    Sandbox(Arc<TestClock>),
    /// That of a unit test's world.
    #[cfg(test)]
    Simulated(Arc<dyn Simulated>),
}

/// The clock of a simulated world.
#[cfg(test)]
pub trait Simulated: std::fmt::Debug + Send + Sync {
    /// Since 1970.
    fn now(&self) -> Duration;
    /// Ends when it has moved so far.
    fn pause(&self, pause: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + Sync>>;
}

/// The time for something is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Time {
    /// Runs by the sandbox's clock from now on, if the environment names one and
    /// EC2 is the sandbox too (`ec2`, its address).
    pub async fn follow_tests(&self, ec2: Option<&str>) {
        let Some(clock) = env::var(CLOCK).ok().filter(|_| ec2.is_some_and(is_local)) else {
            return;
        };
        if self.0.get().is_some() || !is_local(&clock) {
            return;
        }
        let clock = Arc::new(TestClock::new(clock));
        let other = Other::Sandbox(Arc::clone(&clock));
        if clock.ask("join").await.is_some() && self.0.set(other).is_ok() {
            tokio::spawn(async move { clock.listen().await });
        }
    }

    /// The time of a simulated world.
    #[cfg(test)]
    pub fn simulated(clock: Arc<dyn Simulated>) -> Self {
        Self(Arc::new(OnceLock::from(Other::Simulated(clock))))
    }

    fn sandbox(&self) -> Option<&Arc<TestClock>> {
        match self.0.get()? {
            Other::Sandbox(clock) => Some(clock),
            #[cfg(test)]
            Other::Simulated(_) => None,
        }
    }

    /// Whether a test moves it.
    pub fn is_a_tests(&self) -> bool {
        self.0.get().is_some()
    }

    /// How far the hours of client tokens (the launch protocol's) are ahead of the
    /// clock: not at all, but for tests, which must not depend on the time of day.
    pub fn hours_offset(&self) -> Duration {
        self.sandbox()
            .map_or(Duration::ZERO, |clock| clock.state().hours_offset)
    }

    /// Now, for what is measured within this run.
    pub fn instant(&self) -> Instant {
        match self.0.get() {
            None => Instant::now(),
            Some(Other::Sandbox(clock)) => clock.origin + clock.passed(),
            #[cfg(test)]
            Some(Other::Simulated(clock)) => *SIMULATED_ORIGIN + clock.now(),
        }
    }

    /// Now, by this computer's clock: for what outlives the run, and for ages
    /// that count while the computer sleeps.
    pub fn now(&self) -> SystemTime {
        match self.0.get() {
            None => SystemTime::now(),
            Some(Other::Sandbox(clock)) => clock.now(),
            #[cfg(test)]
            Some(Other::Simulated(clock)) => UNIX_EPOCH + clock.now(),
        }
    }

    /// Waits so long, with nothing else to do.
    pub async fn pause(&self, pause: Duration) {
        match self.0.get() {
            None => tokio::time::sleep(pause).await,
            Some(Other::Sandbox(clock)) => clock.pause(pause).await,
            #[cfg(test)]
            Some(Other::Simulated(clock)) => clock.pause(pause).await,
        }
    }

    /// What comes of `work`, if it does so within `limit`.
    pub async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let elapsed = async {
            match self.0.get() {
                None => tokio::time::sleep(limit).await,
                Some(Other::Sandbox(clock)) => clock.until(clock.passed() + limit).await,
                #[cfg(test)]
                Some(Other::Simulated(clock)) => clock.pause(limit).await,
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = elapsed => Err(Elapsed),
        }
    }

    /// The same, until an instant of [`Self::instant`].
    pub async fn until<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let limit = deadline.saturating_duration_since(self.instant());
        self.within(limit, work).await
    }

    /// A call goes on for as long as this lives: no pause of a test's is over
    /// before.
    pub fn call(&self) -> Option<InFlight> {
        let clock = Arc::clone(self.sandbox()?);
        clock.state().calls += 1;
        Some(InFlight(clock))
    }
}

/// What simulated instants are counted from.
#[cfg(test)]
static SIMULATED_ORIGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// What the SDK waits for: pauses between its tries, and time limits.
impl AsyncSleep for Time {
    fn sleep(&self, duration: Duration) -> Sleep {
        let time = self.clone();
        Sleep::new(async move {
            match time.sandbox() {
                Some(clock) if duration > LONGEST_SDK_PAUSE => {
                    clock.until(clock.passed() + duration).await;
                }
                _ => time.pause(duration).await,
            }
        })
    }
}

/// A call that goes on, while a test moves the clock.
#[derive(Debug)]
pub struct InFlight(Arc<TestClock>);

impl InFlight {
    /// Reads what the answer says of the clock.
    ///
    /// # Panics
    /// Where a test orders it.
    pub fn answered(&self, headers: &Headers) {
        if let Some(words) = headers.get(PANIC) {
            panic!("{words}");
        }
        self.0.hear(headers);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().calls -= 1;
        self.0.changed.notify_waiters();
    }
}

/// When a call was signed, by its `X-Amz-Date` (`20251124T160000Z`): seconds since 1970.
pub fn signed_at_seconds(stamp: &str) -> Option<i64> {
    let digits: Vec<&str> = [0..4, 4..6, 6..8, 9..11, 11..13, 13..15]
        .into_iter()
        .map(|part| stamp.get(part))
        .collect::<Option<_>>()?;
    let [year, month, day, hour, minute, second] = digits[..] else {
        return None;
    };
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Some(DateTime::from_str(&text, Format::DateTime).ok()?.secs())
}

/// Whether this is the address of something on this machine.
fn is_local(address: &str) -> bool {
    let Ok(address) = Url::parse(address) else {
        return false;
    };
    match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The sandbox's clock, as this run knows it.
#[derive(Debug)]
struct TestClock {
    address: String,
    connector: SharedHttpConnector,
    origin: Instant,
    state: Mutex<ClockState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct ClockState {
    /// Since 1970, by the sandbox.
    now: Duration,
    /// By how much the test has moved it, and by how much it had when this run began.
    moved: Option<(Duration, Duration)>,
    /// How far the hours of client tokens are ahead of it.
    hours_offset: Duration,
    /// This run's own pauses.
    paused: Duration,
    calls: usize,
    has_ended: bool,
    /// When the pauses that go on will be over, each with a number of its own.
    pauses: Vec<(Duration, u64)>,
}

impl ClockState {
    /// Whether what began to wait until then has waited for long enough.
    fn is_over(&self, until: Duration) -> bool {
        self.has_ended || self.passed() >= until
    }

    /// Since this run began.
    fn passed(&self) -> Duration {
        let moved = self.moved.map_or(Duration::ZERO, |(now, at_first)| {
            now.saturating_sub(at_first)
        });
        moved + self.paused
    }
}

impl TestClock {
    fn new(address: String) -> Self {
        Self {
            address,
            connector: SharedHttpConnector::new(Connector::builder().build_http()),
            origin: Instant::now(),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> Duration {
        self.state().passed()
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.state().now
    }

    fn hear(&self, headers: &Headers) {
        let times = headers.get(HEADER).and_then(|text| {
            let micros = text
                .split(' ')
                .map(|text| text.parse().map(Duration::from_micros));
            let times: Vec<Duration> = micros.collect::<Result<_, _>>().ok()?;
            <[Duration; 3]>::try_from(times).ok()
        });
        let Some([now, moved, hours_offset]) = times else {
            return;
        };
        let mut state = self.state();
        state.hours_offset = hours_offset;
        // Answers may overtake each other.
        let before = (state.now, state.moved);
        state.now = state.now.max(now);
        let (latest, at_first) = state.moved.unwrap_or((moved, moved));
        state.moved = Some((latest.max(moved), at_first));
        let is_news = before != (state.now, state.moved);
        drop(state);
        if is_news {
            self.changed.notify_waiters();
        }
    }

    /// Asks the clock, whose answer's header says it all; none without an answer.
    async fn ask(&self, what: &str) -> Option<()> {
        let mut request = HttpRequest::empty();
        let program = std::process::id();
        let path = match what {
            "join" => format!("{}/join/{program}", self.address),
            what => format!("{}/{what}", self.address),
        };
        request.set_uri(path).ok()?;
        // As a task of its own: the SDK wants sleeps that threads can share.
        let call = tokio::spawn(self.connector.call(request));
        let response = call.await.ok()?.ok()?;
        self.hear(response.headers());
        response.status().is_success().then_some(())
    }

    /// Hears of the clock's being moved. What that ends has ended before the
    /// clock is told that it was heard.
    async fn listen(&self) {
        let program = std::process::id();
        loop {
            let moved = self.state().moved.map_or(0, |(now, _)| now.as_micros());
            if self.ask(&format!("wait/{program}/{moved}")).await.is_none() {
                // The sandbox has ended: nobody lets any time pass any more.
                self.state().has_ended = true;
                self.changed.notify_waiters();
                return;
            }
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
    }

    /// Waits until this run's time is `passed`, without moving it.
    async fn until(&self, passed: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.state().is_over(passed) {
                return;
            }
            changed.await;
        }
    }

    async fn pause(self: &Arc<Self>, pause: Duration) {
        let ours = Pause::begin(self, pause);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            for _ in 0..TURNS {
                yield_now().await;
            }
            let next = {
                let state = self.state();
                if state.is_over(ours.until) {
                    return;
                }
                let is_next = state.pauses.iter().min() == Some(&(ours.until, ours.number));
                (state.calls == 0 && is_next).then(|| {
                    let left = ours.until.saturating_sub(state.passed());
                    (left, state.now + left)
                })
            };
            let Some((left, until)) = next else {
                changed.await;
                continue;
            };
            let asked = self.ask(&format!("pause/{}", until.as_micros())).await;
            if asked.is_none() {
                return;
            }
            // Else the test steps through the pauses itself.
            if self.state().now >= until {
                self.state().paused += left;
                self.changed.notify_waiters();
            } else {
                changed.await;
            }
        }
    }
}

/// A pause that goes on; it may be given up.
struct Pause {
    clock: Arc<TestClock>,
    until: Duration,
    number: u64,
}

impl Pause {
    fn begin(clock: &Arc<TestClock>, pause: Duration) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // The sandbox's clock has no shorter times.
        let micros = u64::try_from(pause.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
        let mut state = clock.state();
        let until = state.passed() + Duration::from_micros(micros);
        state.pauses.push((until, number));
        drop(state);
        Self {
            clock: Arc::clone(clock),
            until,
            number,
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let number = self.number;
        self.clock
            .state()
            .pauses
            .retain(|(_, other)| *other != number);
        self.clock.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for local in [
            "http://127.0.0.1:5000/123",
            "http://[::1]:80",
            "http://localhost",
        ] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "https://ec2.eu-west-2.amazonaws.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "127.0.0.1:5000",
            "",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
