//! Machines and groups as EC2 shows them, and the tags that mark them as ours.

use std::{fmt, time::SystemTime};

use crate::values::Market;

use serde::Serialize;

/// Tag: the machine group's name.
pub const TAG_GROUP: &str = "inductiva:machine-group";
/// Tag: the machine group's id on Inductiva's side.
pub const TAG_GROUP_ID: &str = "inductiva:machine-group-id";
/// Tag: the program that launched it. No command touches a machine without it.
pub const TAG_LAUNCHER: &str = "inductiva:launcher";
/// The value of [`TAG_LAUNCHER`].
pub const LAUNCHER: &str = "inductiva-aws";
/// Tag: the version of the program that launched it.
pub const TAG_LAUNCHER_VERSION: &str = "inductiva:launcher-version";
/// Tag: what the user chose for the group, see [`crate::plan::group_settings`].
pub const TAG_SETTINGS: &str = "inductiva:settings";
/// Tag: the group's budget, see [`crate::plan::budget`].
pub const TAG_BUDGET: &str = "inductiva:budget";
/// Tag: the launch that the machine is of, see [`crate::plan::protocol`].
pub const TAG_LAUNCH: &str = "inductiva:launch";

/// The state of an instance, as EC2 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is being started, and not billed yet.
    Pending,
    Running,
    Stopping,
    /// It is stopped. Its disk still costs.
    Stopped,
    /// It is ending, and no longer billed.
    ShuttingDown,
    /// It is gone. EC2 shows it for about an hour.
    Terminated,
}

impl State {
    /// As EC2 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// Whether it counts as one of the group's N machines.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// Whether it is gone, or certainly will be.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One machine. What EC2 does not tell is none, and null in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `i-…`
    pub instance_id: String,
    /// Where in its life it is.
    pub state: State,
    /// Why, if EC2 has a reason for it: `Client.UserInitiatedShutdown: …`
    pub state_reason: Option<String>,
    pub vm_type: String,
    pub region: String,
    pub availability_zone: Option<String>,
    /// The address inside the VPC.
    pub private_ip: Option<String>,
    /// The address on the internet.
    pub public_ip: Option<String>,
    pub market: Market,
    /// The image it was launched from.
    pub image_id: Option<String>,
    /// The operating system that EC2 bills: `Linux/UNIX`.
    pub platform_details: Option<String>,
    /// Whether it is on hardware of its own, or on a host of the account's.
    pub is_dedicated: bool,
    /// When its state last changed because somebody asked for it, by EC2's clock.
    pub stopped_at: Option<SystemTime>,
    /// RFC 3339, UTC.
    pub launch_time: Option<String>,
    /// The same as a time, by EC2's clock.
    pub launched_at: Option<SystemTime>,
    /// When it was told to end. This is not always known, and only while EC2 shows the
    /// machine.
    pub ended_at: Option<SystemTime>,
    pub tags: Vec<(String, String)>,
}

impl Machine {
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// The name of its machine group.
    pub fn group(&self) -> Option<&str> {
        self.tag(TAG_GROUP)
    }

    /// Whether it was shut down from within, as user-data.sh does (EC2 API
    /// reference, `StateReason`).
    pub fn has_ended_itself(&self) -> bool {
        let reason = self.state_reason.as_deref();
        reason.is_some_and(|reason| reason.starts_with("Client.InstanceInitiatedShutdown"))
    }

    /// Why EC2 ended it, if neither somebody nor the machine itself asked for that (EC2
    /// API reference, `StateReason`): the code and a message.
    pub fn ended_by_ec2(&self) -> Option<&str> {
        let reason = self
            .state_reason
            .as_deref()
            .filter(|_| self.state.is_gone())?;
        let asked_for = [
            "Client.UserInitiatedShutdown",
            "Client.InstanceInitiatedShutdown",
        ];
        (!asked_for.contains(&reason_code(reason))).then_some(reason)
    }

    pub fn is_ours(&self) -> bool {
        self.tag(TAG_LAUNCHER) == Some(LAUNCHER)
    }

    /// A machine of which nothing else is known: on demand, as most are.
    pub fn bare(id: &str, vm_type: &str, region: &str, state: State) -> Self {
        Self {
            instance_id: id.into(),
            state,
            state_reason: None,
            vm_type: vm_type.into(),
            region: region.into(),
            availability_zone: None,
            private_ip: None,
            public_ip: None,
            market: Market::OnDemand,
            image_id: None,
            platform_details: None,
            is_dedicated: false,
            stopped_at: None,
            launch_time: None,
            launched_at: None,
            ended_at: None,
            tags: Vec::new(),
        }
    }

    /// A machine of which the test says everything else.
    #[cfg(test)]
    pub fn example(id: &str, state: State) -> Self {
        Self {
            platform_details: Some("Linux/UNIX".into()),
            ..Self::bare(id, "t2.micro", "eu-west-2", state)
        }
    }
}

/// `Server.InternalError` of `Server.InternalError: Internal error on launch`.
fn reason_code(reason: &str) -> &str {
    reason.split(':').next().unwrap_or(reason).trim()
}

/// What to do about machines that EC2 has ended for this reason.
pub fn remedy(reason: &str) -> &'static str {
    match reason_code(reason) {
        "Client.InternalError" => {
            "usually the account encrypts disks with a KMS key that this identity may not use: ask for kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* for that key"
        }
        "Client.VolumeLimitExceeded" => {
            "the quota of EBS storage is used up: delete volumes, choose a smaller --volume-size, or ask for more in the Service Quotas console"
        }
        "Client.InvalidSnapshot.NotFound" => {
            "a snapshot of the image is gone: name another image with --image-id"
        }
        "Server.InsufficientInstanceCapacity" => {
            "there was no capacity: try another --availability-zone or --vm-type, or later"
        }
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown" => {
            "AWS took the spot machine back: try another --vm-type, or on demand"
        }
        _ => "try again; if that goes on, another --vm-type or --availability-zone",
    }
}

/// Sorts machines as `list` shows them: by their launch, then by their ids.
pub fn sort_by_launch(machines: &mut [Machine]) {
    machines
        .sort_by(|a, b| (&a.launch_time, &a.instance_id).cmp(&(&b.launch_time, &b.instance_id)));
}

/// The ids of `machines`, in their order.
pub fn ids(machines: &[Machine]) -> Vec<String> {
    machines.iter().map(|m| m.instance_id.clone()).collect()
}

/// `1 machine`, `2 machines`.
pub fn count(number: usize) -> String {
    match number {
        1 => "1 machine".into(),
        n => format!("{n} machines"),
    }
}
