//! What existing machines cost an hour. Each price is asked for once; one that could not
//! be had is asked for again the next time.

mod past;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    aws::{Aws, pricing::Worth},
    error::Kind,
    model::{machine::Machine, system::System},
    plan::{
        disk_prices::{DiskPrices, PricedDisk},
        known::Known,
        machine_price::is_of_region,
    },
    values::{Market, VolumeType},
};

/// What the price of a machine depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PriceKey {
    region: String,
    vm_type: String,
    system: System,
    /// Only for a spot machine.
    zone: Option<String>,
}

/// The hourly prices of machines with their disks and addresses, USD. The same book
/// serves a list that is shown again and again.
#[derive(Clone, Debug, Default)]
pub struct PriceBook {
    machines: BTreeMap<PriceKey, Known<f64>>,
    /// By region and type.
    disk_prices: BTreeMap<(String, VolumeType), Known<DiskPrices>>,
    /// By region.
    addresses: BTreeMap<String, Known<f64>>,
    /// The disks of each machine, by its id.
    disks: BTreeMap<String, Known<Vec<PricedDisk>>>,
}

/// What a machine costs an hour now, USD, by its parts.
#[derive(Clone, Debug)]
pub struct HourlyCost {
    pub machine: Known<f64>,
    pub disks: Known<f64>,
    pub address: Known<f64>,
}

impl HourlyCost {
    pub fn whole(&self) -> Known<f64> {
        Ok(self.machine.clone()? + self.disks.clone()? + self.address.clone()?)
    }
}

/// What a machine's price is looked up by, or why it has none.
fn key(machine: &Machine) -> Known<PriceKey> {
    if machine.is_dedicated {
        return Err(format!(
            "{} is on hardware of its own, and its price is not looked up",
            machine.instance_id
        ));
    }
    let zone = machine.availability_zone.as_deref().unwrap_or_default();
    if !zone.is_empty() && !is_of_region(zone, &machine.region) {
        return Err(format!(
            "{zone} has prices of its own, which are not looked up"
        ));
    }
    // A machine of which EC2 does not tell the system has the one that this program
    // launches.
    let details = machine.platform_details.as_deref().unwrap_or("Linux/UNIX");
    let system = System::of(details)
        .ok_or_else(|| format!("the price of machines with {details} is not looked up"))?;
    Ok(PriceKey {
        region: machine.region.clone(),
        vm_type: machine.vm_type.clone(),
        system,
        zone: (machine.market == Market::Spot).then(|| zone.to_owned()),
    })
}

/// Whether it has disks that cost.
fn has_disks(machine: &Machine) -> bool {
    !machine.state.is_gone()
}

impl PriceBook {
    /// Looks up the prices that are not in the book yet, side by side.
    pub async fn learn(&mut self, aws: &Aws, machines: &[Machine]) {
        self.forget_failures();
        let regions: BTreeSet<&str> = machines.iter().map(|m| m.region.as_str()).collect();
        let mut asked = tokio::task::JoinSet::new();
        for region in regions {
            let here: Vec<Machine> = machines
                .iter()
                .filter(|m| m.region == region)
                .cloned()
                .collect();
            let (aws, known) = (aws.in_region(region), self.clone());
            asked.spawn(async move { of_region(&aws, &here, &known).await });
        }
        for learnt in asked.join_all().await {
            let Self {
                machines,
                disk_prices,
                addresses,
                disks,
            } = learnt;
            self.machines.extend(machines);
            self.disk_prices.extend(disk_prices);
            self.addresses.extend(addresses);
            self.disks.extend(disks);
        }
    }

    fn forget_failures(&mut self) {
        self.machines.retain(|_, price| price.is_ok());
        self.disk_prices.retain(|_, price| price.is_ok());
        self.addresses.retain(|_, price| price.is_ok());
        self.disks.retain(|_, disks| disks.is_ok());
    }

    /// What the machine costs now. What it does not use in its state costs nothing.
    pub fn cost(&self, machine: &Machine) -> HourlyCost {
        let unknown = || Err("no price".to_owned());
        let is_live = machine.state.is_live();
        let price = || {
            self.machines
                .get(&key(machine)?)
                .cloned()
                .unwrap_or_else(unknown)
        };
        let address = || {
            let price = self.addresses.get(&machine.region).cloned();
            price.unwrap_or_else(unknown)
        };
        HourlyCost {
            machine: if is_live { price() } else { Ok(0.0) },
            disks: if has_disks(machine) {
                self.disks_of(machine)
            } else {
                Ok(0.0)
            },
            // EC2 takes the address back when the machine begins to end.
            address: if machine.public_ip.is_some() && !machine.state.is_gone() {
                address()
            } else {
                Ok(0.0)
            },
        }
    }

    fn disks_of(&self, machine: &Machine) -> Known<f64> {
        let unknown = || Err("EC2 does not show the disks yet".to_owned());
        let disks = self.disks.get(&machine.instance_id).cloned();
        let mut usd = 0.0;
        for disk in disks.unwrap_or_else(unknown)? {
            usd += self.disk(machine, &disk)?;
        }
        Ok(usd)
    }

    fn disk(&self, machine: &Machine, disk: &PricedDisk) -> Known<f64> {
        let prices = self.disk_prices.get(&(machine.region.clone(), disk.kind));
        let prices = prices.cloned().unwrap_or_else(|| Err("no price".into()))?;
        prices.per_hour(disk)
    }
}

/// Looks up what the book lacks about the machines of one region.
async fn of_region(aws: &Aws, machines: &[Machine], known: &PriceBook) -> PriceBook {
    let live = machines.iter().filter(|m| m.state.is_live());
    let wanted: BTreeSet<PriceKey> = live
        .filter_map(|m| key(m).ok())
        .filter(|key| !known.machines.contains_key(key))
        .collect();
    let needs_address = !known.addresses.contains_key(&aws.region)
        && machines.iter().any(|m| m.public_ip.is_some());
    let with_disks: Vec<&Machine> = machines.iter().filter(|m| has_disks(m)).collect();
    // Either their sizes are not known, or the prices for those.
    let needs_disks = with_disks.iter().any(|m| known.disks_of(m).is_err());
    let addresses = async {
        let mut addresses = BTreeMap::new();
        if needs_address {
            addresses.insert(aws.region.clone(), aws.address_price(Worth::A_LOOK).await);
        }
        addresses
    };
    let disks = async {
        if needs_disks {
            disks(aws, &with_disks, known).await
        } else {
            (BTreeMap::new(), BTreeMap::new())
        }
    };
    let (machines, addresses, (disks, disk_prices)) =
        tokio::join!(machine_prices(aws, wanted), addresses, disks);
    PriceBook {
        machines,
        disk_prices,
        addresses,
        disks,
    }
}

/// The disks of machines, and the prices of their types.
async fn disks(
    aws: &Aws,
    machines: &[&Machine],
    known: &PriceBook,
) -> (
    BTreeMap<String, Known<Vec<PricedDisk>>>,
    BTreeMap<(String, VolumeType), Known<DiskPrices>>,
) {
    let mut told = match aws.our_disks().await {
        Ok(told) => told,
        Err(failure) => {
            let why = if failure.kind == Kind::NotPermitted {
                "ec2:DescribeVolumes is not permitted".to_owned()
            } else {
                failure.message
            };
            let unknown = |m: &&Machine| (m.instance_id.clone(), Err(why.clone()));
            return (machines.iter().map(unknown).collect(), BTreeMap::new());
        }
    };
    let of = |m: &&Machine| {
        let disks = told.remove(&m.instance_id)?;
        Some((m.instance_id.clone(), disks.into_iter().collect()))
    };
    let disks: BTreeMap<String, Known<Vec<PricedDisk>>> = machines.iter().filter_map(of).collect();
    let of_region = |kind| (aws.region.clone(), kind);
    let kinds: BTreeSet<VolumeType> = disks
        .values()
        .flatten()
        .flatten()
        .map(|disk| disk.kind)
        .filter(|kind| !known.disk_prices.contains_key(&of_region(*kind)))
        .collect();
    let kinds: Vec<VolumeType> = kinds.into_iter().collect();
    let prices = disk_type_prices(aws, &kinds).await;
    (disks, prices)
}

/// The prices of these types of disks in the region.
async fn disk_type_prices(
    aws: &Aws,
    kinds: &[VolumeType],
) -> BTreeMap<(String, VolumeType), Known<DiskPrices>> {
    if kinds.is_empty() {
        return BTreeMap::new();
    }
    let prices = aws.disk_prices(kinds, Worth::A_LOOK).await;
    let price = |kind: VolumeType| {
        let none = || format!("the Price List has no {kind} disk in {}", aws.region);
        let prices = prices.as_ref().map_err(Clone::clone)?;
        prices.get(kind.as_str()).cloned().ok_or_else(none)
    };
    let of_region = |kind: VolumeType| (aws.region.clone(), kind);
    let prices = kinds.iter().map(|kind| (of_region(*kind), price(*kind)));
    prices.collect()
}

/// Makes one call for the on-demand prices of all types of a system, and one for their
/// spot prices.
async fn machine_prices(aws: &Aws, wanted: BTreeSet<PriceKey>) -> BTreeMap<PriceKey, Known<f64>> {
    let systems: BTreeSet<System> = wanted.iter().map(|key| key.system).collect();
    let mut prices = BTreeMap::new();
    for system in systems {
        let keys: Vec<&PriceKey> = wanted.iter().filter(|key| key.system == system).collect();
        let types = |spot: bool| -> Vec<&str> {
            let keys = keys.iter().filter(|key| key.zone.is_some() == spot);
            let types: BTreeSet<&str> = keys.map(|key| key.vm_type.as_str()).collect();
            types.into_iter().collect()
        };
        let (on_demand, spot) = (types(false), types(true));
        let spot_prices = async {
            match spot.as_slice() {
                [] => Ok(Vec::new()),
                types => aws.spot_prices(types, None, system, Worth::A_LOOK).await,
            }
        };
        let (on_demand, spot) = tokio::join!(
            aws.on_demand_prices(&on_demand, system, Worth::A_LOOK),
            spot_prices
        );
        let price = |key: &PriceKey| match &key.zone {
            None => {
                let prices = on_demand.as_ref().map_err(Clone::clone)?;
                let none = || format!("the Price List has no {} in {}", key.vm_type, key.region);
                prices.get(&key.vm_type).copied().ok_or_else(none)
            }
            Some(zone) => {
                let mut prices = spot.as_ref().map_err(Clone::clone)?.iter();
                let price = prices.find(|p| p.vm_type == key.vm_type && p.zone == *zone);
                let none = || format!("EC2 has no spot price of {} in {zone}", key.vm_type);
                price.map(|price| price.usd).ok_or_else(none)
            }
        };
        prices.extend(keys.into_iter().map(|key| (key.clone(), price(key))));
    }
    prices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::State;

    fn book(machine: &Machine, usd: Known<f64>) -> PriceBook {
        PriceBook {
            machines: [(key(machine).expect("a key"), usd)].into(),
            disks: [(machine.instance_id.clone(), Ok(Vec::new()))].into(),
            ..PriceBook::default()
        }
    }

    #[test]
    fn a_machine_that_does_not_run_costs_nothing_beyond_its_disks() {
        let machine = |state| Machine::example("i-1", state);
        let running = machine(State::Running);
        let known = book(&running, Ok(0.0132));
        let unknown = book(&running, Err("no price".into()));
        assert_eq!(known.cost(&running).whole(), Ok(0.0132));
        assert_eq!(unknown.cost(&running).whole(), Err("no price".into()));
        for state in [
            State::Stopping,
            State::Stopped,
            State::ShuttingDown,
            State::Terminated,
        ] {
            for book in [&known, &unknown] {
                assert_eq!(book.cost(&machine(state)).whole(), Ok(0.0), "{state}");
            }
        }
    }

    #[test]
    fn the_address_of_a_machine_that_is_ending_costs_nothing() {
        let with_address = |state| Machine {
            public_ip: Some("192.0.2.1".into()),
            ..Machine::example("i-1", state)
        };
        let running = with_address(State::Running);
        let mut book = book(&running, Ok(0.0132));
        book.addresses.insert(running.region.clone(), Ok(0.005));
        assert_eq!(book.cost(&running).address, Ok(0.005));
        let ending = with_address(State::ShuttingDown);
        assert_eq!(book.cost(&ending).whole(), Ok(0.0));
    }

    #[test]
    fn what_could_not_be_looked_up_is_asked_for_again() {
        let running = Machine::example("i-1", State::Running);
        let mut known = book(&running, Ok(0.0132));
        known.forget_failures();
        assert_eq!(known.cost(&running).machine, Ok(0.0132));
        let mut unknown = book(&running, Err("no answer".into()));
        unknown
            .addresses
            .insert("eu-west-2".into(), Err("no answer".into()));
        unknown.forget_failures();
        assert!(unknown.machines.is_empty() && unknown.addresses.is_empty());
    }

    #[test]
    fn a_machine_with_a_price_of_another_kind_has_none_here() {
        let usual = Machine::example("i-1", State::Running);
        let book = book(&usual, Ok(0.0132));
        let dedicated = Machine {
            is_dedicated: true,
            ..usual.clone()
        };
        let in_local_zone = Machine {
            availability_zone: Some("eu-west-2-lax-1a".into()),
            ..usual.clone()
        };
        let windows = Machine {
            platform_details: Some("Windows".into()),
            ..usual.clone()
        };
        let red_hat = Machine {
            platform_details: Some("Red Hat Enterprise Linux".into()),
            ..usual
        };
        for other in [dedicated, in_local_zone, windows, red_hat] {
            assert!(book.cost(&other).whole().is_err(), "{other:?}");
        }
    }
}
