//! What makes one launch the same as another: the settings that a group's
//! machines share, and the client token that names what is intended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use sha2::{Digest as _, Sha256};

use crate::{
    machines::Market,
    plan::{Request, Runner},
    user_data::Script,
    values::{GroupName, Volume, VolumeType},
};

/// What a client token names: the intent, not the bytes of the request, so that
/// two runs of one command line mean the same launch.
#[derive(Clone, Debug)]
pub struct Intent {
    pub account: String,
    pub region: String,
    pub place: Option<String>,
    pub market: Market,
    pub group: GroupName,
    pub settings: String,
    pub number: u32,
    /// Sorted.
    pub ids: Vec<String>,
}

impl Intent {
    /// Whether the machine was there when the launch was planned.
    pub fn knows(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }

    /// 64 hex characters for call `call` of the launch. `generation` goes up
    /// when a token turns out to be spent.
    pub fn client_token(&self, call: usize, generation: u32) -> String {
        let place = self.place.clone().unwrap_or_default();
        let (call, generation) = (call.to_string(), generation.to_string());
        let (market, number) = (self.market.to_string(), self.number.to_string());
        let ids = self.ids.join(",");
        let fields: [&str; 11] = [
            "inductiva-aws launch 1",
            &self.account,
            &self.region,
            &place,
            &market,
            self.group.as_str(),
            &self.settings,
            &number,
            &ids,
            &call,
            &generation,
        ];
        let mut hash = Sha256::new();
        for field in fields {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hex(&hash.finalize())
    }
}

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
        let settings = [
            ("vm-type", Some(request.vm_type.to_string())),
            ("image-id", request.image_id.clone()),
            ("volume-size", disk),
            ("volume-type", not_default(&volume.kind, &VolumeType::Gp3)),
            ("iops", volume.iops.map(|n| n.to_string())),
            ("throughput", volume.throughput_mibps.map(|n| n.to_string())),
            ("subnet-id", request.subnet_id.clone()),
            ("security-group-id", request.security_group_id.clone()),
            ("availability-zone", request.availability_zone.clone()),
            (
                "ssh-from",
                request.ssh_from.as_ref().map(|c| c.as_str().to_owned()),
            ),
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
    format!("sha256:{}", &hex(&Sha256::digest(bytes))[..12])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn intent(
        account: &str,
        place: Option<&str>,
        group: &str,
        number: u32,
        ids: &[&str],
    ) -> Intent {
        Intent {
            account: account.into(),
            region: "eu-west-2".into(),
            place: place.map(str::to_owned),
            market: Market::OnDemand,
            group: group.parse().expect("a name"),
            settings: "vm-type=t2.micro".into(),
            number,
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn a_token_is_64_hex_characters_and_stays_the_same_between_releases() {
        let token = intent("123456789012", None, "g", 2, &[]).client_token(0, 0);
        assert_eq!(
            token,
            "18909837147825ac7b48e23c5ecd8cb0d903f914a0980853e7647cc618a05517"
        );
    }

    #[test]
    fn each_part_of_an_intent_changes_the_token() {
        let tokens = [
            intent("1", None, "g", 2, &[]).client_token(0, 0),
            intent("1", None, "g", 2, &[]).client_token(1, 0),
            intent("1", None, "g", 2, &[]).client_token(0, 1),
            intent("2", None, "g", 2, &[]).client_token(0, 0),
            intent("1", Some("eu-west-2a"), "g", 2, &[]).client_token(0, 0),
            intent("1", None, "h", 2, &[]).client_token(0, 0),
            intent("1", None, "g", 3, &[]).client_token(0, 0),
            intent("1", None, "g", 2, &["i-1"]).client_token(0, 0),
            intent("1", None, "g", 2, &["i-1", "i-2"]).client_token(0, 0),
        ];
        let different: BTreeSet<&String> = tokens.iter().collect();
        assert_eq!(different.len(), tokens.len());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let one = intent("1", Some("23"), "g", 2, &[]).client_token(0, 0);
        let other = intent("12", Some("3"), "g", 2, &[]).client_token(0, 0);
        assert_ne!(one, other);
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
