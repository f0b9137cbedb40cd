//! Says what is waited for when a service is slow to answer.

use std::{collections::BTreeSet, future, sync::Mutex, time::Duration};

use super::output::Output;
use crate::time::Time;

/// Before that nobody has begun to wonder.
const SLOW: Duration = Duration::from_secs(2);

/// The services of which it was said. It is said once for each, however many of its calls
/// are slow.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says that `service` has not answered `call`, once that has lasted for a while.
pub async fn say(out: Output, time: Time, service: String, call: String) {
    if time.within(SLOW, future::pending::<()>()).await.is_ok() {
        return;
    }
    let said = SAID.lock();
    if said.is_ok_and(|mut said| said.insert(service.clone())) {
        out.say(&format!("waiting for {service} to answer {call}"));
    }
}

/// Does `work`, which is a call of `service`, and says so if it is slow.
pub async fn watched<T>(
    out: Output,
    time: &Time,
    (service, call): (&str, &str),
    work: impl Future<Output = T>,
) -> T {
    let saying = say(out, time.clone(), service.to_owned(), call.to_owned());
    let both = async {
        saying.await;
        future::pending().await
    };
    tokio::select! {
        biased;
        done = work => done,
        never = both => never,
    }
}
