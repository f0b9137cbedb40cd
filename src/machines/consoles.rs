//! What machines say on their consoles while they boot. EC2 gives consoles one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    aws::Aws,
    model::{
        boot_log::{self, Stage},
        machine::Machine,
    },
};

/// A console that EC2 has not given by then is read the next time.
pub const READ_WITHIN: Duration = Duration::from_secs(5);

/// The consoles of machines, as they were last seen.
pub struct Consoles<'a> {
    aws: &'a Aws,
    /// The machines with a live console. EC2 posts those of other machines late.
    live: BTreeSet<String>,
    seen: BTreeMap<String, String>,
}

impl<'a> Consoles<'a> {
    /// The consoles of machines; `live` are the ids of those that have a live one.
    pub fn new(aws: &'a Aws, live: impl IntoIterator<Item = String>) -> Self {
        Self {
            aws,
            live: live.into_iter().collect(),
            seen: BTreeMap::new(),
        }
    }

    /// The machines that have come further since they were last looked at, and how far.
    pub async fn news(&mut self) -> Vec<(String, Stage)> {
        let ids: Vec<String> = self.live.iter().cloned().collect();
        let before: BTreeMap<String, Option<Stage>> = ids
            .iter()
            .map(|id| (id.clone(), boot_log::stage(self.said(id))))
            .collect();
        self.look(ids, self.aws.time.instant() + READ_WITHIN).await;
        let further = |(id, before): (String, Option<Stage>)| {
            let stage = boot_log::stage(self.said(&id)).filter(|now| before.as_ref() != Some(now));
            Some((id, stage?))
        };
        before.into_iter().filter_map(further).collect()
    }

    /// Reads consoles until `until`. One that is empty, or cannot be read in time, stays
    /// as it was seen.
    pub async fn look(&mut self, ids: Vec<String>, until: Instant) {
        let mut reading = tokio::task::JoinSet::new();
        for id in ids {
            let (aws, live) = (self.aws.clone(), self.live.contains(&id));
            reading.spawn(async move {
                let console = aws.console(&id, live).await.ok()?;
                (!console.text.is_empty()).then_some((id, console.text))
            });
        }
        while let Ok(Some(read)) = self.aws.time.until(until, reading.join_next()).await {
            if let Some((id, said)) = read.ok().flatten() {
                renew(self.seen.entry(id).or_default(), said);
            }
        }
    }

    /// What a machine has said, as far as it was read.
    pub fn said(&self, id: &str) -> &str {
        self.seen.get(id).map_or("", String::as_str)
    }

    /// Whether the machine's console shows why it ended itself.
    pub fn has_said_why(&self, machine: &Machine) -> bool {
        boot_log::has_said_why(self.said(&machine.instance_id))
    }
}

/// Replaces what was seen of a console by what is on it now, unless the former is newer:
/// what EC2 posted last may be older than what was live.
fn renew(seen: &mut String, said: String) {
    if !boot_log::beyond(seen, &said).is_empty() {
        *seen = said;
    }
}
