//! The clock of the tests' sandbox. A run that goes by it lets the time of its own pauses
//! pass there, and learns when a test moves it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector as _, SharedHttpConnector},
        orchestrator::HttpRequest,
    },
    http::Headers,
};
use tokio::{sync::Notify, task::yield_now, time::Instant};
use url::{Host, Url};

/// The header in which a clock that stands tells the time.
const HEADER: &str = "x-sandbox-clock";
/// The header with which a test makes the program fail as if it had a bug.
const PANIC: &str = "x-sandbox-panic";
/// How often a pause lets everything else of the run go on before it is over.
const TURNS: usize = 16;

/// The sandbox's clock, as this run knows it.
#[derive(Debug)]
pub struct SandboxClock {
    address: String,
    connector: SharedHttpConnector,
    /// What [`Self::passed`] counts from.
    pub origin: Instant,
    state: Mutex<ClockState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct ClockState {
    /// Since 1970, by the sandbox.
    now: Duration,
    /// How far the test has moved it, and how far it had when this run began.
    moved: Option<(Duration, Duration)>,
    /// How far the hours of client tokens are ahead of it.
    hours_offset: Duration,
    /// This run's own pauses.
    paused: Duration,
    calls: usize,
    has_ended: bool,
    /// When the pauses that go on are over, each with a number of its own.
    pauses: Vec<(Duration, u64)>,
}

impl ClockState {
    /// Whether a wait until `until` is over. Where the sandbox has ended, nobody lets time
    /// pass any more: what waits does, so that the run comes to its end, too.
    fn is_over(&mut self, until: Duration) -> bool {
        let left = until.saturating_sub(self.passed());
        if self.has_ended {
            self.paused += left;
            self.now += left;
        }
        self.has_ended || left.is_zero()
    }

    /// Since this run began.
    fn passed(&self) -> Duration {
        let moved = self.moved.map_or(Duration::ZERO, |(now, at_first)| {
            now.saturating_sub(at_first)
        });
        moved + self.paused
    }
}

impl SandboxClock {
    pub fn new(address: String) -> Self {
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

    pub fn passed(&self) -> Duration {
        self.state().passed()
    }

    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.state().now
    }

    /// How far the hours of client tokens are ahead of it.
    pub fn hours_offset(&self) -> Duration {
        self.state().hours_offset
    }

    /// A call goes on for as long as this lives.
    pub fn call(self: &Arc<Self>) -> InFlight {
        self.state().calls += 1;
        InFlight(Arc::clone(self))
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

    /// Asks the clock; none without an answer. The answer's header tells everything.
    pub async fn ask(&self, what: &str) -> Option<()> {
        let mut request = HttpRequest::empty();
        let program = std::process::id();
        let path = match what {
            "join" => format!("{}/join/{program}", self.address),
            what => format!("{}/{what}", self.address),
        };
        request.set_uri(path).ok()?;
        // It is a task of its own, as the SDK wants sleeps that threads can share.
        let call = tokio::spawn(self.connector.call(request));
        let response = call.await.ok()?.ok()?;
        self.hear(response.headers());
        response.status().is_success().then_some(())
    }

    /// Learns of the clock's moves. Whatever a move ends has ended before the clock is
    /// told that it was heard.
    pub async fn listen(&self) {
        let program = std::process::id();
        loop {
            let moved = self.state().moved.map_or(0, |(now, _)| now.as_micros());
            if self.ask(&format!("wait/{program}/{moved}")).await.is_none() {
                self.end();
                return;
            }
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
    }

    fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_waiters();
    }

    /// Waits until this run's time is `passed`, without moving it.
    pub async fn until(&self, passed: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.state().is_over(passed) {
                return;
            }
            changed.await;
        }
    }

    pub async fn pause(self: &Arc<Self>, pause: Duration) {
        let ours = Pause::begin(self, pause);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            for _ in 0..TURNS {
                yield_now().await;
            }
            let next = {
                let mut state = self.state();
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
                self.end();
                continue;
            }
            // Otherwise the test steps through the pauses itself.
            if self.state().now >= until {
                self.state().paused += left;
                self.changed.notify_waiters();
            } else {
                changed.await;
            }
        }
    }
}

/// A call that goes on, while a test moves the clock.
#[derive(Debug)]
pub struct InFlight(Arc<SandboxClock>);

impl InFlight {
    /// Reads what the answer says of the clock.
    ///
    /// A test has ordered it.
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

/// A pause that goes on; it may be given up.
struct Pause {
    clock: Arc<SandboxClock>,
    until: Duration,
    number: u64,
}

impl Pause {
    fn begin(clock: &Arc<SandboxClock>, pause: Duration) -> Self {
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

/// Whether this is the address of something on this machine.
pub fn is_local(address: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_passes_by_itself_where_the_sandbox_has_ended() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/clock", closed.local_addr().expect("an address"));
        drop(closed);
        let clock = Arc::new(SandboxClock::new(address));
        clock.pause(Duration::from_mins(1)).await;
        assert_eq!(clock.passed(), Duration::from_mins(1));
        clock.until(Duration::from_mins(2)).await;
        assert_eq!(clock.passed(), Duration::from_mins(2));
    }

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
