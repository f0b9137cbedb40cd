//! A machine group as Inductiva's API shows it.

use std::time::SystemTime;

use aws_smithy_types::date_time::{DateTime, Format};
use serde::{Deserialize, Deserializer};

use crate::{
    model::active_group::{GroupRecord, Record},
    values::VmType,
};

/// A machine group on Inductiva's side. A field that is missing or null has its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Its id, an opaque text; empty where the answer has none.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The provider of its machines: `LOCAL` for those that are not Inductiva's own.
    #[serde(default)]
    pub provider_id: Option<String>,
    /// The type that it was made with. For our groups it is an EC2 type, which
    /// [`super::Client::create_group`] sends; a server may drop it.
    #[serde(default, deserialize_with = "or_none")]
    pub machine_type: Option<String>,
    /// GB of the root disk that it was made with.
    #[serde(default, deserialize_with = "number_or_none")]
    pub disk_size_gb: Option<u32>,
    #[serde(default, rename = "creation_timestamp", deserialize_with = "time")]
    pub created_at: Option<SystemTime>,
    /// registered, starting, started, terminated and others.
    #[serde(default)]
    pub status: Option<String>,
    /// The machines that have registered.
    #[serde(default, deserialize_with = "or_default")]
    pub machines: Vec<GroupMachine>,
}

impl Group {
    /// Whether machines can join it. The task runner itself asks for `started`; a new
    /// group may show an earlier status for a while.
    pub fn is_active(&self) -> bool {
        matches!(
            self.status.as_deref(),
            Some("registered" | "starting" | "started")
        )
    }

    /// Whether Inductiva says that another provider has the group's machines.
    pub fn is_of_another_provider(&self) -> bool {
        self.provider_id
            .as_deref()
            .is_some_and(|provider| !provider.eq_ignore_ascii_case("LOCAL"))
    }

    /// Whether Inductiva says that no provider has the group's machines.
    pub fn is_local(&self) -> bool {
        self.provider_id.is_some() && !self.is_of_another_provider()
    }

    /// Whether the group shows an EC2 type. Of all programs that make `LOCAL` groups only
    /// this one sends such types.
    pub fn has_ec2_type(&self) -> bool {
        self.machine_type
            .as_deref()
            .is_some_and(|name| name.parse::<VmType>().is_ok())
    }

    /// The machine of this host name, while it is there.
    pub fn machine(&self, host_name: &str) -> Option<&GroupMachine> {
        self.machines
            .iter()
            .find(|m| m.host_name.as_deref() == Some(host_name) && m.terminated_at.is_none())
    }
}

/// A machine of a group on Inductiva's side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupMachine {
    /// The name that the machine gives itself: ours give the EC2 instance id.
    #[serde(default)]
    pub host_name: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub started_at: Option<SystemTime>,
    /// When it left, none while it is there.
    #[serde(default)]
    pub terminated_at: Option<String>,
    /// When it last asked for a task.
    #[serde(default, deserialize_with = "time")]
    pub last_seen_at: Option<SystemTime>,
    /// The task that it runs, none while it is idle.
    #[serde(default)]
    pub current_task_id: Option<String>,
}

impl GroupMachine {
    /// When it left, if that can be read.
    pub fn ended_at(&self) -> Option<SystemTime> {
        time_of(self.terminated_at.as_deref()?)
    }
}

impl From<&GroupMachine> for Record {
    fn from(machine: &GroupMachine) -> Self {
        Self {
            host_name: machine.host_name.clone().unwrap_or_default(),
            started_at: machine.started_at,
            ended_at: machine.ended_at(),
            last_seen_at: machine.last_seen_at,
        }
    }
}

impl From<&Group> for GroupRecord {
    fn from(group: &Group) -> Self {
        Self {
            created_at: group.created_at,
            vm_type: group.machine_type.clone(),
            disk_gib: group.disk_size_gb,
            machines: group.machines.iter().map(Record::from).collect(),
        }
    }
}

/// A time; none where it cannot be read.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(time_of))
}

/// The time that an RFC 3339 text tells; without a zone it is UTC.
fn time_of(text: &str) -> Option<SystemTime> {
    let format = Format::DateTimeWithOffset;
    let time = DateTime::from_str(text, format)
        .or_else(|_| DateTime::from_str(&format!("{text}Z"), format));
    SystemTime::try_from(time.ok()?).ok()
}

/// The value; the default for null.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number; none for anything else, as nothing depends on it.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_u64().and_then(|number| u32::try_from(number).ok()))
}

/// A text; none for anything else, as nothing depends on it.
fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn group(text: &str) -> Group {
        serde_json::from_str(text).expect("a group")
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let time = UNIX_EPOCH + Duration::from_millis(1_764_000_000_500);
        for text in [
            "2025-11-24T16:00:00.5Z",
            "2025-11-24T18:00:00.500000+02:00",
            "2025-11-24T16:00:00.5",
        ] {
            assert_eq!(time_of(text), Some(time), "{text}");
        }
        assert_eq!(time_of("yesterday"), None);
    }

    #[test]
    fn a_machine_that_has_left_the_group_is_not_registered() {
        let group = group(
            r#"{"id": "1", "machines": [
                {"host_name": "there"},
                {"host_name": "left", "terminated_at": "2026-01-01T00:00:00Z"},
                {"host_name": "back", "terminated_at": "2026-01-01T00:00:00Z"},
                {"host_name": "back"}
            ]}"#,
        );
        assert!(group.machine("there").is_some());
        assert!(group.machine("left").is_none());
        assert!(group.machine("back").is_some());
        assert!(group.machine("another").is_none());
    }

    #[test]
    fn null_is_the_default_of_a_field() {
        let nulls = group(
            r#"{"id": null, "name": null, "provider_id": null, "machine_type": null,
                "creation_timestamp": null, "status": null, "machines": null}"#,
        );
        assert_eq!(nulls, group("{}"));
        assert_eq!(nulls.id, "");
    }

    #[test]
    fn an_ec2_type_is_told_from_others() {
        let of = |name: &str| group(&format!(r#"{{"machine_type": {name}}}"#)).has_ec2_type();
        assert!(of(r#""t2.micro""#));
        assert!(!of(r#""c2-standard-4""#));
        assert!(!of("{}"));
        assert!(!group("{}").has_ec2_type());
    }
}
