//! What can go wrong, in the user's words: the kind decides the exit code, the
//! message says what and why, the hint says what to do about it.

use serde::Serialize;

use crate::values::Market;

/// The kind of a failure. Scripts see its name (`error.kind` in JSON) and its exit code,
/// and both are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Refused or failed, and nothing of this run is left.
    Failed,
    /// Nobody knows the name or the id.
    NotFound,
    /// AWS cannot be reached, and nothing was sent to it that changes anything.
    Unreachable,
    /// The command line, the environment or a named file cannot be used.
    Usage,
    /// Failed or partly done, and machines may be running.
    MachinesMayBeRunning,
    /// No AWS or Inductiva credentials, or they were refused.
    NotSignedIn,
    /// Signed in, but not allowed to do this.
    NotPermitted,
    /// No capacity, or a quota is used up.
    Capacity,
    /// Gave up waiting; the machines go on.
    TimedOut,
    /// Stopped by the user.
    Interrupted,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Failed,
        Self::NotFound,
        Self::Unreachable,
        Self::Usage,
        Self::MachinesMayBeRunning,
        Self::NotSignedIn,
        Self::NotPermitted,
        Self::Capacity,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// Whether another try may succeed with nothing changed.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Failed | Self::Unreachable)
    }

    pub fn exit_code(self) -> u8 {
        self.exit().0
    }

    /// The exit code, and what it tells a script.
    fn exit(self) -> (u8, &'static str) {
        match self {
            Self::Failed | Self::NotFound | Self::Unreachable => {
                (1, "refused or failed, nothing of this run is left")
            }
            Self::Usage => (2, "usage"),
            Self::MachinesMayBeRunning => (
                3,
                "failed or partly done, machines may be running (they are named)",
            ),
            Self::NotSignedIn | Self::NotPermitted => (4, "not signed in or not permitted"),
            Self::Capacity => (5, "no capacity or quota"),
            Self::TimedOut => (6, "timed out waiting, the machines go on (they are named)"),
            Self::Interrupted => (
                130,
                "interrupted, what had been launched was terminated (or is named)",
            ),
        }
    }

    /// All exit codes with their meanings, in order.
    pub fn exit_table() -> Vec<(u8, &'static str)> {
        let mut codes = vec![(0, "done")];
        codes.extend(Self::ALL.map(Self::exit));
        codes.dedup();
        codes
    }

    /// The same as a sentence for the help.
    pub fn exit_codes() -> String {
        let codes = Self::exit_table();
        let codes: Vec<String> = codes
            .iter()
            .map(|(code, meaning)| format!("{code} {meaning}"))
            .collect();
        format!("Exit codes: {}.", codes.join("; "))
    }
}

// The help leaves out no kind.
const _: () = assert!(Kind::ALL.len() == Kind::Interrupted as usize + 1);

/// A failure as it is shown. It is the one error type of all commands.
#[derive(Clone, Debug, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What failed and why, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Ids of the machines that may be running because of this run.
    pub machines: Vec<String>,
    /// The policy that would allow what was denied, to hand to an administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<serde_json::Value>>,
    /// Where there was no capacity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// A place, type and market that had no capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    pub vm_type: String,
    /// The zone; none where EC2 was to choose.
    pub availability_zone: Option<String>,
    /// The subnet that was named.
    pub subnet_id: Option<String>,
    pub market: Market,
    pub machines: u32,
    pub code: String,
    pub reason: String,
}

impl Failure {
    /// A failure of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            machines: Vec::new(),
            policy: None,
            tried: Vec::new(),
        }
    }

    /// Refused or failed, with nothing of this run left behind.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Something the user typed, set or named cannot be used.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the machines that may be running.
    pub fn machines(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.machines.extend(ids);
        self
    }

    /// Puts what was being done in front of the message.
    pub fn while_doing(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

/// Something that nobody can do much about, such as a full disk. Its causes are the
/// message.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(causes(error.as_ref()))
    }
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error with all its causes, the outermost first. What they quote in Rust's own
/// notation is left out, as the SDK quotes requests with their tokens and keys. Messages
/// get an error's words only from here.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = without_debug_forms(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let said = without_debug_forms(&cause.to_string());
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// The text up to the first value in Rust's `Debug` notation: `Name { …`, `Name(…`,
/// `{"…`, `b"…`, `[("…`, `[1, …`. Nobody writes these for people.
fn without_debug_forms(text: &str) -> String {
    let Some(cut) = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| is_debug_form(text, *at))
    else {
        return text.to_owned();
    };
    let before = text[..cut].trim_end_matches(' ');
    let word = last_word(before);
    let is_its_name = word == "b" || starts_as_a_type(word);
    let kept = &before[..before.len() - if is_its_name { word.len() } else { 0 }];
    format!("{}…", kept.trim_end_matches(['`', ' ', ':', ',']))
}

fn is_debug_form(text: &str, at: usize) -> bool {
    let (before, after) = text.split_at(at);
    match after.as_bytes() {
        [b'{', b'"', ..] | [b'[', b'(' | b'"', ..] => true,
        [b'{', b' ' | b'\n', ..] => starts_as_a_type(last_word(before.trim_end_matches(' '))),
        [b'(', ..] => starts_as_a_type(last_word(before)),
        [b'"', ..] => last_word(before) == "b",
        [b'[', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 0 && rest.get(digits) == Some(&b',')
        }
        _ => false,
    }
}

fn starts_as_a_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The letters and digits at the end.
fn last_word(text: &str) -> &str {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    &text[text.trim_end_matches(is_of_a_name).len()..]
}

/// The first `E` among an error and its causes.
pub fn find_cause<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of a system error is that of the error within it.
        let within = error.downcast_ref().and_then(std::io::Error::get_ref);
        next = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Kind, without_debug_forms};

    #[test]
    fn the_readme_explains_every_exit_code() {
        let readme = include_str!("../README.md");
        let (_, table) = readme
            .split_once("| exit code | meaning |\n|---|---|\n")
            .expect("a table");
        let told = table
            .lines()
            .map_while(|row| row.strip_prefix("| ")?.split(' ').next());
        let mut codes = vec!["0".to_owned()];
        codes.extend(Kind::ALL.map(|kind| kind.exit_code().to_string()));
        codes.dedup();
        assert_eq!(told.collect::<Vec<_>>(), codes);
    }

    #[test]
    fn the_manual_names_every_kind() {
        let manual = include_str!("commands/manual/output.md");
        for kind in Kind::ALL {
            let name = serde_json::to_value(kind).expect("a name");
            let name = format!("`{}`", name.as_str().expect("a text"));
            assert!(manual.contains(&name), "{name}");
        }
    }

    #[test]
    fn words_are_kept_and_quoted_values_are_not() {
        for (said, told) in [
            ("client error (Connect)", "client error (Connect)"),
            (
                "Connection refused (os error 111)",
                "Connection refused (os error 111)",
            ),
            (
                "invalid peer certificate: UnknownIssuer",
                "invalid peer certificate: UnknownIssuer",
            ),
            (
                "failed to apply endpoint `x` to request `Request { body: secret }`: bad",
                "failed to apply endpoint `x` to request…",
            ),
            ("not valid for [DnsName(\"x\")]", "not valid for […"),
            ("headers {\"token\": \"secret\"}", "headers…"),
            ("body b\"secret\"", "body…"),
            ("Unhandled(Unhandled { source: secret })", "…"),
            ("Some(secret)", "…"),
            ("Request {\n    body: secret", "…"),
            ("bytes: [115, 101]", "bytes…"),
            ("nobody listens on [::1]:80", "nobody listens on [::1]:80"),
        ] {
            assert_eq!(without_debug_forms(said), told);
        }
    }
}
