//! Validated values: parsed once, from the command line, and trusted inside.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
    time::Duration,
};

use serde::Serialize;

/// The name of a machine group: 1 to 63 letters, digits, spaces, `.`, `_`, `-`.
///
/// It becomes an EC2 tag value, an environment variable on the machine and a
/// name on Inductiva's side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct GroupName(String);

impl GroupName {
    /// The longest name, in characters.
    const MAX_CHARS: usize = 63;

    /// What generated names are made of: nothing that looks like something else.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` looks like one of [`Self::generated`].
    pub fn is_generated(name: &str) -> bool {
        name.strip_prefix("aws-").is_some_and(|suffix| {
            suffix.len() == 8 && suffix.bytes().all(|byte| Self::ALPHABET.contains(&byte))
        })
    }

    /// A new name, `aws-` and eight letters or digits, from eight random bytes.
    pub fn generated(random: [u8; 8]) -> Self {
        let suffix = random.map(|byte| char::from(Self::ALPHABET[usize::from(byte % 32)]));
        Self(format!("aws-{}", suffix.iter().collect::<String>()))
    }
}

impl FromStr for GroupName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
        if text.is_empty() || text.chars().count() > Self::MAX_CHARS {
            return Err(format!("a name has 1 to {} characters", Self::MAX_CHARS));
        }
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(format!(
                "{c:?} is not allowed: letters, digits, spaces, '.', '_' and '-' are"
            ));
        }
        if text.trim() != text {
            return Err("a name does not start or end with a space".into());
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An EC2 instance type such as `t2.micro`: only its shape is checked here,
/// EC2 knows which ones there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct VmType(String);

impl VmType {
    /// The type as EC2 spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the family is one of those that can carry NVIDIA GPUs (G and P).
    /// A yes is checked against `DescribeInstanceTypes`; it only decides which
    /// images are worth asking for in the same round trip.
    pub fn may_have_gpu(&self) -> bool {
        self.0.starts_with(['g', 'p'])
    }
}

impl FromStr for VmType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |s: &str| {
            !s.is_empty()
                && s.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        match text.split_once('.') {
            Some((family, size)) if part(family) && part(size) => Ok(Self(text.into())),
            _ => Err("an EC2 instance type looks like t2.micro".into()),
        }
    }
}

impl fmt::Display for VmType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The type of an EBS volume that an instance can boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VolumeType {
    /// General purpose SSD
    Gp3,
    /// General purpose SSD, previous generation
    Gp2,
    /// Provisioned IOPS SSD
    Io1,
    /// Provisioned IOPS SSD
    Io2,
    /// Magnetic, previous generation
    Standard,
}

impl VolumeType {
    /// As EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp3 => "gp3",
            Self::Gp2 => "gp2",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::Standard => "standard",
        }
    }

    /// The least and the largest size, in GiB (EC2 API reference, `EbsBlockDevice`).
    fn sizes_gib(self) -> (u32, u32) {
        match self {
            Self::Gp3 => (1, 65_536),
            Self::Gp2 => (1, 16_384),
            Self::Io1 => (4, 16_384),
            Self::Io2 => (4, 65_536),
            Self::Standard => (1, 1_024),
        }
    }

    /// The IOPS that may be asked for, and the most for each GiB of the volume
    /// (EC2 API reference, `EbsBlockDevice`; EBS user guide, volume types).
    fn iops(self) -> Option<(u32, u32, u32)> {
        match self {
            Self::Gp3 => Some((3_000, 80_000, 500)),
            Self::Io1 => Some((100, 64_000, 50)),
            Self::Io2 => Some((100, 256_000, 1_000)),
            Self::Gp2 | Self::Standard => None,
        }
    }
}

impl fmt::Display for VolumeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The root disk that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// GiB; none: 50, or the image's own size if that is larger.
    pub size_gib: Option<u32>,
    /// The EBS volume type.
    pub kind: VolumeType,
    /// I/O operations per second.
    pub iops: Option<u32>,
    /// MiB per second.
    pub throughput_mibps: Option<u32>,
}

impl Volume {
    /// The size when none is asked for: simulator images are never evicted and
    /// their pulls are unpacked on the same disk.
    pub const DEFAULT_GIB: u32 = 50;

    /// Refuses what the volume type cannot have, for the size it will have.
    pub fn check(&self, size_gib: u32) -> Result<(), String> {
        let kind = self.kind;
        let (least, most) = kind.sizes_gib();
        if !(least..=most).contains(&size_gib) {
            return Err(format!(
                "a {kind} volume has {least} to {most} GiB, not {size_gib} (--volume-size)"
            ));
        }
        match (self.iops, kind.iops()) {
            (Some(_), None) => {
                return Err(format!("a {kind} volume takes no --iops"));
            }
            (None, Some(_)) if kind != VolumeType::Gp3 => {
                return Err(format!("a {kind} volume needs --iops"));
            }
            (Some(iops), Some((least, most, per_gib))) => {
                if !(least..=most).contains(&iops) {
                    return Err(format!(
                        "a {kind} volume has {least} to {most} IOPS, not {iops} (--iops)"
                    ));
                }
                let most = u64::from(least).max(u64::from(per_gib) * u64::from(size_gib));
                if u64::from(iops) > most {
                    return Err(format!(
                        "a {kind} volume has at most {per_gib} IOPS for each GiB: {size_gib} GiB allow {most}, not {iops} (--iops)"
                    ));
                }
            }
            (None, _) => {}
        }
        match self.throughput_mibps {
            Some(_) if kind != VolumeType::Gp3 => {
                Err(format!("a {kind} volume takes no --throughput: gp3 does"))
            }
            Some(mibps) if !(125..=2_000).contains(&mibps) => Err(format!(
                "a gp3 volume has a throughput of 125 to 2000 MiB/s, not {mibps} (--throughput)"
            )),
            Some(mibps) if mibps * 4 > self.iops.unwrap_or(3_000) => Err(format!(
                "a gp3 volume has at most 0.25 MiB/s of throughput for each IOPS: {mibps} MiB/s need --iops {}",
                mibps * 4
            )),
            _ => Ok(()),
        }
    }
}

/// A tag of the user's: `KEY=VALUE` within EC2's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters, not starting with `aws:` or with our own `inductiva:`.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("a tag is written KEY=VALUE")?;
        // EC2 user guide, "Tag your Amazon EC2 resources", restrictions.
        if !(1..=128).contains(&key.chars().count()) {
            return Err("a tag's key has 1 to 128 characters".into());
        }
        if value.chars().count() > 256 {
            return Err("a tag's value has at most 256 characters".into());
        }
        if text.chars().any(char::is_control) {
            return Err("a tag has no control characters".into());
        }
        let reserved = ["aws:", "inductiva:"];
        if let Some(prefix) = reserved
            .iter()
            .find(|p| key.to_ascii_lowercase().starts_with(**p))
        {
            return Err(format!("keys that start with {prefix:?} are reserved"));
        }
        if key == "Name" {
            return Err("the tag Name is the machine group's name".into());
        }
        Ok(Self {
            key: key.into(),
            value: value.into(),
        })
    }
}

/// A span of time written as `90s`, `30m`, `8h`, `3d`, or a sequence such as `1h30m`.
///
/// # Errors
/// Text without a unit, with an unknown unit, or of no length at all.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number and a unit: 90s, 30m, 8h, 3d, 1h30m".to_owned();
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .filter(|end| *end > 0)
            .ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        seconds = number
            .checked_mul(unit)
            .and_then(|more| seconds.checked_add(more))
            .filter(|total| *total <= 10 * 365 * 86_400)
            .ok_or("that is more than ten years")?;
        rest = &rest[end + 1..];
    }
    if seconds == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// A CIDR block such as `203.0.113.7/32`; not the whole internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cidr(String);

impl Cidr {
    /// The block as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an IPv6 block.
    pub fn is_ipv6(&self) -> bool {
        self.0.contains(':')
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a CIDR block looks like 203.0.113.7/32".to_owned();
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: std::net::IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if prefix > if address.is_ipv4() { 32 } else { 128 } {
            return Err(wrong());
        }
        if prefix == 0 {
            return Err("that is the whole internet: name the block you connect from".into());
        }
        // EC2 keeps the network's address, whatever host was named.
        let network: std::net::IpAddr = match address {
            std::net::IpAddr::V4(v4) => {
                std::net::Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - prefix))).into()
            }
            std::net::IpAddr::V6(v6) => {
                std::net::Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - prefix))).into()
            }
        };
        Ok(Self(format!("{network}/{prefix}")))
    }
}

/// How the machine is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// At the on-demand price.
    OnDemand,
    /// At the spot price; AWS may take it back.
    Spot,
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        })
    }
}

/// Bytes as hex characters.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::VolumeType::{Gp2, Gp3, Io1, Io2, Standard};
    use super::*;

    #[test]
    fn group_names_keep_to_the_contract() {
        let longest = "x".repeat(63);
        for good in ["a", "my_aws_machine_group", "Run 7.b-2", &longest] {
            assert_eq!(good.parse::<GroupName>().map(|n| n.0), Ok(good.to_owned()));
        }
        for bad in ["", " a", "a ", "a/b", "a'b", "é", "a\nb", &"x".repeat(64)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn generated_names_are_valid_and_follow_the_randomness() {
        let one = GroupName::generated([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(one.as_str(), "aws-abcdefg9");
        assert_eq!(one.as_str().parse::<GroupName>(), Ok(one.clone()));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("3d"), Ok(Duration::from_hours(72)));
        for bad in [
            "",
            "8",
            "h",
            "8x",
            "0m",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "9999d",
        ] {
            assert!(duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn volumes_are_refused_what_their_type_cannot_have() {
        let volume = |kind, iops, throughput_mibps| Volume {
            size_gib: None,
            kind,
            iops,
            throughput_mibps,
        };
        for (good, gib) in [
            (volume(Gp3, None, None), 50),
            (volume(Gp3, Some(3_000), Some(125)), 1),
            (volume(Gp3, Some(4_000), Some(1_000)), 50),
            (volume(Io1, Some(2_500), None), 50),
            (volume(Io2, Some(50_000), None), 50),
            (volume(Gp2, None, None), 50),
        ] {
            assert_eq!(good.check(gib), Ok(()), "{good:?}");
        }
        for (bad, gib, why) in [
            (volume(Gp3, Some(2_999), None), 50, "3000 to 80000"),
            (volume(Gp3, Some(25_001), None), 50, "allow 25000"),
            (volume(Gp3, None, Some(124)), 50, "125 to 2000"),
            (volume(Gp3, None, Some(751)), 50, "need --iops 3004"),
            (volume(Gp2, Some(3_000), None), 50, "no --iops"),
            (volume(Gp2, None, Some(125)), 50, "no --throughput"),
            (volume(Io1, None, None), 50, "needs --iops"),
            (volume(Io1, Some(2_501), None), 50, "allow 2500"),
            (volume(Io2, None, None), 50, "needs --iops"),
            (volume(Standard, None, None), 1_025, "1 to 1024 GiB"),
        ] {
            let said = bad.check(gib).expect_err("was accepted");
            assert!(said.contains(why), "{said:?} does not say {why:?}");
        }
    }

    #[test]
    fn tags_keep_to_ec2_limits_and_leave_ours_alone() {
        let tag: Tag = "project=a=b c".parse().expect("a tag");
        assert_eq!((tag.key.as_str(), tag.value.as_str()), ("project", "a=b c"));
        for bad in [
            "x",
            "=x",
            "aws:x=y",
            "AWS:x=y",
            "inductiva:launcher=x",
            "Name=x",
            "a=\n",
        ] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn ssh_is_never_opened_to_the_world() {
        for (typed, network) in [
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("2001:db8::7/64", "2001:db8::/64"),
        ] {
            assert_eq!(typed.parse::<Cidr>(), Ok(Cidr(network.into())));
        }
        for bad in ["0.0.0.0/0", "::/0", "203.0.113.7", "203.0.113.7/33", "x/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?} was accepted");
        }
    }
}
