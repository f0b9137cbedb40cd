//! The Price List's own words: its products, and the prices in them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::plan::cost::DiskPrices;

/// The Price List counts throughput by the GiB/s.
const MIB_PER_GIB: f64 = 1_024.0;

/// The fields of a product of the Price List that are used.
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
    /// The product of a line of the list; none for one that cannot be read, or
    /// that is of a local zone, which prices of its own.
    pub fn of(text: &str) -> Option<Self> {
        let product: Self = serde_json::from_str(text).ok()?;
        let place = product.product.attributes.location_type.as_deref();
        place
            .is_none_or(|place| place == "AWS Region")
            .then_some(product)
    }

    /// The highest price in USD whose unit fits: prices may be by the amount.
    fn price(&self, unit_fits: impl Fn(&str) -> bool) -> Option<f64> {
        self.terms
            .on_demand
            .values()
            .flat_map(|term| term.price_dimensions.values())
            .filter(|dimension| unit_fits(&dimension.unit))
            .filter_map(|dimension| dimension.price_per_unit.get("USD")?.parse().ok())
            .reduce(f64::max)
    }
}

/// A machine's price from its products, USD an hour.
pub fn machine_price(products: &[Product]) -> Option<f64> {
    let prices = products
        .iter()
        .filter_map(|p| p.price(|unit| unit == "Hrs"));
    // Blocks of capacity, which are paid for in advance, are in the list at 0.
    prices.reduce(f64::max).filter(|usd| *usd > 0.0)
}

/// A volume type's prices from its products.
pub fn disk_prices(products: &[Product]) -> Option<DiskPrices> {
    let unit = |name: &'static str| move |unit: &str| unit.eq_ignore_ascii_case(name);
    // The tiers of io2 follow each other by their usage types' names.
    let mut iops: Vec<(&str, f64)> = products
        .iter()
        .filter_map(|p| {
            let usage = p.product.attributes.usagetype.as_str();
            Some((usage, p.price(unit("IOPS-Mo"))?))
        })
        .collect();
    iops.sort_by(|a, b| a.0.cmp(b.0));
    let gib = products.iter().find_map(|p| p.price(unit("GB-Mo")))?;
    let gibps = products.iter().find_map(|p| p.price(unit("GiBps-mo")));
    Some(DiskPrices {
        gib,
        iops: iops.into_iter().map(|(_, usd)| usd).collect(),
        mibps: gibps.unwrap_or(0.0) / MIB_PER_GIB,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the list: a machine in a place of this type, at this price an hour.
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
    fn a_price_of_zero_is_no_price() {
        let price = |usd: &[&str]| {
            let products: Vec<Product> = usd
                .iter()
                .filter_map(|usd| Product::of(&line(None, usd)))
                .collect();
            machine_price(&products)
        };
        assert_eq!(price(&["0.0000000000"]), None);
        assert_eq!(price(&["0.0000000000", "0.0132000000"]), Some(0.0132));
        assert_eq!(price(&[]), None);
    }
}
