//! Machine groups on Inductiva's side that have lost their machines. This is decided only
//! from what EC2 and Inductiva show.

use std::time::{Duration, SystemTime};

use crate::{
    inductiva::Group,
    model::{
        machine::{Machine, TAG_GROUP_ID},
        request::Runner,
    },
    values::GroupName,
};

/// Runners ask for a task every few seconds, so one that has not asked for so long is
/// gone.
pub const SEEN_WITHIN: Duration = Duration::from_mins(10);
/// By this age all machines of a group have registered or given up: it is twice the usual
/// `--boot-timeout`.
const SETTLED_AFTER: Duration = Duration::from_secs(2 * Runner::BOOT_TIMEOUT.as_secs());

/// How certain it is that a group is this program's and no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOver {
    /// A machine of this program's was in it, and is gone. Or it shows the EC2 type with
    /// which this program makes groups, no region has a machine of it, and its machines
    /// have had the time to show.
    Surely,
    /// It looks like ours: worth a look, but not to be deleted without asking.
    Maybe,
}

#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The machines that EC2 shows, terminated ones too.
    pub machines: &'a [Machine],
    /// Whether these are the machines of all regions.
    pub everywhere: bool,
    /// By AWS's clock.
    pub now: SystemTime,
}

impl View<'_> {
    /// Whether the group is left over; none where it is in use, or not ours.
    pub fn judge(&self, group: &Group) -> Option<LeftOver> {
        if !group.is_local() || !group.is_active() || !self.alive(group).is_empty() {
            return None;
        }
        let mut its_name = self
            .machines
            .iter()
            .filter(|m| m.group() == Some(group.name.as_str()) || has_id_of(m, group))
            .peekable();
        let had_machines = its_name.peek().is_some();
        if its_name.any(|m| !m.state.is_gone()) {
            return None;
        }
        if self.had_a_machine_of_ours(group) {
            return Some(LeftOver::Surely);
        }
        let age = group
            .created_at
            .map(|made| self.now.duration_since(made).unwrap_or_default());
        if age.is_some_and(|age| age < SETTLED_AFTER) {
            return None;
        }
        if group.has_ec2_type() && self.everywhere && age.is_some() {
            return Some(LeftOver::Surely);
        }
        let had_instances = group
            .machines
            .iter()
            .any(|m| m.host_name.as_deref().is_some_and(is_instance_id));
        let may_be_ours = had_machines
            || had_instances
            || group.has_ec2_type()
            || GroupName::is_generated(&group.name);
        may_be_ours.then_some(LeftOver::Maybe)
    }

    /// Whether more than its name says that the group is this program's: a machine of
    /// this program's, which may have ended, has the group's id in a tag or has joined
    /// it.
    pub fn had_a_machine_of_ours(&self, group: &Group) -> bool {
        let joined = |m: &Machine| {
            if m.group() != Some(group.name.as_str()) {
                return false;
            }
            let mut hosts = group.machines.iter().map(|m| m.host_name.as_deref());
            hosts.any(|host| host == Some(m.instance_id.as_str()))
        };
        self.machines.iter().any(|m| is_of(m, group) || joined(m))
    }

    /// The machines of the group that seem to be alive, by what Inductiva saw of them.
    /// Those that EC2 shows as gone are left out.
    pub fn alive<'g>(&self, group: &'g Group) -> Vec<&'g str> {
        let is_gone = |host: &str| {
            self.machines
                .iter()
                .any(|m| m.instance_id == host && m.state.is_gone())
        };
        let is_stale = |seen: SystemTime| {
            self.now
                .duration_since(seen)
                .is_ok_and(|ago| ago > SEEN_WITHIN)
        };
        group
            .machines
            .iter()
            .filter(|m| m.terminated_at.is_none() && !m.last_seen_at.is_some_and(is_stale))
            .map(|m| m.host_name.as_deref().unwrap_or("a machine without a name"))
            .filter(|host| !is_gone(host))
            .collect()
    }
}

/// Whether the machine was launched for this very group: its tags have the group's name
/// and id.
pub fn is_of(machine: &Machine, group: &Group) -> bool {
    machine.group() == Some(group.name.as_str()) && has_id_of(machine, group)
}

/// Whether the machine's tag has the group's id, whatever the name.
pub fn has_id_of(machine: &Machine, group: &Group) -> bool {
    !group.id.is_empty() && machine.tag(TAG_GROUP_ID) == Some(group.id.as_str())
}

/// Whether a host name is one that a machine of this program's gives itself: an EC2
/// instance id.
pub fn is_instance_id(host: &str) -> bool {
    host.strip_prefix("i-").is_some_and(|digits| {
        digits.len() == 17 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::{State, TAG_GROUP};

    const NOW: Duration = Duration::from_secs(2_000_000_000);
    const HOST: &str = "i-0123456789abcdef0";

    fn group(text: &str) -> Group {
        let mut group: serde_json::Value = serde_json::from_str(text).expect("JSON");
        group["id"] = format!("id of {}", group["name"].as_str().unwrap_or_default()).into();
        group["status"] = "started".into();
        serde_json::from_value(group).expect("a group")
    }

    fn machine(group: &str, state: State) -> Machine {
        Machine {
            tags: vec![
                (TAG_GROUP.into(), group.into()),
                (TAG_GROUP_ID.into(), format!("id of {group}")),
            ],
            ..Machine::example(HOST, state)
        }
    }

    fn judge(group: &Group, machines: &[Machine], everywhere: bool) -> Option<LeftOver> {
        let now = SystemTime::UNIX_EPOCH + NOW;
        View {
            machines,
            everywhere,
            now,
        }
        .judge(group)
    }

    // 2033-05-18T03:33:20Z is NOW.
    const OLD: &str = "2033-05-18T01:00:00Z";
    const YOUNG: &str = "2033-05-18T03:00:00Z";
    const AN_HOUR_AGO: &str = "2033-05-18T02:33:20Z";
    const NOT_QUITE_AN_HOUR_AGO: &str = "2033-05-18T02:33:21Z";
    const TEN_MINUTES_AGO: &str = "2033-05-18T03:23:20Z";
    const MORE_THAN_TEN_MINUTES_AGO: &str = "2033-05-18T03:23:19Z";

    fn with_our_type(created_at: &str) -> Group {
        group(&format!(
            r#"{{"name": "g", "provider_id": "LOCAL", "machine_type": "t2.micro", "creation_timestamp": "{created_at}"}}"#
        ))
    }

    #[test]
    fn an_ec2_type_is_ours_once_its_machines_had_the_time_to_show() {
        let judge = |created_at, everywhere| judge(&with_our_type(created_at), &[], everywhere);
        assert_eq!(judge(OLD, true), Some(LeftOver::Surely));
        assert_eq!(judge(OLD, false), Some(LeftOver::Maybe));
        assert_eq!(judge(YOUNG, true), None);
        assert_eq!(judge("unknown", true), Some(LeftOver::Maybe));
    }

    #[test]
    fn machines_have_an_hour_to_show() {
        let judge = |created_at| judge(&with_our_type(created_at), &[], true);
        assert_eq!(judge(NOT_QUITE_AN_HOUR_AGO), None);
        assert_eq!(judge(AN_HOUR_AGO), Some(LeftOver::Surely));
    }

    #[test]
    fn a_made_up_name_alone_is_not_ours() {
        for name in ["aws-abcdefgh", "aws-research"] {
            let group = group(&format!(
                r#"{{"name": "{name}", "provider_id": "LOCAL", "creation_timestamp": "{OLD}"}}"#
            ));
            assert_eq!(judge(&group, &[], true), Some(LeftOver::Maybe), "{name}");
        }
    }

    #[test]
    fn a_machine_of_an_earlier_group_of_the_name_says_nothing_of_this_one() {
        let mut group = with_our_type(YOUNG);
        let ended = machine("g", State::Terminated);
        let judge = |group: &Group| judge(group, std::slice::from_ref(&ended), true);
        assert_eq!(judge(&group), Some(LeftOver::Surely));
        group.id = "another".into();
        assert_eq!(judge(&group), None);
        // The machine has joined the group: the launcher did not know its id, or made it
        // anew.
        group.machines = vec![
            serde_json::from_value(serde_json::json!({
                "host_name": HOST, "terminated_at": "x"
            }))
            .expect("a machine"),
        ];
        assert_eq!(judge(&group), Some(LeftOver::Surely));
    }

    #[test]
    fn a_tag_tells_whose_a_group_is() {
        let named = group(&format!(
            r#"{{"name": "mine", "provider_id": "LOCAL", "creation_timestamp": "{YOUNG}"}}"#
        ));
        let seen = |state| judge(&named, &[machine("mine", state)], false);
        assert_eq!(seen(State::Terminated), Some(LeftOver::Surely));
        assert_eq!(seen(State::ShuttingDown), Some(LeftOver::Surely));
        for state in [
            State::Pending,
            State::Running,
            State::Stopping,
            State::Stopped,
        ] {
            assert_eq!(seen(state), None, "{state}");
        }
        assert_eq!(
            judge(&named, &[machine("x", State::Terminated)], true),
            None
        );
    }

    #[test]
    fn a_group_with_a_machine_that_was_seen_lately_is_in_use() {
        let with = |host: &str, seen: &str, ended: &str| {
            group(&format!(
                r#"{{"name": "g", "provider_id": "LOCAL", "machine_type": "t2.micro", "creation_timestamp": "{OLD}", "machines":
                    [{{"host_name": "{host}", "last_seen_at": "{seen}", "terminated_at": {ended}}}]}}"#
            ))
        };
        let lately = "2033-05-18T03:33:00Z";
        assert_eq!(judge(&with("lab-7", lately, "null"), &[], true), None);
        assert_eq!(judge(&with("lab-7", "?", "null"), &[], true), None);
        let surely = Some(LeftOver::Surely);
        assert_eq!(judge(&with("lab-7", OLD, "null"), &[], true), surely);
        assert_eq!(judge(&with("lab-7", lately, "\"x\""), &[], true), surely);
        let gone = machine("other", State::Terminated);
        assert_eq!(judge(&with(HOST, lately, "null"), &[gone], true), surely);
        // Ten minutes ago is recent, and longer ago is not.
        let last_seen = |at| judge(&with("lab-7", at, "null"), &[], true);
        assert_eq!(last_seen(TEN_MINUTES_AGO), None);
        assert_eq!(last_seen(MORE_THAN_TEN_MINUTES_AGO), surely);
    }

    #[test]
    fn groups_of_others_are_left_alone() {
        for other in [
            r#"{"name": "aws-abcdefgh", "provider_id": "GCP"}"#,
            r#"{"name": "aws-abcdefgh"}"#,
            r#"{"name": "aws-workshop", "provider_id": "LOCAL"}"#,
            r#"{"name": "lab", "provider_id": "LOCAL", "machines": [{"host_name": "lab-7", "terminated_at": "x"}]}"#,
        ] {
            assert_eq!(judge(&group(other), &[], true), None, "{other}");
        }
        let ours_perhaps = format!(
            r#"{{"name": "lab", "provider_id": "LOCAL", "machines": [{{"host_name": "{HOST}", "terminated_at": "x"}}]}}"#
        );
        assert_eq!(
            judge(&group(&ours_perhaps), &[], true),
            Some(LeftOver::Maybe)
        );
    }
}
