//! Names of EC2 instance types.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::similar;

/// The second parts of types' names, except those that begin with a number (EC2 User
/// Guide, "Instance type naming conventions").
const SIZES: [&str; 7] = [
    "nano", "micro", "small", "medium", "large", "xlarge", "metal",
];

/// An EC2 instance type such as `t2.micro`. Only its form is checked here; EC2 knows
/// which types exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct VmType(String);

impl VmType {
    /// The types to try where nobody names one, in this order. New accounts on the free
    /// plan do not launch t2.micro, and some regions have only one of the two.
    pub fn defaults() -> [Self; 2] {
        ["t3.micro", "t2.micro"].map(|name| Self(name.to_owned()))
    }

    /// The type as EC2 spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the family is one that can have NVIDIA GPUs (G and P).
    /// `DescribeInstanceTypes` decides; this only tells which images to ask for in the
    /// same round trip.
    pub fn may_have_gpu(&self) -> bool {
        self.0.starts_with(['g', 'p'])
    }

    /// The type that was probably meant by a name with a size that EC2 does not have:
    /// `t2.micro` for `t2.mirco`.
    pub fn meant(&self) -> Option<Self> {
        let (family, size) = self.0.split_once('.')?;
        let letters = size.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &size[..size.len() - letters.len()];
        let meant = similar::nearest(letters, SIZES)?;
        Some(Self(format!("{family}.{number}{meant}")))
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

#[cfg(test)]
mod tests {
    use super::VmType;

    #[test]
    fn a_mistyped_size_is_found() {
        for (typed, meant) in [
            ("t2.mirco", Some("t2.micro")),
            ("c7i.4xlareg", Some("c7i.4xlarge")),
            ("t2.micro", None),
            ("c7i.4xlarge", None),
            ("t9.micro", None),
            ("t2.huge", None),
            ("m7i.metal-24xl", None),
        ] {
            let meant = meant.map(|name| name.parse().expect("a type"));
            let typed: VmType = typed.parse().expect("a type");
            assert_eq!(typed.meant(), meant, "{typed}");
        }
    }
}
