//! What is said before a launch that goes on anyway.

use super::facts::Facts;
use crate::model::{image::Image, machine::remedy, request::Request};

/// All warnings, with those about the network.
pub fn warnings(
    request: &Request,
    facts: &Facts,
    image: &Image,
    of_network: Vec<String>,
) -> Vec<String> {
    let of_credits = credits_warning(request, facts);
    let ended = facts.machines.iter().filter_map(|machine| {
        let reason = machine.ended_by_ec2()?;
        let id = &machine.instance_id;
        let remedy = remedy(reason);
        Some(format!(
            "EC2 has ended {id} of this group ({reason}): {remedy}"
        ))
    });
    let all = image_warning(image)
        .into_iter()
        .chain(of_credits)
        .chain(rate_warning(request));
    all.chain(ended).chain(of_network).collect()
}

/// The MiB/s at which the disks of a region can be filled at the same time
/// ("Initialize Amazon EBS volumes", EBS user guide, Quotas).
const RATES_AT_ONCE_MIBPS: u32 = 5_000;

/// EC2 refuses a launch whose disks would be filled faster than the quota allows. An
/// account may have a higher quota.
fn rate_warning(request: &Request) -> Option<String> {
    let rate = request.initialization_rate_mibps?;
    let all = rate.saturating_mul(request.num_machines);
    (all > RATES_AT_ONCE_MIBPS).then(|| {
        format!(
            "--initialization-rate {rate} of {} machines comes to {all} MiB/s at once: EC2 refuses launches above the account's quota, which is {RATES_AT_ONCE_MIBPS} MiB/s in each region unless it was raised",
            request.num_machines
        )
    })
}

/// What to say of an image before it is launched.
fn image_warning(image: &Image) -> Option<String> {
    let system = image.other_linux()?;
    Some(format!(
        "the image {} is {system}: the script is made for Ubuntu and Debian; a machine on which it cannot install its packages ends itself, and AWS charges for the system, too",
        image.id
    ))
}

/// What to say of `--standard-credits`.
fn credits_warning(request: &Request, facts: &Facts) -> Option<String> {
    if !request.standard_credits {
        return None;
    }
    let burstable = facts.vm_types().filter(|facts| facts.is_burstable);
    let names: Vec<&str> = burstable.map(|facts| facts.name.as_str()).collect();
    Some(if names.is_empty() {
        format!(
            "--standard-credits does nothing for {}",
            request.vm_types_text()
        )
    } else {
        format!(
            "standard credits: {} may not use more of its processors than its baseline and its credits, of which T3 and T3a begin with none, so that a boot takes ten minutes or more",
            names.join(", ")
        )
    })
}
