//! How long `terminate` looks for machines before it says that there are none. This is
//! decided only from what EC2 and Inductiva show.
//!
//! EC2 shows a machine and its tags some time after its launch ([`VISIBLE_WITHIN`]). A
//! look that finds nothing is the last one only if it began at least [`AT_LEAST`] after
//! the command did. Where there is a sign of machines that do not show, it has to begin
//! [`VISIBLE_WITHIN`] after the command.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::leftovers::is_of;
use crate::{
    inductiva::Group,
    model::{
        machine::{Machine, TAG_GROUP_ID},
        visibility::VISIBLE_WITHIN,
    },
    plan::underway::{YOUNG, launches},
};

/// Most machines show within seconds, whether or not there is a sign of them.
const AT_LEAST: Duration = Duration::from_secs(10);

/// A sign of machines that EC2 does not show yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A group is active on Inductiva's side, and no machine is younger than it.
    GroupWithoutMachines(String),
    /// EC2 shows fewer machines of a launch than it has.
    LaunchNotWhole { group: String, hidden: u32 },
    /// EC2 has shown no living machine, and Inductiva cannot be asked.
    NobodyToAsk,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GroupWithoutMachines(name) => write!(
                f,
                "the group {name} is active on Inductiva's side, and no machine of it shows"
            ),
            Self::LaunchNotWhole { group, hidden: 1 } => {
                write!(f, "1 machine that was launched for {group} does not show")
            }
            Self::LaunchNotWhole { group, hidden } => write!(
                f,
                "{hidden} machines that were launched for {group} do not show"
            ),
            Self::NobodyToAsk => {
                f.write_str("Inductiva cannot be asked whether there are machines")
            }
        }
    }
}

/// For how long after its beginning the command has to go on looking.
pub fn look_for(sign: Option<&Sign>) -> Duration {
    sign.map_or(AT_LEAST, |_| VISIBLE_WITHIN)
}

/// The first sign of machines that do not show.
///
/// `machines` are those that EC2 shows or has shown in this run, terminated ones too;
/// `some_lived` tells whether one of them was alive. `groups` are the active groups that
/// they may belong to, none where Inductiva cannot be asked.
pub fn sign(
    machines: &[Machine],
    some_lived: bool,
    groups: Option<&[Group]>,
    now: SystemTime,
) -> Option<Sign> {
    if let Some(sign) = launch_not_whole(machines, now) {
        return Some(sign);
    }
    let Some(groups) = groups else {
        return (!some_lived).then_some(Sign::NobodyToAsk);
    };
    groups
        .iter()
        .find_map(|group| without_machines(machines, group))
}

/// The sign that a group gives if no machine of it shows.
pub fn without_machines(machines: &[Machine], group: &Group) -> Option<Sign> {
    let some = machines.iter().any(|m| is_younger(m, group));
    (!some).then(|| Sign::GroupWithoutMachines(group.name.clone()))
}

/// Whether the machine was launched for the group as it is now. The id in its tag tells,
/// or that it has joined the group, or else the clocks.
fn is_younger(machine: &Machine, group: &Group) -> bool {
    if machine.group() != Some(group.name.as_str()) {
        return false;
    }
    let mut hosts = group.machines.iter().map(|m| m.host_name.as_deref());
    if hosts.any(|host| host == Some(machine.instance_id.as_str())) {
        return true;
    }
    if machine.tag(TAG_GROUP_ID).is_some_and(|id| !id.is_empty()) {
        return is_of(machine, group);
    }
    matches!((machine.launched_at, group.created_at), (Some(at), Some(made)) if at >= made)
}

fn launch_not_whole(machines: &[Machine], now: SystemTime) -> Option<Sign> {
    launches(machines, now).find_map(|shown| {
        let hidden = shown.tag.total.saturating_sub(shown.machines());
        // A start may be between two calls of a young launch. A launch that takes fewer
        // may have got no more, so only what is not visible yet can be missing.
        let may_show = if shown.tag.or_fewer {
            VISIBLE_WITHIN
        } else {
            YOUNG
        };
        (hidden > 0 && shown.age <= may_show).then(|| Sign::LaunchNotWhole {
            group: shown.machine.group().unwrap_or_default().to_owned(),
            hidden,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::{State, TAG_GROUP, TAG_LAUNCH};

    const HOUR: Duration = Duration::from_hours(1);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)
    }

    fn machine(id: &str, age: Duration, tags: &[(&str, &str)]) -> Machine {
        let mut tags: Vec<(String, String)> = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        tags.push((TAG_GROUP.into(), "g".into()));
        Machine {
            launched_at: Some(now() - age),
            tags,
            ..Machine::example(id, State::ShuttingDown)
        }
    }

    /// A group that was made an hour ago.
    fn group() -> Group {
        serde_json::from_str(
            r#"{"id": "new", "name": "g", "status": "started", "provider_id": "LOCAL",
                "creation_timestamp": "2033-05-18T02:33:20Z"}"#,
        )
        .expect("a group")
    }

    #[test]
    fn a_group_without_a_machine_younger_than_it_is_a_sign() {
        let sign = |machines: &[Machine]| sign(machines, true, Some(&[group()]), now());
        let hidden = Some(Sign::GroupWithoutMachines("g".into()));
        assert_eq!(sign(&[]), hidden);
        let by_id = |id| [machine("i-1", HOUR / 2, &[(TAG_GROUP_ID, id)])];
        assert_eq!(sign(&by_id("new")), None);
        assert_eq!(sign(&by_id("old")), hidden);
        // Without an id in the tag, the clocks tell.
        assert_eq!(sign(&by_id("")), None);
        assert_eq!(sign(&[machine("i-1", HOUR * 2, &[])]), hidden);
        assert_eq!(sign(&[machine("i-1", HOUR, &[])]), None);
        let mut joined = group();
        joined.machines = serde_json::from_str(r#"[{"host_name": "i-1"}]"#).expect("a machine");
        assert_eq!(without_machines(&by_id("old"), &joined), None);
    }

    #[test]
    fn a_launch_that_does_not_show_whole_is_a_sign_while_it_is_young() {
        let launched = |age, tag: &str| {
            let machines = [machine("i-1", age, &[(TAG_LAUNCH, tag)])];
            sign(&machines, true, Some(&[]), now())
        };
        let hidden = |hidden| {
            Some(Sign::LaunchNotWhole {
                group: "g".into(),
                hidden,
            })
        };
        let tag = "base call=0 total=3 known=0";
        assert_eq!(launched(Duration::ZERO, tag), hidden(2));
        assert_eq!(launched(YOUNG, tag), hidden(2));
        assert_eq!(launched(YOUNG + Duration::from_secs(1), tag), None);
        assert_eq!(
            launched(Duration::ZERO, "base call=0 total=1 known=0"),
            None
        );
        let or_fewer = "base call=0 total=3 known=0 or-fewer";
        assert_eq!(launched(VISIBLE_WITHIN, or_fewer), hidden(2));
        assert_eq!(
            launched(VISIBLE_WITHIN + Duration::from_secs(1), or_fewer),
            None
        );
    }

    #[test]
    fn where_nothing_has_lived_and_nobody_can_be_asked_there_may_be_machines() {
        let nobody = Some(Sign::NobodyToAsk);
        assert_eq!(sign(&[], false, None, now()), nobody);
        let ended = [machine("i-1", HOUR, &[])];
        assert_eq!(sign(&ended, false, None, now()), nobody);
        assert_eq!(sign(&ended, true, None, now()), None);
    }

    #[test]
    fn a_sign_is_followed_for_as_long_as_machines_may_take_to_show() {
        assert_eq!(look_for(None), Duration::from_secs(10));
        assert_eq!(look_for(Some(&Sign::NobodyToAsk)), VISIBLE_WITHIN);
    }
}
