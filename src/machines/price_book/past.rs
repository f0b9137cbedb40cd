//! The prices of machines at the time when they ran: of those that have ended, and the
//! dearest possible ones of those that run.

use std::collections::{BTreeMap, BTreeSet};

use super::{HourlyCost, PriceBook, PriceKey, disk_type_prices, key, machine_prices};
use crate::{
    aws::{Aws, pricing::Worth},
    model::machine::Machine,
    plan::{
        known::Known,
        price_bounds::{spot_at_most, surplus},
        spent::Rates,
        stand_ins::StandIn,
    },
    values::{Market, VolumeType},
};

impl PriceBook {
    /// Looks up the prices that are not in the book yet, side by side. What could not be
    /// had before is not asked for again.
    pub async fn learn_past(&mut self, aws: &Aws, stand_ins: &[StandIn]) {
        let regions: BTreeSet<&str> = stand_ins
            .iter()
            .map(|stand_in| stand_in.machine.region.as_str())
            .collect();
        let mut asked = tokio::task::JoinSet::new();
        for region in regions {
            let here = stand_ins.iter().filter(|s| s.machine.region == region);
            let wanted = self.wanted(here.collect());
            let aws = aws.in_region(region);
            asked.spawn(async move { wanted.asked(&aws).await });
        }
        for learnt in asked.join_all().await {
            self.machines.extend(learnt.machines);
            self.disk_prices.extend(learnt.disk_prices);
            self.addresses.extend(learnt.addresses);
        }
    }

    /// The prices of one region's stand-ins that are not in the book.
    fn wanted(&self, stand_ins: Vec<&StandIn>) -> WantedPrices {
        let mut wanted = WantedPrices::default();
        for StandIn { machine, disks, .. } in stand_ins {
            let both = [machine.clone(), on_demand(machine)];
            let keys = both.iter().filter_map(|machine| key(machine).ok());
            wanted
                .keys
                .extend(keys.filter(|key| !self.machines.contains_key(key)));
            let of_region = |kind| (machine.region.clone(), kind);
            let kinds = disks.iter().flatten().map(|disk| disk.kind);
            wanted
                .kinds
                .extend(kinds.filter(|kind| !self.disk_prices.contains_key(&of_region(*kind))));
            wanted.address |=
                machine.public_ip.is_some() && !self.addresses.contains_key(&machine.region);
        }
        wanted
    }

    /// What the machine cost an hour while it ran.
    pub fn rates(&self, stand_in: &StandIn) -> Rates {
        let StandIn { machine, disks, .. } = stand_in;
        let disks = || -> Known<f64> {
            let all = disks.as_ref().map_err(Clone::clone)?.iter();
            all.map(|disk| self.disk(machine, disk)).sum()
        };
        let cost = HourlyCost {
            disks: disks(),
            ..self.cost(machine)
        };
        self.rates_of(stand_in, &cost)
    }

    /// The same with the disks that EC2 shows.
    pub fn rates_now(&self, stand_in: &StandIn) -> Rates {
        self.rates_of(stand_in, &self.cost(&stand_in.machine))
    }

    fn rates_of(&self, stand_in: &StandIn, cost: &HourlyCost) -> Rates {
        let machine = &stand_in.machine;
        let with_address = |usd: f64| Ok(usd + cost.address.clone()?);
        let highest = || -> Known<f64> {
            let now = cost.machine.clone()?;
            match machine.market {
                Market::OnDemand => Ok(now),
                Market::Spot => {
                    let on_demand = self.cost(&on_demand(machine)).machine;
                    spot_at_most(machine, &on_demand, now)
                }
            }
        };
        let highest = highest();
        // The machine did not run while the price was above its highest price.
        let now = cost.machine.clone();
        let now = now.map(|now| highest.as_ref().map_or(now, |highest| now.min(*highest)));
        let at_most = || with_address(highest.clone()? + surplus(machine)?);
        Rates {
            running: if stand_in.knows_address {
                now.and_then(with_address)
            } else {
                now
            },
            running_at_most: at_most(),
            disks: cost.disks.clone().map(|usd| usd + 0.0),
        }
    }
}

/// The same machine as if it had been launched on demand.
fn on_demand(machine: &Machine) -> Machine {
    Machine {
        market: Market::OnDemand,
        ..machine.clone()
    }
}

#[derive(Default)]
struct WantedPrices {
    keys: BTreeSet<PriceKey>,
    kinds: BTreeSet<VolumeType>,
    address: bool,
}

impl WantedPrices {
    async fn asked(self, aws: &Aws) -> PriceBook {
        let kinds: Vec<VolumeType> = self.kinds.into_iter().collect();
        let addresses = async {
            let mut addresses = BTreeMap::new();
            if self.address {
                addresses.insert(aws.region.clone(), aws.address_price(Worth::A_LOOK).await);
            }
            addresses
        };
        let (machines, disk_prices, addresses) = tokio::join!(
            machine_prices(aws, self.keys),
            disk_type_prices(aws, &kinds),
            addresses
        );
        PriceBook {
            machines,
            disk_prices,
            addresses,
            ..PriceBook::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::{State, TAG_SETTINGS};

    #[test]
    fn a_spot_machine_costs_no_more_than_its_highest_price() {
        let rates = |settings: &str| {
            let spot = Machine {
                market: Market::Spot,
                availability_zone: Some("eu-west-2a".into()),
                tags: vec![(TAG_SETTINGS.into(), format!("format=2 {settings}"))],
                ..Machine::example("i-1", State::Running)
            };
            let price = |machine: &Machine, usd| (key(machine).expect("a key"), Ok(usd));
            let book = PriceBook {
                machines: [price(&spot, 0.005), price(&on_demand(&spot), 0.0132)].into(),
                ..PriceBook::default()
            };
            let stand_in = StandIn {
                machine: spot,
                disks: Ok(Vec::new()),
                knows_address: true,
                is_assumed: false,
            };
            let rates = book.rates(&stand_in);
            (rates.running, rates.running_at_most)
        };
        assert_eq!(rates(""), (Ok(0.005), Ok(0.0132)));
        assert_eq!(rates("max-price=0.01"), (Ok(0.005), Ok(0.01)));
        // The price was not above that while it ran.
        assert_eq!(rates("max-price=0.004"), (Ok(0.004), Ok(0.004)));
    }

    #[test]
    fn an_address_that_nobody_knows_of_is_in_the_most_alone() {
        let machine = Machine {
            public_ip: Some("gone".into()),
            ..Machine::example("i-1", State::Running)
        };
        let book = PriceBook {
            machines: [(key(&machine).expect("a key"), Ok(0.5))].into(),
            addresses: [(machine.region.clone(), Ok(0.25))].into(),
            ..PriceBook::default()
        };
        let rates = |knows_address| {
            let rates = book.rates(&StandIn {
                machine: machine.clone(),
                disks: Ok(Vec::new()),
                knows_address,
                is_assumed: false,
            });
            (rates.running, rates.running_at_most)
        };
        assert_eq!(rates(true), (Ok(0.75), Ok(0.75)));
        assert_eq!(rates(false), (Ok(0.5), Ok(0.75)));
    }

    #[test]
    fn a_price_that_is_not_known_is_none_of_any_part() {
        let stand_in = StandIn {
            machine: Machine::example("i-1", State::Running),
            disks: Err("nobody knows".into()),
            knows_address: true,
            is_assumed: false,
        };
        let rates = PriceBook::default().rates(&stand_in);
        assert!(rates.running.is_err() && rates.running_at_most.is_err());
        assert_eq!(rates.disks, Err("nobody knows".into()));
    }
}
