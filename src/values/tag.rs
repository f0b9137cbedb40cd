//! Tags that a user gives.

use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
