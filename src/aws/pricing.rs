//! Prices of AWS's Price List: machines on demand, disks, addresses, snapshots. No price
//! is worth a long wait or a failure: where one does not come soon, the answer is the
//! reason why.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_pricing::types::{Filter, FilterType};
use aws_types::service_config::ServiceConfigKey;

use super::{
    Aws,
    errors::failure,
    pages::Pages,
    price_cache::{KEPT_FOR, KEPT_FOR_LIMITS, Price, PriceCache},
    price_list::{
        ADDRESS_IN_USE, INITIALIZATION, Product, SNAPSHOTS_STORED, address_price, disk_prices,
        initialization_price, machine_prices, snapshot_price,
    },
    slow::Slow,
    trace::Trace,
};
use crate::{
    error::{Failure, Kind},
    model::system::System,
    plan::{disk_prices::DiskPrices, known::Known},
    time::Time,
    values::{VolumeType, spans},
};

/// How old a price may be, and how long to wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    /// A kept price may be this old.
    good_for: Duration,
    /// A new price is waited for this long.
    wait: Duration,
}

impl Worth {
    /// Where nothing depends on the price.
    pub const A_LOOK: Self = Self {
        good_for: KEPT_FOR,
        wait: Duration::from_secs(2),
    };
    /// Where prices are what the user asked for.
    pub const A_LIST: Self = Self {
        good_for: KEPT_FOR,
        wait: Duration::from_secs(30),
    };
    /// Where a launch depends on the price.
    pub const A_LIMIT: Self = Self {
        good_for: KEPT_FOR_LIMITS,
        wait: Duration::from_secs(30),
    };
}

/// The most characters of a filter's value (Price List API reference, `Filter`).
const MOST_FILTER_CHARS: usize = 1_024;

impl Aws {
    /// The on-demand prices of machines by their types, USD an hour. One call gets all
    /// that are not kept. Types that the Price List does not have are left out.
    pub async fn on_demand_prices(
        &self,
        vm_types: &[&str],
        system: System,
        worth: Worth,
    ) -> Known<BTreeMap<String, f64>> {
        let name = |vm_type: &str| format!("{vm_type} {} Shared", system.in_price_list());
        let names: Vec<String> = vm_types.iter().map(|vm_type| name(vm_type)).collect();
        let cache = self.price_cache(worth.good_for);
        let known = cache.read(&names);
        let known = |vm_type: &&&str| match known.get(&name(vm_type)) {
            Some(Price::PerHour(usd)) => Some(*usd),
            _ => None,
        };
        let mut prices: BTreeMap<String, f64> = vm_types
            .iter()
            .filter_map(|vm_type| Some(((*vm_type).to_owned(), known(&vm_type)?)))
            .collect();
        let missing: Vec<&str> = vm_types
            .iter()
            .filter(|vm_type| known(vm_type).is_none())
            .copied()
            .collect();
        for names in any_of(&missing) {
            // These single one price out (Amazon EC2 offer file): that of the machine
            // itself, not of a reservation, without a licence in it.
            let wanted = [
                (FilterType::AnyOf, "instanceType", names.as_str()),
                is("operatingSystem", system.in_price_list()),
                is("tenancy", "Shared"),
                is("preInstalledSw", "NA"),
                is("capacitystatus", "Used"),
            ];
            let new = machine_prices(&self.products("AmazonEC2", &wanted, worth).await?);
            let to_keep = new
                .iter()
                .map(|(vm_type, usd)| (name(vm_type), Price::PerHour(*usd)));
            cache.keep(to_keep.collect());
            prices.extend(new);
        }
        Ok(prices)
    }

    /// The prices of disks, by the names of their types.
    pub async fn disk_prices(
        &self,
        kinds: &[VolumeType],
        worth: Worth,
    ) -> Known<BTreeMap<String, DiskPrices>> {
        let name = |kind: &str| format!("disk {kind}");
        let names: Vec<String> = kinds.iter().map(|kind| name(kind.as_str())).collect();
        let cache = self.price_cache(worth.good_for);
        let known = cache.read(&names);
        let known = |kind: &VolumeType| match known.get(&name(kind.as_str())) {
            Some(Price::Disk(prices)) => Some(prices.clone()),
            _ => None,
        };
        let mut prices: BTreeMap<String, DiskPrices> = kinds
            .iter()
            .filter_map(|kind| Some((kind.as_str().to_owned(), known(kind)?)))
            .collect();
        let missing = kinds.iter().filter(|kind| known(kind).is_none());
        let missing: Vec<&str> = missing.map(|kind| kind.as_str()).collect();
        if !missing.is_empty() {
            let wanted = [(FilterType::AnyOf, "volumeApiName", &*missing.join(","))];
            let new = disk_prices(&self.products("AmazonEC2", &wanted, worth).await?);
            let to_keep = new
                .iter()
                .map(|(kind, price)| (name(kind), Price::Disk(price.clone())));
            cache.keep(to_keep.collect());
            prices.extend(new);
        }
        Ok(prices)
    }

    /// What a public IPv4 address costs, USD an hour.
    pub async fn address_price(&self, worth: Worth) -> Known<f64> {
        let name = "address".to_owned();
        let cache = self.price_cache(worth.good_for);
        if let Some(Price::PerHour(usd)) = cache.read(std::slice::from_ref(&name)).remove(&name) {
            return Ok(usd);
        }
        let wanted = [(FilterType::Contains, "usagetype", ADDRESS_IN_USE)];
        let products = self.products("AmazonVPC", &wanted, worth).await?;
        let usd = address_price(&products).ok_or_else(|| {
            format!(
                "the Price List has no public IPv4 address in {}",
                self.region
            )
        })?;
        cache.keep([(name, Price::PerHour(usd))].into());
        Ok(usd)
    }

    /// What snapshots cost, USD per GiB and month.
    pub async fn snapshot_price(&self, worth: Worth) -> Known<f64> {
        let name = "snapshots".to_owned();
        let cache = self.price_cache(worth.good_for);
        if let Some(Price::PerGibMonth(usd)) = cache.read(std::slice::from_ref(&name)).remove(&name)
        {
            return Ok(usd);
        }
        let wanted = [(FilterType::Contains, "usagetype", SNAPSHOTS_STORED)];
        let products = self.products("AmazonEC2", &wanted, worth).await?;
        let usd = snapshot_price(&products)
            .ok_or_else(|| format!("the Price List has no snapshots in {}", self.region))?;
        cache.keep([(name, Price::PerGibMonth(usd))].into());
        Ok(usd)
    }

    /// What filling a disk at `--initialization-rate` costs once, USD for each GiB of the
    /// snapshot's data and each MiB/s.
    pub async fn initialization_price(&self, worth: Worth) -> Known<f64> {
        let name = "initialization".to_owned();
        let cache = self.price_cache(worth.good_for);
        if let Some(Price::PerGibAndMibps(usd)) =
            cache.read(std::slice::from_ref(&name)).remove(&name)
        {
            return Ok(usd);
        }
        let wanted = [(FilterType::Contains, "usagetype", INITIALIZATION)];
        let products = self.products("AmazonEC2", &wanted, worth).await?;
        let usd = initialization_price(&products).ok_or_else(|| {
            format!(
                "the Price List has no --initialization-rate in {}",
                self.region
            )
        })?;
        cache.keep([(name, Price::PerGibAndMibps(usd))].into());
        Ok(usd)
    }

    /// The kept prices of this region.
    fn price_cache(&self, good_for: Duration) -> PriceCache {
        let key = ServiceConfigKey::builder()
            .service_id("Pricing")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let of_service = key
            .ok()
            .and_then(|key| self.config.service_config()?.load_config(key));
        let other = of_service.or_else(|| self.config.endpoint_url().map(str::to_owned));
        let list = other.as_deref().unwrap_or("aws");
        PriceCache::new(list, &self.region, good_for, self.time.now())
    }

    /// The products of a service's price list in the region that pass these filters.
    async fn products(
        &self,
        service: &str,
        wanted: &[(FilterType, &str, &str)],
        worth: Worth,
    ) -> Known<Vec<Product>> {
        let endpoint_region = price_region(&self.region)?;
        let config = aws_sdk_pricing::config::Builder::from(&self.config)
            .region(aws_config::Region::new(endpoint_region))
            // The service has no FIPS endpoint ("AWS Price List Service", endpoints), and
            // a price list is public.
            .use_fips(false)
            .interceptor(Trace(self.out))
            .interceptor(Slow::new(self.out, &self.time))
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
        in_time(
            &self.time,
            worth,
            asking,
            "pricing:GetProducts",
            "the Price List",
        )
        .await
    }
}

/// A filter for exactly one value.
fn is<'a>(field: &'a str, value: &'a str) -> (FilterType, &'a str, &'a str) {
    (FilterType::TermMatch, field, value)
}

/// Values for `ANY_OF`, as many in each filter as it takes.
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

/// Waits for an answer as long as a price is worth it. The error is the reason, in few
/// words.
pub async fn in_time<T>(
    time: &Time,
    worth: Worth,
    asking: impl Future<Output = Result<T, Failure>>,
    permission: &str,
    who: &str,
) -> Known<T> {
    match time.within(worth.wait, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) if failure.kind == Kind::NotPermitted => {
            Err(format!("{permission} is not permitted"))
        }
        Ok(Err(failure)) => Err(failure.message),
        Err(_) => Err(format!(
            "{who} did not answer within {}",
            spans::in_words(worth.wait)
        )),
    }
}

/// The nearest region with the Price List ("AWS Price List Service", endpoints).
pub fn price_region(region: &str) -> Known<&'static str> {
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
}
