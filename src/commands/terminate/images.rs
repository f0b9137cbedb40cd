//! Prepared images, which `terminate --all` keeps, and the machines that make them.

use std::collections::BTreeSet;

use crate::{
    aws::{Aws, pricing::Worth},
    image::{
        cost::{gib, monthly, usd_per_month},
        leftovers::{builder_notice, is_left_over},
    },
    model::machine::{Machine, State},
    terminal::{command_line::command, output::Output},
};

/// Whether a machine may belong to an image build that is at work. It is stopped, so no
/// deadline ends it, but not yet for long enough to be left over.
pub fn may_be_at_work(machine: &Machine, left_over: &BTreeSet<String>) -> bool {
    machine.is_builder()
        && matches!(machine.state, State::Stopping | State::Stopped)
        && !left_over.contains(&machine.instance_id)
}

/// The ids of stopped machines of image builds that are certainly left over.
pub async fn left_over_builders(aws: &Aws, machines: &[Machine]) -> BTreeSet<String> {
    let stopped = |m: &&Machine| m.is_builder() && m.state == State::Stopped;
    let regions: BTreeSet<&str> = machines
        .iter()
        .filter(stopped)
        .map(|m| m.region.as_str())
        .collect();
    let mut left_over = BTreeSet::new();
    for region in regions {
        // Without an answer, an image may be pending.
        let Ok(images) = aws.in_region(region).prepared_images().await else {
            continue;
        };
        let now = aws.clock.now();
        let old = machines
            .iter()
            .filter(|m| m.region == region && is_left_over(m, &images, now));
        left_over.extend(old.map(|m| m.instance_id.clone()));
    }
    left_over
}

/// Names the machines of image builds that stay.
pub fn say_builders(machines: &[Machine], left_over: &BTreeSet<String>, out: Output) {
    for machine in machines.iter().filter(|m| may_be_at_work(m, left_over)) {
        out.say(&builder_notice(machine));
    }
}

/// Names the prepared images that stay, and what they cost. Nothing depends on it, and
/// whoever may not look sees no line.
pub async fn say_kept(aws: &Aws, regions: &[String], out: Output) {
    for region in regions {
        let aws = aws.in_region(region);
        let images = aws.prepared_images().await.unwrap_or_default();
        if images.is_empty() {
            continue;
        }
        let (snapshots, price) =
            tokio::join!(aws.prepared_snapshots(), aws.snapshot_price(Worth::A_LOOK));
        let snapshots = snapshots.unwrap_or_default();
        let told = images.iter().map(|image| {
            let usd = usd_per_month(gib(image, &snapshots), &price);
            format!("{} ({region}), at most {}", image.id, monthly(usd))
        });
        let told: Vec<String> = told.collect();
        out.say(&format!(
            "kept for the next start: prepared image {}; {} removes it",
            told.join(", "),
            command("image remove --all")
        ));
    }
}
