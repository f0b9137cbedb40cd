//! What a machine is priced as when EC2 no longer shows all of it: a pure function of
//! what EC2 still shows, of the group's other machines, and of what Inductiva keeps of
//! the group.
//!
//! A machine that has ended has no disks and no address any more, and one that ended an
//! hour ago has no type either. Its settings and its image tell what it had, or else the
//! machines that were launched for the same group. What none of them tells is not known.

use std::collections::BTreeMap;

use super::{
    disk_prices::PricedDisk,
    known::Known,
    members::Member,
    tagged_settings::{TaggedSettings, vm_types},
};
use crate::{
    model::{
        active_group::GroupRecord,
        image::Image,
        machine::{Machine, State},
    },
    values::{Volume, VolumeType},
};

/// What is known of a machine's group, beside the machine itself.
#[derive(Clone, Copy, Debug)]
pub struct KnownGroup<'a> {
    /// The machines that EC2 shows.
    pub machines: &'a [Machine],
    /// The machines that this run has ended, as they were before, by their ids.
    pub before: &'a BTreeMap<String, Machine>,
    pub record: Option<&'a GroupRecord>,
    /// The region that a machine which EC2 does not show is taken to have been in.
    pub region: &'a str,
    /// The images that EC2 shows, by their ids.
    pub images: &'a BTreeMap<String, Image>,
}

/// A machine as it was when it ran, and its disks.
#[derive(Clone, Debug, PartialEq)]
pub struct StandIn {
    /// It has an address if it may have had one.
    pub machine: Machine,
    pub disks: Known<Vec<PricedDisk>>,
    /// Whether it is certain that it had the address, or that it had none.
    pub knows_address: bool,
    /// Whether type, market and disk are only those that its group was made with, as
    /// nothing better is known.
    pub is_assumed: bool,
}

impl StandIn {
    /// What stands in for a machine of the group.
    ///
    /// # Errors
    /// Nobody knows its type.
    pub fn of(member: &Member<'_>, group: &KnownGroup<'_>) -> Known<Self> {
        let like = member.machine.or_else(|| group.alike());
        let mut machine = match like {
            Some(machine) => Machine {
                instance_id: member.id.to_owned(),
                ..machine.clone()
            },
            None => group.made_with(member.id)?,
        };
        machine.state = State::Running;
        let had_address = group.had_address(member);
        machine.public_ip = had_address.unwrap_or(true).then(|| "gone".to_owned());
        let disks = match like {
            Some(machine) => disks(machine, group.images),
            None => group.disk_made_with(member.id),
        };
        Ok(Self {
            machine,
            disks,
            knows_address: had_address.is_some(),
            is_assumed: like.is_none(),
        })
    }
}

impl KnownGroup<'_> {
    /// A machine that is like all that EC2 shows; none where the group may have had
    /// others.
    fn alike(&self) -> Option<&Machine> {
        let first = self.machines.first()?;
        if vm_types(first).is_some_and(|types| types.len() > 1) {
            return None;
        }
        let is_like = |m: &Machine| (&m.vm_type, m.market) == (&first.vm_type, first.market);
        self.machines.iter().all(is_like).then_some(first)
    }

    /// Whether the machine had a public address while it ran; none where nobody knows. If
    /// others of its group had one, it is taken to have had one.
    fn had_address(&self, member: &Member<'_>) -> Option<bool> {
        let shown = member.machine.and_then(shows_address);
        let before = || member.before.and_then(shows_address);
        shown.or_else(before).or_else(|| {
            let all = self.machines.iter().chain(self.before.values());
            let of_group = all.filter(|m| {
                self.machines
                    .first()
                    .is_some_and(|first| m.group() == first.group())
            });
            let mut known = of_group.filter_map(shows_address).peekable();
            known.peek()?;
            known.all(|had| had).then_some(true)
        })
    }

    /// An on-demand machine of the type that the group was made with.
    fn made_with(&self, id: &str) -> Known<Machine> {
        let vm_type = self.record.and_then(|record| record.vm_type.clone());
        // Only where EC2 shows no machine: those that it shows are of several types.
        let vm_type = vm_type.filter(|_| self.machines.is_empty());
        let vm_type = vm_type.ok_or_else(|| {
            format!("EC2 does not show {id} any more, and nobody knows of what type it was")
        })?;
        Ok(Machine::bare(id, &vm_type, self.region, State::Running))
    }

    fn disk_made_with(&self, id: &str) -> Known<Vec<PricedDisk>> {
        let size_gib = self.record.and_then(|record| record.disk_gib);
        let size_gib =
            size_gib.ok_or_else(|| format!("nobody knows how large the disk of {id} was"))?;
        Ok(vec![PricedDisk {
            kind: VolumeType::Gp3,
            size_gib,
            iops: None,
            throughput_mibps: None,
        }])
    }
}

/// Whether a machine has a public address, as EC2 shows it; none where it is not running,
/// and may have had one.
fn shows_address(machine: &Machine) -> Option<bool> {
    let has_address = machine.public_ip.is_some();
    (has_address || machine.state == State::Running).then_some(has_address)
}

/// The disks that a machine was launched with, as its settings and its image tell.
fn disks(machine: &Machine, images: &BTreeMap<String, Image>) -> Known<Vec<PricedDisk>> {
    let id = &machine.instance_id;
    let told = TaggedSettings::by(machine);
    let word = |name: &str| told.words.get(name).map(String::as_str);
    let unknown = || format!("nobody knows how large the disks of {id} were");
    if word("all").is_some() {
        return Err(unknown());
    }
    let image = machine.image_id.as_ref().and_then(|id| images.get(id));
    let image = image.ok_or_else(|| {
        let image = machine.image_id.as_deref().unwrap_or("its image");
        format!("{}: EC2 does not show {image}", unknown())
    })?;
    let number = |name: &str| word(name).and_then(|value| value.parse::<u32>().ok());
    let kind = word("volume-type").map_or(Some(VolumeType::Gp3), VolumeType::named);
    let kind = kind.ok_or_else(unknown)?;
    let usual = Volume::DEFAULT_GIB.max(image.snapshot_gib);
    let root = match word("volume-size") {
        Some(size) => size.parse().map_err(|_| unknown())?,
        None => usual,
    };
    let others = image.other_disks.iter().map(|disk| disk.size_gib);
    let disk = |size_gib| PricedDisk {
        kind,
        size_gib,
        iops: number("iops"),
        throughput_mibps: number("throughput"),
    };
    Ok(std::iter::once(root).chain(others).map(disk).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            active_group::Record,
            image::ImageDisk,
            machine::{TAG_GROUP, TAG_SETTINGS},
        },
        plan::{examples::facts, members::members},
        values::Market,
    };

    const GONE: &str = "i-00000000000000001";

    fn ended(settings: &str) -> Machine {
        Machine {
            image_id: Some("ami-1".into()),
            tags: vec![
                (TAG_GROUP.into(), "g".into()),
                (TAG_SETTINGS.into(), format!("format=2 {settings}")),
            ],
            ..Machine::example("i-0123456789abcdef0", State::Terminated)
        }
    }

    fn images() -> BTreeMap<String, Image> {
        let image = Image {
            id: "ami-1".into(),
            ..facts(Vec::new(), std::time::SystemTime::UNIX_EPOCH).images[0].clone()
        };
        [("ami-1".to_owned(), image)].into()
    }

    fn record() -> GroupRecord {
        GroupRecord {
            vm_type: Some("c7i.large".into()),
            disk_gib: Some(80),
            machines: vec![Record {
                host_name: GONE.into(),
                ..Record::default()
            }],
            ..GroupRecord::default()
        }
    }

    /// The stand-in for the machine that EC2 does not show, or else for the first one.
    fn stand_in(
        machines: &[Machine],
        record: Option<&GroupRecord>,
        images: &BTreeMap<String, Image>,
    ) -> Known<StandIn> {
        let group = KnownGroup {
            machines,
            before: &BTreeMap::new(),
            record,
            region: "eu-west-2",
            images,
        };
        let members = members(machines, group.before, record);
        let hidden = members.iter().find(|member| member.machine.is_none());
        StandIn::of(hidden.unwrap_or(&members[0]), &group)
    }

    fn disk(size_gib: u32) -> PricedDisk {
        PricedDisk {
            kind: VolumeType::Gp3,
            size_gib,
            iops: None,
            throughput_mibps: None,
        }
    }

    #[test]
    fn an_ended_machine_had_the_disks_of_its_settings_and_its_image() {
        let disks = |settings: &str| {
            let stand_in = stand_in(&[ended(settings)], None, &images());
            stand_in.expect("a machine").disks
        };
        assert_eq!(disks("vm-type=t2.micro"), Ok(vec![disk(50)]));
        assert_eq!(disks("volume-size=120"), Ok(vec![disk(120)]));
        let io2 = PricedDisk {
            kind: VolumeType::Io2,
            iops: Some(4_000),
            ..disk(60)
        };
        assert_eq!(
            disks("iops=4000 volume-size=60 volume-type=io2"),
            Ok(vec![io2])
        );
        let mut large = images();
        let image = large.get_mut("ami-1").expect("an image");
        image.snapshot_gib = 75;
        image.other_disks = vec![ImageDisk {
            device: "/dev/sdb".into(),
            size_gib: 20,
        }];
        let of_image = stand_in(&[ended("")], None, &large)
            .expect("a machine")
            .disks;
        assert_eq!(of_image, Ok(vec![disk(75), disk(20)]));
    }

    #[test]
    fn what_nobody_tells_is_not_known() {
        let without_image = stand_in(&[ended("")], None, &BTreeMap::new());
        let why = without_image
            .expect("a machine")
            .disks
            .expect_err("no disks");
        assert!(why.ends_with("EC2 does not show ami-1"), "{why}");
        // The former release wrote a hash of all settings.
        let mut former = ended("");
        former.tags[1].1 = "vm-type=t2.micro all=sha256:0123".into();
        let hashed = stand_in(&[former], None, &images());
        assert!(hashed.expect("a machine").disks.is_err());
        let nameless = GroupRecord {
            vm_type: None,
            ..record()
        };
        assert!(stand_in(&[], Some(&nameless), &images()).is_err());
        let mut other = ended("");
        other.vm_type = "t3.micro".into();
        other.instance_id = "i-0123456789abcdef1".into();
        let of_two_types = stand_in(&[ended(""), other], Some(&record()), &images());
        assert!(of_two_types.is_err(), "{of_two_types:?}");
        // It may have been of the type that no machine has now.
        let of_either = [ended("vm-type=t2.micro/t3.micro")];
        let either = stand_in(&of_either, Some(&record()), &images());
        assert!(either.is_err(), "{either:?}");
        let itself = stand_in(&of_either, None, &images()).expect("a machine");
        assert_eq!(itself.machine.vm_type, "t2.micro");
    }

    #[test]
    fn a_machine_that_ec2_forgot_was_like_the_others_of_its_group() {
        let mut spot = ended("volume-size=120");
        spot.market = Market::Spot;
        let like = stand_in(&[spot], Some(&record()), &images()).expect("a machine");
        assert_eq!(like.machine.instance_id, GONE);
        assert!(!like.is_assumed);
        assert_eq!(like.machine.market, Market::Spot);
        assert_eq!(like.machine.vm_type, "t2.micro");
        assert_eq!(like.disks, Ok(vec![disk(120)]));
        let made_with = stand_in(&[], Some(&record()), &images()).expect("a machine");
        assert!(made_with.is_assumed);
        assert_eq!(made_with.machine.vm_type, "c7i.large");
        assert_eq!(made_with.machine.state, State::Running);
        assert_eq!(made_with.disks, Ok(vec![disk(80)]));
    }

    #[test]
    fn an_address_that_nobody_knows_of_may_have_been() {
        let address = |stand_in: Known<StandIn>| {
            let stand_in = stand_in.expect("a machine");
            let may_have_had_one = stand_in.machine.public_ip.is_some();
            stand_in
                .knows_address
                .then_some(may_have_had_one)
                .ok_or(may_have_had_one)
        };
        let had_address =
            |machines: &[Machine]| address(stand_in(machines, Some(&record()), &images()));
        let running = |public_ip: Option<&str>| Machine {
            state: State::Running,
            public_ip: public_ip.map(str::to_owned),
            ..ended("")
        };
        let public = Some("203.0.113.1");
        // For a machine that EC2 does not show.
        assert_eq!(had_address(&[ended("")]), Err(true));
        assert_eq!(had_address(&[running(public)]), Ok(true));
        assert_eq!(had_address(&[running(None)]), Err(true));
        // For a machine that is told to end: as it was before, whatever another one has.
        let gone = Machine {
            instance_id: "i-00000000000000002".into(),
            ..ended("")
        };
        let of_ended = |other: Option<&str>, before: Machine| {
            let machines = [gone.clone(), running(other)];
            let before = [(gone.instance_id.clone(), before)].into();
            let images = images();
            let group = KnownGroup {
                machines: &machines,
                before: &before,
                record: None,
                region: "eu-west-2",
                images: &images,
            };
            let members = members(&machines, &before, None);
            let member = members.iter().find(|m| m.id == gone.instance_id);
            address(StandIn::of(member.expect("it"), &group))
        };
        assert_eq!(of_ended(public, running(None)), Ok(false));
        assert_eq!(of_ended(None, running(public)), Ok(true));
        let stopped = Machine {
            state: State::Stopped,
            ..ended("")
        };
        assert_eq!(of_ended(None, stopped), Err(true));
    }
}
