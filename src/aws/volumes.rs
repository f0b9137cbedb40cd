//! The disks of machines that exist.

use std::collections::BTreeMap;

use aws_sdk_ec2::types;

use super::{Aws, errors::failure, filter};
use crate::{
    error::Result,
    model::machine::{LAUNCHER, TAG_LAUNCHER},
    plan::{disk_prices::PricedDisk, known::Known},
    values::VolumeType,
};

impl Aws {
    /// The disks of this program's machines, by the machines' ids. A disk of a type
    /// without a price is replaced by the reason why.
    pub async fn our_disks(&self) -> Result<BTreeMap<String, Vec<Known<PricedDisk>>>> {
        let mut found: BTreeMap<String, Vec<Known<PricedDisk>>> = BTreeMap::new();
        let mut pages = self
            .ec2
            .describe_volumes()
            .filters(filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| failure(&error, "cannot look up the disks", &self.region))?;
            for volume in page.volumes.unwrap_or_default() {
                let disk = priced(&volume);
                let attached = volume.attachments.unwrap_or_default().into_iter();
                for machine in attached.filter_map(|attachment| attachment.instance_id) {
                    found.entry(machine).or_default().push(disk.clone());
                }
            }
        }
        Ok(found)
    }
}

fn priced(volume: &types::Volume) -> Known<PricedDisk> {
    let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    let kind = volume.volume_type.as_ref().map_or("", |kind| kind.as_str());
    let unknown = || format!("the price of a {kind} disk is not looked up");
    Ok(PricedDisk {
        kind: VolumeType::named(kind).ok_or_else(unknown)?,
        size_gib: number(volume.size).ok_or_else(unknown)?,
        iops: number(volume.iops),
        throughput_mibps: number(volume.throughput),
    })
}
