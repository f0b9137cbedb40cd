//! What a machine of a request costs by the prices that were looked up. Of its types,
//! markets and places the dearest counts.

use std::collections::BTreeSet;

use super::{choices, facts::Facts, known::Known, prices::Prices};
use crate::{
    model::{
        image::Image, network::Subnet, request::Request, system::System, vm_type::VmTypeFacts,
    },
    values::{Market, VmType},
};

/// USD for a vCPU's hour of surplus credits on Linux, which is the same in all regions
/// (EC2 on-demand pricing, "T2/T3/T4g Unlimited Mode Pricing").
const SURPLUS_VCPU_HOUR: f64 = 0.05;

/// What a machine costs an hour, USD: the dearest of those that may be launched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachinePrice {
    /// As of now.
    pub now: f64,
    /// The most that it can become: a spot price may rise to the highest price that is
    /// paid, and a burstable machine may use more than its baseline all the time.
    pub most: f64,
    /// The part of that which is surplus CPU credits.
    pub surplus: f64,
    /// The type that `now` is the price of; none where all types cost the same now.
    pub dearest_type: Option<VmType>,
}

/// The operating system that the prices have to be for, or why there are none.
pub fn system(request: &Request, facts: &Facts) -> Known<System> {
    let choice = choices::image(request, facts).map_err(|failure| failure.message)?;
    let image = choice.image;
    if image.is_of_marketplace {
        return Err(format!(
            "the image {} is of AWS Marketplace, which may charge for it",
            image.id
        ));
    }
    of_image(&image)
}

fn of_image(image: &Image) -> Known<System> {
    System::of(&image.platform_details).ok_or_else(|| {
        format!(
            "the price of machines with {} is not looked up",
            image.platform_details
        )
    })
}

/// Refuses places that have prices of their own.
fn place(request: &Request, facts: &Facts) -> Known<()> {
    for subnet in subnets(request, facts) {
        if !is_of_region(&subnet.zone, &facts.region) {
            return Err(format!(
                "{} has prices of its own, which are not looked up",
                subnet.zone
            ));
        }
        let dedicated = facts
            .dedicated_vpcs
            .as_ref()
            .map_err(|why| format!("the tenancy of {} is not known: {why}", subnet.vpc_id))?;
        if dedicated.contains(&subnet.vpc_id) {
            return Err(format!(
                "machines of {} are on hardware of their own (its tenancy is dedicated), and their price is not looked up",
                subnet.vpc_id
            ));
        }
    }
    Ok(())
}

/// Whether a zone is an Availability Zone of the region, such as `eu-west-2a`, and not a
/// Local Zone or the like, such as `us-west-2-lax-1a`.
pub fn is_of_region(zone: &str, region: &str) -> bool {
    let letter = zone.strip_prefix(region).unwrap_or_default();
    letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase())
}

/// The subnets in which machines may be launched.
pub(super) fn subnets(request: &Request, facts: &Facts) -> Vec<Subnet> {
    choices::network(request, facts).map_or_else(|_| facts.subnets.clone(), |n| n.subnets)
}

/// The price of the request's dearest type and market.
pub(super) fn machine(request: &Request, facts: &Facts, prices: &Prices) -> Known<MachinePrice> {
    place(request, facts)?;
    let system = system(request, facts)?;
    if system != prices.system {
        return Err("the price of the image's system is not known".into());
    }
    let mut dearest = MachinePrice::default();
    let mut of_types: Vec<(f64, &VmType)> = Vec::new();
    for vm_type in facts.vm_types() {
        let surplus = surplus(request, vm_type)?;
        let mut its = 0.0_f64;
        for market in request.markets() {
            let (now, most) = match market {
                Market::OnDemand => {
                    let usd = on_demand(&vm_type.name, facts, prices)?;
                    (usd, usd)
                }
                Market::Spot => spot(request, &vm_type.name, facts, prices)?,
            };
            its = its.max(now);
            dearest.most = dearest.most.max(most + surplus);
        }
        dearest.surplus = dearest.surplus.max(surplus);
        of_types.push((its, &vm_type.name));
    }
    // Of types that cost the same the first counts, which is tried first.
    for (usd, vm_type) in &of_types {
        if *usd > dearest.now {
            dearest.now = *usd;
            dearest.dearest_type = Some((*vm_type).clone());
        }
    }
    if of_types.iter().all(|(usd, _)| *usd >= dearest.now) {
        dearest.dearest_type = None;
    }
    Ok(dearest)
}

fn on_demand(vm_type: &VmType, facts: &Facts, prices: &Prices) -> Known<f64> {
    let known = prices.on_demand.as_ref().map_err(Clone::clone)?;
    let usd = known.get(vm_type.as_str()).copied();
    usd.ok_or_else(|| format!("the Price List has no {vm_type} in {}", facts.region))
}

/// What a spot machine costs now in the dearest zone, and at most. If no highest price is
/// given, EC2 takes the on-demand price for it.
fn spot(request: &Request, vm_type: &VmType, facts: &Facts, prices: &Prices) -> Known<(f64, f64)> {
    let told = prices.spot.as_ref().map_err(Clone::clone)?;
    let name = vm_type.as_str();
    let subnets = subnets(request, facts);
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let in_zone = |zone: &str| {
        let mut told = told.iter();
        let price = told.find(|price| price.vm_type == name && price.zone == zone);
        price.map(|price| price.usd)
    };
    let mut now: Option<f64> = None;
    let mut missing = None;
    for zone in zones {
        match in_zone(zone) {
            Some(usd) => now = Some(now.map_or(usd, |dearest| dearest.max(usd))),
            None if is_offered(prices, name, zone) => missing = Some(zone),
            None => {}
        }
    }
    let now = now.ok_or_else(|| format!("EC2 has no spot price of {name}"))?;
    if let Some(zone) = missing {
        return Err(format!("EC2 has no spot price of {name} in {zone}"));
    }
    let highest = request.max_price.as_deref().and_then(|m| m.parse().ok());
    let most = match highest {
        Some(highest) => highest,
        // A list price below the spot price is no bound.
        None => on_demand(vm_type, facts, prices)?.max(now),
    };
    Ok((now.min(most), most))
}

/// Whether machines of the type may be launched in the zone. If nobody knows, they may.
fn is_offered(prices: &Prices, vm_type: &str, zone: &str) -> bool {
    match &prices.offerings {
        Ok(pairs) => pairs
            .iter()
            .any(|(name, there)| name == vm_type && there == zone),
        Err(_) => true,
    }
}

/// What a machine may use above its baseline, USD an hour.
fn surplus(request: &Request, vm_type: &VmTypeFacts) -> Known<f64> {
    if request.standard_credits || !vm_type.is_burstable {
        return Ok(0.0);
    }
    surplus_of(vm_type.name.as_str(), vm_type.vcpus)
}

/// What a burstable machine may use above its baseline, USD an hour. T2 machines use no
/// surplus credits unless the account's default was changed.
pub fn surplus_of(vm_type: &str, vcpus: u32) -> Known<f64> {
    let (family, size) = vm_type.split_once('.').unwrap_or_default();
    match family {
        "t2" => Ok(0.0),
        "t3" | "t3a" => Ok(f64::from(vcpus) * (1.0 - baseline(size)) * SURPLUS_VCPU_HOUR),
        _ => Err(format!(
            "the price of the surplus CPU credits of {vm_type} is not known"
        )),
    }
}

/// The share of a vCPU that T3 and T3a have without surplus credits ("Key concepts for
/// burstable performance instances", EC2 user guide).
fn baseline(size: &str) -> f64 {
    match size {
        "nano" => 0.05,
        "micro" => 0.1,
        "small" | "medium" => 0.2,
        "large" => 0.3,
        "xlarge" | "2xlarge" => 0.4,
        _ => 0.0,
    }
}
