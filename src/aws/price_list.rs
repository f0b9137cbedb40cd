//! The Price List's own format: its products, and the prices in them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::plan::disk_prices::DiskPrices;

/// The Price List counts throughput in GiB/s.
const MIB_PER_GIB: f64 = 1_024.0;

/// The fields of a product that are used.
#[derive(Debug, Deserialize)]
pub struct Product {
    product: Details,
    terms: Terms,
}

#[derive(Debug, Deserialize)]
struct Details {
    attributes: Attributes,
}

#[derive(Debug, Deserialize)]
struct Attributes {
    #[serde(rename = "locationType")]
    location_type: Option<String>,
    #[serde(default)]
    usagetype: String,
    #[serde(rename = "instanceType")]
    instance_type: Option<String>,
    #[serde(rename = "volumeApiName")]
    volume_api_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Terms {
    #[serde(rename = "OnDemand", default)]
    on_demand: BTreeMap<String, Term>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    unit: String,
    price_per_unit: BTreeMap<String, String>,
}

impl Product {
    /// The product in a line of the list. None if the line cannot be read, or if it is
    /// about a Local Zone, which has prices of its own.
    pub fn of(text: &str) -> Option<Self> {
        let product: Self = serde_json::from_str(text).ok()?;
        let place = product.product.attributes.location_type.as_deref();
        place
            .is_none_or(|place| place == "AWS Region")
            .then_some(product)
    }

    /// The highest price in USD whose unit fits: the price may depend on the amount.
    fn price(&self, unit_fits: impl Fn(&str) -> bool) -> Option<f64> {
        self.terms
            .on_demand
            .values()
            .flat_map(|term| term.price_dimensions.values())
            .filter(|dimension| unit_fits(&dimension.unit))
            .filter_map(|dimension| amount(dimension.price_per_unit.get("USD")?))
            .reduce(f64::max)
    }

    fn usage(&self) -> &str {
        &self.product.attributes.usagetype
    }

    /// The index of the tier, as io2 has several prices.
    fn tier(&self) -> usize {
        match self.usage().rsplit_once(".tier") {
            Some((_, "2")) => 1,
            Some((_, "3")) => 2,
            _ => 0,
        }
    }
}

/// An amount of money above 0. Blocks of capacity, which are paid for in advance, are in
/// the list at 0.
pub fn amount(text: &str) -> Option<f64> {
    let usd: f64 = text.parse().ok()?;
    (usd.is_finite() && usd > 0.0).then_some(usd)
}

/// The prices of machines by their types, USD an hour.
pub fn machine_prices(products: &[Product]) -> BTreeMap<String, f64> {
    let mut prices = BTreeMap::new();
    for product in products {
        let vm_type = product.product.attributes.instance_type.as_ref();
        let usd = product.price(|unit| unit == "Hrs");
        if let (Some(vm_type), Some(usd)) = (vm_type, usd) {
            let dearest = prices.entry(vm_type.clone()).or_insert(usd);
            *dearest = usd.max(*dearest);
        }
    }
    prices
}

/// The price of ordinary snapshots, USD per GiB and month. Archived ones, and those for
/// fast restores, are left out.
pub fn snapshot_price(products: &[Product]) -> Option<f64> {
    let usual = products
        .iter()
        .filter(|p| p.usage().ends_with(SNAPSHOTS_STORED));
    usual
        .filter_map(|p| p.price(|unit| unit.eq_ignore_ascii_case("GB-Mo")))
        .reduce(f64::max)
}

/// The end of the usage type of snapshots. It begins with the region.
pub const SNAPSHOTS_STORED: &str = "EBS:SnapshotUsage";

/// What EBS charges once for filling a disk at a chosen rate, USD for each GiB of the
/// snapshot's data and each MiB/s of the rate. A price by another unit does not count, as
/// it would be taken for this one.
pub fn initialization_price(products: &[Product]) -> Option<f64> {
    let of_rates = products
        .iter()
        .filter(|p| p.usage().contains(INITIALIZATION));
    of_rates
        .filter_map(|p| p.price(is_of_gib_and_mibps))
        .reduce(f64::max)
}

/// A part of the usage type of volume initialization. AWS's list of EBS's usage types
/// ("Understand codes for Amazon EBS in billing and usage reports") does not have it yet,
/// so the rest of the name is left open.
pub const INITIALIZATION: &str = "Initializ";

/// Whether a unit names both ("Initialize Amazon EBS volumes", EBS user guide, Billing: a
/// rate per GiB of snapshot data, per MiB of initialization rate).
fn is_of_gib_and_mibps(unit: &str) -> bool {
    let unit = unit.to_ascii_lowercase();
    ["mibps", "mbps"].iter().any(|rate| {
        let rest = unit.split_once(rate);
        rest.is_some_and(|(a, b)| [a, b].iter().any(|r| r.contains("gib") || r.contains("gb")))
    })
}

/// What a public IPv4 address in use costs an hour.
pub fn address_price(products: &[Product]) -> Option<f64> {
    let in_use = products
        .iter()
        .filter(|p| p.usage().ends_with(ADDRESS_IN_USE));
    in_use
        .filter_map(|p| p.price(|unit| unit.eq_ignore_ascii_case("Hrs")))
        .reduce(f64::max)
}

/// The end of the usage type of a public IPv4 address in use. It begins with the region.
pub const ADDRESS_IN_USE: &str = "PublicIPv4:InUseAddress";

/// The prices of volume types by their names. A type without a price for its size is left
/// out.
pub fn disk_prices(products: &[Product]) -> BTreeMap<String, DiskPrices> {
    let unit = |name: &'static str| move |unit: &str| unit.eq_ignore_ascii_case(name);
    let mut by_type: BTreeMap<&str, Vec<&Product>> = BTreeMap::new();
    for product in products {
        if let Some(name) = product.product.attributes.volume_api_name.as_deref() {
            by_type.entry(name).or_default().push(product);
        }
    }
    let prices = by_type.into_iter().filter_map(|(name, products)| {
        let dearest = |name| {
            let prices = products.iter().filter_map(|p| p.price(unit(name)));
            prices.reduce(f64::max)
        };
        let mut iops = [None; 3];
        for product in &products {
            if let Some(usd) = product.price(unit("IOPS-Mo")) {
                iops[product.tier()] = Some(usd);
            }
        }
        let prices = DiskPrices {
            gib: dearest("GB-Mo")?,
            iops,
            mibps: dearest("GiBps-mo").map(|usd| usd / MIB_PER_GIB),
        };
        Some((name.to_owned(), prices))
    });
    prices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the list: a machine in a place of this type, at this hourly price.
    fn line(location_type: Option<&str>, usd: &str) -> String {
        let mut line = serde_json::json!({
            "product": {"attributes": {"instanceType": "t2.micro"}},
            "terms": {"OnDemand": {"term": {"priceDimensions": {"rate": {
                "unit": "Hrs",
                "pricePerUnit": {"USD": usd},
            }}}}},
        });
        if let Some(location_type) = location_type {
            line["product"]["attributes"]["locationType"] = location_type.into();
        }
        line.to_string()
    }

    #[test]
    fn the_prices_of_local_zones_do_not_count() {
        let place = |location_type| Product::of(&line(location_type, "0.02")).is_some();
        assert!(place(Some("AWS Region")));
        assert!(place(None));
        assert!(!place(Some("AWS Local Zone")));
        assert!(!place(Some("AWS Wavelength Zone")));
    }

    #[test]
    fn the_price_of_initialization_is_by_the_size_and_the_rate_or_none() {
        for (unit, fits) in [
            ("GiB-MiBps", true),
            ("MiBps-GiB", true),
            ("GB-MBps", true),
            ("GB", false),
            ("MiBps-Mo", false),
            ("GiBps-mo", false),
            ("GB-Mo", false),
        ] {
            assert_eq!(is_of_gib_and_mibps(unit), fits, "{unit}");
        }
    }

    #[test]
    fn a_price_of_zero_is_no_price() {
        let price = |usd: &[&str]| {
            let products: Vec<Product> = usd
                .iter()
                .filter_map(|usd| Product::of(&line(None, usd)))
                .collect();
            machine_prices(&products).get("t2.micro").copied()
        };
        assert_eq!(price(&["0.0000000000"]), None);
        assert_eq!(price(&["NaN"]), None);
        assert_eq!(price(&["-1.0"]), None);
        assert_eq!(price(&["0.0000000000", "0.0132000000"]), Some(0.0132));
        assert_eq!(price(&[]), None);
    }
}
