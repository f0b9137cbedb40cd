//! Random lives of machines, and what is made of the parts that EC2 and Inductiva happen
//! to show.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;

use super::{
    life::{Circumstances, Life},
    members::members,
};
use crate::model::{
    active_group::{GroupRecord, Record},
    machine::{Machine, State},
};

const ID: &str = "i-0123456789abcdef0";
const BOOT_TIMEOUT: Duration = Duration::from_mins(30);
/// For how many seconds EC2 shows a machine after its end.
const SHOWN_FOR: u64 = 3_600;

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_764_000_000 + seconds)
}

proptest! {
    /// Whoever shows the machine, whatever is missing, and whatever Inductiva's clock
    /// says: the known time is never longer than the real one, and the longest time never
    /// shorter.
    #[test]
    fn what_is_known_is_no_more_and_what_is_at_most_no_less_than_it_was(
        launched in 0_u64..10_000,
        boot in 20_u64..1_700,
        worked in 0_u64..100_000,
        ending in 0_u64..400,
        looked in 0_u64..200_000,
        tells_end: bool,
        tells_left: bool,
        has_registered: bool,
        skew in -30_i64..30,
        stopped in proptest::option::of(0_u64..5_000),
        tells_stop: bool,
        looks_while_it_is_shown: bool,
        ended_by_this_run: bool,
    ) {
        let left = launched + boot + worked;
        // If it was stopped when its runner left, it is ended later.
        let ran_until = left + ending;
        let ended = ran_until + stopped.unwrap_or_default();
        let now = if looks_while_it_is_shown {
            ended + looked % SHOWN_FOR
        } else {
            launched + looked
        };
        let shifted = |t: u64| time(t.saturating_add_signed(skew));
        let runs = now < ended;
        let is_shown = now < ended + SHOWN_FOR;
        let real = Duration::from_secs(now.min(ran_until) - launched);
        let real_disks = Duration::from_secs(now.min(ended) - launched);
        let registered = has_registered && launched + boot <= now;
        let records: Vec<Record> = registered
            .then(|| Record {
                host_name: ID.into(),
                started_at: Some(shifted(launched + boot)),
                last_seen_at: Some(shifted(left.min(now))),
                ended_at: (tells_left && left <= now).then(|| shifted(left)),
            })
            .into_iter()
            .collect();
        prop_assume!(is_shown || registered);
        let is_stopped = stopped.is_some() && ran_until <= now;
        let knows_before = ended_by_this_run && is_shown && !runs;
        // Nobody can tell that a machine was stopped if only EC2 shows it, or if its
        // runner left shortly before its end.
        let tells_stop_by_leaving =
            registered && tells_left && stopped.is_some_and(|time| time > 700);
        prop_assume!(!is_stopped || runs || knows_before || tells_stop_by_leaving);
        let stopped_at = (is_stopped && tells_stop).then(|| time(ran_until));
        let state = match runs {
            true if is_stopped => State::Stopped,
            true => State::Running,
            false => State::Terminated,
        };
        let shown = is_shown.then(|| Machine {
            launched_at: Some(time(launched)),
            stopped_at: stopped_at.filter(|_| runs),
            ended_at: (tells_end && !runs).then(|| time(ended)),
            ..Machine::example(ID, state)
        });
        let group = GroupRecord { machines: records, ..GroupRecord::default() };
        let machines: Vec<Machine> = shown.into_iter().collect();
        let state = if is_stopped { State::Stopped } else { State::Running };
        let before: BTreeMap<String, Machine> = knows_before
            .then(|| Machine { stopped_at, ..Machine::example(ID, state) })
            .into_iter()
            .map(|machine| (ID.to_owned(), machine))
            .collect();
        let members = members(&machines, &before, Some(&group));
        prop_assert_eq!(members.len(), 1);
        let at = Circumstances {
            now: time(now),
            boot_timeout: BOOT_TIMEOUT,
            group_made: None,
        };
        let life = Life::of(&members[0], &at);
        let tolerance = Duration::from_secs(30);
        prop_assert!(life.ran.known <= real + tolerance, "{:?} of {:?}", life, real);
        let most = life.ran.most.expect("a bound");
        prop_assert!(most + tolerance >= real, "{:?} of {:?}", life, real);
        prop_assert!(life.ran.known <= most, "{:?}", life);
        let disks = life.had_disks.most.expect("a bound");
        prop_assert!(!is_shown || disks + tolerance >= real_disks, "{:?}", life);
        // A time that is called known leaves out only the boot and the end.
        if life.why_unknown.is_none() {
            let unseen = Duration::from_secs(boot + ending);
            prop_assert!(life.ran.known + unseen + tolerance >= real, "{:?} of {:?}", life, real);
        }
    }
}
