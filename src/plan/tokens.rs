//! What makes one launch the same as another, so that no machine is launched
//! twice: the one place where the protocol is told.
//!
//! There is no local state. A run may die between any two lines, its answers may
//! be lost, another run may be at the same group, and EC2 shows a new machine
//! only some seconds later. What a run has to go by is what EC2 shows, and what
//! EC2 remembers of client tokens.
//!
//! **A launch has a base.** It is a hash of the group, its settings and the ids
//! of all its machines that EC2 shows: all runs that see the same group compute
//! the same base, however many machines they want. A token names a slot and not
//! the bytes of the request. Whoever comes second with the same bytes is answered
//! with the first one's machines, and with other bytes (another number, a newer
//! image) by a mismatch: then it waits until the machines show, and plans again.
//!
//! **A token may be spent** on machines that have ended and are shown no longer:
//! EC2 answers with terminated machines, refuses the token for that reason, or
//! finds a mismatch after which nothing shows. Then the base of the next
//! generation is taken. Only the first call of a launch decides the generation,
//! and it goes alone: no other call of a base is made before its first is accepted.
//!
//! **The tag [`TAG_LAUNCH`] names the rest.** Every machine says which launch it
//! is of, which call of it, how many machines the whole launch has, and how many
//! there were before. A run that sees fewer than that of a launch that is young
//! does not plan a launch of its own ([`crate::plan::underway`]): a call of which some
//! machines show was accepted, and the others are waited for; a call of which
//! none shows is made again with its own token, which the tag gives. Only then the difference to
//! what this run wants is launched, under the base of the group as it is then.
//!
//! **Where the first choice has no capacity** other types, places and markets
//! follow in an order that the settings give, each with a token of its own.
//!
//! What is left to chance: a run that dies right after its machines were launched
//! in another place than the first, and, before any of them shows, a run that
//! finds capacity in the first place after all.
//!
//! [`TAG_LAUNCH`]: crate::model::machine::TAG_LAUNCH

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{
    model::{
        machine::{Machine, TAG_LAUNCH},
        place::Candidate,
    },
    values::GroupName,
};

/// What the base of a launch names.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The AWS account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The group.
    pub group: GroupName,
    /// The group's settings, as their tag has them.
    pub settings: String,
    /// All the group's machines that EC2 shows, sorted.
    pub ids: Vec<String>,
}

impl Intent {
    /// The base of the launch. `generation` goes up when it turns out to be spent.
    pub fn base(&self, generation: u32) -> Base {
        let mut base = hash(&[
            "inductiva-aws launch 2",
            &self.account,
            &self.region,
            self.group.as_str(),
            &self.settings,
            &self.ids.join(","),
            &generation.to_string(),
        ]);
        base.truncate(Base::CHARS);
        Base(base)
    }
}

/// The name of a launch: what all its client tokens are made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base(String);

impl Base {
    /// Hex characters.
    const CHARS: usize = 32;

    /// The client token of a call of the launch, 64 hex characters.
    pub fn client_token(&self, call: u32, candidate: &Candidate) -> String {
        hash(&[&self.0, &call.to_string(), &candidate.to_string()])
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
}

impl LaunchTag {
    /// What the machine says of its launch; nothing on machines of releases that
    /// had no such tag.
    pub fn of(machine: &Machine) -> Option<Self> {
        let tag = machine.tag(TAG_LAUNCH)?;
        let mut words = tag.split(' ');
        let base = words.next()?;
        let number = |word: &str, name| word.strip_prefix(name)?.parse().ok();
        let call = number(words.next()?, "call=")?;
        let total: u32 = number(words.next()?, "total=")?;
        let known = number(words.next()?, "known=")?;
        if call >= total.div_ceil(MACHINES_PER_CALL) {
            return None;
        }
        Some(Self {
            base: Base(base.to_owned()),
            call,
            total,
            known,
            or_fewer: words.next() == Some("or-fewer"),
        })
    }
}

impl fmt::Display for LaunchTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            base: Base(base),
            call,
            total,
            known,
            ..
        } = self;
        write!(f, "{base} call={call} total={total} known={known}")?;
        if self.or_fewer {
            f.write_str(" or-fewer")?;
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
    hex::encode(&hash.finalize())
}

/// The most machines of one `RunInstances` call: AWS advises calls of about a
/// hundred rather than of five hundred and more (EC2 API reference, `RunInstances`).
/// It is part of what [`TAG_LAUNCH`] means.
pub const MACHINES_PER_CALL: u32 = 100;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{model::place::Place, values::Market};

    fn intent(account: &str, region: &str, group: &str, ids: &[&str]) -> Intent {
        Intent {
            account: account.into(),
            region: region.into(),
            group: group.parse().expect("a name"),
            settings: "vm-type=t2.micro".into(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    fn candidate(vm_type: &str, place: Place, market: Market) -> Candidate {
        Candidate {
            vm_type: vm_type.parse().expect("a type"),
            place,
            market,
        }
    }

    #[test]
    fn a_token_is_64_hex_characters_and_stays_the_same_between_releases() {
        let token = intent("123456789012", "eu-west-2", "g", &[])
            .base(0)
            .client_token(0, &candidate("t2.micro", Place::Any, Market::OnDemand));
        assert_eq!(
            token,
            "6a737923754aa1051ed3b20e997a9c194791fcc1c888b783625397e223d1a518"
        );
    }

    #[test]
    fn each_part_of_an_intent_changes_the_token() {
        let first = candidate("t2.micro", Place::Any, Market::OnDemand);
        let bases = [
            intent("1", "r", "g", &[]).base(0),
            intent("1", "r", "g", &[]).base(1),
            intent("2", "r", "g", &[]).base(0),
            intent("1", "s", "g", &[]).base(0),
            intent("1", "r", "h", &[]).base(0),
            intent("1", "r", "g", &["i-1"]).base(0),
            intent("1", "r", "g", &["i-1", "i-2"]).base(0),
            // Parts do not run into each other.
            intent("1r", "", "g", &[]).base(0),
        ];
        let base = &bases[0];
        let zone = || Place::Zone("eu-west-2a".into());
        let tokens: BTreeSet<String> = bases
            .iter()
            .map(|base| base.client_token(0, &first))
            .chain([
                base.client_token(1, &first),
                base.client_token(0, &candidate("t3.micro", Place::Any, Market::OnDemand)),
                base.client_token(0, &candidate("t2.micro", zone(), Market::OnDemand)),
                base.client_token(0, &candidate("t2.micro", zone(), Market::Spot)),
            ])
            .collect();
        assert_eq!(tokens.len(), bases.len() + 4);
    }

    #[test]
    fn calls_have_at_most_a_hundred_machines() {
        let sizes = |total| -> Vec<u32> { calls(total).iter().map(|c| c.number).collect() };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(100), [100]);
        assert_eq!(sizes(101), [100, 1]);
        assert_eq!(sizes(1_000), [100; 10]);
    }
}
