//! A policy's refusal in plain words: who may not do what, why, and the policy statement
//! that would allow it.

use serde_json::{Value, json};

use crate::error::{Failure, Kind};

/// The text between the message and its encoded part.
const ENCODED: &str = "Encoded authorization failure message:";
/// The condition key of a policy that demands MFA, and its age (IAM user guide,
/// "AWS global condition context keys"), in lower case.
const MFA_KEY: &str = "aws:multifactorauth";

/// What AWS tells of a denial. Older answers of EC2 tell nothing but the encoded part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    principal: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    reason: Reason,
    demands_mfa: bool,
}

/// The kind of policy that decided, and whether it denies or only does not allow (IAM
/// user guide, "Troubleshoot access denied error messages").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reason {
    #[default]
    Untold,
    NotAllowed(PolicyKind),
    Denied(PolicyKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PolicyKind {
    /// A policy of the user, of a group or role, or one that AWS does not name.
    Identity,
    ServiceControl,
    ResourceControl,
    Boundary,
    Session,
    /// A policy of the resource, or of a VPC endpoint.
    Other,
}

/// The encoded part of EC2's message.
pub fn encoded(message: &str) -> Option<&str> {
    message
        .split_once(ENCODED)
        .map(|(_, encoded)| encoded.trim())
        .filter(|encoded| !encoded.is_empty())
}

/// The message without its encoded part.
pub fn readable(message: &str) -> &str {
    message
        .split(ENCODED)
        .next()
        .unwrap_or(message)
        .trim()
        .trim_end_matches('.')
}

impl Denial {
    /// Reads AWS's message, and its encoded part where that could be decoded.
    pub fn read(message: &str, decoded: Option<&str>) -> Self {
        let mut denial = Self::parse(readable(message));
        if let Some(decoded) = decoded.and_then(|text| serde_json::from_str(text).ok()) {
            denial.add(&decoded);
        }
        denial
    }

    /// `User: ARN is not authorized to perform: ACTION on resource: ARN with an
    /// explicit deny in a KIND`, or `because no KIND allows the ACTION action`.
    fn parse(message: &str) -> Self {
        let Some((before, after)) = message.split_once(" is not authorized to perform: ") else {
            return Self::default();
        };
        let word = |text: &str| {
            let word = text.split_whitespace().next();
            word.map(|word| word.trim_end_matches(['.', ',']).to_owned())
        };
        Self {
            principal: before.split_once("User: ").and_then(|(_, arn)| word(arn)),
            action: word(after),
            resource: after
                .split_once(" on resource: ")
                .and_then(|(_, resource)| word(resource)),
            reason: if let Some((_, kind)) = after.split_once("explicit deny in a") {
                Reason::Denied(PolicyKind::named_in(kind))
            } else if let Some((_, kind)) = after.split_once("because no ") {
                Reason::NotAllowed(PolicyKind::named_in(kind))
            } else {
                Reason::Untold
            },
            demands_mfa: false,
        }
    }

    /// Adds what `DecodeAuthorizationMessage` shows (STS API reference).
    fn add(&mut self, decoded: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let context = &decoded["context"];
        self.principal = self
            .principal
            .take()
            .or_else(|| text(&context["principal"]["arn"]));
        self.action = self.action.take().or_else(|| text(&context["action"]));
        self.resource = self.resource.take().or_else(|| text(&context["resource"]));
        if self.reason == Reason::Untold {
            self.reason = match decoded["explicitDeny"].as_bool() {
                Some(true) => Reason::Denied(PolicyKind::Identity),
                Some(false) => Reason::NotAllowed(PolicyKind::Identity),
                None => Reason::Untold,
            };
        }
        let matched = decoded["matchedStatements"].to_string().to_lowercase();
        self.demands_mfa = matched.contains(MFA_KEY);
    }

    /// The failure to do `what`. `said` is AWS's own sentence, which is shown where
    /// nothing can be read from it. `reference` is the code and the request's id.
    pub fn failure(&self, what: &str, said: &str, reference: &str) -> Failure {
        let message = match &self.action {
            Some(action) => {
                let who = self.principal.as_deref().unwrap_or("this identity");
                let on = match self.resource.as_deref() {
                    Some("*") | None => String::new(),
                    Some(resource) => format!(" on {resource}"),
                };
                format!("{who} may not {action}{on}{}", self.why())
            }
            None => readable(said).to_owned(),
        };
        Failure {
            policy: self.missing_policy().map(Box::new),
            ..Failure::new(
                Kind::NotPermitted,
                format!("{what}: {message} ({reference})"),
            )
        }
        .hint(self.remedy())
    }

    fn why(&self) -> String {
        let policy = match self.reason {
            Reason::Untold => return String::new(),
            Reason::NotAllowed(kind) | Reason::Denied(kind) => kind.name(),
        };
        let article = if policy.starts_with('i') { "an" } else { "a" };
        match self.reason {
            Reason::Denied(_) if self.demands_mfa => {
                format!(": {article} {policy} denies it without MFA")
            }
            Reason::Denied(_) => format!(": {article} {policy} denies it"),
            _ => format!(": no {policy} allows it"),
        }
    }

    /// Whether a sign-in with MFA may be missing, which a user's own keys do not have.
    fn may_want_mfa(&self) -> bool {
        self.principal
            .as_deref()
            .is_none_or(|arn| arn.contains(":user/"))
    }

    fn remedy(&self) -> String {
        const WITH_MFA: &str = "add --mfa-serial ARN with the ARN of your MFA device (IAM console, \"Security credentials\")";
        if self.demands_mfa {
            return format!("sign in with MFA: {WITH_MFA}");
        }
        let mfa = if self.may_want_mfa() {
            format!("; if it is allowed with MFA only: {WITH_MFA}")
        } else {
            String::new()
        };
        match self.reason {
            Reason::NotAllowed(PolicyKind::ServiceControl | PolicyKind::ResourceControl)
            | Reason::Denied(PolicyKind::ServiceControl | PolicyKind::ResourceControl) => {
                "the AWS organization forbids it for the whole account: only an administrator of the organization can change that".into()
            }
            Reason::NotAllowed(PolicyKind::Boundary) | Reason::Denied(PolicyKind::Boundary) => {
                "an administrator has to change the permissions boundary of the user or role: another policy does not help".into()
            }
            Reason::NotAllowed(PolicyKind::Session) | Reason::Denied(PolicyKind::Session) => {
                "the session was made with a policy of its own: sign in without that policy, or have it changed".into()
            }
            Reason::Denied(_) => format!("an administrator has to change the policy that denies it{mfa}"),
            _ if self.action.as_deref() == Some("iam:PassRole") => {
                "--instance-profile needs iam:PassRole for the profile's role: hand the policy below to the account's administrator, or leave out --instance-profile".into()
            }
            Reason::NotAllowed(_) => {
                format!("hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`){mfa}")
            }
            Reason::Untold if self.action.is_some() => {
                format!("ask the account's administrator for it (all that is needed: `inductiva-aws man | man -l -`){mfa}")
            }
            Reason::Untold => format!(
                "ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`{mfa}"
            ),
        }
    }

    /// A policy with the missing statement; none where it would not help.
    fn missing_policy(&self) -> Option<Value> {
        if !matches!(
            self.reason,
            Reason::NotAllowed(PolicyKind::Identity) | Reason::Untold
        ) {
            return None;
        }
        let action = self.action.as_deref()?;
        let mut statement = json!({
            "Effect": "Allow",
            "Action": action,
            "Resource": self.resource.as_deref().unwrap_or("*"),
        });
        match action {
            "iam:PassRole" => {
                statement["Condition"] =
                    json!({"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}});
            }
            "ec2:CreateTags" => {
                statement["Condition"] = json!({"StringEquals": {"ec2:CreateAction": [
                    "RunInstances", "CreateSecurityGroup", "CreateKeyPair"
                ]}});
            }
            _ => {}
        }
        Some(json!({"Version": "2012-10-17", "Statement": [statement]}))
    }
}

impl PolicyKind {
    /// The kind of policy that a text of AWS's begins with, such as `n identity-based
    /// policy` or `service control policy: arn:…`.
    fn named_in(text: &str) -> Self {
        let text = text.trim_start_matches("n ").trim_start();
        match text {
            _ if text.starts_with("service control policy") => Self::ServiceControl,
            _ if text.starts_with("resource control policy") => Self::ResourceControl,
            _ if text.starts_with("permissions boundary") => Self::Boundary,
            _ if text.starts_with("session policy") => Self::Session,
            _ if text.starts_with("identity-based policy") => Self::Identity,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::ServiceControl => "service control policy (of the AWS organization)",
            Self::ResourceControl => "resource control policy (of the AWS organization)",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Other => "policy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "arn:aws:iam::123456789012:user/ana";

    fn said(ending: &str) -> String {
        format!(
            "You are not authorized to perform this operation. User: {WHO} is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-2:123456789012:instance/* {ending}. Encoded authorization failure message: 4GIOH-lTk_Ia"
        )
    }

    fn reason(ending: &str) -> Reason {
        Denial::read(&said(ending), None).reason
    }

    #[test]
    fn every_sort_of_policy_is_told_apart() {
        use PolicyKind::{Boundary, Identity, Other, ResourceControl, ServiceControl, Session};
        for (name, kind) in [
            ("an identity-based policy", Identity),
            ("a service control policy", ServiceControl),
            (
                "a service control policy: arn:aws:organizations::123456789012:policy/o-1/p-1",
                ServiceControl,
            ),
            ("a resource control policy", ResourceControl),
            ("a permissions boundary", Boundary),
            ("a session policy", Session),
            ("a VPC endpoint policy", Other),
        ] {
            let explicit = format!("with an explicit deny in {name}");
            assert_eq!(reason(&explicit), Reason::Denied(kind), "{name}");
            let bare = name.trim_start_matches("an ").trim_start_matches("a ");
            let implicit = format!("because no {bare} allows the ec2:RunInstances action");
            assert_eq!(reason(&implicit), Reason::NotAllowed(kind), "{name}");
        }
    }

    #[test]
    fn who_what_and_where_are_read() {
        let denial = Denial::read(&said("because no identity-based policy allows the x"), None);
        assert_eq!(denial.principal.as_deref(), Some(WHO));
        assert_eq!(denial.action.as_deref(), Some("ec2:RunInstances"));
        assert_eq!(
            denial.resource.as_deref(),
            Some("arn:aws:ec2:eu-west-2:123456789012:instance/*")
        );
        assert_eq!(encoded(&said("x")), Some("4GIOH-lTk_Ia"));
    }

    #[test]
    fn an_older_message_tells_nothing_until_it_is_decoded() {
        let older = "You are not authorized to perform this operation. Encoded authorization failure message: abc";
        assert_eq!(Denial::read(older, None), Denial::default());
        let decoded = json!({
            "allowed": false,
            "explicitDeny": true,
            "matchedStatements": {"items": [{"statementId": "S", "effect": "DENY", "conditions": {"items": [
                {"key": "aws:MultiFactorAuthPresent", "values": {"items": [{"value": "false"}]}}
            ]}}]},
            "context": {"principal": {"id": "AIDA", "arn": WHO}, "action": "ec2:RunInstances", "resource": "*"}
        });
        let denial = Denial::read(older, Some(&decoded.to_string()));
        assert!(denial.demands_mfa);
        assert_eq!(denial.reason, Reason::Denied(PolicyKind::Identity));
        assert_eq!(denial.principal.as_deref(), Some(WHO));
        assert_eq!(Denial::read(older, Some("not JSON")), Denial::default());
    }

    #[test]
    fn a_policy_is_only_offered_where_it_would_help() {
        let policy = |ending: &str| Denial::read(&said(ending), None).missing_policy();
        assert!(policy("because no identity-based policy allows the x action").is_some());
        assert!(policy("because no service control policy allows the x action").is_none());
        assert!(policy("with an explicit deny in an identity-based policy").is_none());
    }
}
