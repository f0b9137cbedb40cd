//! The tag [`TAG_LAUNCH`]: what a machine says of the launch that it belongs to, so that
//! a later run can make the same calls again ([`super::protocol`]).

use std::fmt;

use super::tokens::{Base, Call, Hour, MACHINES_PER_CALL};
use crate::model::machine::{Machine, TAG_LAUNCH};

/// No launch and no group has more. A tag with a larger number is damaged, and to act on
/// its numbers would cost memory and time.
const MOST_MACHINES: u32 = 100_000;

/// What a machine's [`TAG_LAUNCH`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTag {
    pub base: Base,
    /// The index of its call.
    pub call: u32,
    /// All machines of the launch.
    pub total: u32,
    /// How many machines the group had when the launch was planned, terminated ones too.
    pub known: u32,
    /// Whether the launch takes fewer machines where there is no capacity for all.
    pub or_fewer: bool,
    /// How many machines the first call takes at least if fewer are enough. It is 1,
    /// unless the launch is tried again until there are so many.
    pub least: u32,
    /// How many machines the group was to have.
    pub wanted: u32,
    /// The hour and the number of the launch. Machines of earlier releases have none.
    pub slot: Option<(Hour, u32)>,
    /// The index of the candidate that the machine was launched as, from 0.
    pub candidate: u32,
}

impl LaunchTag {
    /// What the machine says of its launch; none for machines of releases without such a
    /// tag.
    pub fn of(machine: &Machine) -> Option<Self> {
        let mut words = machine.tag(TAG_LAUNCH)?.split(' ');
        let base = words.next()?;
        let words: Vec<&str> = words.collect();
        let value = |name: &str| {
            let mut values = words.iter().filter_map(|word| word.split_once('='));
            values.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let number = |name| value(name)?.parse::<u32>().ok();
        let (call, total, known) = (number("call")?, number("total")?, number("known")?);
        let others = ["wanted", "number", "least"].map(number);
        let numbers = [Some(total), Some(known)].into_iter().chain(others);
        let is_damaged = numbers.flatten().any(|n| n > MOST_MACHINES);
        if is_damaged || call >= total.div_ceil(MACHINES_PER_CALL) {
            return None;
        }
        let hour = value("hour").and_then(|hour| hour.parse().ok()).map(Hour);
        Some(Self {
            base: Base(base.to_owned()),
            call,
            total,
            known,
            or_fewer: words.contains(&"or-fewer"),
            least: number("least").unwrap_or(1),
            wanted: number("wanted").unwrap_or(known.saturating_add(total)),
            slot: hour.zip(number("number")),
            candidate: number("candidate").unwrap_or(0),
        })
    }

    /// How many machines a request has to take at least to get the `missing` ones of a
    /// call.
    pub fn least_of(&self, call: Call, missing: u32) -> u32 {
        if !self.or_fewer {
            return missing;
        }
        let of_call = if call.index == 0 { self.least } else { 1 };
        let launched = call.number.saturating_sub(missing);
        of_call.saturating_sub(launched).clamp(1, missing.max(1))
    }
}

impl fmt::Display for LaunchTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            base: Base(base),
            call,
            total,
            known,
            or_fewer,
            least,
            wanted,
            slot,
            candidate,
        } = self;
        write!(
            f,
            "{base} call={call} total={total} known={known} wanted={wanted}"
        )?;
        if let Some((Hour(hour), number)) = slot {
            write!(f, " hour={hour} number={number}")?;
        }
        if *candidate > 0 {
            write!(f, " candidate={candidate}")?;
        }
        if *or_fewer {
            f.write_str(" or-fewer")?;
        }
        if *least > 1 {
            write!(f, " least={least}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::State;

    #[test]
    fn a_launch_tag_is_read_as_it_was_written() {
        let read = |tag: &str| {
            LaunchTag::of(&Machine {
                tags: vec![(TAG_LAUNCH.into(), tag.into())],
                ..Machine::example("i-1", State::Running)
            })
        };
        let tag = LaunchTag {
            base: Base("0123456789abcdef0123456789abcdef".into()),
            call: 1,
            total: 4,
            known: 3,
            or_fewer: true,
            least: 2,
            wanted: 6,
            slot: Some((Hour(7), 4)),
            candidate: 2,
        };
        assert_eq!(read(&tag.to_string()), Some(tag.clone()));
        // The form in which earlier releases wrote it.
        let before = LaunchTag {
            slot: None,
            candidate: 0,
            wanted: 7,
            least: 1,
            ..tag
        };
        let base = &before.base.0;
        assert_eq!(
            read(&format!("{base} call=1 total=4 known=3 or-fewer")),
            Some(before)
        );
        assert_eq!(read("base call=2 total=4 known=3"), None);
    }

    #[test]
    fn a_damaged_tag_says_nothing() {
        let launch = |tag: &str| {
            LaunchTag::of(&Machine {
                tags: vec![(TAG_LAUNCH.into(), tag.into())],
                ..Machine::example("i-1", State::Running)
            })
        };
        assert!(launch("base call=0 total=1000 known=5000 or-fewer").is_some());
        for tag in [
            "",
            "base",
            "base call=0 total=4294967295 known=0",
            "base call=0 total=2 known=4294967295",
            "base call=0 total=99999999999 known=0",
            "base call=1 total=2 known=0",
            "base call=0 total=2 known=0 wanted=4294967295",
            "base call=0 total=2 known=0 or-fewer least=4294967295",
            "base call=0 total=2 known=0 wanted=2 hour=1 number=4294967295",
            "base call=0 total=0 known=0",
            "base call=-1 total=1 known=0",
        ] {
            assert_eq!(launch(tag), None, "{tag}");
        }
    }

    #[test]
    fn a_request_takes_what_is_missing_to_the_least_of_the_first_call() {
        let all = LaunchTag {
            base: Base("0123456789abcdef0123456789abcdef".into()),
            call: 0,
            total: 4,
            known: 0,
            or_fewer: false,
            least: 1,
            wanted: 4,
            slot: None,
            candidate: 0,
        };
        let fewer = |least| LaunchTag {
            or_fewer: true,
            least,
            ..all.clone()
        };
        let call = |index| Call { index, number: 4 };
        for (tag, index, missing, least) in [
            (all.clone(), 0, 4, 4),
            (fewer(1), 0, 4, 1),
            (fewer(3), 0, 4, 3),
            (fewer(3), 0, 3, 2),
            (fewer(3), 0, 1, 1),
            (fewer(9), 0, 4, 4),
            (fewer(3), 1, 4, 1),
        ] {
            assert_eq!(tag.least_of(call(index), missing), least, "{tag}");
        }
    }
}
