//! What machines that there are cost an hour, each price asked once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{aws::Aws, model::machine::Machine, plan::cost::Known, values::Market};

/// Region, type, and the zone of a spot machine.
type Key = (String, String, Option<String>);

/// USD an hour of machines, without their disks. The same book serves a list
/// that is shown again and again.
#[derive(Clone, Debug, Default)]
pub struct PriceBook(BTreeMap<Key, Known<f64>>);

fn key(machine: &Machine) -> Key {
    let zone = match machine.market {
        Market::OnDemand => None,
        Market::Spot => Some(machine.availability_zone.clone().unwrap_or_default()),
    };
    (machine.region.clone(), machine.vm_type.clone(), zone)
}

impl PriceBook {
    /// Looks up what is not in the book yet, side by side: a call for each type
    /// on demand, and one for all spot types of a region.
    pub async fn learn(&mut self, aws: &Aws, machines: &[Machine]) {
        let wanted: BTreeSet<Key> = machines
            .iter()
            .filter(|m| m.state.is_live())
            .map(key)
            .filter(|key| !self.0.contains_key(key))
            .collect();
        let regions: BTreeSet<String> = wanted.iter().map(|key| key.0.clone()).collect();
        let mut asked = tokio::task::JoinSet::new();
        for region in regions {
            let keys: Vec<Key> = wanted
                .iter()
                .filter(|key| key.0 == region)
                .cloned()
                .collect();
            let aws = aws.in_region(&region);
            asked.spawn(async move { of_region(&aws, keys).await });
        }
        self.0.extend(asked.join_all().await.into_iter().flatten());
    }

    /// What the machine costs an hour now; nothing unless it runs.
    pub fn usd_per_hour(&self, machine: &Machine) -> Option<f64> {
        if !machine.state.is_live() {
            return Some(0.0);
        }
        self.0.get(&key(machine))?.as_ref().ok().copied()
    }

    /// Why the price of one of the machines is not known.
    pub fn why_unknown(&self, machines: &[Machine]) -> Option<&str> {
        machines
            .iter()
            .filter(|m| m.state.is_live())
            .find_map(|m| self.0.get(&key(m))?.as_ref().err().map(String::as_str))
    }
}

async fn of_region(aws: &Aws, keys: Vec<Key>) -> Vec<(Key, Known<f64>)> {
    let types = |spot: bool| -> Vec<&str> {
        let types: BTreeSet<&str> = keys
            .iter()
            .filter(|key| key.2.is_some() == spot)
            .map(|key| key.1.as_str())
            .collect();
        types.into_iter().collect()
    };
    let (on_demand, spot) = (types(false), types(true));
    let spot_prices = async {
        match spot.as_slice() {
            [] => Ok(Vec::new()),
            types => aws.spot_prices(types, None).await,
        }
    };
    let (on_demand, spot) = tokio::join!(aws.on_demand_prices(&on_demand), spot_prices);
    let price = |(_, vm_type, zone): &Key| match (zone, &spot) {
        (None, _) => on_demand
            .get(vm_type)
            .cloned()
            .unwrap_or(Err("no price".into())),
        (Some(_), Err(why)) => Err(why.clone()),
        (Some(zone), Ok(prices)) => prices
            .iter()
            .find(|price| price.vm_type == *vm_type && price.zone == *zone)
            .map(|price| price.usd)
            .ok_or_else(|| format!("EC2 has no spot price of {vm_type} in {zone}")),
    };
    keys.iter().map(|key| (key.clone(), price(key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::State;

    #[test]
    fn a_machine_that_does_not_run_costs_nothing_whether_its_price_is_known_or_not() {
        let machine = |state| Machine::example("i-1", state);
        let running = machine(State::Running);
        let known = PriceBook([(key(&running), Ok(0.0132))].into());
        let unknown = PriceBook([(key(&running), Err("no price".into()))].into());
        assert_eq!(known.usd_per_hour(&running), Some(0.0132));
        assert_eq!(unknown.usd_per_hour(&running), None);
        for state in [
            State::Stopping,
            State::Stopped,
            State::ShuttingDown,
            State::Terminated,
        ] {
            for book in [&known, &unknown, &PriceBook::default()] {
                assert_eq!(book.usd_per_hour(&machine(state)), Some(0.0), "{state}");
            }
        }
    }
}
