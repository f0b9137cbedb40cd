//! Ctrl-C and SIGTERM, counted: the first asks, the second insists.

use tokio::sync::watch;

use crate::error::{Failure, Kind, Result};

/// The number of interruptions so far.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<u32>);

impl Interrupt {
    /// Starts to listen; the signals no longer end the process by themselves.
    pub fn listen() -> Self {
        let (sender, receiver) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                signal().await;
                sender.send_modify(|count| *count += 1);
            }
        });
        Self(receiver)
    }

    /// Whether there has been one.
    pub fn fired(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits for interruption number `n`.
    pub async fn until(&self, n: u32) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|count| *count >= n).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The result of `work`, dropped at the first interruption.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T>>, message: &str) -> Result<T> {
        tokio::select! {
            result = work => result,
            () = self.until(1) => Err(Failure::new(Kind::Interrupted, message)),
        }
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
