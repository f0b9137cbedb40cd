//! The differences between a machine's tags and the settings of this run.

use std::{collections::BTreeSet, time::Duration};

use super::{
    super::tagged_settings::{TAGS, TaggedSettings},
    GroupSettings, short_hash,
};
use crate::{model::machine::Machine, values::spans};

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

    /// The hash that the former release wrote where these settings were too long.
    fn former_hash(&self) -> String {
        let words = self.0.iter().filter(|(name, _)| *name != TAGS);
        let words: Vec<String> = words
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        short_hash(words.join(" ").as_bytes())
    }
}

/// A phrase for one setting. Tags keep spans of time in the unit that they always had.
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
            Some(span) => spans::typed(span),
            None => value.clone(),
        }
    };
    format!(
        "{name} is {} there and {} here",
        or_default(theirs),
        or_default(ours)
    )
}

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
            ["iops is 4000 there and the default here"]
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
        let theirs = GroupSettings::of(&request).to_tags();
        assert!(theirs.len() > 1, "{theirs:?}");
        let theirs = machine(theirs);
        request.volume.size_gib = Some(60);
        assert_eq!(
            GroupSettings::of(&request).differences(&theirs),
            ["volume-size is the default there and 60 here"]
        );
    }
}
