//! Root disks, and what EBS allows.

use std::fmt;

use serde::Serialize;

/// The type of an EBS volume that an instance can boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeType {
    Gp3,
    Gp2,
    Io1,
    Io2,
    Standard,
}

impl VolumeType {
    pub const ALL: [Self; 5] = [Self::Gp3, Self::Gp2, Self::Io1, Self::Io2, Self::Standard];

    /// The type with this EC2 name; none for types that nothing boots from.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

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
    pub kind: VolumeType,
    pub iops: Option<u32>,
    pub throughput_mibps: Option<u32>,
}

impl Volume {
    /// The size if none is asked for. Simulator images are never evicted, and are
    /// unpacked on the same disk.
    pub const DEFAULT_GIB: u32 = 50;

    /// Refuses what a volume of this type and size cannot have.
    pub fn check(&self, size_gib: u32) -> Result<(), String> {
        let kind = self.kind;
        let a_kind = match kind {
            VolumeType::Io1 | VolumeType::Io2 => format!("an {kind}"),
            VolumeType::Gp2 | VolumeType::Gp3 | VolumeType::Standard => format!("a {kind}"),
        };
        let (least, most) = kind.sizes_gib();
        if !(least..=most).contains(&size_gib) {
            return Err(format!(
                "{a_kind} volume has {least} to {most} GiB, not {size_gib} (--volume-size)"
            ));
        }
        match (self.iops, kind.iops()) {
            (Some(_), None) => {
                return Err(format!("{a_kind} volume takes no --iops"));
            }
            (None, Some(_)) if kind != VolumeType::Gp3 => {
                return Err(format!("{a_kind} volume needs --iops"));
            }
            (Some(iops), Some((least, most, per_gib))) => {
                if !(least..=most).contains(&iops) {
                    return Err(format!(
                        "{a_kind} volume has {least} to {most} IOPS, not {iops} (--iops)"
                    ));
                }
                let most = u64::from(least).max(u64::from(per_gib) * u64::from(size_gib));
                if u64::from(iops) > most {
                    return Err(format!(
                        "{a_kind} volume has at most {per_gib} IOPS for each GiB: {size_gib} GiB allow {most}, not {iops} (--iops)"
                    ));
                }
            }
            (None, _) => {}
        }
        match self.throughput_mibps {
            Some(_) if kind != VolumeType::Gp3 => {
                Err(format!("{a_kind} volume takes no --throughput: gp3 does"))
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

#[cfg(test)]
mod tests {
    use super::VolumeType::{Gp2, Gp3, Io1, Io2, Standard};
    use super::*;

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
            (volume(Io1, None, None), 50, "an io1 volume needs --iops"),
            (volume(Io1, Some(2_501), None), 50, "allow 2500"),
            (volume(Io2, None, None), 50, "needs --iops"),
            (volume(Standard, None, None), 1_025, "1 to 1024 GiB"),
        ] {
            let said = bad.check(gib).expect_err("was accepted");
            assert!(said.contains(why), "{said:?} does not say {why:?}");
        }
    }
}
