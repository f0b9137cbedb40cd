//! The settings that a group's machines share.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::{
    model::{
        request::{Request, Runner},
        user_data::Script,
    },
    values::{Market, VmType, Volume, VolumeType},
};

/// What the user chose for a group, as it stands in its machines'
/// `inductiva:settings` tag: `name=value` words, what is default left out.
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
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let vm_types = vm_types.join("/");
        let settings = [
            ("vm-type", Some(vm_types)),
            ("image-id", request.image_id.clone()),
            ("volume-size", disk),
            ("volume-type", not_default(&volume.kind, &VolumeType::Gp3)),
            ("iops", volume.iops.map(|n| n.to_string())),
            ("throughput", volume.throughput_mibps.map(|n| n.to_string())),
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
        ];
        Self(
            settings
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), tag_word(&value?))))
                .collect(),
        )
    }

    /// As the tag's value.
    pub fn to_tag(&self) -> String {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let tag = words.join(" ");
        if tag.len() <= Self::MAX_CHARS {
            tag
        } else {
            let vm_type = self.0.get("vm-type").map_or("", String::as_str);
            format!("vm-type={vm_type} all={}", short_hash(tag.as_bytes()))
        }
    }

    /// What another group's tag says otherwise, one phrase a setting.
    pub fn differences(&self, tag: &str) -> Vec<String> {
        let parse = |tag: &str| -> BTreeMap<String, String> {
            tag.split(' ')
                .filter_map(|word| word.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        let (theirs, ours) = (parse(tag), parse(&self.to_tag()));
        let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        let value = |settings: &BTreeMap<String, String>, name: &str| {
            settings
                .get(name)
                .map_or("the default".to_owned(), Clone::clone)
        };
        names
            .into_iter()
            .filter(|name| theirs.get(*name) != ours.get(*name))
            .map(|name| {
                format!(
                    "{name} is {} there and {} here",
                    value(&theirs, name),
                    value(&ours, name)
                )
            })
            .collect()
    }
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
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::examples::request;

    /// Changes one thing of a request.
    type Change = fn(&mut Request);

    #[test]
    fn every_option_that_makes_other_machines_is_a_setting() {
        let changes: [(&str, Change); 21] = [
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
        ];
        let usual = Settings::of(&request(1)).to_tag();
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

    proptest! {
        #[test]
        fn settings_always_fit_in_a_tag_of_ec2s_alphabet(
            settings in proptest::collection::btree_map("[a-z-]{1,20}", "\\PC{0,80}", 0..20),
        ) {
            let settings = Settings(settings.into_iter().map(|(name, value)| (name, tag_word(&value))).collect());
            let tag = settings.to_tag();
            prop_assert!(tag.len() <= Settings::MAX_CHARS);
            prop_assert!(tag.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)));
            prop_assert_eq!(settings.differences(&tag), Vec::<String>::new());
        }
    }
}
