//! Prices: the Price List for machines on demand and for disks, EC2's own
//! history for spot machines. A price is never worth waiting or failing for:
//! what cannot be told soon is told as the reason why.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::{
    primitives::DateTime,
    types::{InstanceType, SpotPrice},
};
use aws_sdk_pricing::types::{Filter, FilterType};

use super::{
    Aws,
    errors::failure,
    pages::Pages,
    price_list::{Product, disk_prices, machine_price},
    trace::Trace,
};
use crate::{
    error::{Failure, Kind},
    model::request::Request,
    plan::cost::{DiskPrices, Known, Prices},
    time::Time,
    values::{Market, VmType, VolumeType},
};

/// How long a price is worth.
const TIME_LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq)]
pub struct SpotPriceNow {
    pub vm_type: String,
    pub zone: String,
    /// USD an hour.
    pub usd: f64,
}

impl Aws {
    /// What a machine and a disk of the request may cost at most: of several
    /// types, markets or zones the dearest. All is asked side by side.
    pub async fn prices(&self, request: &Request) -> Prices {
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let (machine, disk) = tokio::join!(
            self.dearest(&vm_types, request),
            self.disk_prices(request.volume.kind)
        );
        Prices { machine, disk }
    }

    /// The dearest machine of those that the request allows.
    async fn dearest(&self, vm_types: &[&str], request: &Request) -> Known<f64> {
        let markets = request.markets();
        let on_demand = async {
            if markets.contains(&Market::OnDemand) {
                self.dearest_on_demand(vm_types).await
            } else {
                Ok(0.0)
            }
        };
        let spot = async {
            if markets.contains(&Market::Spot) {
                self.dearest_spot(vm_types, request).await
            } else {
                Ok(0.0)
            }
        };
        let (on_demand, spot) = tokio::join!(on_demand, spot);
        Ok(on_demand?.max(spot?))
    }

    async fn dearest_on_demand(&self, vm_types: &[&str]) -> Known<f64> {
        let prices = self.on_demand_prices(vm_types).await;
        prices
            .into_values()
            .try_fold(0.0, |dearest: f64, price| Ok(dearest.max(price?)))
    }

    /// Of all zones that it may be in. A spot machine never costs more than its
    /// highest price.
    async fn dearest_spot(&self, vm_types: &[&str], request: &Request) -> Known<f64> {
        let zone = request.availability_zone.as_deref();
        let prices = self.spot_prices(vm_types, zone).await?;
        let now = prices.iter().map(|price| price.usd).reduce(f64::max);
        let now = now.ok_or_else(|| format!("EC2 has no spot price of {}", vm_types.join(", ")))?;
        let most = request.max_price.as_deref().and_then(|m| m.parse().ok());
        Ok(most.map_or(now, |most| now.min(most)))
    }

    /// The on-demand prices of machines with Linux, USD an hour, by their types.
    pub async fn on_demand_prices(&self, vm_types: &[&str]) -> BTreeMap<String, Known<f64>> {
        let mut asked = tokio::task::JoinSet::new();
        for vm_type in vm_types {
            let (aws, vm_type) = (self.clone(), (*vm_type).to_owned());
            asked.spawn(async move {
                let price = aws.on_demand_price(&vm_type).await;
                (vm_type, price)
            });
        }
        asked.join_all().await.into_iter().collect()
    }

    async fn on_demand_price(&self, vm_type: &str) -> Known<f64> {
        // What singles one price out (Amazon EC2 offer file): the machine itself,
        // not a reservation of it, with no licence in the price.
        let wanted = [
            ("instanceType", vm_type),
            ("operatingSystem", "Linux"),
            ("tenancy", "Shared"),
            ("preInstalledSw", "NA"),
            ("capacitystatus", "Used"),
        ];
        let products = self.products(&wanted).await?;
        machine_price(&products)
            .ok_or_else(|| format!("the Price List has no {vm_type} in {}", self.region))
    }

    /// The prices of disks of a type.
    async fn disk_prices(&self, kind: VolumeType) -> Known<DiskPrices> {
        let products = self.products(&[("volumeApiName", kind.as_str())]).await?;
        disk_prices(&products).ok_or_else(|| {
            format!(
                "the Price List has no {} disk in {}",
                kind.as_str(),
                self.region
            )
        })
    }

    /// The spot prices of now, in each zone; `zone` names a single one.
    pub async fn spot_prices(
        &self,
        vm_types: &[&str],
        zone: Option<&str>,
    ) -> Known<Vec<SpotPriceNow>> {
        price_region(&self.region)?;
        let mut pages = self
            .ec2
            .describe_spot_price_history()
            .set_instance_types(Some(
                vm_types.iter().copied().map(InstanceType::from).collect(),
            ))
            .product_descriptions("Linux/UNIX")
            .set_availability_zone(zone.map(str::to_owned))
            // From now on: the prices that hold, and no older ones.
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
        in_time(&self.time, asking, "ec2:DescribeSpotPriceHistory", "EC2").await
    }

    /// The products of EC2's price list in the region with these attributes.
    async fn products(&self, wanted: &[(&str, &str)]) -> Known<Vec<Product>> {
        let endpoint_region = price_region(&self.region)?;
        let config = aws_sdk_pricing::config::Builder::from(&self.config)
            .region(aws_config::Region::new(endpoint_region))
            .interceptor(Trace(self.out))
            .interceptor(Pages::default())
            .build();
        let here = [("regionCode", self.region.as_str())];
        let filters: Vec<Filter> = here
            .iter()
            .chain(wanted)
            .filter_map(|(field, value)| {
                let filter = Filter::builder().r#type(FilterType::TermMatch);
                filter.field(*field).value(*value).build().ok()
            })
            .collect();
        let mut pages = aws_sdk_pricing::Client::from_conf(config)
            .get_products()
            .service_code("AmazonEC2")
            .set_filters(Some(filters))
            .into_paginator()
            .items()
            .send();
        let asking = async {
            let mut products = Vec::new();
            while let Some(product) = pages.next().await {
                let why = |error| failure(&error, "cannot look up the price", endpoint_region);
                products.extend(Product::of(&product.map_err(why)?));
            }
            Ok(products)
        };
        in_time(&self.time, asking, "pricing:GetProducts", "the Price List").await
    }
}

/// The answer, or the reason why there is none, in few words.
async fn in_time<T>(
    time: &Time,
    asking: impl Future<Output = Result<T, Failure>>,
    permission: &str,
    who: &str,
) -> Known<T> {
    match time.within(TIME_LIMIT, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) if failure.kind == Kind::NotPermitted => {
            Err(format!("{permission} is not permitted"))
        }
        Ok(Err(failure)) => Err(failure.message),
        Err(_) => Err(format!(
            "{who} did not answer within {} s",
            TIME_LIMIT.as_secs()
        )),
    }
}

/// The nearest region that has the Price List ("AWS Price List Service", endpoints).
fn price_region(region: &str) -> Known<&'static str> {
    match region.split('-').next().unwrap_or_default() {
        "cn" => Err("AWS in China has prices of its own".into()),
        "eusc" | "iso" => Err(format!("{region} is not in AWS's Price List")),
        "us" if region.starts_with("us-gov-") || region.starts_with("us-iso") => {
            Err(format!("AWS's Price List does not answer in {region}"))
        }
        "eu" | "me" | "af" | "il" => Ok("eu-central-1"),
        "ap" => Ok("ap-south-1"),
        _ => Ok("us-east-1"),
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
        Some((place, price.timestamp?, price.spot_price?.parse().ok()?))
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
    fn the_nearest_price_list_is_asked_and_none_where_there_is_none() {
        assert_eq!(price_region("eu-west-2"), Ok("eu-central-1"));
        assert_eq!(price_region("ap-southeast-1"), Ok("ap-south-1"));
        assert_eq!(price_region("us-west-2"), Ok("us-east-1"));
        assert_eq!(price_region("sa-east-1"), Ok("us-east-1"));
        for region in ["cn-north-1", "us-gov-west-1", "us-isob-east-1"] {
            assert!(price_region(region).is_err(), "{region}");
        }
    }

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
