//! Where in AWS an Inductiva API key is kept.

use std::{fmt, str::FromStr};

/// A name in Systems Manager's Parameter Store or in Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    pub service: KeyService,
    /// A name or an ARN.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyService {
    Ssm,
    SecretsManager,
}

impl KeyService {
    /// As endpoints and signatures spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
        }
    }
}

impl FromStr for KeyPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "it looks like ssm:NAME or secretsmanager:NAME";
        let (service, name) = text.split_once(':').ok_or(example)?;
        let service = match service {
            "ssm" => KeyService::Ssm,
            "secretsmanager" => KeyService::SecretsManager,
            _ => return Err(example.into()),
        };
        // The characters that both services accept in a name or an ARN (PutParameter,
        // CreateSecret). The machine's script relies on these.
        let is_known = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c);
        if name.is_empty() || name.len() > 2048 || !name.chars().all(is_known) {
            return Err("a name has ASCII letters, digits, and / _ + = . @ - : only".into());
        }
        Ok(Self {
            service,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service.as_str(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_places() {
        for text in [
            "ssm:/inductiva/api-key",
            "ssm:key:3",
            "secretsmanager:arn:aws:secretsmanager:eu-west-2:123456789012:secret:key-AbCdEf",
        ] {
            let place: KeyPlace = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        for text in [
            "", "ssm", "ssm:", "file:key", "ssm:a b", "ssm:a\"b", "ssm:ä",
        ] {
            assert!(text.parse::<KeyPlace>().is_err(), "{text}");
        }
    }
}
