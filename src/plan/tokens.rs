//! Client tokens: which calls of which launches are the same. [`super::protocol`] tells
//! what they are for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::{model::place::Place, values::GroupName};

/// An hour of EC2's clock, from one turn to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(pub(super) u64);

impl Hour {
    const SECONDS: u64 = 3_600;
    /// The seconds past the full hour at which an hour turns: 33:20.
    const TURNS_AT: u64 = 2_000;

    /// The hour that `time`, by EC2's clock, is in.
    pub fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Self(seconds.saturating_sub(Self::TURNS_AT) / Self::SECONDS)
    }

    pub fn begins(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0 * Self::SECONDS + Self::TURNS_AT)
    }

    /// When the next hour begins.
    pub fn ends(self) -> SystemTime {
        Self(self.0 + 1).begins()
    }
}

/// What the name of a new launch is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub account: String,
    pub region: String,
    pub group: GroupName,
    /// The hour that it was planned in.
    pub hour: Hour,
    /// When that hour begins, by EC2's clock.
    pub begins: SystemTime,
    pub ends: SystemTime,
    /// Which launch of the hour it is, from 1.
    pub number: u32,
}

impl Intent {
    /// The name of the launch.
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

/// What a call is launched as when it is not the first choice. Only the rank of type and
/// market counts, so that two starts which want other types or markets in the same place
/// have the same token, too.
#[derive(Clone, Copy, Debug)]
pub struct LaterChoice<'a> {
    /// The rank of its type and market, from 0.
    pub kind: u32,
    pub place: &'a Place,
}

/// The name of a launch: what all its client tokens are made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base(pub(super) String);

impl Base {
    /// The number of hex characters.
    const CHARS: usize = 32;

    /// The client token of one of the launch's calls, 64 hex characters. `later` tells
    /// where the call is launched, and as which of the types and markets, if that is not
    /// the first choice.
    pub fn client_token(&self, call: u32, later: Option<&LaterChoice<'_>>) -> String {
        let later = later.map_or_else(String::new, |LaterChoice { kind, place }| {
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

/// The SHA-256 over the fields and their lengths, in hex.
fn hash(fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hex::encode(hash.finalize())
}

/// The most machines of one `RunInstances` call: AWS advises calls of about a hundred
/// rather than of five hundred and more (EC2 API reference, `RunInstances`). The tag of a
/// launch depends on this number ([`super::launch_tag`]). Unit tests have fewer, so that
/// small launches have several calls.
pub const MACHINES_PER_CALL: u32 = if cfg!(test) { 2 } else { 100 };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
            // The fields do not run into each other.
            intent("1r", "", "g", 7, 1).base(),
        ];
        let base = &bases[0];
        let zone = Place::Zone("eu-west-2a".into());
        let later = [(1, &Place::Any), (0, &zone), (1, &zone)]
            .map(|(kind, place)| LaterChoice { kind, place });
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
    fn calls_have_a_full_number_of_machines_but_for_the_last() {
        let sizes = |total| -> Vec<u32> { calls(total).iter().map(|c| c.number).collect() };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(2), [2]);
        assert_eq!(sizes(3), [2, 1]);
        assert_eq!(sizes(20), [2; 10]);
    }
}
