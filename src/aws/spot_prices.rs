//! Today's prices of spot machines, from EC2's own price history.

use std::collections::BTreeMap;

use aws_sdk_ec2::{
    primitives::DateTime,
    types::{InstanceType, SpotPrice},
};

use super::{
    Aws,
    errors::failure,
    price_list::amount,
    pricing::{Worth, in_time, price_region},
};
use crate::{
    model::system::System,
    plan::{known::Known, prices::SpotPriceNow},
};

impl Aws {
    /// The spot prices of now in each zone, or only in `zone`.
    pub async fn spot_prices(
        &self,
        vm_types: &[&str],
        zone: Option<&str>,
        system: System,
        worth: Worth,
    ) -> Known<Vec<SpotPriceNow>> {
        price_region(&self.region)?;
        let product = system
            .in_spot_history()
            .ok_or("EC2 lists no spot prices of the image's system")?;
        let mut pages = self
            .ec2
            .describe_spot_price_history()
            .set_instance_types(Some(
                vm_types.iter().copied().map(InstanceType::from).collect(),
            ))
            .product_descriptions(product)
            .set_availability_zone(zone.map(str::to_owned))
            // From now on: the prices that hold now, and no older ones.
            .start_time(DateTime::from(self.clock.now()))
            .into_paginator()
            .items()
            .send();
        let asking = async {
            let mut found = Vec::new();
            while let Some(price) = pages.next().await {
                let why = |error| failure(&error, "cannot look up the spot price", &self.region);
                found.push(price.map_err(why)?);
            }
            Ok(newest(found))
        };
        in_time(
            &self.time,
            worth,
            asking,
            "ec2:DescribeSpotPriceHistory",
            "EC2",
        )
        .await
    }
}

/// The newest price of each type and zone.
fn newest(history: Vec<SpotPrice>) -> Vec<SpotPriceNow> {
    let mut newest: BTreeMap<(String, String), (DateTime, f64)> = BTreeMap::new();
    let entry = |price: SpotPrice| {
        let place = (
            price.instance_type?.as_str().to_owned(),
            price.availability_zone?,
        );
        Some((place, price.timestamp?, amount(&price.spot_price?)?))
    };
    for (place, time, usd) in history.into_iter().filter_map(entry) {
        if newest.get(&place).is_none_or(|(known, _)| *known < time) {
            newest.insert(place, (time, usd));
        }
    }
    newest
        .into_iter()
        .map(|((vm_type, zone), (_, usd))| SpotPriceNow { vm_type, zone, usd })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_zone_the_newest_price_counts() {
        let price = |zone: &str, seconds, usd: &str| {
            SpotPrice::builder()
                .instance_type(InstanceType::T2Micro)
                .availability_zone(zone)
                .timestamp(DateTime::from_secs(seconds))
                .spot_price(usd)
                .build()
        };
        let now = newest(vec![
            price("a", 1, "0.9"),
            price("a", 3, "0.1"),
            price("b", 2, "0.2"),
            price("a", 2, "0.8"),
        ]);
        let now: Vec<(&str, f64)> = now.iter().map(|p| (p.zone.as_str(), p.usd)).collect();
        assert_eq!(now, [("a", 0.1), ("b", 0.2)]);
    }
}
