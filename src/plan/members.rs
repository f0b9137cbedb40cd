//! The machines of a group, as EC2 and Inductiva show them. One that both show counts
//! once.

use std::{collections::BTreeMap, time::SystemTime};

use crate::{
    model::{
        active_group::{GroupRecord, Record},
        machine::Machine,
    },
    values::is_machine_id,
};

/// A machine, by everything that shows it.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    pub id: &'a str,
    /// What EC2 shows of it: nothing any more an hour after its end.
    pub machine: Option<&'a Machine>,
    /// What EC2 showed before this run ended it.
    pub before: Option<&'a Machine>,
    /// What Inductiva keeps of it: a record for each time that it registered.
    pub records: Vec<&'a Record>,
}

impl Member<'_> {
    /// When Inductiva first had the machine.
    pub fn registered(&self) -> Option<SystemTime> {
        let started = self.records.iter().filter_map(|record| record.started_at);
        started.min()
    }

    /// When it left Inductiva for the last time; none where it has not, or nobody knows.
    pub fn left_at(&self) -> Option<SystemTime> {
        let ended = self.records.iter().map(|record| record.ended_at);
        let all: Option<Vec<SystemTime>> = ended.collect();
        all?.into_iter().max()
    }

    /// When Inductiva last heard of it.
    pub fn last_seen(&self) -> Option<SystemTime> {
        let times = self
            .records
            .iter()
            .flat_map(|record| [record.started_at, record.last_seen_at, record.ended_at]);
        times.flatten().max()
    }
}

/// The machines of a group, each once. Records of machines elsewhere than on EC2 are left
/// out, as nobody pays AWS for them. `before` are the machines that this run has ended,
/// as they were.
pub fn members<'a>(
    machines: &'a [Machine],
    before: &'a BTreeMap<String, Machine>,
    group: Option<&'a GroupRecord>,
) -> Vec<Member<'a>> {
    let mut members: BTreeMap<&str, Member<'a>> = BTreeMap::new();
    let new = |id: &'a str| Member {
        id,
        machine: None,
        before: before.get(id),
        records: Vec::new(),
    };
    for machine in machines {
        let id = machine.instance_id.as_str();
        members.entry(id).or_insert_with(|| new(id)).machine = Some(machine);
    }
    let records = group.into_iter().flat_map(|group| &group.machines);
    for record in records.filter(|record| is_machine_id(&record.host_name)) {
        let id = record.host_name.as_str();
        let member = members.entry(id).or_insert_with(|| new(id));
        member.records.push(record);
    }
    members.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::State;

    const ID: &str = "i-0123456789abcdef0";

    #[test]
    fn a_machine_that_both_show_is_one_and_those_elsewhere_are_none() {
        let machines = [Machine::example(ID, State::Running)];
        let registered = Record {
            host_name: ID.into(),
            ..Record::default()
        };
        let elsewhere = Record {
            host_name: "lab-7".into(),
            ..Record::default()
        };
        let gone = Record {
            host_name: "i-00000000000000001".into(),
            ..Record::default()
        };
        let group = GroupRecord {
            machines: vec![registered.clone(), elsewhere, gone, registered],
            ..GroupRecord::default()
        };
        let before = BTreeMap::new();
        let found = members(&machines, &before, Some(&group));
        let ids: Vec<(&str, bool, usize)> = found
            .iter()
            .map(|m| (m.id, m.machine.is_some(), m.records.len()))
            .collect();
        assert_eq!(ids, [("i-00000000000000001", false, 1), (ID, true, 2)]);
    }
}
