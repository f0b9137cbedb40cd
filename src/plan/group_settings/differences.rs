//! The differences between a machine's tags and the settings of this run.

use std::{collections::BTreeSet, time::Duration};

use super::{
    super::{
        budget::Budget,
        tagged_settings::{TAGS, TaggedSettings},
    },
    GroupSettings, short_hash,
};
use crate::{
    model::{machine::Machine, request::Runner},
    terminal::quoting,
    values::spans,
};

impl GroupSettings {
    /// The differences, one phrase for each setting.
    pub fn differences(&self, machine: &Machine) -> Vec<String> {
        let theirs = TaggedSettings::by(machine);
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

    /// The options that ask for machines like this one instead; none if its tags do not
    /// tell them all.
    pub fn options_of(&self, machine: &Machine) -> Option<String> {
        let theirs = TaggedSettings::by(machine);
        let mut options: Vec<String> = Vec::new();
        for (name, value) in &theirs.words {
            // Where there is a hash, nobody knows what it is of.
            if theirs.former || !REPEATABLE.contains(&name.as_str()) || value.starts_with("sha256:")
            {
                return None;
            }
            let option = option(name);
            options.push(match name.as_str() {
                "spot" | "standard-credits" | "local-disks" => option,
                name => format!("{option} {}", quoting::word(&as_typed(name, value))),
            });
        }
        // What the environment of this run may say is to be said otherwise.
        for (name, default) in [
            ("task-runner-image", Some(Runner::TASK_RUNNER_IMAGE)),
            ("file-tracker-image", Some(Runner::FILE_TRACKER_IMAGE)),
            ("proxy", None),
        ] {
            if self.0.contains_key(name) && !theirs.words.contains_key(name) {
                options.push(format!("{} {}", option(name), default?));
            }
        }
        if let Some(budget) = Budget::of(machine) {
            options.push(format!("--max-cost {}", budget.ok()?.usd));
        }
        Some(options.join(" "))
    }

    /// The hash that the former release wrote where these settings were too long.
    fn former_hash(&self) -> String {
        let words = self.0.iter().filter(|(name, _)| *name != TAGS);
        let words: Vec<String> = words
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        short_hash(words.join(" ").as_bytes())
    }
}

/// A phrase for one setting, named as the option that decides it.
fn phrase(name: &str, theirs: Option<&String>, ours: Option<&String>) -> String {
    let told = |value| value_in_words(name, value);
    format!(
        "{} is {} there, {} here",
        option(name),
        told(theirs),
        told(ours)
    )
}

fn value_in_words(name: &str, value: Option<&String>) -> String {
    match (name, value) {
        // The setting says whether they are used, the option that they are not.
        ("local-disks", value) => if value.is_some() { "yes" } else { "no" }.to_owned(),
        ("spot" | "standard-credits", None) => "no".to_owned(),
        (
            "subnet-id" | "security-group-id" | "availability-zone" | "ssh-from" | "key-name"
            | "instance-profile" | "max-price" | "max-lifetime" | "api-key-from" | "proxy" | TAGS,
            None,
        ) => "none".to_owned(),
        (_, None) => "the default".to_owned(),
        ("max-idle-time", Some(minutes)) if minutes == "0" => "never".to_owned(),
        (_, Some(value)) => as_typed(name, value),
    }
}

fn option(name: &str) -> String {
    let option = match name {
        "script" => "user-data-path",
        "local-disks" => "no-local-disks",
        TAGS => "tag",
        name => name,
    };
    format!("--{option}")
}

/// A setting's value as its option takes it. Tags keep spans of time in the unit that
/// they always had, and have no commas.
fn as_typed(name: &str, value: &str) -> String {
    let span = match name {
        "max-lifetime" | "boot-timeout" => value
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        "max-idle-time" => value.parse().ok().map(Duration::from_mins),
        "vm-type" => return value.replace('/', ","),
        _ => None,
    };
    // Nothing is `0` in any unit.
    let span = span.filter(|span| !span.is_zero());
    span.map_or(value.to_owned(), spans::typed)
}

/// The settings whose options a line can repeat. A script and tags are known by a hash
/// alone, and of a proxy nobody knows whether it has a password.
const REPEATABLE: [&str; 24] = [
    "vm-type",
    "threads-per-core",
    "image-id",
    "volume-size",
    "volume-type",
    "iops",
    "throughput",
    "initialization-rate",
    "subnet-id",
    "security-group-id",
    "availability-zone",
    "ssh-from",
    "key-name",
    "instance-profile",
    "spot",
    "max-price",
    "standard-credits",
    "task-runner-image",
    "file-tracker-image",
    "max-idle-time",
    "max-lifetime",
    "boot-timeout",
    "api-key-from",
    "local-disks",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::machine::{State, TAG_SETTINGS},
        plan::examples::request,
    };

    /// A machine with this tag, as the former release made it.
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
    fn groups_of_the_former_release_are_read() {
        let mut request = request(1);
        request.max_price = Some("0.5".into());
        // Nobody knows whether the machines had such tags.
        request.tags = vec!["Project=x".parse().expect("a tag")];
        let settings = GroupSettings::of(&request);
        for tag in [
            "max-price=0.5 vm-type=t2.micro",
            "iops=3000 max-price=0.50 throughput=125 vm-type=t2.micro",
        ] {
            assert_eq!(settings.differences(&former(tag)), [""; 0], "{tag}");
        }
        assert_eq!(
            settings.differences(&former("iops=4000 max-price=0.5 vm-type=t2.micro")),
            ["--iops is 4000 there, the default here"]
        );
        // The former release wrote only a hash where there were more than 256 characters.
        let hash = short_hash(b"max-price=0.5 vm-type=t2.micro");
        let hashed = |vm_type| former(&format!("vm-type={vm_type} all={hash}"));
        assert_eq!(settings.differences(&hashed("t2.micro")), [""; 0]);
        request.volume.size_gib = Some(60);
        let other = GroupSettings::of(&request);
        let differences = other.differences(&hashed("t2.micro"));
        assert!(
            differences[0].starts_with("one or more of them"),
            "{differences:?}"
        );
        assert_eq!(
            other.differences(&hashed("t3.micro")),
            ["--vm-type is t3.micro there, t2.micro here"]
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
        let theirs = GroupSettings::of(&request).to_tags();
        assert!(theirs.len() > 1, "{theirs:?}");
        let theirs = machine(theirs);
        request.volume.size_gib = Some(60);
        assert_eq!(
            GroupSettings::of(&request).differences(&theirs),
            ["--volume-size is the default there, 60 here"]
        );
    }
}
