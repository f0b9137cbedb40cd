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
    price_list::{ADDRESS_IN_USE, Product, address_price, amount, disk_prices, machine_prices},
    trace::Trace,
};
use crate::{
    error::{Failure, Kind},
    model::{request::Request, system::System},
    plan::{
        disk_prices::DiskPrices,
        known::Known,
        prices::{Prices, SpotPriceNow},
    },
    time::Time,
    values::{Market, VmType, VolumeType},
};

/// How long a price is worth.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// The most characters of a filter's value (Price List API reference, `Filter`).
const MOST_FILTER_CHARS: usize = 1_024;

impl Aws {
    /// The prices of everything that a request may launch, for machines with `system`.
    /// All is asked side by side.
    pub async fn prices(&self, request: &Request, system: System) -> Prices {
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let is_spot = request.markets().contains(&Market::Spot);
        let not_asked = || "they were not asked for".to_owned();
        // Without a highest price of the user's a spot machine's is the one on demand.
        let needs_on_demand =
            request.markets().contains(&Market::OnDemand) || request.max_price.is_none();
        let on_demand = async {
            if needs_on_demand {
                self.on_demand_prices(&vm_types, system).await
            } else {
                Err(not_asked())
            }
        };
        let spot = async {
            if is_spot {
                let zone = request.availability_zone.as_deref();
                self.spot_prices(&vm_types, zone, system).await
            } else {
                Err(not_asked())
            }
        };
        let offerings = async {
            if is_spot {
                let asking = self.offerings(&vm_types);
                in_time(
                    &self.time,
                    asking,
                    "ec2:DescribeInstanceTypeOfferings",
                    "EC2",
                )
                .await
            } else {
                Err(not_asked())
            }
        };
        let kind = request.volume.kind;
        let disk = async {
            let mut prices = self.disk_prices(&[kind]).await?;
            let none = || format!("the Price List has no {kind} disk in {}", self.region);
            prices.remove(kind.as_str()).ok_or_else(none)
        };
        let (on_demand, spot, offerings, disk, address) =
            tokio::join!(on_demand, spot, offerings, disk, self.address_price());
        Prices {
            system,
            on_demand,
            spot,
            offerings,
            disk,
            address,
        }
    }

    /// The on-demand prices of machines, USD an hour, by their types: one call for all
    /// of them. Types that the Price List does not have are left out.
    pub async fn on_demand_prices(
        &self,
        vm_types: &[&str],
        system: System,
    ) -> Known<BTreeMap<String, f64>> {
        let mut prices = BTreeMap::new();
        for names in any_of(vm_types) {
            // What singles one price out (Amazon EC2 offer file): the machine itself,
            // not a reservation of it, with no licence in the price.
            let wanted = [
                (FilterType::AnyOf, "instanceType", names.as_str()),
                is("operatingSystem", system.in_price_list()),
                is("tenancy", "Shared"),
                is("preInstalledSw", "NA"),
                is("capacitystatus", "Used"),
            ];
            prices.extend(machine_prices(&self.products("AmazonEC2", &wanted).await?));
        }
        Ok(prices)
    }

    /// The prices of disks, by the names of their types.
    pub async fn disk_prices(&self, kinds: &[VolumeType]) -> Known<BTreeMap<String, DiskPrices>> {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let wanted = [(FilterType::AnyOf, "volumeApiName", &*names.join(","))];
        Ok(disk_prices(&self.products("AmazonEC2", &wanted).await?))
    }

    /// What a public IPv4 address costs an hour.
    pub async fn address_price(&self) -> Known<f64> {
        let wanted = [(FilterType::Contains, "usagetype", ADDRESS_IN_USE)];
        let products = self.products("AmazonVPC", &wanted).await?;
        address_price(&products).ok_or_else(|| {
            format!(
                "the Price List has no public IPv4 address in {}",
                self.region
            )
        })
    }

    /// The spot prices of now, in each zone; `zone` names a single one.
    pub async fn spot_prices(
        &self,
        vm_types: &[&str],
        zone: Option<&str>,
        system: System,
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

    /// The products of a service's price list in the region that these filters let
    /// through.
    async fn products(
        &self,
        service: &str,
        wanted: &[(FilterType, &str, &str)],
    ) -> Known<Vec<Product>> {
        let endpoint_region = price_region(&self.region)?;
        let config = aws_sdk_pricing::config::Builder::from(&self.config)
            .region(aws_config::Region::new(endpoint_region))
            // It has no FIPS endpoint ("AWS Price List Service", endpoints), and a price
            // list is public.
            .use_fips(false)
            .interceptor(Trace(self.out))
            .interceptor(Pages::default())
            .build();
        let here = [is("regionCode", &self.region)];
        let filters: Vec<Filter> = here
            .iter()
            .chain(wanted)
            .filter_map(|(kind, field, value)| {
                let filter = Filter::builder().r#type(kind.clone());
                filter.field(*field).value(*value).build().ok()
            })
            .collect();
        let mut pages = aws_sdk_pricing::Client::from_conf(config)
            .get_products()
            .service_code(service)
            .format_version("aws_v1")
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

/// A filter for one value.
fn is<'a>(field: &'a str, value: &'a str) -> (FilterType, &'a str, &'a str) {
    (FilterType::TermMatch, field, value)
}

/// Values for `ANY_OF`, as many in each as it takes.
fn any_of(values: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in values {
        match all.last_mut() {
            Some(last) if last.len() + 1 + value.len() <= MOST_FILTER_CHARS => {
                last.push(',');
                last.push_str(value);
            }
            _ => all.push((*value).to_owned()),
        }
    }
    all
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
    fn values_are_joined_as_far_as_a_filter_takes_them() {
        assert_eq!(any_of(&["a", "b"]), ["a,b"]);
        assert_eq!(any_of(&[]), [""; 0]);
        let name = "u-12tb1.112xlarge";
        let joined = any_of(&[name; 100]);
        assert!(joined.len() > 1);
        assert!(joined.iter().all(|text| text.len() <= MOST_FILTER_CHARS));
        let names: usize = joined.iter().map(|text| text.split(',').count()).sum();
        assert_eq!(names, 100);
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
