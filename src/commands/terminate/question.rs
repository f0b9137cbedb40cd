//! What `terminate` asks: in which account, what runs, and what would be lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::groups::Groups;
use crate::{
    aws::Aws,
    commands::list::{Layout, ListReport, shows_spent, sources, text},
    inductiva::Group,
    machines::{ledger::Settled, price_book::PriceBook},
    model::machine::{self, Machine},
    terminal::{output::Output, time::span},
    values::GroupName,
};

/// How long the question waits for what it can do without: prices, tasks, the account,
/// and what the machines have cost.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// The most machines that are shown above the question.
const MOST_MACHINES: usize = 20;

/// The question, and what is shown above it.
pub struct Question {
    /// None if AWS does not answer in time.
    account: Option<String>,
    regions: Vec<String>,
    machines: usize,
    list: Option<ListReport>,
    left_over: Vec<String>,
    /// The tasks that the machines run.
    tasks: Vec<String>,
    /// What their groups have cost.
    settled: Vec<Settled>,
}

impl Question {
    /// The question whether to end `going`, and to delete the groups `left_over`.
    pub async fn about(
        aws: &Aws,
        inductiva: &Groups<'_>,
        going: &[Machine],
        left_over: &[Group],
    ) -> Self {
        let mut prices = PriceBook::default();
        let mut groups = BTreeMap::new();
        let mut account = None;
        let mut settled = Vec::new();
        // If nobody can be asked, there is an error at once.
        if inductiva.out.interactive {
            let until = aws.time.instant() + KNOWN_WITHIN;
            let identity = aws.time.until(until, aws.identity());
            let sides = aws.time.until(until, sides(inductiva, going));
            let learning = aws.time.until(until, prices.learn(aws, going));
            let shown = aws.time.until(until, shown(aws, going));
            let (identity, sides, _, shown) = tokio::join!(identity, sides, learning, shown);
            account = identity.ok().and_then(Result::ok).map(|i| i.account);
            groups = sides.unwrap_or_default();
            if let Ok(Some(shown)) = shown {
                let sources = sources(going, &shown, inductiva.api.is_some(), &groups);
                let settling = prices.settle(aws, &sources, aws.clock.now());
                settled = aws.time.until(until, settling).await.unwrap_or_default();
            }
        }
        let now = aws.clock.now();
        let list = (!going.is_empty()).then(|| {
            let list = ListReport::of(going, &groups, &prices, now);
            list.with_spent(&settled)
        });
        let mut regions: Vec<String> = going.iter().map(|m| m.region.clone()).collect();
        if regions.is_empty() {
            regions.push(aws.region.clone());
        }
        regions.sort();
        regions.dedup();
        Self {
            account,
            regions,
            machines: going.len(),
            tasks: list.as_ref().map_or(Vec::new(), ListReport::tasks),
            list,
            settled,
            left_over: left_over.iter().map(|group| group.name.clone()).collect(),
        }
    }

    /// Shows what would be ended.
    pub fn show(&self, out: Output) {
        let mut is_shown = false;
        if let Some(list) = &self.list {
            let layout = Layout {
                width: out.width_of_conversation(),
                most: Some(MOST_MACHINES),
                ..Layout::default()
            };
            let list = text(list, layout);
            is_shown = shows_spent(&list);
            out.say_lines(list.trim_end());
        }
        // Costs that are known in full are in the list, if it has room for them.
        for settled in &self.settled {
            if !is_shown || settled.spent.amount.usd().is_none() {
                out.say(&settled.line(span));
            }
        }
        for name in &self.left_over {
            out.say(&format!("machine group {name}, without machines"));
        }
        match self.tasks.as_slice() {
            [] => {}
            [task] => out.say(&format!("1 task would be lost: {task}")),
            tasks => out.say(&format!(
                "{} tasks would be lost: {}",
                tasks.len(),
                tasks.join(" ")
            )),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut what = Vec::new();
        if self.machines > 0 {
            what.push(machine::count(self.machines));
        }
        match self.left_over.len() {
            0 => {}
            1 => what.push("1 machine group".into()),
            n => what.push(format!("{n} machine groups")),
        }
        f.write_str(&what.join(" and "))?;
        if let Some(account) = &self.account {
            write!(f, " of account {account}")?;
        }
        write!(
            f,
            " in {} will be terminated. Are you sure you want to proceed",
            self.regions.join(", ")
        )
    }
}

/// All machines that EC2 shows in the regions of these, ended ones too.
async fn shown(aws: &Aws, going: &[Machine]) -> Option<Vec<Machine>> {
    let regions: BTreeSet<&str> = going.iter().map(|m| m.region.as_str()).collect();
    let asked = regions.into_iter().map(|region| {
        let aws = aws.in_region(region);
        async move { aws.our_machines().await.ok() }
    });
    let answers = futures_util::future::join_all(asked).await;
    let machines: Option<Vec<Vec<Machine>>> = answers.into_iter().collect();
    Some(machines?.into_iter().flatten().collect())
}

/// What Inductiva says of the machines' groups. Those that it cannot be asked about are
/// left out.
async fn sides(inductiva: &Groups<'_>, going: &[Machine]) -> BTreeMap<String, Option<Group>> {
    let mut groups = BTreeMap::new();
    let Some(api) = inductiva.api else {
        return groups;
    };
    let mut names: Vec<GroupName> = going
        .iter()
        .filter_map(|m| m.group()?.parse().ok())
        .collect();
    names.sort();
    names.dedup();
    let asked = names.iter().map(|name| api.group(name));
    let answers = futures_util::future::join_all(asked).await;
    for (name, answer) in names.iter().zip(answers) {
        if let Ok(group) = answer {
            groups.insert(name.to_string(), group);
        }
    }
    groups
}
