//! The settings that a group's machines share.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::told_settings::{FORMAT, TAGS, Told};
use crate::{
    model::{
        machine::{Machine, TAG_SETTINGS},
        request::{Request, Runner},
        user_data::Script,
    },
    values::{KeyPlace, Market, Proxy, VmType, Volume, VolumeType, spans},
};

/// What the user chose for a group, as it stands in its machines'
/// [`TAG_SETTINGS`] tags: `name=value` words, what is default left out.
///
/// There is one tag, and another (`…-2`, `…-3`) where one is full. The first word
/// is [`FORMAT`]. The release before it had none: one tag, and where that would
/// have been too long, a hash of all words in their place; the user's tags were no
/// setting. Its machines are read as far as that goes ([`Told::former`]); it
/// refuses the machines of this one, as `format` is a setting that it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The most characters of a tag's value (EC2 user guide, tag restrictions).
    const MAX_CHARS: usize = 256;
    /// A longer value is told by its hash.
    const MAX_VALUE_CHARS: usize = 24;

    /// The settings of a request: what was chosen, not what is looked up.
    pub fn of(request: &Request) -> Self {
        let volume = &request.volume;
        let runner = &request.runner;
        let disk = volume
            .size_gib
            .and_then(|gib| not_default(&gib, &Volume::DEFAULT_GIB));
        let script =
            (request.script != Script::standard()).then(|| short_hash(request.script.bytes()));
        let mut tags: Vec<String> = request
            .tags
            .iter()
            .map(|tag| format!("{}={}", tag.key, tag.value))
            .collect();
        tags.sort();
        let tags = (!tags.is_empty()).then(|| short_hash(tags.join("\n").as_bytes()));
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let vm_types = vm_types.join("/");
        let settings = [
            ("vm-type", Some(vm_types)),
            (
                "threads-per-core",
                request.threads_per_core.map(|n| n.to_string()),
            ),
            ("image-id", request.image_id.clone()),
            ("volume-size", disk),
            ("volume-type", not_default(&volume.kind, &VolumeType::Gp3)),
            ("iops", volume.iops.map(|n| n.to_string())),
            ("throughput", volume.throughput_mibps.map(|n| n.to_string())),
            (
                "initialization-rate",
                request.initialization_rate_mibps.map(|n| n.to_string()),
            ),
            ("subnet-id", request.subnet_id.clone()),
            ("security-group-id", request.security_group_id.clone()),
            ("availability-zone", request.availability_zone.clone()),
            ("ssh-from", request.ssh_from.map(|block| block.to_string())),
            ("key-name", request.key_name.clone()),
            ("instance-profile", request.instance_profile.clone()),
            (
                "spot",
                (request.market == Market::Spot).then(|| "yes".to_owned()),
            ),
            ("max-price", request.max_price.clone()),
            (
                "standard-credits",
                request.standard_credits.then(|| "yes".to_owned()),
            ),
            ("script", script),
            (
                "task-runner-image",
                not_default(runner.task_runner_image.as_str(), Runner::TASK_RUNNER_IMAGE),
            ),
            (
                "file-tracker-image",
                not_default(
                    runner.file_tracker_image.as_str(),
                    Runner::FILE_TRACKER_IMAGE,
                ),
            ),
            (
                "max-idle-time",
                not_default(&runner.max_idle_minutes, &Runner::MAX_IDLE_MINUTES),
            ),
            (
                "max-lifetime",
                runner.max_lifetime.map(|l| format!("{}s", l.as_secs())),
            ),
            (
                "boot-timeout",
                (runner.boot_timeout != Runner::BOOT_TIMEOUT)
                    .then(|| format!("{}s", runner.boot_timeout.as_secs())),
            ),
            (
                "api-key-from",
                runner.api_key_from.as_ref().map(KeyPlace::to_string),
            ),
            // Without its password: everybody may read tags.
            ("proxy", runner.proxy.as_ref().map(Proxy::to_string)),
            (
                "local-disks",
                (!runner.local_disks).then(|| "no".to_owned()),
            ),
            (TAGS, tags),
        ];
        Self(
            settings
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), tag_word(&value?))))
                .collect(),
        )
    }

    /// As tags of a machine, keys and values.
    pub fn to_tags(&self) -> Vec<(String, String)> {
        let (name, value) = FORMAT;
        let mut values = vec![format!("{name}={value}")];
        for (name, value) in &self.0 {
            let word = format!("{name}={value}");
            match values.last_mut() {
                Some(last) if last.len() + 1 + word.len() <= Self::MAX_CHARS => {
                    last.push(' ');
                    last.push_str(&word);
                }
                _ => values.push(word),
            }
        }
        let key = |place: usize| match place {
            0 => TAG_SETTINGS.to_owned(),
            _ => format!("{TAG_SETTINGS}-{}", place + 1),
        };
        let tags = values.into_iter().enumerate();
        tags.map(|(place, value)| (key(place), value)).collect()
    }

    /// What a machine's tags say otherwise, one phrase a setting.
    pub fn differences(&self, machine: &Machine) -> Vec<String> {
        let theirs = Told::by(machine);
        if let Some(all) = theirs.words.get("all").filter(|_| theirs.former) {
            if *all == self.former_hash() {
                return Vec::new();
            }
            let (name, ours) = ("vm-type", self.0.get("vm-type"));
            if theirs.words.get(name) == ours {
                let why = "the release that launched them kept no more than a hash of all settings";
                return vec![format!("one or more of them, not known which ({why})")];
            }
            return vec![phrase(name, theirs.words.get(name), ours)];
        }
        let names: BTreeSet<&String> = theirs.words.keys().chain(self.0.keys()).collect();
        names
            .into_iter()
            .filter(|name| !(theirs.former && *name == TAGS))
            .filter(|name| theirs.words.get(*name) != self.0.get(*name))
            .map(|name| phrase(name, theirs.words.get(name), self.0.get(name)))
            .collect()
    }

    /// What the former release told of these settings when there were too many.
    fn former_hash(&self) -> String {
        let words = self.0.iter().filter(|(name, _)| *name != TAGS);
        let words: Vec<String> = words
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        short_hash(words.join(" ").as_bytes())
    }
}

/// Tags keep spans of time in the unit that they always had.
fn phrase(name: &str, theirs: Option<&String>, ours: Option<&String>) -> String {
    let or_default = |value: Option<&String>| {
        let Some(value) = value else {
            return "the default".to_owned();
        };
        let span = match name {
            "max-lifetime" | "boot-timeout" => value
                .strip_suffix('s')
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            "max-idle-time" => value.parse().ok().map(Duration::from_mins),
            _ => None,
        };
        match span {
            Some(span) if span.is_zero() => "never".to_owned(),
            Some(span) => spans::told(span),
            None => value.clone(),
        }
    };
    format!(
        "{name} is {} there and {} here",
        or_default(theirs),
        or_default(ours)
    )
}

/// The value as text, unless it is the default.
fn not_default<T: PartialEq + ToString + ?Sized>(value: &T, default: &T) -> Option<String> {
    (value != default).then(|| value.to_string())
}

/// A setting's value as one word of EC2's tag alphabet.
fn tag_word(value: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@');
    if value.len() <= Settings::MAX_VALUE_CHARS && !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        short_hash(value.as_bytes())
    }
}

/// Twelve hex characters of SHA-256: enough to tell settings apart.
fn short_hash(bytes: &[u8]) -> String {
    format!("sha256:{}", &hex::encode(Sha256::digest(bytes))[..12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{model::machine::State, plan::examples::request};

    /// Changes one thing of a request.
    type Change = fn(&mut Request);

    #[test]
    fn every_option_that_makes_other_machines_is_a_setting() {
        let changes: [(&str, Change); 24] = [
            ("vm-type", |r| {
                r.vm_type = "t3.micro".parse().expect("a type");
            }),
            ("vm-type", |r| {
                r.other_types = vec!["t3.micro".parse().expect("a type")];
            }),
            ("image-id", |r| r.image_id = Some("ami-2".into())),
            ("volume-size", |r| r.volume.size_gib = Some(60)),
            ("volume-type", |r| r.volume.kind = VolumeType::Io2),
            ("iops", |r| r.volume.iops = Some(4_000)),
            ("throughput", |r| r.volume.throughput_mibps = Some(200)),
            ("initialization-rate", |r| {
                r.initialization_rate_mibps = Some(300);
            }),
            ("subnet-id", |r| r.subnet_id = Some("subnet-2".into())),
            ("security-group-id", |r| {
                r.security_group_id = Some("sg-2".into());
            }),
            ("availability-zone", |r| {
                r.availability_zone = Some("eu-west-2b".into());
            }),
            ("ssh-from", |r| {
                r.ssh_from = Some("203.0.113.0/24".parse().expect("a block"));
            }),
            ("key-name", |r| r.key_name = Some("mine".into())),
            ("instance-profile", |r| {
                r.instance_profile = Some("reader".into());
            }),
            ("spot", |r| r.market = Market::Spot),
            ("max-price", |r| r.max_price = Some("0.01".into())),
            ("standard-credits", |r| r.standard_credits = true),
            ("script", |r| r.script = Script::custom(b"#!/bin/sh".into())),
            ("task-runner-image", |r| {
                r.runner.task_runner_image = "my/runner".into();
            }),
            ("file-tracker-image", |r| {
                r.runner.file_tracker_image = "my/tracker".into();
            }),
            ("max-idle-time", |r| r.runner.max_idle_minutes = 0),
            ("max-lifetime", |r| {
                r.runner.max_lifetime = Some(Duration::from_hours(1));
            }),
            ("boot-timeout", |r| {
                r.runner.boot_timeout = Duration::from_hours(1);
            }),
            ("tags", |r| {
                r.tags = vec!["Project=x".parse().expect("a tag")];
            }),
        ];
        let usual = machine(Settings::of(&request(1)).to_tags());
        for (name, change) in changes {
            let mut other = request(1);
            change(&mut other);
            let differences = Settings::of(&other).differences(&usual);
            let [difference] = differences.as_slice() else {
                panic!("{name}: {differences:?}");
            };
            assert!(
                difference.starts_with(&format!("{name} is ")),
                "{difference}"
            );
        }
    }

    /// Tags that a machine of the former release has.
    fn former(tag: &str) -> Machine {
        machine(vec![(TAG_SETTINGS.to_owned(), tag.to_owned())])
    }

    fn machine(tags: Vec<(String, String)>) -> Machine {
        Machine {
            tags,
            ..Machine::example("i-1", State::Running)
        }
    }

    #[test]
    fn equal_values_in_other_words_are_no_difference() {
        let changes: [(Change, Change); 4] = [
            (
                |r| r.max_price = Some("0.5".into()),
                |r| r.max_price = Some("00.500".into()),
            ),
            (|_| {}, |r| r.volume.iops = Some(3_000)),
            (|_| {}, |r| r.volume.throughput_mibps = Some(125)),
            (
                |r| r.tags = ["a=1", "b=2"].map(|t| t.parse().expect("a tag")).into(),
                |r| r.tags = ["b=2", "a=1"].map(|t| t.parse().expect("a tag")).into(),
            ),
        ];
        for (one, other) in changes {
            let [one, other] = [one, other].map(|change| {
                let mut request = request(1);
                change(&mut request);
                Settings::of(&request.in_plain_words())
            });
            assert_eq!(one, other);
        }
    }

    #[test]
    fn groups_of_the_former_release_are_read() {
        let mut request = request(1);
        request.max_price = Some("0.5".into());
        // Whether they had such tags is not known.
        request.tags = vec!["Project=x".parse().expect("a tag")];
        let settings = Settings::of(&request);
        for tag in [
            "max-price=0.5 vm-type=t2.micro",
            "iops=3000 max-price=0.50 throughput=125 vm-type=t2.micro",
        ] {
            assert_eq!(settings.differences(&former(tag)), [""; 0], "{tag}");
        }
        assert_eq!(
            settings.differences(&former("iops=4000 max-price=0.5 vm-type=t2.micro")),
            ["iops is 4000 there and the default here"]
        );
        // Only a hash, as that release made it of more than 256 characters.
        let hash = short_hash(b"max-price=0.5 vm-type=t2.micro");
        let hashed = |vm_type| former(&format!("vm-type={vm_type} all={hash}"));
        assert_eq!(settings.differences(&hashed("t2.micro")), [""; 0]);
        request.volume.size_gib = Some(60);
        let other = Settings::of(&request);
        let differences = other.differences(&hashed("t2.micro"));
        assert!(
            differences[0].starts_with("one or more of them"),
            "{differences:?}"
        );
        assert_eq!(
            other.differences(&hashed("t3.micro")),
            ["vm-type is t3.micro there and t2.micro here"]
        );
    }

    #[test]
    fn a_difference_is_named_however_many_settings_there_are() {
        let mut request = request(1);
        request.vm_type = "t3.micro".parse().expect("a type");
        request.image_id = Some("ami-0123456789abcdef0".into());
        request.subnet_id = Some("subnet-0123456789abcdef0".into());
        request.security_group_id = Some("sg-0123456789abcdef0".into());
        request.key_name = Some("a key with a very long name of its own".into());
        request.instance_profile = Some("a-profile-with-a-long-name-too".into());
        request.runner.task_runner_image = "registry.example.com/a/task-runner:7".into();
        request.runner.file_tracker_image = "registry.example.com/a/file-tracker:7".into();
        request.runner.max_lifetime = Some(Duration::from_hours(100));
        request.max_price = Some("0.5".into());
        let theirs = Settings::of(&request).to_tags();
        assert!(theirs.len() > 1, "{theirs:?}");
        let theirs = machine(theirs);
        request.volume.size_gib = Some(60);
        assert_eq!(
            Settings::of(&request).differences(&theirs),
            ["volume-size is the default there and 60 here"]
        );
    }

    proptest! {
        #[test]
        fn settings_always_fit_in_a_tag_of_ec2s_alphabet(
            settings in proptest::collection::btree_map("[b-z][a-z-]{0,19}", "\\PC{0,80}", 0..20),
        ) {
            let settings = Settings(settings.into_iter().map(|(name, value)| (name, tag_word(&value))).collect());
            let tags = settings.to_tags();
            // 50 of a machine, with ours and the user's.
            prop_assert!(tags.len() <= 6);
            for (key, value) in &tags {
                prop_assert!(key.starts_with(TAG_SETTINGS));
                prop_assert!(value.len() <= Settings::MAX_CHARS);
                prop_assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)));
            }
            prop_assert_eq!(settings.differences(&machine(tags)), Vec::<String>::new());
        }
    }
}
