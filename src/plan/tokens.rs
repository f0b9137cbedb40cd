//! What makes one launch the same as another, so that no machine is launched
//! twice: the one place where the protocol is told.
//!
//! There is no local state. A run may die between any two lines, sleep for hours
//! between two calls, lose its answers; other runs may be at the same group; and
//! EC2 shows a new machine only some seconds later, two minutes at the worst
//! ([`visibility`]). What a run has to go by is what EC2 shows, what EC2 remembers
//! of client tokens, and which group Inductiva has.
//!
//! **A token names a slot, not a request.** It is a hash of the account, the
//! region, the group's name, an hour, the number of the launch within that hour,
//! and the call. No ids, no settings, no N: whoever wants to launch anything in a
//! group at that time has the same token. EC2 answers the second one with the
//! first one's machines if the bytes are the same, and else with a mismatch; then
//! it waits until the machines show, and plans again. The number is one more than
//! the highest in the launch tags of this hour, those of ended machines among
//! them, whether EC2 shows them or has told of them in an answer.
//!
//! **The hour keeps old tokens away.** EC2 remembers a token for longer than it
//! shows ended machines, and a number that nobody can see any more would be a
//! mismatch for ever. So the numbers begin anew each hour, at hh:33:20 (not when
//! cron jobs run). It is the hour by EC2's clock when the look was *sent* that a
//! launch is planned by. In the first minutes of an hour
//! ([`MADE_OR_NOT_AFTER`](visibility::MADE_OR_NOT_AFTER)) a launch of the hour
//! before may not show yet: a new launch waits until it does or they are over.
//!
//! **A look is good for a minute.** A token is tried first only within
//! [`GOOD_FOR`] of the look that it was planned by and in the same hour, and the
//! clock is looked at once more right before the request goes out. After that the
//! group is looked at again; only if it is as it was the walk goes on. EC2 alone is
//! asked again after [`FRESH_FOR`], as others launch elsewhere meanwhile with tokens
//! that never meet these. A call that may have been made is asked for again with
//! its token, never later than [`ASKED_UNTIL`] after the turn of the hour: then
//! nobody knows, which is said.
//!
//! **The group on Inductiva's side is the marker** of a launch into an empty
//! group. Whoever makes it, and sees after that that it is the only one of the
//! name, is the sole maker: no other start is under way, so it need not wait for
//! one, as long as no machine of the group has been known. Whoever finds another's that is young and has no machines, or is refused
//! as the name is taken, or gets no answer, waits for that start's machines to
//! show first. Without Inductiva's API the tokens alone hold.
//!
//! **After a mismatch** of which nothing shows, even after
//! [`SHOWN_AFTER`](visibility::SHOWN_AFTER), the sole maker takes the next number:
//! that launch is over. Everybody else says so and exits: machines may be running.
//! **A token is spent** only by EC2's own word that its machines are terminated, all
//! of them.
//! Their number counts, and the group is looked at again; was it a launch of more
//! than one call, the others' machines are waited for.
//!
//! **The tag [`TAG_LAUNCH`] names the rest.** Every machine says which launch it
//! is of, which call of it, how many machines the whole launch has, how many there
//! were before, and how many the group was to have. A run that sees fewer than
//! that of a launch that is young does not plan a launch of its own
//! ([`crate::plan::underway`]): the machines are waited for. If a call still shows no
//! machine after that wait, it is made again, with its own token and its launch's
//! bytes, which the tags give. Only then the difference to what this run wants is
//! launched. Where all that showed of the launch has ended, no call of it is made
//! again; one that is on its way is waited for, as long as EC2 takes it
//! ([`ARRIVES_WITHIN`](visibility::ARRIVES_WITHIN)).
//!
//! **Where the first choice has no capacity** other types, places and markets
//! follow in an order that the settings give, each with a token of its own, which
//! names the place and the rank of type and market. The first choice's names none
//! of them.
//!
//! **A start that waits for capacity** (`--wait-for-capacity`) launches in rounds, each
//! with a look of its own and nothing launched before it. The tag says how many of the
//! first call it takes at least, so that no round launches what it has to undo. In a
//! later round others may have used the group that the run made: then it is no sole
//! maker, looks at other regions like everybody else, and does not make the group
//! again.
//!
//! **A start is done** when something tells of its machines: a group on Inductiva's
//! side of which no machine shows, or else EC2 itself. So it waits until EC2 shows a
//! top-up, what was launched without Inductiva, and what found capacity only
//! elsewhere ([`VISIBLE_WITHIN`](visibility::VISIBLE_WITHIN) at most).
//!
//! **Undone** is only what this run has launched: machines that are not older
//! than its first call, while no others show that another start may count, and
//! while this run has not slept. Otherwise they are left, and named. Two equal starts
//! share their machines: interrupting the one that launched them ends them for both.
//!
//! **A wait ends with a look** that began after its end, never by the clock alone.
//!
//! Left to chance: a start whose machines are launched in another place than the
//! first while the next start, before they show, finds capacity in the first after
//! all (the group on Inductiva's side closes that for empty groups); a sole maker
//! that was shown an incomplete list by Inductiva; machines that show later than
//! two minutes; machines in another region for which Inductiva has no group (it was
//! out of reach, or the group was ended beside their start), or a group with others
//! that have ended while they do not show yet; a request that EC2 gets minutes after
//! it was sent; what a start launches while a `terminate` is about to say done.
//!
//! [`TAG_LAUNCH`]: crate::model::machine::TAG_LAUNCH
//! [`visibility`]: crate::model::visibility

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest as _, Sha256};

use crate::{
    model::{
        machine::{Machine, TAG_LAUNCH},
        place::Place,
    },
    values::GroupName,
};

/// How long after its look a launch may begin.
pub const GOOD_FOR: Duration = Duration::from_mins(1);

/// After this EC2 is asked for the group's machines once more before a call. A
/// launch without slow answers is quicker.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// How long after the turn of the hour a call of the hour before may be asked for
/// again: another start waits for longer before it launches in the new one.
pub const ASKED_UNTIL: Duration = Duration::from_secs(30);

/// An hour of EC2's clock, from one turn to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(u64);

impl Hour {
    const SECONDS: u64 = 3_600;
    /// It turns at so many seconds past the full hour: 33:20.
    const TURNS_AT: u64 = 2_000;

    /// The hour that `time`, by EC2's clock, is in.
    pub fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Self(seconds.saturating_sub(Self::TURNS_AT) / Self::SECONDS)
    }

    /// When it begins.
    pub fn begins(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0 * Self::SECONDS + Self::TURNS_AT)
    }

    /// When the next begins.
    pub fn ends(self) -> SystemTime {
        Self(self.0 + 1).begins()
    }
}

/// What the base of a new launch names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The AWS account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The group.
    pub group: GroupName,
    /// The hour that it was planned in.
    pub hour: Hour,
    /// When that hour has begun, by EC2's clock.
    pub begins: SystemTime,
    /// When it ends.
    pub ends: SystemTime,
    /// Which launch of the hour it is, from 1.
    pub number: u32,
}

impl Intent {
    /// The base of the launch.
    pub fn base(&self) -> Base {
        let mut base = hash(&[
            "inductiva-aws launch 3",
            &self.account,
            &self.region,
            self.group.as_str(),
            &self.hour.0.to_string(),
            &self.number.to_string(),
        ]);
        base.truncate(Base::CHARS);
        Base(base)
    }
}

/// What a call is launched as when it is not the first choice. The type and the
/// market are told by their rank: two starts that want other types or markets at
/// the same place have the same token, too.
#[derive(Clone, Copy, Debug)]
pub struct Later<'a> {
    /// The rank of its type and market, from 0.
    pub kind: u32,
    pub place: &'a Place,
}

/// The name of a launch: what all its client tokens are made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base(String);

impl Base {
    /// Hex characters.
    const CHARS: usize = 32;

    /// The client token of a call of the launch, 64 hex characters. `later` tells
    /// where it is launched, and as which of the types and markets, if that is not
    /// the first choice.
    pub fn client_token(&self, call: u32, later: Option<&Later<'_>>) -> String {
        let later = later.map_or_else(String::new, |Later { kind, place }| {
            format!("{kind} {place}")
        });
        hash(&[&self.0, &call.to_string(), &later])
    }
}

/// A `RunInstances` call of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its index in the launch.
    pub index: u32,
    /// Its machines.
    pub number: u32,
}

/// The calls of a launch of `total` machines.
pub fn calls(total: u32) -> Vec<Call> {
    (0..total.div_ceil(MACHINES_PER_CALL))
        .map(|index| Call {
            index,
            number: MACHINES_PER_CALL.min(total - index * MACHINES_PER_CALL),
        })
        .collect()
}

/// What a machine's [`TAG_LAUNCH`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTag {
    /// The launch.
    pub base: Base,
    /// The index of its call.
    pub call: u32,
    /// All machines of the launch.
    pub total: u32,
    /// Machines that the group had when it was planned, terminated ones too.
    pub known: u32,
    /// Whether the launch takes fewer where there are no more.
    pub or_fewer: bool,
    /// How many of its first call it takes at least, where it takes fewer: 1, unless
    /// it is tried again until there are so many.
    pub least: u32,
    /// How many machines the group was to have.
    pub wanted: u32,
    /// The hour and the number of the launch; none on machines of releases before
    /// they had one.
    pub slot: Option<(Hour, u32)>,
    /// Which of the candidates the machine was launched as, from 0.
    pub candidate: u32,
}

impl LaunchTag {
    /// What the machine says of its launch; nothing on machines of releases that
    /// had no such tag.
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

    /// How many machines a request takes at least that is to get the `missing` ones
    /// of a call.
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

/// SHA-256 over the fields and their lengths, in hex.
fn hash(fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hex::encode(hash.finalize())
}

/// The most machines of one `RunInstances` call: AWS advises calls of about a
/// hundred rather than of five hundred and more (EC2 API reference, `RunInstances`).
/// It is part of what [`TAG_LAUNCH`] means.
/// Unit tests have launches of several calls with fewer machines.
pub const MACHINES_PER_CALL: u32 = if cfg!(test) { 2 } else { 100 };

/// No launch and no group has so many: a tag that says more is damaged, and what
/// follows from its numbers would cost memory and time.
const MOST_MACHINES: u32 = 100_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::machine::State;

    fn intent(account: &str, region: &str, group: &str, hour: u64, number: u32) -> Intent {
        Intent {
            account: account.into(),
            region: region.into(),
            group: group.parse().expect("a name"),
            hour: Hour(hour),
            begins: Hour(hour).begins(),
            ends: Hour(hour).ends(),
            number,
        }
    }

    #[test]
    fn a_token_is_64_hex_characters_and_stays_the_same_between_releases() {
        let base = intent("123456789012", "eu-west-2", "g", 490_000, 1).base();
        assert_eq!(
            base.client_token(0, None),
            "ecbd039cd76dea134da726519722a59abb68757466225198a1a372a783cfd965"
        );
    }

    #[test]
    fn each_part_of_an_intent_changes_the_token() {
        let bases = [
            intent("1", "r", "g", 7, 1).base(),
            intent("2", "r", "g", 7, 1).base(),
            intent("1", "s", "g", 7, 1).base(),
            intent("1", "r", "h", 7, 1).base(),
            intent("1", "r", "g", 8, 1).base(),
            intent("1", "r", "g", 7, 2).base(),
            // Parts do not run into each other.
            intent("1r", "", "g", 7, 1).base(),
        ];
        let base = &bases[0];
        let zone = Place::Zone("eu-west-2a".into());
        let later =
            [(1, &Place::Any), (0, &zone), (1, &zone)].map(|(kind, place)| Later { kind, place });
        let tokens: BTreeSet<String> = bases
            .iter()
            .map(|base| base.client_token(0, None))
            .chain([base.client_token(1, None)])
            .chain(later.iter().map(|later| base.client_token(0, Some(later))))
            .collect();
        assert_eq!(tokens.len(), bases.len() + 4);
    }

    #[test]
    fn the_hour_turns_at_20_seconds_past_33_minutes() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_764_000_000 + seconds);
        // 2025-11-24T16:00:00Z and so on.
        let hour = Hour::of(at(33 * 60 + 20));
        assert_eq!(hour.begins(), at(33 * 60 + 20));
        assert_ne!(Hour::of(at(33 * 60 + 19)), hour);
        assert_eq!(Hour::of(at(3_600 + 33 * 60 + 19)), hour);
        assert_eq!(Hour::of(hour.ends()).begins(), hour.ends());
    }

    #[test]
    fn a_launch_tag_is_read_as_it_was_written() {
        let read = |tag: &str| {
            LaunchTag::of(&Machine {
                tags: vec![(TAG_LAUNCH.into(), tag.into())],
                ..Machine::example("i-1", State::Running)
            })
        };
        let tag = LaunchTag {
            base: intent("1", "r", "g", 7, 1).base(),
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
        // As releases before wrote it.
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
            base: intent("1", "r", "g", 7, 1).base(),
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

    #[test]
    fn calls_have_a_full_number_of_machines_but_for_the_last() {
        let sizes = |total| -> Vec<u32> { calls(total).iter().map(|c| c.number).collect() };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(2), [2]);
        assert_eq!(sizes(3), [2, 1]);
        assert_eq!(sizes(20), [2; 10]);
    }
}
