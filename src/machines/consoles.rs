//! What machines that boot say on their consoles, which EC2 has one by one.

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

/// What EC2 has not answered by then is looked at the next time.
pub const READ_WITHIN: Duration = Duration::from_secs(5);

/// The consoles of machines, as they were last seen.
pub struct Consoles<'a> {
    aws: &'a Aws,
    /// The machines whose console is read as it is now; those of others come late.
    live: BTreeSet<String>,
    seen: BTreeMap<String, String>,
}

impl<'a> Consoles<'a> {
    /// Of machines with these ids, which have a live console.
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

    /// Reads consoles until then. One that is empty or cannot be read in time stays as
    /// it was seen.
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

    /// What a machine has said, as far as it was seen.
    pub fn said(&self, id: &str) -> &str {
        self.seen.get(id).map_or("", String::as_str)
    }

    /// Whether the machine's console shows why it ended itself.
    pub fn has_said_why(&self, machine: &Machine) -> bool {
        boot_log::has_said_why(self.said(&machine.instance_id))
    }
}

/// Puts what is on a console now over what was seen of it, unless that is newer:
/// what EC2 posted last may be older than what was live.
fn renew(seen: &mut String, said: String) {
    if !boot_log::beyond(seen, &said).is_empty() {
        *seen = said;
    }
}
