//! What an argument of `list`, `logs` and `terminate` names.

use std::str::FromStr;

use super::group_name::GroupName;

/// A machine group, or a machine by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Group(GroupName),
    /// `i-…`
    Machine(String),
}

/// Whether `text` has the form of EC2's machine ids: 17 hex digits, or 8 before 2016
/// ("Resource IDs", EC2 user guide).
pub fn is_machine_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

impl FromStr for Target {
    type Err = String;

    /// A text in the form of an id is an id, and no new group gets such a name.
    fn from_str(text: &str) -> Result<Self, String> {
        if is_machine_id(text) {
            Ok(Self::Machine(text.to_owned()))
        } else {
            text.parse().map(Self::Group)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_shape_of_an_id_is_one() {
        for id in ["i-0123456789abcdef0", "i-01234567"] {
            assert_eq!(id.parse(), Ok(Target::Machine(id.to_owned())));
        }
        for name in [
            "i-",
            "i-lab",
            "i-0123456",
            "i-0123456789abcdef01",
            "ami-01234567",
        ] {
            let group = name.parse().map(Target::Group);
            assert_eq!(name.parse(), group, "{name}");
        }
        assert!("-y".parse::<Target>().is_err());
    }
}
