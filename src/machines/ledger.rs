//! What groups have cost so far, from what EC2 shows, what Inductiva keeps, and the price
//! book. `cost`, `list` and `terminate` use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use super::price_book::PriceBook;
use crate::{
    aws::Aws,
    model::{
        active_group::GroupRecord,
        image::Image,
        machine::{Machine, State},
        request::Runner,
    },
    plan::{
        known::Known,
        life::{Circumstances, Life},
        members::members,
        spent::{Amount, Rates, Spent},
        stand_ins::{KnownGroup, StandIn},
        tagged_settings,
    },
    values::Market,
};

/// The text in place of a group's name where there is no group.
pub const WITHOUT_GROUP: &str = "machines without a group";

/// What is known of a group whose cost is asked for.
#[derive(Clone, Debug)]
pub struct GroupSources {
    /// None for machines that belong to no group: those that prepare images.
    pub name: Option<String>,
    /// Its machines as EC2 shows them, ended ones too.
    pub machines: Vec<Machine>,
    /// The machines that this run has ended, as they were before, by their ids.
    pub before: BTreeMap<String, Machine>,
    /// What Inductiva keeps of it, or why it could not be asked.
    pub record: Known<Option<GroupRecord>>,
    /// Only these machines count, if some were named.
    pub ids: Option<BTreeSet<String>>,
}

/// What a group has cost.
#[derive(Clone, Debug)]
pub struct Settled {
    pub name: Option<String>,
    /// In the order in which they began.
    pub machines: Vec<SettledMachine>,
    pub spent: Spent,
}

/// What a machine has cost.
#[derive(Clone, Debug)]
pub struct SettledMachine {
    pub id: String,
    /// None where EC2 no longer shows it.
    pub state: Option<State>,
    /// None where nobody knows.
    pub vm_type: Option<String>,
    pub market: Option<Market>,
    pub region: String,
    pub life: Life,
    pub spent: Spent,
}

/// A machine of a group, before its price is known.
struct UnpricedMachine {
    id: String,
    shown: Option<Machine>,
    stand_in: Known<StandIn>,
    life: Life,
}

impl GroupSources {
    /// Whether Inductiva keeps machines that EC2 no longer shows.
    fn hides_some(&self) -> bool {
        let record = self.record.as_ref().ok().and_then(Option::as_ref);
        let all = members(&self.machines, &self.before, record);
        all.iter().any(|member| member.machine.is_none())
    }

    fn unpriced(
        &self,
        images: &BTreeMap<String, Image>,
        region: &str,
        now: SystemTime,
    ) -> Vec<UnpricedMachine> {
        let record = self.record.as_ref().ok().and_then(Option::as_ref);
        let boot_timeout = self.machines.iter().find_map(tagged_settings::boot_timeout);
        let at = Circumstances {
            now,
            boot_timeout: boot_timeout.unwrap_or(Runner::BOOT_TIMEOUT),
            group_made: record.and_then(|record| record.created_at),
        };
        let group = KnownGroup {
            machines: &self.machines,
            before: &self.before,
            record,
            region: self.machines.first().map_or(region, |m| &m.region),
            images,
        };
        let is_asked_for = |id: &str| self.ids.as_ref().is_none_or(|ids| ids.contains(id));
        let members = members(&self.machines, &self.before, record).into_iter();
        members
            .filter(|member| is_asked_for(member.id))
            .map(|member| UnpricedMachine {
                id: member.id.to_owned(),
                shown: member.machine.cloned(),
                stand_in: StandIn::of(&member, &group),
                life: Life::of(&member, &at),
            })
            .collect()
    }
}

impl PriceBook {
    /// What the groups have cost. Prices and images that are not known yet are looked up.
    pub async fn settle(
        &mut self,
        aws: &Aws,
        groups: &[GroupSources],
        now: SystemTime,
    ) -> Vec<Settled> {
        let images = self.images_of(aws, groups).await;
        let unpriced = groups
            .iter()
            .flat_map(|group| group.unpriced(&images, &aws.region, now));
        let stand_ins: Vec<StandIn> = unpriced
            .filter_map(|unpriced| unpriced.stand_in.ok())
            .collect();
        self.learn_past(aws, &stand_ins).await;
        self.settle_as_known(&images, groups, &aws.region, now)
    }

    /// The same with only the prices in the book, and these images.
    pub fn settle_as_known(
        &self,
        images: &BTreeMap<String, Image>,
        groups: &[GroupSources],
        region: &str,
        now: SystemTime,
    ) -> Vec<Settled> {
        let settled = |group: &GroupSources| {
            let unpriced = group.unpriced(images, region, now);
            self.settled(group, unpriced, region)
        };
        groups.iter().map(settled).collect()
    }

    fn settled(
        &self,
        group: &GroupSources,
        unpriced: Vec<UnpricedMachine>,
        region: &str,
    ) -> Settled {
        let mut machines: Vec<SettledMachine> = unpriced
            .into_iter()
            .map(|unpriced| self.settled_machine(unpriced, region))
            .collect();
        machines.sort_by(|a, b| (a.life.began, &a.id).cmp(&(b.life.began, &b.id)));
        let mut spent = Spent::sum(machines.iter().map(|m| &m.spent));
        // If machines were named, all of them have been found.
        if let (Err(why), None) = (&group.record, &group.ids) {
            spent = spent.without(format!(
                "Inductiva cannot be asked about machines that EC2 does not show any more: {why}"
            ));
        }
        Settled {
            name: group.name.clone(),
            machines,
            spent,
        }
    }

    fn settled_machine(&self, unpriced: UnpricedMachine, region: &str) -> SettledMachine {
        let UnpricedMachine {
            id,
            shown,
            stand_in,
            life,
        } = unpriced;
        let rates = self.rates_as_known(shown.as_ref(), &stand_in);
        let priced = stand_in.as_ref().ok().map(|stand_in| &stand_in.machine);
        let mut amount = Amount::of(&life, &rates);
        let known = shown.as_ref().or(priced);
        if stand_in.as_ref().is_ok_and(|stand_in| stand_in.is_assumed) {
            amount = amount.without(format!(
                "EC2 shows no machine like {id} any more, and its type, market and disk are assumed"
            ));
        }
        if known.is_some_and(|m| tagged_settings::initialization_rate_mibps(m).is_some()) {
            amount = amount.without(
                "what --initialization-rate has cost, once for each machine, is not looked up"
                    .into(),
            );
        }
        // Of a machine whose type nobody knows, and of one that is yet to get its address,
        // there is something else to say.
        let is_live = shown.as_ref().is_some_and(|m| m.state.is_live());
        let address_is_gone = stand_in.as_ref().is_ok_and(|s| !s.knows_address) && !is_live;
        SettledMachine {
            spent: Spent::of(&life, &amount, !address_is_gone),
            state: shown.as_ref().map(|m| m.state),
            vm_type: priced.map(|m| m.vm_type.clone()),
            market: priced.map(|m| m.market),
            region: priced.map_or(region, |m| &m.region).to_owned(),
            id,
            life,
        }
    }

    /// The hourly rates: with the disks that EC2 shows, or else those that the machine
    /// was launched with.
    fn rates_as_known(&self, shown: Option<&Machine>, stand_in: &Known<StandIn>) -> Rates {
        match stand_in {
            Ok(stand_in) if shown.is_some_and(|m| self.knows_disks_of(m)) => {
                self.rates_now(stand_in)
            }
            Ok(stand_in) => self.rates(stand_in),
            Err(why) => Rates {
                running: Err(why.clone()),
                running_at_most: Err(why.clone()),
                disks: Err(why.clone()),
            },
        }
    }

    fn knows_disks_of(&self, machine: &Machine) -> bool {
        !machine.state.is_gone() && self.cost(machine).disks.is_ok()
    }

    /// The images that are needed to know the disks of machines. If one cannot be had,
    /// the costs that need it are unknown.
    async fn images_of(&self, aws: &Aws, groups: &[GroupSources]) -> BTreeMap<String, Image> {
        let machines = groups.iter().flat_map(|group| {
            let hides_some = group.hides_some();
            let machines = group.machines.iter();
            machines.filter(move |m| hides_some || !self.knows_disks_of(m))
        });
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for machine in machines {
            if let Some(id) = &machine.image_id {
                wanted.entry(&machine.region).or_default().insert(id);
            }
        }
        let asked = wanted.into_iter().map(|(region, ids)| {
            let aws = aws.in_region(region);
            async move {
                let ids: Vec<&str> = ids.into_iter().collect();
                aws.images_by_id(&ids).await.unwrap_or_default()
            }
        });
        let images = futures_util::future::join_all(asked).await.into_iter();
        let images = images.flatten();
        images.map(|image| (image.id.clone(), image)).collect()
    }
}

impl Settled {
    /// Notes that there may be more, of which nobody knows.
    pub fn note_unknown(&mut self, why: String) {
        self.spent = std::mem::take(&mut self.spent).without(why);
    }

    /// `wind: 2 machines ran 5h12m in all: about 0.13 USD`
    pub fn line(&self, span: impl Fn(Duration) -> String) -> String {
        let name = self.name.as_deref().unwrap_or(WITHOUT_GROUP);
        format!("{name}: {}", self.spent.in_words(span))
    }
}
