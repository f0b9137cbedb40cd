//! The settings that a group's machines share.

mod differences;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::tagged_settings::{FORMAT, TAGS};
use crate::{
    model::{
        machine::TAG_SETTINGS,
        request::{Request, Runner},
        user_data::Script,
    },
    values::{KeyPlace, Market, Proxy, VmType, Volume, VolumeType},
};

/// What the user chose for a group, as its machines' [`TAG_SETTINGS`] tags have it:
/// `name=value` words. Defaults are left out.
///
/// There is one tag, and another (`…-2`, `…-3`) where one is full. The first word is
/// [`FORMAT`].
///
/// The release before had no such word. It wrote one tag, or a hash of all words where
/// that would have been too long, and the user's tags were not among the settings. Its
/// machines are read as far as that goes (`former` of [`super::tagged_settings`]). It
/// refuses the machines of this release, as `format` is a setting that it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings(BTreeMap<String, String>);

impl GroupSettings {
    /// The most characters of a tag's value (EC2 user guide, tag restrictions).
    const MAX_CHARS: usize = 256;
    /// A longer value is replaced by its hash.
    const MAX_VALUE_CHARS: usize = 24;

    /// The settings of a request: what was chosen, not what is looked up.
    pub fn of(request: &Request) -> Self {
        // Without `..`: a new field does not compile before somebody has decided here
        // whether it is a setting. One that is forgotten makes a group of mixed machines.
        let Request {
            threads_per_core,
            image_id,
            volume,
            initialization_rate_mibps,
            subnet_id,
            security_group_id,
            availability_zone,
            ssh_from,
            key_name,
            instance_profile,
            standard_credits,
            market,
            max_price,
            tags,
            script,
            runner,
            // Both are in `vm_types`.
            vm_type: _,
            other_types: _,
            // The group that these settings are of.
            group: _,
            // How many machines this run wants, and what it does to get them.
            num_machines: _,
            min_machines: _,
            wait_for_capacity: _,
            spot_fallback: _,
            // Whether this run took the default types.
            types_are_default: _,
            prepared_image_age: _,
            // What this run refuses.
            allow_no_internet: _,
            max_cost_per_hour: _,
            // It has a tag of its own.
            max_cost: _,
        } = request;
        let Volume {
            size_gib,
            kind,
            iops,
            throughput_mibps,
        } = volume;
        let disk = size_gib.and_then(|gib| not_default(&gib, &Volume::DEFAULT_GIB));
        let script = (*script != Script::standard()).then(|| short_hash(script.bytes()));
        let mut tags: Vec<String> = tags
            .iter()
            .map(|tag| format!("{}={}", tag.key, tag.value))
            .collect();
        tags.sort();
        let tags = (!tags.is_empty()).then(|| short_hash(tags.join("\n").as_bytes()));
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let vm_types = vm_types.join("/");
        let settings = [
            ("vm-type", Some(vm_types)),
            ("threads-per-core", threads_per_core.map(|n| n.to_string())),
            ("image-id", image_id.clone()),
            ("volume-size", disk),
            ("volume-type", not_default(kind, &VolumeType::Gp3)),
            ("iops", iops.map(|n| n.to_string())),
            ("throughput", throughput_mibps.map(|n| n.to_string())),
            (
                "initialization-rate",
                initialization_rate_mibps.map(|n| n.to_string()),
            ),
            ("subnet-id", subnet_id.clone()),
            ("security-group-id", security_group_id.clone()),
            ("availability-zone", availability_zone.clone()),
            ("ssh-from", ssh_from.map(|block| block.to_string())),
            ("key-name", key_name.clone()),
            ("instance-profile", instance_profile.clone()),
            ("spot", (*market == Market::Spot).then(|| "yes".to_owned())),
            ("max-price", max_price.clone()),
            (
                "standard-credits",
                standard_credits.then(|| "yes".to_owned()),
            ),
            ("script", script),
            (TAGS, tags),
        ];
        Self(
            settings
                .into_iter()
                .chain(of_runner(runner))
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
}

/// The settings among what the task runner is told.
fn of_runner(runner: &Runner) -> [(&'static str, Option<String>); 8] {
    // Without `..`, as above.
    let Runner {
        task_runner_image,
        file_tracker_image,
        max_idle_minutes,
        max_lifetime,
        boot_timeout,
        api_key_from,
        proxy,
        local_disks,
        // A secret, and it may have changed since.
        api_key: _,
        // It is the same Inductiva, at another address.
        api_url: _,
        // The request's number.
        num_machines: _,
    } = runner;
    [
        (
            "task-runner-image",
            not_default(task_runner_image.as_str(), Runner::TASK_RUNNER_IMAGE),
        ),
        (
            "file-tracker-image",
            not_default(file_tracker_image.as_str(), Runner::FILE_TRACKER_IMAGE),
        ),
        (
            "max-idle-time",
            not_default(max_idle_minutes, &Runner::MAX_IDLE_MINUTES),
        ),
        (
            "max-lifetime",
            max_lifetime.map(|l| format!("{}s", l.as_secs())),
        ),
        (
            "boot-timeout",
            (*boot_timeout != Runner::BOOT_TIMEOUT).then(|| format!("{}s", boot_timeout.as_secs())),
        ),
        (
            "api-key-from",
            api_key_from.as_ref().map(KeyPlace::to_string),
        ),
        // The password is left out, as everybody may read tags.
        ("proxy", proxy.as_ref().map(Proxy::to_string)),
        ("local-disks", (!local_disks).then(|| "no".to_owned())),
    ]
}

/// The value as text, unless it is the default.
fn not_default<T: PartialEq + ToString + ?Sized>(value: &T, default: &T) -> Option<String> {
    (value != default).then(|| value.to_string())
}

/// A setting's value as one word, in the characters that EC2 allows in tags.
fn tag_word(value: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@');
    if value.len() <= GroupSettings::MAX_VALUE_CHARS
        && !value.is_empty()
        && value.chars().all(plain)
    {
        value.to_owned()
    } else {
        short_hash(value.as_bytes())
    }
}

/// Twelve hex characters of a SHA-256, which are enough to tell settings apart.
fn short_hash(bytes: &[u8]) -> String {
    format!("sha256:{}", &hex::encode(Sha256::digest(bytes))[..12])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::machine::{Machine, State},
        plan::examples::request,
    };

    /// Changes one thing of a request.
    type RequestChange = fn(&mut Request);

    #[test]
    fn every_option_that_makes_other_machines_is_a_setting() {
        let changes: [(&str, RequestChange); 28] = [
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
            ("threads-per-core", |r| r.threads_per_core = Some(1)),
            ("api-key-from", |r| {
                r.runner.api_key_from = Some("ssm:/key".parse().expect("a place"));
            }),
            ("proxy", |r| {
                let url = "http://proxy:3128".parse().expect("an address");
                r.runner.proxy = Some(Proxy::new(url).expect("a proxy"));
            }),
            ("local-disks", |r| r.runner.local_disks = false),
            ("tags", |r| {
                r.tags = vec!["Project=x".parse().expect("a tag")];
            }),
        ];
        let usual = machine(GroupSettings::of(&request(1)).to_tags());
        for (name, change) in changes {
            let mut other = request(1);
            change(&mut other);
            let theirs = machine(GroupSettings::of(&other).to_tags());
            let line = GroupSettings::of(&request(1)).options_of(&theirs);
            let cannot_be_repeated = ["script", "tags", "proxy"].contains(&name);
            assert_eq!(line.is_none(), cannot_be_repeated, "{name}: {line:?}");
            let differences = GroupSettings::of(&other).differences(&usual);
            let [difference] = differences.as_slice() else {
                panic!("{name}: {differences:?}");
            };
            let option = match name {
                "script" => "user-data-path",
                "local-disks" => "no-local-disks",
                "tags" => "tag",
                name => name,
            };
            assert!(
                difference.starts_with(&format!("--{option} is ")),
                "{difference}"
            );
        }
    }

    fn machine(tags: Vec<(String, String)>) -> Machine {
        Machine {
            tags,
            ..Machine::example("i-1", State::Running)
        }
    }

    #[test]
    fn equal_values_in_other_words_are_no_difference() {
        let changes: [(RequestChange, RequestChange); 4] = [
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
                GroupSettings::of(&request.in_plain_words())
            });
            assert_eq!(one, other);
        }
    }

    proptest! {
        #[test]
        fn settings_always_fit_in_a_tag_of_ec2s_alphabet(
            settings in proptest::collection::btree_map("[b-z][a-z-]{0,19}", "\\PC{0,80}", 0..20),
        ) {
            let settings = GroupSettings(settings.into_iter().map(|(name, value)| (name, tag_word(&value))).collect());
            let tags = settings.to_tags();
            // A machine has 50 tags, with ours and the user's.
            prop_assert!(tags.len() <= 6);
            for (key, value) in &tags {
                prop_assert!(key.starts_with(TAG_SETTINGS));
                prop_assert!(value.len() <= GroupSettings::MAX_CHARS);
                prop_assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)));
            }
            prop_assert_eq!(settings.differences(&machine(tags)), Vec::<String>::new());
        }
    }
}
