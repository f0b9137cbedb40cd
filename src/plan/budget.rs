//! `--max-cost`: a budget for a group as a whole, from its first launch to its end. It is
//! a pure function of the request, the prices, and what EC2 and Inductiva show.
//!
//! **L** is how long the budget carries all N machines, each at its dearest. The first
//! launch's bytes hold L and never a time of day, so that the same call made again stays
//! the same call; each machine counts from its own start. A later launch ends when the
//! first of the group's machines ends. So at no time more than N machines run, and none
//! runs after that end. The bytes of a later launch hold that time.
//!
//! Before each later launch the promises are added up: what has ended, for as long as it
//! ran; what lives, up to the end; and what is to be launched. The sum has to be within
//! the budget, as a machine that ran for seconds is paid for a minute, and N may have
//! become larger.
//!
//! **The group and its budget end** when no machine of it lives and Inductiva no longer
//! has it active. All launches of a group carry the name of its first launch, by which
//! they are known.
//!
//! Nobody can see machines that neither EC2 nor Inductiva shows any more.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::known::Known;
use crate::model::{
    active_group::ActiveGroup,
    machine::{Machine, TAG_BUDGET, TAG_GROUP_ID, TAG_LAUNCH},
    user_data::Variable,
};

/// How long a machine may take to save its work and to be off once its time is over: two
/// minutes and five (`deadline` and `stop_containers` in user-data.sh).
pub const ENDING: Duration = Duration::from_mins(7);
/// The shortest time that a machine is paid for (EC2 on-demand pricing).
pub(super) const MINIMUM: Duration = Duration::from_mins(1);
/// A longer L is as good as no end.
pub(super) const MOST: Duration = Duration::from_hours(10 * 365 * 24);

/// What a machine's tag says of its budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The amount as it was typed, in plain words.
    pub usd: String,
    /// The most that a machine could cost when the budget was made, USD an hour.
    pub usd_per_hour: f64,
    /// What a machine of the launch costs once at most, however long it runs, USD.
    pub usd_once: f64,
    /// L: a machine begins to end at this age.
    pub seconds: u64,
    /// Only of launches after the first.
    pub later: Option<LaterLaunch>,
}

/// What a launch after the first says of its budget, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterLaunch {
    /// When its machines begin to end, in seconds since 1970.
    pub ends: u64,
    /// The name of the first launch.
    pub first: String,
}

impl Budget {
    /// The budget in a machine's tag; none if it has none.
    ///
    /// # Errors
    /// The tag cannot be read.
    pub fn of(machine: &Machine) -> Option<Known<Self>> {
        let tag = machine.tag(TAG_BUDGET)?;
        let damaged = || format!("the tag {TAG_BUDGET} of {} is damaged", machine.instance_id);
        Some(Self::read(tag).ok_or_else(damaged))
    }

    fn read(tag: &str) -> Option<Self> {
        let words: Vec<(&str, &str)> = tag.split(' ').filter_map(|w| w.split_once('=')).collect();
        let value = |name: &str| {
            let mut words = words.iter();
            words.find(|(key, _)| *key == name).map(|(_, value)| *value)
        };
        let usd_per_hour: f64 = value("usd-per-hour")?.parse().ok()?;
        let later = match (value("ends"), value("first")) {
            (None, None) => None,
            (Some(ends), Some(first)) => Some(LaterLaunch {
                ends: ends.parse().ok()?,
                first: first.to_owned(),
            }),
            _ => return None,
        };
        let budget = Self {
            usd: value("usd")?.to_owned(),
            usd_per_hour,
            usd_once: value("usd-once").map_or(Some(0.0), |usd| usd.parse().ok())?,
            seconds: value("seconds")?.parse().ok()?,
            later,
        };
        let is_sound = usd_per_hour.is_finite()
            && usd_per_hour > 0.0
            && budget.usd_once.is_finite()
            && budget.usd_once >= 0.0
            && Duration::from_secs(budget.seconds) <= MOST
            && budget.amount().is_some();
        is_sound.then_some(budget)
    }

    fn amount(&self) -> Option<f64> {
        let usd: f64 = self.usd.parse().ok()?;
        (usd.is_finite() && usd > 0.0).then_some(usd)
    }

    /// What the machine is told of its budget.
    pub fn variables(&self) -> Vec<Variable> {
        let variable = |name, value: String| Variable { name, value };
        let seconds = variable("BUDGET_SECONDS", self.seconds.to_string());
        let later = self.later.iter();
        let ends = later.map(|later| variable("BUDGET_ENDS", later.ends.to_string()));
        std::iter::once(seconds).chain(ends).collect()
    }

    /// When a machine begins to end that was launched at that time.
    pub fn ends(&self, launched_at: Option<SystemTime>) -> Option<SystemTime> {
        let by_age = launched_at.map(|at| at + Duration::from_secs(self.seconds));
        match &self.later {
            Some(later) => Some(UNIX_EPOCH + Duration::from_secs(later.ends)),
            None => by_age,
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            usd,
            usd_per_hour,
            usd_once,
            seconds,
            later,
        } = self;
        write!(f, "usd={usd} usd-per-hour={usd_per_hour} seconds={seconds}")?;
        if *usd_once > 0.0 {
            write!(f, " usd-once={usd_once}")?;
        }
        if let Some(LaterLaunch { ends, first }) = later {
            write!(f, " ends={ends} first={first}")?;
        }
        Ok(())
    }
}

/// Variables as long as a budget's can be.
pub fn longest_variables() -> Vec<Variable> {
    let longest = Budget {
        usd: String::new(),
        usd_per_hour: 0.0,
        usd_once: 0.0,
        seconds: MOST.as_secs(),
        later: Some(LaterLaunch {
            ends: u64::from(u32::MAX) * 9,
            first: String::new(),
        }),
    };
    longest.variables()
}

/// The name of the first launch of the machine's group.
pub(super) fn first_launch(machine: &Machine) -> Option<String> {
    if let Some(Ok(Budget {
        later: Some(LaterLaunch { first, .. }),
        ..
    })) = Budget::of(machine)
    {
        return Some(first);
    }
    let launch = machine.tag(TAG_LAUNCH)?.split(' ').next()?;
    Some(launch.to_owned())
}

/// The machines of the group as it is now, ended ones too. Those of an earlier group of
/// the same name are left out.
pub fn current_members<'a>(
    machines: &'a [Machine],
    group: Option<&ActiveGroup>,
) -> Vec<&'a Machine> {
    let is_of_active = |m: &Machine| {
        group.is_some_and(|group| {
            let has_id = !group.id.is_empty() && m.tag(TAG_GROUP_ID) == Some(group.id.as_str());
            let mut records = group.machines.iter();
            has_id || records.any(|record| record.host_name == m.instance_id)
        })
    };
    let is_surely = |m: &&Machine| !m.state.is_gone() || is_of_active(m);
    let firsts: BTreeSet<String> = machines
        .iter()
        .filter(is_surely)
        .filter_map(first_launch)
        .collect();
    let is_of_same = |m: &Machine| first_launch(m).is_some_and(|first| firsts.contains(&first));
    machines
        .iter()
        .filter(|m| is_surely(m) || is_of_same(m))
        .collect()
}

/// What a machine costs that runs for this time, USD.
pub fn cost_of(time: Duration, usd_per_hour: f64) -> f64 {
    time.max(MINIMUM).as_secs_f64() / 3_600.0 * usd_per_hour
}
