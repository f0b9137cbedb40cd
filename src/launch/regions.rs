//! The check of other regions: the same command line under another `AWS_REGION` must not
//! launch a group's machines once more.

use std::collections::BTreeMap;

use super::{
    look_up::{Found, GroupLookup},
    run::Run,
    world::World,
};
use crate::{
    error::{Failure, Kind, Result},
    inductiva::Group,
    machines::leftovers::{SEEN_WITHIN, is_instance_id},
    model::machine::{self, Machine},
};

impl<W: World> Run<'_, W> {
    /// Looks into all regions if Inductiva shows machines of the group that this region
    /// does not, or if Inductiva is out of reach and this region shows no machine either.
    ///
    /// # Errors
    /// The group has machines in another region, or may have some in a region that could
    /// not be asked.
    pub async fn refuse_other_regions(&self, found: &Found) -> Result<()> {
        let machines = &found.facts.machines;
        let here = machines.iter().filter(|m| m.state.is_live()).count();
        // In the first round nobody else can have used the group that this run made.
        let own = self.own_group.borrow().clone();
        let own = own.filter(|_| !self.is_later_round.get());
        let (alive, is_own) = match &found.group {
            GroupLookup::Active(group) => (
                alive(group, machines, found),
                own.is_some_and(|own| own.id == group.id),
            ),
            GroupLookup::OutOfReach(_) => (Vec::new(), own.is_some()),
            GroupLookup::Absent => return Ok(()),
        };
        if self.allow_other_regions || is_own || here > 0 && alive.len() <= here {
            return Ok(());
        }
        let everywhere = self.unless_interrupted(self.world.everywhere()).await?;
        let is_elsewhere = |m: &&Machine| {
            m.group() == Some(self.request.group.as_str())
                && m.region != found.facts.region
                && !m.state.is_gone()
        };
        let mut elsewhere: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for machine in everywhere.machines.iter().filter(is_elsewhere) {
            let ids = elsewhere.entry(&machine.region).or_default();
            ids.push(machine.instance_id.clone());
        }
        if let Some(region) = elsewhere.keys().next() {
            return Err(self.found_elsewhere(region, &elsewhere));
        }
        let is_seen = |id: &&String| everywhere.machines.iter().any(|m| m.instance_id == **id);
        let unseen: Vec<String> = alive.iter().filter(|id| !is_seen(id)).cloned().collect();
        let not_asked: Vec<&str> = everywhere
            .denied
            .iter()
            .chain(&everywhere.missing)
            .map(|(region, _)| region.as_str())
            .collect();
        if unseen.is_empty() || not_asked.is_empty() {
            // Where an identity may not look, it may not launch either: a start needs the
            // same permission.
            if let (GroupLookup::OutOfReach(_), Some((regions, _))) =
                (&found.group, everywhere.hole())
            {
                self.out.warn(&format!(
                    "{regions} could not be asked whether the group {} has machines there",
                    self.request.group
                ));
            }
            return Ok(());
        }
        Err(Failure::new(
            Kind::MachinesMayBeRunning,
            format!(
                "the group {} has {} that no region shows: they may be running in {}, which could not be asked",
                self.request.group,
                machine::count(unseen.len()),
                not_asked.join(", "),
            ),
        )
        .hint("nothing was launched; ask whoever may look there, or launch anyway with --allow-other-regions")
        .machines(unseen))
    }

    fn found_elsewhere(&self, region: &str, elsewhere: &BTreeMap<&str, Vec<String>>) -> Failure {
        let places: Vec<String> = elsewhere
            .iter()
            .map(|(region, ids)| format!("{} in {region}", machine::count(ids.len())))
            .collect();
        Failure::failed(format!(
            "the group {} is in another region: it has {}",
            self.request.group,
            places.join(" and ")
        ))
        .hint(format!(
            "go there: the same line with --region {region}; or launch here, too, with --allow-other-regions"
        ))
    }
}

/// The ids of machines that Inductiva sees alive and that EC2 does not show as ended.
fn alive(group: &Group, machines: &[Machine], found: &Found) -> Vec<String> {
    let now = found.facts.looked_at;
    let seen = group.machines.iter().filter(|m| {
        let lately = m
            .last_seen_at
            .is_some_and(|seen| now.duration_since(seen).unwrap_or_default() < SEEN_WITHIN);
        m.terminated_at.is_none() && lately
    });
    let ids = seen.filter_map(|m| m.host_name.clone());
    let has_ended = |id: &String| {
        machines
            .iter()
            .any(|m| m.instance_id == *id && m.state.is_gone())
    };
    ids.filter(|id| is_instance_id(id) && !has_ended(id))
        .collect()
}
