//! Codes of an MFA device.

use std::{fmt, str::FromStr};

use crate::terminal::mask;

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl FromStr for Code {
    type Err = ();

    /// Ignores spaces, as devices show `123 456`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() == 6 && digits.chars().all(|c| c.is_ascii_digit()) {
            mask::know(&digits);
            Ok(Self(digits))
        } else {
            Err(())
        }
    }
}

/// Without the digits.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

impl Code {
    /// The digits, for AWS alone.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits() {
        assert!("123456".parse::<Code>().is_ok());
        assert!(
            " 123 456\n"
                .parse::<Code>()
                .is_ok_and(|code| code.digits() == "123456")
        );
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(text.parse::<Code>().is_err(), "{text}");
        }
    }
}
