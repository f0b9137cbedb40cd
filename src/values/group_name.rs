//! Names of machine groups.

use std::{fmt, str::FromStr};

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

    /// The characters of generated names. None looks like another.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

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
        // A name with a leading `-` would be an option on every command line that names
        // it.
        if text.starts_with('-') || matches!(text, "." | "..") {
            return Err("a name does not start with '-', and is not '.' or '..'".into());
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_keep_to_the_contract() {
        let longest = "x".repeat(63);
        for good in ["a", "my_aws_machine_group", "Run 7.b-2", &longest] {
            assert_eq!(good.parse::<GroupName>().map(|n| n.0), Ok(good.to_owned()));
        }
        for bad in [
            "",
            " a",
            "a ",
            "a/b",
            "a'b",
            "é",
            "a\nb",
            "-a",
            "--yes",
            ".",
            "..",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn generated_names_are_valid_and_follow_the_randomness() {
        let one = GroupName::generated([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(one.as_str(), "aws-abcdefg9");
        assert_eq!(one.as_str().parse::<GroupName>(), Ok(one.clone()));
    }
}
