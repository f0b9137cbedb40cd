//! The places that credentials come from.

use std::fmt;

/// Where credentials came from, as `whoami` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A profile of ~/.aws/config or ~/.aws/credentials.
    Profile(String),
    /// `AWS_ACCESS_KEY_ID` and the variables that go with it.
    Environment,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    WebIdentity,
    /// A file of a program older than the AWS CLI, by its path.
    OlderFile(String),
    /// The container's metadata service.
    Container,
    /// The EC2 instance's own role.
    InstanceMetadata,
}

impl Source {
    /// What to do when the session from this place has ended.
    pub fn renewal(&self) -> &'static str {
        match self {
            Self::Environment => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA"
            }
            // These keys have no session.
            Self::OlderFile(_) => "check the keys in that file",
            Self::Profile(_) => {
                "replace the session's three values in the profile with those of a new one, or sign in again the way the profile does"
            }
            Self::WebIdentity | Self::Container | Self::InstanceMetadata => {
                "run the command again: it gets new credentials from the same source"
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Environment => f.write_str("environment variables"),
            Self::OlderFile(path) => f.write_str(path),
            Self::WebIdentity => f.write_str("web identity token"),
            Self::Container => f.write_str("container metadata"),
            Self::InstanceMetadata => f.write_str("EC2 instance metadata"),
        }
    }
}
