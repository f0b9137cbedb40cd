//! What machines cost: a pure function of prices, their number and their disks.
//! All amounts are US dollars, without taxes, discounts, traffic and public
//! addresses.

use std::fmt;

use serde::Serialize;

use crate::{
    error::Failure,
    model::request::{GP3_IOPS, GP3_THROUGHPUT_MIBPS},
    values::{Volume, VolumeType},
};

/// AWS's month, for prices that are by the month (EBS pricing page, examples).
const HOURS_PER_MONTH: f64 = 730.0;
/// Up to where each of io2's prices goes, IOPS; above, the last (EBS pricing page).
const IO2_TIERS: [u32; 3] = [32_000, 64_000, u32::MAX];

/// A price, or why it is not known.
pub type Known<T> = Result<T, String>;

/// What one machine and its disk cost.
#[derive(Clone, Debug)]
pub struct Prices {
    /// A machine, an hour: the dearest of those that may be launched.
    pub machine: Known<f64>,
    /// Disks of the type asked for.
    pub disk: Known<DiskPrices>,
}

/// Prices of an EBS volume type, by the month.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskPrices {
    /// A GiB.
    pub gib: f64,
    /// An IOPS, in the order of the tiers; none where IOPS are not paid for.
    pub iops: Vec<f64>,
    /// A MiB/s of throughput.
    pub mibps: f64,
}

impl DiskPrices {
    /// What a disk of `size_gib` costs an hour.
    fn per_hour(&self, volume: &Volume, size_gib: u32) -> f64 {
        let mut iops = volume.iops.unwrap_or(0);
        let mut mibps = 0;
        if volume.kind == VolumeType::Gp3 {
            iops = iops.saturating_sub(GP3_IOPS);
            mibps = volume
                .throughput_mibps
                .unwrap_or(0)
                .saturating_sub(GP3_THROUGHPUT_MIBPS);
        }
        let month =
            f64::from(size_gib) * self.gib + self.of_iops(iops) + f64::from(mibps) * self.mibps;
        month / HOURS_PER_MONTH
    }

    /// What `iops` cost a month, each tier at its own price.
    fn of_iops(&self, iops: u32) -> f64 {
        let mut below = 0;
        let mut month = 0.0;
        for (price, tier_end) in self.iops.iter().zip(IO2_TIERS) {
            // A type with a single price has it for all.
            let end = if self.iops.len() == 1 {
                u32::MAX
            } else {
                tier_end
            };
            month += f64::from(iops.min(end).saturating_sub(below)) * price;
            below = end;
        }
        month
    }
}

/// What a group costs while all its machines run. What is unknown is null.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    usd_per_hour: Option<f64>,
    usd_per_day: Option<f64>,
    machines_usd_per_hour: Option<f64>,
    disks_usd_per_hour: Option<f64>,
    /// Why the whole is not known.
    #[serde(rename = "unknown_because")]
    why_unknown: Option<String>,
}

impl Cost {
    /// Of `number` machines, each with disks of these sizes, in GiB: all are as
    /// `volume` says.
    pub fn of(prices: &Prices, number: u32, volume: &Volume, sizes_gib: &[u32]) -> Self {
        let all = |one: f64| one * f64::from(number);
        let disk = |prices: &DiskPrices| {
            let sizes = sizes_gib.iter();
            all(sizes.map(|gib| prices.per_hour(volume, *gib)).sum())
        };
        let machines = prices.machine.as_ref().map(|usd| all(*usd));
        let disks = prices.disk.as_ref().map(disk);
        let (whole, why_unknown) = match (&machines, &disks) {
            (Ok(machines), Ok(disks)) => (Some(machines + disks), None),
            (Err(why), _) | (_, Err(why)) => (None, Some((*why).clone())),
        };
        Self {
            usd_per_hour: whole.map(rounded),
            usd_per_day: whole.map(|usd| rounded(usd * 24.0)),
            machines_usd_per_hour: machines.ok().map(rounded),
            disks_usd_per_hour: disks.ok().map(rounded),
            why_unknown,
        }
    }

    /// Refuses what costs more than `most` an hour, or may.
    ///
    /// # Errors
    /// Too dear; or nobody knows.
    pub fn refuse_above(&self, most: f64) -> Result<(), Failure> {
        match self.usd_per_hour {
            Some(usd) if usd <= most => Ok(()),
            Some(usd) => Err(Failure::failed(format!(
                "the group would cost {} USD an hour, more than the {most} of --max-cost-per-hour: nothing was launched",
                hourly(usd)
            ))
            .hint("fewer --num-machines, a smaller --vm-type, or --spot")),
            None => Err(Failure::failed(format!(
                "nothing was launched: the price is unknown, so --max-cost-per-hour {most} cannot be checked ({})",
                self.why_unknown.as_deref().unwrap_or("no price")
            ))
            .hint("try again later, or leave out --max-cost-per-hour")),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: Option<f64>| part.map_or("n/a".into(), hourly);
        let parts = format!(
            "machines {}, disks {}",
            part(self.machines_usd_per_hour),
            part(self.disks_usd_per_hour)
        );
        match (self.usd_per_hour, self.usd_per_day, &self.why_unknown) {
            (Some(hour), Some(day), _) => {
                write!(
                    f,
                    "about {} USD an hour, {day:.2} a day ({parts})",
                    hourly(hour)
                )
            }
            (_, _, why) => write!(f, "n/a ({}; {parts})", why.as_deref().unwrap_or("no price")),
        }
    }
}

/// An amount that is paid for an hour, in words.
pub fn hourly(usd: f64) -> String {
    format!("{usd:.4}")
}

/// To a millionth: floating point makes more digits than there are.
pub fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(kind: VolumeType, iops: Option<u32>, throughput_mibps: Option<u32>) -> Volume {
        Volume {
            size_gib: None,
            kind,
            iops,
            throughput_mibps,
        }
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn a_gp3_disk_costs_its_size_and_what_is_above_the_free_performance() {
        let prices = DiskPrices {
            gib: 0.08,
            iops: vec![0.005],
            mibps: 0.04,
        };
        let month = |iops, mibps| {
            prices.per_hour(&volume(VolumeType::Gp3, iops, mibps), 100) * HOURS_PER_MONTH
        };
        assert!(close(month(None, None), 8.0));
        assert!(close(month(Some(3_000), Some(125)), 8.0));
        assert!(close(month(Some(4_000), Some(225)), 8.0 + 5.0 + 4.0));
    }

    #[test]
    fn each_tier_of_io2_has_its_own_price() {
        let prices = DiskPrices {
            gib: 0.1,
            iops: vec![0.06, 0.04, 0.02],
            mibps: 0.0,
        };
        let month = |iops| {
            prices.per_hour(&volume(VolumeType::Io2, Some(iops), None), 10) * HOURS_PER_MONTH - 1.0
        };
        assert!(close(month(1_000), 60.0));
        assert!(close(month(33_000), 32_000.0 * 0.06 + 40.0));
        assert!(close(
            month(100_000),
            32_000.0 * 0.06 + 32_000.0 * 0.04 + 36_000.0 * 0.02
        ));
        let one = DiskPrices {
            iops: vec![0.06],
            ..prices.clone()
        };
        let io1 = volume(VolumeType::Io1, Some(50_000), None);
        assert!(close(one.per_hour(&io1, 0) * HOURS_PER_MONTH, 3_000.0));
    }

    #[test]
    fn a_part_that_is_unknown_makes_the_whole_unknown() {
        let prices = Prices {
            machine: Ok(0.5),
            disk: Err("no price list".into()),
        };
        let cost = Cost::of(&prices, 2, &volume(VolumeType::Gp3, None, None), &[50]);
        assert_eq!(
            cost.to_string(),
            "n/a (no price list; machines 1.0000, disks n/a)"
        );
        assert!(cost.refuse_above(1e9).is_err());
        let document = serde_json::to_value(&cost).expect("JSON");
        assert_eq!(document["usd_per_hour"], serde_json::Value::Null);
        assert_eq!(document["machines_usd_per_hour"], 1.0);
    }

    #[test]
    fn the_limit_is_for_all_machines_and_their_disks() {
        let prices = Prices {
            machine: Ok(0.5),
            disk: Ok(DiskPrices {
                gib: 7.3,
                ..DiskPrices::default()
            }),
        };
        let cost = Cost::of(&prices, 2, &volume(VolumeType::Gp3, None, None), &[10]);
        assert_eq!(
            cost.to_string(),
            "about 1.2000 USD an hour, 28.80 a day (machines 1.0000, disks 0.2000)"
        );
        assert!(cost.refuse_above(1.21).is_ok());
        assert!(cost.refuse_above(1.19).is_err());
    }

    #[test]
    fn every_disk_of_a_machine_is_paid_for() {
        let prices = Prices {
            machine: Ok(0.0),
            disk: Ok(DiskPrices {
                gib: 7.3,
                ..DiskPrices::default()
            }),
        };
        let cost = Cost::of(&prices, 2, &volume(VolumeType::Gp3, None, None), &[10, 20]);
        assert_eq!(
            cost.to_string(),
            "about 0.6000 USD an hour, 14.40 a day (machines 0.0000, disks 0.6000)"
        );
    }

    #[test]
    fn what_costs_as_much_as_the_limit_is_within_it() {
        let prices = Prices {
            machine: Ok(0.1),
            disk: Ok(DiskPrices::default()),
        };
        // In floating point three times 0.1 is a little more than 0.3.
        let cost = Cost::of(&prices, 3, &volume(VolumeType::Gp3, None, None), &[10]);
        assert!(cost.refuse_above(0.3).is_ok());
        assert!(cost.refuse_above(0.299_999).is_err());
    }
}
