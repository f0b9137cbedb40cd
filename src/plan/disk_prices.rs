//! What EBS volumes cost.

use serde::{Deserialize, Serialize};

use super::known::Known;
use crate::{
    model::request::{GP3_IOPS, GP3_THROUGHPUT_MIBPS},
    values::VolumeType,
};

/// The hours in a month of AWS's, for prices that are by the month (EBS pricing page,
/// examples).
const HOURS_PER_MONTH: f64 = 730.0;
/// How many IOPS each of io2's prices is for; the last price is for all above (EBS
/// pricing page).
const IO2_TIERS: [u32; 3] = [32_000, 64_000, u32::MAX];

/// Prices of an EBS volume type, by the month. What needs a price that the Price List
/// does not have has no price either.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiskPrices {
    /// Per GiB.
    pub gib: f64,
    /// Per IOPS, by the tiers of io2. Other types have only the first price.
    pub iops: [Option<f64>; 3],
    /// Per MiB/s of throughput.
    pub mibps: Option<f64>,
}

/// What decides the price of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedDisk {
    pub kind: VolumeType,
    pub size_gib: u32,
    /// The IOPS that were asked for, with those that are free of charge; none for what
    /// every disk has.
    pub iops: Option<u32>,
    pub throughput_mibps: Option<u32>,
}

impl DiskPrices {
    /// What the disk costs an hour, USD.
    pub fn per_hour(&self, disk: &PricedDisk) -> Known<f64> {
        let mut iops = disk.iops.unwrap_or(0);
        let mut mibps = 0;
        match disk.kind {
            VolumeType::Gp3 => {
                iops = iops.saturating_sub(GP3_IOPS);
                mibps = disk
                    .throughput_mibps
                    .unwrap_or(0)
                    .saturating_sub(GP3_THROUGHPUT_MIBPS);
            }
            VolumeType::Io1 | VolumeType::Io2 => {}
            // EC2 tells their IOPS, which the price of their size includes.
            VolumeType::Gp2 | VolumeType::Standard => iops = 0,
        }
        let throughput = match (mibps, self.mibps) {
            (0, _) => 0.0,
            (mibps, Some(usd)) => f64::from(mibps) * usd,
            (_, None) => {
                return Err(format!(
                    "the Price List has no throughput of a {} disk",
                    disk.kind
                ));
            }
        };
        let month =
            f64::from(disk.size_gib) * self.gib + self.of_iops(disk.kind, iops)? + throughput;
        Ok(month / HOURS_PER_MONTH)
    }

    /// What `iops` cost a month, with each tier at its own price.
    fn of_iops(&self, kind: VolumeType, iops: u32) -> Known<f64> {
        let tiers = match kind {
            VolumeType::Io2 => IO2_TIERS,
            _ => [u32::MAX; 3],
        };
        let mut below = 0;
        let mut month = 0.0;
        for (price, end) in self.iops.iter().zip(tiers) {
            let within = iops.min(end).saturating_sub(below);
            if within > 0 {
                let usd = price
                    .ok_or_else(|| format!("the Price List has no {iops} IOPS of a {kind} disk"))?;
                month += f64::from(within) * usd;
            }
            below = end;
        }
        Ok(month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(kind: VolumeType, size_gib: u32, iops: Option<u32>, mibps: Option<u32>) -> PricedDisk {
        PricedDisk {
            kind,
            size_gib,
            iops,
            throughput_mibps: mibps,
        }
    }

    fn month(prices: &DiskPrices, disk: &PricedDisk) -> Option<f64> {
        let usd = prices.per_hour(disk).ok()? * HOURS_PER_MONTH;
        Some((usd * 1e6).round() / 1e6)
    }

    #[test]
    fn a_gp3_disk_costs_its_size_and_what_is_above_the_free_performance() {
        let prices = DiskPrices {
            gib: 0.08,
            iops: [Some(0.005), None, None],
            mibps: Some(0.04),
        };
        let month = |iops, mibps| month(&prices, &disk(VolumeType::Gp3, 100, iops, mibps));
        assert_eq!(month(None, None), Some(8.0));
        assert_eq!(month(Some(3_000), Some(125)), Some(8.0));
        assert_eq!(month(Some(4_000), Some(225)), Some(8.0 + 5.0 + 4.0));
    }

    #[test]
    fn each_tier_of_io2_has_its_own_price() {
        let prices = DiskPrices {
            gib: 0.1,
            iops: [Some(0.06), Some(0.04), Some(0.02)],
            mibps: None,
        };
        let io2 = |iops| month(&prices, &disk(VolumeType::Io2, 10, Some(iops), None));
        assert_eq!(io2(1_000), Some(61.0));
        assert_eq!(io2(33_000), Some(1.0 + 32_000.0 * 0.06 + 40.0));
        assert_eq!(
            io2(100_000),
            Some(1.0 + 32_000.0 * 0.06 + 32_000.0 * 0.04 + 36_000.0 * 0.02)
        );
        let io1 = disk(VolumeType::Io1, 0, Some(50_000), None);
        assert_eq!(month(&prices, &io1), Some(3_000.0));
    }

    #[test]
    fn what_needs_a_price_that_is_not_there_has_none() {
        let size_alone = DiskPrices {
            gib: 0.1,
            ..DiskPrices::default()
        };
        for (kind, iops, mibps, is_known) in [
            (VolumeType::Gp3, None, None, true),
            (VolumeType::Gp3, Some(3_000), Some(125), true),
            (VolumeType::Gp3, Some(3_001), None, false),
            (VolumeType::Gp3, None, Some(126), false),
            (VolumeType::Io1, Some(100), None, false),
            (VolumeType::Io2, Some(64_000), None, false),
            // What EC2 tells of a disk that exists.
            (VolumeType::Gp2, Some(300), None, true),
        ] {
            let usd = size_alone.per_hour(&disk(kind, 10, iops, mibps));
            assert_eq!(usd.is_ok(), is_known, "{kind} {iops:?} {mibps:?}: {usd:?}");
        }
        let first_tier_alone = DiskPrices {
            iops: [Some(0.06), None, None],
            ..size_alone
        };
        let io2 = |iops| first_tier_alone.per_hour(&disk(VolumeType::Io2, 10, Some(iops), None));
        assert!(io2(32_000).is_ok());
        assert!(io2(32_001).is_err());
    }
}
