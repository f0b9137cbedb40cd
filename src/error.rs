//! What can go wrong, in the user's words: the kind decides the exit code, the
//! message says what and why, the hint says what to do about it.

use serde::Serialize;

use crate::values::Market;

/// The sort of a failure. Scripts see its name (`error.kind` in JSON) and its
/// exit code; both are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Refused or failed, and nothing of this run is left.
    Failed,
    /// Nobody knows the name or the id.
    NotFound,
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
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::NotFound => 1,
            Self::Usage => 2,
            Self::MachinesMayBeRunning => 3,
            Self::NotSignedIn | Self::NotPermitted => 4,
            Self::Capacity => 5,
            Self::TimedOut => 6,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as it is shown: the one error type of every command.
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
    /// The EC2 type.
    pub vm_type: String,
    /// The zone; none where EC2 was to choose.
    pub availability_zone: Option<String>,
    /// The subnet that was named.
    pub subnet_id: Option<String>,
    /// On demand or spot.
    pub market: Market,
    /// The machines asked for.
    pub machines: u32,
    /// EC2's code.
    pub code: String,
    /// EC2's words.
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

/// What nobody can do much about (a full disk, no memory): its causes are the message.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

/// What commands return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error with all its causes, the outermost first.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// The first of an error's causes, itself among them, that is an `E`.
pub fn find_cause<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
