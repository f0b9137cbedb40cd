//! A secret, and where it was found.

use std::fmt;

#[derive(Clone, Debug)]
pub struct Secret {
    /// What it is, without its value.
    pub name: String,
    pub value: String,
}

impl Secret {
    /// None for one that is so short that it may be anywhere by chance. A code of
    /// six digits counts as a word.
    pub fn new(name: &str, value: &str) -> Option<Self> {
        let value = value.trim();
        let is_code = value.len() == 6 && value.bytes().all(|b| b.is_ascii_digit());
        (is_code || value.len() >= 8).then(|| Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// The lines that have it.
    pub fn lines_in<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        // As it is in an address and in some JSON, too.
        let encoded = self.value.replace('/', "%2F").replace('+', "%2B");
        let spellings = [
            self.value.clone(),
            encoded.replace('=', "%3D"),
            self.value.replace('/', r"\/"),
        ];
        let is_word = self.value.len() < 8;
        let is_there = move |line: &str| {
            spellings.iter().any(|spelling| {
                line.match_indices(spelling).any(|(at, _)| {
                    let after = line[at + spelling.len()..].chars().next();
                    let around = [line[..at].chars().next_back(), after];
                    !is_word || !around.into_iter().flatten().any(char::is_alphanumeric)
                })
            })
        };
        // Most texts have none: one pass over the whole before the lines.
        let lines = if is_there(text) { text } else { "" };
        lines.lines().filter(move |line| is_there(line))
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.lines_in(text).next().is_some()
    }
}

/// Where a secret was found. Its display names the place and hides the secret.
pub struct Leak {
    pub secret: String,
    pub place: String,
    pub line: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secret,
            place,
            line,
        } = self;
        write!(f, "{secret} is in {place}: {line}")
    }
}

pub fn found(secret: &Secret, text: &str, place: &str, leaks: &mut Vec<Leak>) {
    leaks.extend(secret.lines_in(text).map(|line| Leak {
        secret: secret.name.clone(),
        place: place.replace(&secret.value, "[SECRET]"),
        line: line.replace(&secret.value, "[SECRET]"),
    }));
}
