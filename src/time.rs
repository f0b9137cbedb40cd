//! Time as a run sees it: its pauses, its time limits, and what the clock says.
//!
//! All of it is the computer's, except in one case that no user meets. A test cannot wait
//! for minutes, and must not depend on how fast its machine is. So [`CLOCK`] may name the
//! clock of the tests' sandbox. Then
//!
//! - a pause is over as soon as nothing else of this run goes on, and the sandbox's
//!   clock has moved by it;
//! - a time limit is over when the test, or a fault that the test ordered, has moved the
//!   clock beyond it, however long that takes.
//!
//! The variable counts only where the sandbox is all that this run can launch machines
//! in: exactly-once depends on some of these waits, and no environment may shorten them
//! anywhere else. So it is ignored unless the addresses of EC2 and of the clock are
//! loopback (`127.0.0.0/8`, `::1` or `localhost`).

mod sandbox_clock;

use std::{
    env,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_types::date_time::{DateTime, Format};
use tokio::{sync::Notify, time::Instant};

pub use self::sandbox_clock::InFlight;
use self::sandbox_clock::{SandboxClock, is_local};

/// The environment variable that names the sandbox's clock, by its address.
const CLOCK: &str = "INDUCTIVA_AWS_TEST_CLOCK";
/// Longer sleeps of the SDK are time limits of calls; these are pauses between tries.
const LONGEST_SDK_PAUSE: Duration = Duration::from_secs(5);

/// The clock of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Time {
    other: Arc<OnceLock<Other>>,
    /// Told when there is another clock.
    follows: Arc<Notify>,
}

/// A clock other than the computer's.
#[derive(Clone, Debug)]
enum Other {
    Sandbox(Arc<SandboxClock>),
    /// The clock of a unit test's simulated world.
    #[cfg(test)]
    Simulated(Arc<dyn Simulated>),
}

/// The clock of a simulated world.
#[cfg(test)]
pub trait Simulated: std::fmt::Debug + Send + Sync {
    /// Since 1970.
    fn now(&self) -> Duration;
    /// Ends when the clock has moved this far.
    fn pause(&self, pause: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + Sync>>;
}

/// The time limit is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Time {
    /// Goes by the sandbox's clock from now on, if the environment names one and EC2 is
    /// the sandbox, too (`ec2` is its address).
    pub async fn follow_tests(&self, ec2: Option<&str>) {
        let Some(clock) = env::var(CLOCK).ok().filter(|_| ec2.is_some_and(is_local)) else {
            return;
        };
        if self.other.get().is_some() || !is_local(&clock) {
            return;
        }
        let clock = Arc::new(SandboxClock::new(clock));
        let other = Other::Sandbox(Arc::clone(&clock));
        if clock.ask("join").await.is_some() && self.other.set(other).is_ok() {
            self.follows.notify_waiters();
            tokio::spawn(async move { clock.listen().await });
        }
    }

    /// The time of a simulated world.
    #[cfg(test)]
    pub fn simulated(clock: Arc<dyn Simulated>) -> Self {
        Self {
            other: Arc::new(OnceLock::from(Other::Simulated(clock))),
            follows: Arc::default(),
        }
    }

    fn sandbox(&self) -> Option<&Arc<SandboxClock>> {
        match self.other.get()? {
            Other::Sandbox(clock) => Some(clock),
            #[cfg(test)]
            Other::Simulated(_) => None,
        }
    }

    /// Whether a test moves it.
    pub fn is_a_tests(&self) -> bool {
        self.other.get().is_some()
    }

    /// How far the hours of client tokens (the launch protocol's) are ahead of the clock.
    /// It is zero except in tests, which must not depend on the time of day.
    pub fn hours_offset(&self) -> Duration {
        self.sandbox()
            .map_or(Duration::ZERO, |clock| clock.hours_offset())
    }

    /// Now, for measuring within this run.
    pub fn instant(&self) -> Instant {
        match self.other.get() {
            None => Instant::now(),
            Some(Other::Sandbox(clock)) => clock.origin + clock.passed(),
            #[cfg(test)]
            Some(Other::Simulated(clock)) => *SIMULATED_ORIGIN + clock.now(),
        }
    }

    /// Now, by this computer's clock: for times that outlive the run, and for ages that
    /// count while the computer sleeps.
    pub fn now(&self) -> SystemTime {
        match self.other.get() {
            None => SystemTime::now(),
            Some(Other::Sandbox(clock)) => clock.now(),
            #[cfg(test)]
            Some(Other::Simulated(clock)) => SystemTime::UNIX_EPOCH + clock.now(),
        }
    }

    pub async fn pause(&self, pause: Duration) {
        match self.other.get() {
            None => tokio::time::sleep(pause).await,
            Some(Other::Sandbox(clock)) => clock.pause(pause).await,
            #[cfg(test)]
            Some(Other::Simulated(clock)) => clock.pause(pause).await,
        }
    }

    /// Waits for `work`, for no longer than `limit`.
    pub async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let elapsed = async {
            // What begins before the clock is known goes by it from then on.
            let follows = self.follows.notified();
            if self.other.get().is_none() {
                tokio::select! {
                    () = tokio::time::sleep(limit) => return,
                    () = follows => {}
                }
            }
            match self.other.get() {
                None => {}
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

    /// The same until an instant of [`Self::instant`].
    pub async fn until<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let limit = deadline.saturating_duration_since(self.instant());
        self.within(limit, work).await
    }

    /// Marks a call that goes on for as long as this lives. No pause in a test ends
    /// before it.
    pub fn call(&self) -> Option<InFlight> {
        self.sandbox().map(SandboxClock::call)
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
