//! The line at the end of `terminate`: how long the machines that it has ended ran, with
//! those of their groups that had ended before, and what they cost. Only the line itself
//! waits for that, and nothing fails because of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{ending::Ending, groups::Groups};
use crate::{
    aws::Aws,
    machines::{
        ledger::{GroupSources, Settled},
        price_book::PriceBook,
    },
    model::machine::Machine,
    plan::spent::Spent,
    terminal::{interrupt::Interrupt, output::Output, time::span},
};

/// How long the line waits for prices that are not in the cache. What has not come by
/// then counts as unknown.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// The most ids that the line names; of more it gives the number.
const MOST_IDS: usize = 3;

/// What this run has ended.
#[derive(Debug, Default)]
pub struct EndedMachines {
    /// By the groups' names: their machines, those that have ended and the others.
    groups: BTreeMap<String, Vec<Machine>>,
    /// Machines that were named by their ids, by these.
    single: BTreeMap<String, Machine>,
    /// All of them as they were before, by their ids.
    before: BTreeMap<String, Machine>,
}

impl EndedMachines {
    /// Adds what `ending` has ended, with the other machines of the same groups.
    pub fn add(&mut self, ending: &Ending<'_>, shown: &[Machine]) {
        self.add_before(ending);
        let ended: BTreeSet<String> = ending.ended().into_iter().collect();
        let machines = ending.with_ended(shown);
        let has_ended = |m: &&Machine| ended.contains(&m.instance_id);
        let names = machines.iter().filter(has_ended).filter_map(Machine::group);
        let names: BTreeSet<&str> = names.collect();
        for name in names {
            let of_group = machines.iter().filter(|m| m.group() == Some(name));
            self.groups
                .insert(name.to_owned(), of_group.cloned().collect());
        }
    }

    /// Adds machines that were named by their ids.
    pub fn add_single(&mut self, ending: &Ending<'_>, machines: &[Machine]) {
        self.add_before(ending);
        let ended = ending.ended();
        let machines = ending.with_ended(machines).into_iter();
        let single = machines.filter(|m| ended.contains(&m.instance_id));
        self.single
            .extend(single.map(|m| (m.instance_id.clone(), m)));
    }

    /// Sorts ids of ended machines as `start` and `list` do.
    pub fn sort(&self, ids: &mut [String]) {
        ids.sort_by_cached_key(|id| {
            let before = self.before.get(id);
            before.map(|m| {
                (
                    m.region.clone(),
                    m.group().map(str::to_owned),
                    m.launch_time.clone(),
                    id.clone(),
                )
            })
        });
    }

    fn add_before(&mut self, ending: &Ending<'_>) {
        let before = ending.before();
        self.before
            .extend(before.map(|(id, machine)| (id.clone(), machine.clone())));
    }

    fn before_of(&self, machines: &[Machine]) -> BTreeMap<String, Machine> {
        let ids = machines.iter().map(|m| m.instance_id.as_str());
        let before = ids.filter_map(|id| self.before.get_key_value(id));
        before
            .map(|(id, machine)| (id.clone(), machine.clone()))
            .collect()
    }

    /// What the costs are worked out from, with Inductiva's answers for the groups.
    pub fn sources(&self, groups: &Groups<'_>) -> Vec<GroupSources> {
        let of_groups = self.groups.iter().map(|(name, machines)| GroupSources {
            name: Some(name.clone()),
            machines: machines.clone(),
            before: self.before_of(machines),
            record: groups.known(name),
            ids: None,
        });
        let mut all: Vec<GroupSources> = of_groups.collect();
        let is_of_none = |m: &&Machine| m.group().is_none_or(|g| !self.groups.contains_key(g));
        let single: Vec<Machine> = self.single.values().filter(is_of_none).cloned().collect();
        if !single.is_empty() {
            let ids: BTreeSet<String> = single.iter().map(|m| m.instance_id.clone()).collect();
            let named = ids.iter().take(MOST_IDS).cloned().collect::<Vec<_>>();
            all.push(GroupSources {
                name: Some(match ids.len() - named.len() {
                    0 => named.join(" "),
                    more => format!("{} and {more} more", named.join(" ")),
                }),
                before: self.before_of(&single),
                machines: single,
                record: Ok(None),
                ids: Some(ids),
            });
        }
        all
    }
}

/// Says the line; nothing if nothing has ended.
pub async fn say(aws: &Aws, sources: &[GroupSources], interrupt: &Interrupt, out: Output) {
    if sources.is_empty() || out.quiet {
        return;
    }
    let now = aws.clock.now();
    let mut prices = PriceBook::default();
    let settling = prices.settle(aws, sources, now);
    let settling = aws.time.within(KNOWN_WITHIN, settling);
    let settled = tokio::select! {
        biased;
        // Everything has ended. Whoever does not want to wait only misses a line.
        () = interrupt.until(1) => return,
        settled = settling => settled,
    };
    let settled = settled
        .unwrap_or_else(|_| prices.settle_as_known(&BTreeMap::new(), sources, &aws.region, now));
    out.say(&line(&settled));
}

fn line(settled: &[Settled]) -> String {
    if let [one] = settled {
        return one.line(span);
    }
    // There may be others, which this run did not end.
    let all = Spent::sum(settled.iter().map(|group| &group.spent));
    format!("in total: {}", all.in_words(span))
}
