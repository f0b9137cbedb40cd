//! Prices as they were looked up; none is assumed.

use std::collections::BTreeMap;

use super::{disk_prices::DiskPrices, known::Known};
use crate::model::system::System;

/// What was looked up, USD.
#[derive(Clone, Debug)]
pub struct Prices {
    /// What the prices of machines are for.
    pub system: System,
    /// A machine an hour, by the type.
    pub on_demand: Known<BTreeMap<String, f64>>,
    pub spot: Known<Vec<SpotPriceNow>>,
    /// The zones that have a type: pairs of type and zone.
    pub offerings: Known<Vec<(String, String)>>,
    /// Disks of the type asked for.
    pub disk: Known<DiskPrices>,
    /// Filling a disk at `--initialization-rate`, once: for each GiB of the snapshot's
    /// data and each MiB/s.
    pub initialization: Known<f64>,
    /// A public IPv4 address an hour.
    pub address: Known<f64>,
}

/// A spot machine's price of now.
#[derive(Clone, Debug, PartialEq)]
pub struct SpotPriceNow {
    pub vm_type: String,
    pub zone: String,
    /// USD an hour.
    pub usd: f64,
}

impl Prices {
    /// No price at all is known.
    pub fn unknown(why: &str) -> Self {
        Self {
            system: System::Linux,
            on_demand: Err(why.to_owned()),
            spot: Err(why.to_owned()),
            offerings: Err(why.to_owned()),
            disk: Err(why.to_owned()),
            initialization: Err(why.to_owned()),
            address: Err(why.to_owned()),
        }
    }
}
