//! What images cost: their snapshots are paid for by the GiB and month.

use crate::{
    model::{image::Image, prepared_image::Snapshot},
    plan::{cost::rounded, known::Known},
};

/// The GiB of an image's snapshots that are paid for, at most; none where EC2 does not
/// show the snapshots.
pub fn gib(image: &Image, snapshots: &[Snapshot]) -> Option<f64> {
    let of_image = snapshots
        .iter()
        .filter(|snapshot| image.snapshot_ids.contains(&snapshot.id));
    let gib: Vec<f64> = of_image.map(Snapshot::gib).collect();
    (!gib.is_empty()).then(|| gib.iter().sum())
}

/// USD a month.
pub fn usd_per_month(gib: Option<f64>, price: &Known<f64>) -> Option<f64> {
    Some(rounded(gib? * price.as_ref().ok()?))
}

/// `2.50 USD a month`, or that it is not known.
pub fn monthly(usd: Option<f64>) -> String {
    usd.map_or_else(
        || "a price per month that is not known".into(),
        |usd| format!("{usd:.2} USD a month"),
    )
}
