//! Ctrl-C, SIGTERM and SIGHUP. They are counted: the first asks, the second insists.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Waker},
};

use tokio::sync::watch;

use super::command_line::{command, terminate_command};
use crate::{
    error::{Failure, Kind, Result},
    values::GroupName,
};

/// The number of interruptions so far, and the machines that the last one would leave
/// running.
#[derive(Clone, Debug)]
pub struct Interrupt {
    count: watch::Receiver<u32>,
    running: Arc<Mutex<BTreeSet<String>>>,
    group: Arc<OnceLock<GroupName>>,
}

impl Interrupt {
    /// Starts to listen; the signals no longer end the process by themselves.
    pub fn listen() -> Self {
        let (sender, receiver) = watch::channel(0);
        let mut next = Box::pin(signal());
        // The first poll makes it listen, before anything is asked or sent.
        let came = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if came.is_ready() {
            sender.send_modify(|count| *count += 1);
            next.set(signal());
        }
        tokio::spawn(async move {
            loop {
                next.as_mut().await;
                next.set(signal());
                sender.send_modify(|count| *count += 1);
            }
        });
        Self {
            count: receiver,
            running: Arc::default(),
            group: Arc::default(),
        }
    }

    /// Interruptions that a test makes, by sending how many there were.
    #[cfg(test)]
    pub fn of_a_test() -> (Self, watch::Sender<u32>) {
        let (sender, count) = watch::channel(0);
        let interrupt = Self {
            count,
            running: Arc::default(),
            group: Arc::default(),
        };
        (interrupt, sender)
    }

    pub fn fired(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Waits for interruption number `n`.
    pub async fn until(&self, n: u32) {
        let mut receiver = self.count.clone();
        if receiver.wait_for(|count| *count >= n).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Remembers machines that may be running because of this run.
    pub fn launched<'a>(&self, ids: impl IntoIterator<Item = &'a String>) {
        if let Ok(mut running) = self.running.lock() {
            running.extend(ids.into_iter().cloned());
        }
    }

    /// Forgets machines that are ending.
    pub fn ended<'a>(&self, ids: impl IntoIterator<Item = &'a String>) {
        if let Ok(mut running) = self.running.lock() {
            for id in ids {
                running.remove(id);
            }
        }
    }

    /// The machines that may be running because of this run.
    pub fn running(&self) -> Vec<String> {
        let running = self.running.lock();
        running.map_or(Vec::new(), |ids| ids.iter().cloned().collect())
    }

    /// Remembers the group that is being started.
    pub fn starts(&self, group: &GroupName) {
        let _ = self.group.set(group.clone());
    }

    /// How the machines of a start are ended, for messages.
    pub fn way_to_end(&self) -> String {
        match self.group.get() {
            Some(group) => format!("end them: {}", terminate_command(group)),
            None => format!("{} shows what runs", command("list")),
        }
    }

    /// The failure of a start that the second interruption ends at once. If a call has no
    /// answer, only the group is known.
    pub fn insisted(&self) -> Failure {
        let failure = Failure::new(Kind::Interrupted, "interrupted twice");
        let Some(group) = self.group.get() else {
            return failure;
        };
        Failure {
            message: format!("interrupted twice: machines of the group {group} may be running"),
            ..failure
        }
        .hint(self.way_to_end())
        .machines(self.running())
    }

    /// The same for an image build, of which nothing is undone then.
    pub fn insisted_on_build(&self) -> Failure {
        let running = self.running();
        let end = match running.first() {
            Some(id) => {
                let line = command(&format!("terminate --instance-id {id}"));
                format!("end it: {line}")
            }
            None => format!("{} shows it", command("list")),
        };
        Failure::new(
            Kind::Interrupted,
            "interrupted twice: the machine that prepares the image may be there still",
        )
        .hint(format!(
            "{end}; {} shows an image that was begun",
            command("image list")
        ))
        .machines(running)
    }

    /// Does `work`, which the first interruption ends.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T>>, message: &str) -> Result<T> {
        tokio::select! {
            biased;
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
    let hung_up = async {
        if hangups_are_ignored() {
            std::future::pending::<()>().await;
        }
        match signal(SignalKind::hangup()) {
            Ok(mut hangup) => _ = hangup.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
        _ = terminate.recv() => {}
        // The terminal was closed, or the connection to it has ended.
        () = hung_up => {}
    }
}

/// Whether this runs under `nohup`. Only Linux tells; elsewhere SIGHUP always counts.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    use std::{fs, sync::LazyLock};
    const SIGHUP: u64 = 1;
    // This is what was inherited, as listening to the signal changes it.
    static IGNORED: LazyLock<bool> = LazyLock::new(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
    });
    *IGNORED
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
