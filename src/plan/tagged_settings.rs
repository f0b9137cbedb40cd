//! What a machine's tags tell of its group's settings, whichever release has written
//! them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    model::{
        machine::{Machine, TAG_SETTINGS},
        request::{GP3_IOPS, GP3_THROUGHPUT_MIBPS, plain_price},
    },
    values::VmType,
};

/// The word that says in which format the others are.
pub const FORMAT: (&str, &str) = ("format", "2");
/// The user's tags, which are one setting.
pub const TAGS: &str = "tags";

pub struct TaggedSettings {
    pub words: BTreeMap<String, String>,
    /// Whether an earlier release has written it.
    pub former: bool,
}

impl TaggedSettings {
    pub fn by(machine: &Machine) -> Self {
        let more = (2..).map_while(|n| machine.tag(&format!("{TAG_SETTINGS}-{n}")));
        let tags = machine.tag(TAG_SETTINGS).into_iter().chain(more);
        let mut words: BTreeMap<String, String> = tags
            .flat_map(|tag| tag.split(' '))
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let former = words.remove(FORMAT.0).is_none();
        if former {
            in_plain_words(&mut words);
        }
        Self { words, former }
    }
}

/// The types of the machine's group; none where the tags have only a hash.
pub fn vm_types(machine: &Machine) -> Option<Vec<VmType>> {
    let told = TaggedSettings::by(machine);
    let types = told.words.get("vm-type")?.split('/');
    types.map(|name| name.parse().ok()).collect()
}

/// The age at which a machine ends itself.
pub fn max_lifetime(machine: &Machine) -> Option<Duration> {
    let told = TaggedSettings::by(machine);
    let seconds = told.words.get("max-lifetime")?.strip_suffix('s')?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// The MiB/s at which a machine's root disk was filled, if the tags say so.
pub fn initialization_rate_mibps(machine: &Machine) -> Option<u32> {
    let told = TaggedSettings::by(machine);
    told.words.get("initialization-rate")?.parse().ok()
}

/// How long a machine may take to register, if that is not the usual time.
pub fn boot_timeout(machine: &Machine) -> Option<Duration> {
    let told = TaggedSettings::by(machine);
    let seconds = told.words.get("boot-timeout")?.strip_suffix('s')?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// Brings words of the former release, which wrote values as they were typed, into the
/// one form of today ([`Request::in_plain_words`]).
fn in_plain_words(words: &mut BTreeMap<String, String>) {
    if let Some(price) = words.get_mut("max-price") {
        *price = plain_price(price);
    }
    if !words.contains_key("volume-type") {
        for (name, default) in [("iops", GP3_IOPS), ("throughput", GP3_THROUGHPUT_MIBPS)] {
            if words.get(name).is_some_and(|n| *n == default.to_string()) {
                words.remove(name);
            }
        }
    }
}
