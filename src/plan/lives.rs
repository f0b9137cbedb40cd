//! How long machines have run, ended ones too: a pure function of what EC2 and Inductiva
//! show of them.
//!
//! EC2 shows a machine for about an hour after its end, and does not always tell when
//! that was. Inductiva keeps when a machine registered and when it left, by a clock that
//! may differ. Where both disagree, EC2 is right: a machine whose runner has left is paid
//! for as long as it runs.

mod hidden;

use std::time::{Duration, SystemTime};

use super::{
    life::{Circumstances, End, Life, Span, between, nothing_known},
    members::Member,
};
use crate::model::machine::{Machine, State};

/// A machine that registered this long before EC2 says it was launched has been stopped
/// and started again since, as EC2 tells the last start. A shorter time only means that
/// the clocks differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);

impl Life {
    pub fn of(member: &Member<'_>, at: &Circumstances) -> Self {
        match member.machine {
            Some(machine) => shown(machine, member, at),
            None => hidden::life(member, at),
        }
    }
}

/// The life of a machine that EC2 shows.
fn shown(machine: &Machine, member: &Member<'_>, at: &Circumstances) -> Life {
    let id = &machine.instance_id;
    let began = machine.launched_at.or_else(|| member.registered());
    let Some(began) = began.map(|began| began.min(at.now)) else {
        return nothing_known(format!("EC2 does not tell when {id} was launched"));
    };
    let seen = member
        .last_seen()
        .map_or(began, |seen| seen.clamp(began, at.now));
    let unknown = |why: String| End {
        earliest: seen,
        latest: at.now,
        why_unknown: Some(why),
    };
    let is_over = !matches!(machine.state, State::Pending | State::Running);
    let end = match machine.state {
        // It runs, whatever Inductiva says.
        State::Pending | State::Running => End::at(at.now),
        State::Stopping | State::Stopped => match machine.stopped_at {
            Some(time) => End::at(time.min(at.now)),
            None => unknown(format!("EC2 does not tell when {id} was stopped")),
        },
        State::ShuttingDown | State::Terminated => match (machine.ended_at, member.left_at()) {
            (Some(time), _) => End::at(time.min(at.now)),
            // The runner leaves shortly before the machine ends.
            (None, Some(time)) => End {
                earliest: time.clamp(began, at.now),
                latest: at.now,
                why_unknown: None,
            },
            (None, None) => unknown(format!("nobody knows when {id} ended")),
        },
    };
    // A machine that is gone may have been stopped before. `end` is the end of its disks.
    let is_gone = machine.state.is_gone();
    let stop = is_gone.then(|| stop_before(machine, member, &end, seen));
    let run = stop.flatten().unwrap_or_else(|| end.clone());
    let spans = |end: &End| Span {
        known: between(began, end.earliest),
        most: Some(between(began, end.latest)),
    };
    let (mut ran, mut had_disks) = (spans(&run), spans(&end));
    let mut why_unknown = run.why_unknown.or(end.why_unknown);
    let before = member
        .registered()
        .filter(|first| between(*first, began) > CLOCKS_DIFFER);
    if let Some(first) = before {
        ran.most = Some(between(first, run.latest));
        had_disks.most = Some(between(first, end.latest));
        why_unknown.get_or_insert(format!(
            "{id} was stopped and started again, and nobody knows how long it ran before"
        ));
    }
    let is_stopped = matches!(machine.state, State::Stopping | State::Stopped);
    Life {
        began: Some(began),
        ended: (is_over && why_unknown.is_none()).then_some(end.earliest),
        ran,
        had_disks: if is_stopped {
            Span::exactly(between(before.unwrap_or(began), at.now))
        } else {
            had_disks
        },
        why_unknown,
    }
}

/// When a machine that is gone stopped running, if that was before its `end`. EC2 tells
/// only when its state changed last. `seen` is when it was last heard of.
fn stop_before(machine: &Machine, member: &Member<'_>, end: &End, seen: SystemTime) -> Option<End> {
    let id = &machine.instance_id;
    let within = |from: SystemTime, why: String| End {
        earliest: from.min(end.latest),
        latest: end.latest,
        why_unknown: Some(why),
    };
    match member.before {
        Some(before) if matches!(before.state, State::Stopping | State::Stopped) => {
            Some(match before.stopped_at {
                Some(time) => End::at(time.min(end.latest)),
                None => within(seen, format!("EC2 does not tell when {id} was stopped")),
            })
        }
        Some(_) => None,
        // A builder is stopped once it has prepared its image, and ended later.
        None if machine.is_builder() => Some(within(
            seen,
            format!("EC2 does not tell when {id}, which prepared an image, was stopped"),
        )),
        None => {
            let (ended, left) = (machine.ended_at?, member.left_at()?);
            let is_long_before = between(left, ended) > CLOCKS_DIFFER;
            is_long_before.then(|| {
                within(
                    seen,
                    format!("nobody knows whether {id} ran on after its runner had left"),
                )
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::model::{
        active_group::Record,
        machine::{LAUNCHER, TAG_LAUNCHER},
        prepared_image::TAG_BUILDER,
    };

    const ID: &str = "i-0123456789abcdef0";
    const BOOT_TIMEOUT: Duration = Duration::from_mins(30);

    pub(super) fn time(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_764_000_000 + seconds)
    }

    pub(super) fn at(now: u64) -> Circumstances {
        Circumstances {
            now: time(now),
            boot_timeout: BOOT_TIMEOUT,
            group_made: None,
        }
    }

    fn machine(state: State, launched: u64) -> Machine {
        Machine {
            launched_at: Some(time(launched)),
            ..Machine::example(ID, state)
        }
    }

    pub(super) fn record(started: Option<u64>, seen: Option<u64>, ended: Option<u64>) -> Record {
        Record {
            host_name: ID.into(),
            started_at: started.map(time),
            last_seen_at: seen.map(time),
            ended_at: ended.map(time),
        }
    }

    pub(super) fn life(machine: Option<&Machine>, records: &[Record], at: &Circumstances) -> Life {
        let member = Member {
            id: ID,
            machine,
            before: None,
            records: records.iter().collect(),
        };
        Life::of(&member, at)
    }

    pub(super) fn seconds(known: u64, most: u64) -> Span {
        Span {
            known: Duration::from_secs(known),
            most: Some(Duration::from_secs(most)),
        }
    }

    #[test]
    fn a_machine_that_runs_is_paid_for_whatever_inductiva_says() {
        let running = machine(State::Running, 100);
        let left = record(Some(160), Some(200), Some(200));
        let life = life(Some(&running), &[left], &at(1_100));
        assert_eq!(life.ran, seconds(1_000, 1_000));
        assert_eq!((life.ended, life.why_unknown), (None, None));
    }

    #[test]
    fn an_end_is_ec2s_then_inductivas_else_nobody_knows_it() {
        let mut gone = machine(State::Terminated, 100);
        let left = record(Some(160), Some(300), Some(400));
        let stays = record(Some(160), Some(300), None);
        // EC2 does not tell the end, which is at the latest now.
        let by_inductiva = life(Some(&gone), std::slice::from_ref(&left), &at(1_100));
        assert_eq!(by_inductiva.ran, seconds(300, 1_000));
        assert_eq!(by_inductiva.ended, Some(time(400)));
        let unknown = life(Some(&gone), &[stays], &at(1_100));
        assert_eq!(unknown.ran, seconds(200, 1_000));
        assert_eq!(unknown.ended, None);
        assert!(unknown.why_unknown.is_some());
        let nothing = life(Some(&gone), &[], &at(1_100));
        assert_eq!(nothing.ran, seconds(0, 1_000));
        assert!(nothing.why_unknown.is_some());
        gone.ended_at = Some(time(500));
        let by_ec2 = life(Some(&gone), &[left], &at(1_100));
        assert_eq!(by_ec2.ran, seconds(400, 400));
        assert_eq!(by_ec2.ended, Some(time(500)));
    }

    #[test]
    fn a_stopped_machine_is_paid_for_by_its_disks_alone() {
        let mut stopped = machine(State::Stopped, 100);
        stopped.stopped_at = Some(time(400));
        let known = life(Some(&stopped), &[], &at(1_100));
        assert_eq!(known.ran, seconds(300, 300));
        assert_eq!(known.had_disks, seconds(1_000, 1_000));
        stopped.stopped_at = None;
        let unknown = life(Some(&stopped), &[], &at(1_100));
        assert_eq!(unknown.ran, seconds(0, 1_000));
        assert!(unknown.why_unknown.is_some());
    }

    #[test]
    fn a_stopped_machine_that_ends_ran_until_it_was_stopped() {
        let mut gone = machine(State::ShuttingDown, 100);
        gone.ended_at = Some(time(1_100));
        let mut before = machine(State::Stopped, 100);
        before.stopped_at = Some(time(400));
        let ending = |before: &Machine| {
            let member = Member {
                id: ID,
                machine: Some(&gone),
                before: Some(before),
                records: Vec::new(),
            };
            Life::of(&member, &at(1_500))
        };
        let known = ending(&before);
        assert_eq!(known.ran, seconds(300, 300));
        assert_eq!(known.had_disks, seconds(1_000, 1_000));
        assert_eq!((known.ended, known.why_unknown), (Some(time(1_100)), None));
        before.stopped_at = None;
        let unknown = ending(&before);
        assert_eq!(unknown.ran, seconds(0, 1_000));
        assert!(unknown.why_unknown.is_some());
        let ran = ending(&machine(State::Running, 100));
        assert_eq!(ran.ran, seconds(1_000, 1_000));
        assert_eq!(ran.why_unknown, None);
        // Nobody has seen it while it was stopped.
        let left = record(Some(160), Some(300), Some(400));
        let seen = life(Some(&gone), &[left], &at(1_500));
        assert_eq!(seen.ran, seconds(300, 1_000));
        assert_eq!(seen.had_disks, seconds(1_000, 1_000));
        assert!(seen.why_unknown.is_some());
    }

    #[test]
    fn of_a_gone_machine_that_prepared_an_image_a_bound_is_known() {
        let mut gone = machine(State::Terminated, 100);
        gone.ended_at = Some(time(1_100));
        gone.tags = vec![
            (TAG_LAUNCHER.into(), LAUNCHER.into()),
            (TAG_BUILDER.into(), "1".into()),
        ];
        let builder = life(Some(&gone), &[], &at(1_500));
        assert_eq!(builder.ran, seconds(0, 1_000));
        assert_eq!(builder.had_disks, seconds(1_000, 1_000));
        assert!(builder.why_unknown.is_some());
    }

    #[test]
    fn a_machine_that_was_started_again_ran_before() {
        let running = machine(State::Running, 5_000);
        let first = record(Some(100), Some(900), None);
        let life = life(Some(&running), &[first], &at(6_000));
        assert_eq!(life.ran, seconds(1_000, 5_900));
        assert!(life.why_unknown.is_some());
    }

    #[test]
    fn without_any_time_nothing_is_known() {
        let mut running = machine(State::Running, 0);
        running.launched_at = None;
        for life in [
            life(Some(&running), &[], &at(10)),
            life(None, &[record(None, None, Some(5))], &at(10)),
        ] {
            assert_eq!(life.ran, Span::default());
            assert!(life.why_unknown.is_some());
        }
        // Inductiva's time is better than none.
        let known = life(Some(&running), &[record(Some(4), None, None)], &at(10));
        assert_eq!(known.ran, seconds(6, 6));
    }
}
