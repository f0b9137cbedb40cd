//! Prices that were looked up. None is assumed.

use std::collections::BTreeMap;

use super::{disk_prices::DiskPrices, known::Known};
use crate::model::system::System;

/// The prices, in USD.
#[derive(Clone, Debug)]
pub struct Prices {
    /// The operating system that the prices of machines are for.
    pub system: System,
    /// Per machine and hour, by type.
    pub on_demand: Known<BTreeMap<String, f64>>,
    pub spot: Known<Vec<SpotPriceNow>>,
    /// The zones that have a type: pairs of type and zone.
    pub offerings: Known<Vec<(String, String)>>,
    /// The prices of disks of the type that was asked for.
    pub disk: Known<DiskPrices>,
    /// Filling a disk at `--initialization-rate`, once: per GiB of the snapshot's data
    /// and per MiB/s.
    pub initialization: Known<f64>,
    /// Per public IPv4 address and hour.
    pub address: Known<f64>,
}

/// The price of a spot machine now.
#[derive(Clone, Debug, PartialEq)]
pub struct SpotPriceNow {
    pub vm_type: String,
    pub zone: String,
    /// USD an hour.
    pub usd: f64,
}

impl Prices {
    /// The prices where none is known.
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
