//! Prices as they were looked up, and what a machine of a request comes to by them:
//! a pure function, which knows no price that nobody has told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    choices,
    disk_prices::{DiskPrices, PricedDisk},
    facts::Facts,
    known::Known,
};
use crate::{
    model::{
        image::Image, network::Subnet, request::Request, system::System, vm_type::VmTypeFacts,
    },
    values::{Market, VmType},
};

/// A vCPU's hour of surplus credits, USD, on Linux: the same in all regions
/// (EC2 on-demand pricing, "T2/T3/T4g Unlimited Mode Pricing").
const SURPLUS_VCPU_HOUR: f64 = 0.05;

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
            address: Err(why.to_owned()),
        }
    }
}

/// What a machine costs an hour, USD: of those that may be launched the dearest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MachinePrice {
    /// As of now.
    pub now: f64,
    /// The most that it can be: a spot price may rise to the highest price that is
    /// paid, and a burstable machine may use more than its baseline all the time.
    pub most: f64,
    /// What of that is surplus CPU credits.
    pub surplus: f64,
}

/// What one machine of a request costs an hour, by its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    pub machine: Known<MachinePrice>,
    /// All its disks.
    pub disks: Known<f64>,
    /// Its public address, if it gets one.
    pub address: Known<f64>,
}

impl Parts {
    pub fn of(request: &Request, facts: &Facts, prices: &Prices) -> Self {
        Self {
            machine: machine(request, facts, prices),
            disks: disks(request, facts, prices),
            address: address(request, facts, prices),
        }
    }

    /// The most that a machine can cost an hour, USD.
    pub fn most(&self) -> Known<f64> {
        Ok(self.machine.clone()?.most + self.disks.clone()? + self.address.clone()?)
    }
}

/// What the machines' prices have to be for; the reason why there are none.
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

/// Refuses places with prices of their own.
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

/// Whether the zone is an Availability Zone of the region and not a Local Zone or the
/// like: `eu-west-2a`, not `us-west-2-lax-1a`.
pub fn is_of_region(zone: &str, region: &str) -> bool {
    let letter = zone.strip_prefix(region).unwrap_or_default();
    letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase())
}

/// Where machines may be launched.
fn subnets(request: &Request, facts: &Facts) -> Vec<Subnet> {
    choices::network(request, facts).map_or_else(|_| facts.subnets.clone(), |n| n.subnets)
}

/// The dearest of the request's types and markets.
fn machine(request: &Request, facts: &Facts, prices: &Prices) -> Known<MachinePrice> {
    place(request, facts)?;
    let system = system(request, facts)?;
    if system != prices.system {
        return Err("the price of the image's system is not known".into());
    }
    let mut dearest = MachinePrice::default();
    for vm_type in facts.vm_types() {
        let surplus = surplus(request, vm_type)?;
        for market in request.markets() {
            let (now, most) = match market {
                Market::OnDemand => {
                    let usd = on_demand(&vm_type.name, facts, prices)?;
                    (usd, usd)
                }
                Market::Spot => spot(request, &vm_type.name, facts, prices)?,
            };
            dearest = MachinePrice {
                now: dearest.now.max(now),
                most: dearest.most.max(most + surplus),
                surplus: dearest.surplus.max(surplus),
            };
        }
    }
    Ok(dearest)
}

fn on_demand(vm_type: &VmType, facts: &Facts, prices: &Prices) -> Known<f64> {
    let known = prices.on_demand.as_ref().map_err(Clone::clone)?;
    let usd = known.get(vm_type.as_str()).copied();
    usd.ok_or_else(|| format!("the Price List has no {vm_type} in {}", facts.region))
}

/// What a spot machine costs now in the dearest zone, and at most. Without a highest
/// price EC2 takes the price on demand for it.
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
        // A list price that is below the spot price is no bound of it.
        None => on_demand(vm_type, facts, prices)?.max(now),
    };
    Ok((now.min(most), most))
}

/// Whether a machine of the type may be launched there: if nobody knows, it may.
fn is_offered(prices: &Prices, vm_type: &str, zone: &str) -> bool {
    match &prices.offerings {
        Ok(pairs) => pairs
            .iter()
            .any(|(name, there)| name == vm_type && there == zone),
        Err(_) => true,
    }
}

/// What a machine may use above its baseline, an hour. T2 machines use no surplus
/// credits unless the account's default was changed.
fn surplus(request: &Request, vm_type: &VmTypeFacts) -> Known<f64> {
    if request.standard_credits || !vm_type.is_burstable {
        return Ok(0.0);
    }
    let (family, size) = vm_type.name.as_str().split_once('.').unwrap_or_default();
    match family {
        "t2" => Ok(0.0),
        "t3" | "t3a" => Ok(f64::from(vm_type.vcpus) * (1.0 - baseline(size)) * SURPLUS_VCPU_HOUR),
        _ => Err(format!(
            "the price of the surplus CPU credits of {} is not known",
            vm_type.name
        )),
    }
}

/// What a vCPU of T3 and T3a does without surplus credits ("Key concepts for
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

fn disks(request: &Request, facts: &Facts, prices: &Prices) -> Known<f64> {
    let sizes = choices::disks_gib(request, facts).map_err(|failure| failure.message)?;
    let volume = &request.volume;
    let known = prices.disk.as_ref().map_err(Clone::clone)?;
    let usd = sizes.into_iter().map(|size_gib| {
        known.per_hour(&PricedDisk {
            kind: volume.kind,
            size_gib,
            iops: volume.iops,
            throughput_mibps: volume.throughput_mibps,
        })
    });
    // An empty sum of floats is -0.
    usd.sum::<Known<f64>>().map(|usd| usd + 0.0)
}

/// Nothing where no machine gets one.
fn address(request: &Request, facts: &Facts, prices: &Prices) -> Known<f64> {
    if subnets(request, facts)
        .iter()
        .any(|subnet| subnet.gives_public_addresses)
    {
        prices.address.clone()
    } else {
        Ok(0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        model::image::Image,
        plan::examples::{facts, request},
        values::VolumeType,
    };

    fn prices() -> Prices {
        let spot = |vm_type: &str, zone: &str, usd| SpotPriceNow {
            vm_type: vm_type.into(),
            zone: format!("eu-west-2{zone}"),
            usd,
        };
        let offered = |vm_type: &str, zone: &str| (vm_type.into(), format!("eu-west-2{zone}"));
        Prices {
            system: System::Linux,
            on_demand: Ok([("t2.micro".into(), 0.02), ("t3.micro".into(), 0.01)].into()),
            spot: Ok(vec![
                spot("t2.micro", "a", 0.005),
                spot("t2.micro", "b", 0.006),
                spot("t3.micro", "a", 0.004),
            ]),
            offerings: Ok(vec![
                offered("t2.micro", "a"),
                offered("t2.micro", "b"),
                offered("t3.micro", "a"),
            ]),
            disk: Ok(DiskPrices {
                gib: 7.3,
                ..DiskPrices::default()
            }),
            address: Ok(0.005),
        }
    }

    fn usual() -> (Request, Facts, Prices) {
        let mut facts = facts(Vec::new(), SystemTime::UNIX_EPOCH);
        let mut second = facts.subnets[0].clone();
        second.zone = "eu-west-2b".into();
        facts.subnets.push(second);
        (request(1), facts, prices())
    }

    /// Of a request that is changed so, where there is what is changed so.
    fn parts(change: impl FnOnce(&mut Request, &mut Facts, &mut Prices)) -> Parts {
        let (mut request, mut facts, mut prices) = usual();
        change(&mut request, &mut facts, &mut prices);
        Parts::of(&request, &facts, &prices)
    }

    fn machine(change: impl FnOnce(&mut Request, &mut Facts, &mut Prices)) -> Known<(f64, f64)> {
        parts(change).machine.map(|price| (price.now, price.most))
    }

    fn add_t3_micro(request: &mut Request, facts: &mut Facts) {
        let name: VmType = "t3.micro".parse().expect("a type");
        request.other_types.push(name.clone());
        facts.other_types.push(VmTypeFacts {
            name,
            vcpus: 2,
            ..facts.vm_type.clone()
        });
    }

    #[test]
    fn all_parts_count() {
        let parts = parts(|_, _, _| {});
        assert_eq!(parts.machine.as_ref().map(|m| m.most), Ok(0.02));
        assert_eq!(parts.disks, Ok(0.5));
        assert_eq!(parts.address, Ok(0.005));
        assert_eq!(parts.most(), Ok(0.02 + 0.5 + 0.005));
    }

    #[test]
    fn an_address_costs_only_where_machines_get_one() {
        let private = parts(|request, facts, prices| {
            request.allow_no_internet = true;
            for subnet in &mut facts.subnets {
                subnet.gives_public_addresses = false;
            }
            prices.address = Err("no price".into());
        });
        assert_eq!(private.address, Ok(0.0));
        let public = parts(|_, _, prices| prices.address = Err("no price".into()));
        assert_eq!(public.address, Err("no price".into()));
        assert!(public.most().is_err());
    }

    #[test]
    fn surplus_credits_count_in_what_it_can_be_at_most() {
        let both = machine(|request, facts, _| add_t3_micro(request, facts));
        // Two vCPUs above a tenth each, at 0.05.
        let (now, most) = both.expect("a price");
        assert_eq!((now, (most * 1e6).round() / 1e6), (0.02, 0.1));
        let standard = machine(|request, facts, _| {
            add_t3_micro(request, facts);
            request.standard_credits = true;
        });
        assert_eq!(standard, Ok((0.02, 0.02)));
        let unknown_family = machine(|request, facts, prices| {
            add_t3_micro(request, facts);
            facts.other_types[0].name = "t9.micro".parse().expect("a type");
            prices.on_demand = Ok([("t2.micro".into(), 0.02), ("t9.micro".into(), 0.01)].into());
        });
        assert!(unknown_family.is_err(), "{unknown_family:?}");
    }

    #[test]
    fn a_spot_machine_may_cost_as_much_as_its_highest_price() {
        let spot = |max_price: Option<&str>| {
            machine(|request, _, _| {
                request.market = Market::Spot;
                request.max_price = max_price.map(str::to_owned);
            })
        };
        assert_eq!(spot(None), Ok((0.006, 0.02)));
        assert_eq!(spot(Some("0.01")), Ok((0.006, 0.01)));
        assert_eq!(spot(Some("0.0055")), Ok((0.0055, 0.0055)));
        let without_list_price = machine(|request, _, prices| {
            request.market = Market::Spot;
            prices.on_demand = Err("no answer".into());
        });
        assert_eq!(without_list_price, Err("no answer".into()));
    }

    #[test]
    fn no_type_and_no_zone_is_left_out_for_want_of_a_price() {
        let spot = |change: fn(&mut Facts, &mut Prices)| {
            machine(|request, facts, prices| {
                add_t3_micro(request, facts);
                request.market = Market::Spot;
                request.standard_credits = true;
                change(facts, prices);
            })
        };
        // Zone b does not have the other type.
        assert_eq!(spot(|_, _| {}), Ok((0.006, 0.02)));
        let nobody_knows = spot(|_, prices| prices.offerings = Err("denied".into()));
        assert_eq!(
            nobody_knows,
            Err("EC2 has no spot price of t3.micro in eu-west-2b".into())
        );
        let no_type = spot(|_, prices| {
            prices.spot.as_mut().expect("prices").pop();
        });
        assert_eq!(no_type, Err("EC2 has no spot price of t3.micro".into()));
        let no_zone = spot(|_, prices| {
            prices.spot.as_mut().expect("prices").remove(0);
        });
        assert_eq!(
            no_zone,
            Err("EC2 has no spot price of t2.micro in eu-west-2a".into())
        );
        let on_demand = machine(|request, facts, prices| {
            add_t3_micro(request, facts);
            prices.on_demand = Ok([("t2.micro".into(), 0.02)].into());
        });
        assert_eq!(
            on_demand,
            Err("the Price List has no t3.micro in eu-west-2".into())
        );
    }

    #[test]
    fn a_place_or_an_image_with_prices_of_its_own_is_not_priced_as_the_region() {
        let image = |facts: &mut Facts, change: fn(&mut Image)| change(&mut facts.images[0]);
        let local_zone = machine(|_, facts, _| {
            facts.subnets[1].zone = "eu-west-2-lax-1a".into();
        });
        let dedicated = machine(|_, facts, _| facts.dedicated_vpcs = Ok(vec!["vpc-1".into()]));
        let unknown_tenancy = machine(|_, facts, _| facts.dedicated_vpcs = Err("denied".into()));
        let marketplace = machine(|_, facts, _| image(facts, |i| i.is_of_marketplace = true));
        let licence = machine(|_, facts, _| {
            image(facts, |i| {
                i.platform_details = "Linux with SQL Server Standard".into();
            });
        });
        let red_hat = |system| {
            machine(|_, facts, prices| {
                image(facts, |i| {
                    i.platform_details = "Red Hat Enterprise Linux".into();
                });
                prices.system = system;
            })
        };
        for unknown in [
            local_zone,
            dedicated,
            unknown_tenancy,
            marketplace,
            licence,
            red_hat(System::Linux),
        ] {
            assert!(unknown.is_err(), "{unknown:?}");
        }
        assert_eq!(red_hat(System::RedHat), Ok((0.02, 0.02)));
    }

    #[test]
    fn every_disk_of_a_machine_is_paid_for() {
        let two = parts(|_, facts, _| {
            facts.images[0].other_disks = vec![crate::model::image::ImageDisk {
                device: "/dev/sdb".into(),
                size_gib: 20,
            }];
        });
        assert_eq!(two.disks.map(|usd| (usd * 1e6).round() / 1e6), Ok(0.7));
        let without_iops = parts(|request, _, _| {
            request.volume.kind = VolumeType::Io2;
            request.volume.iops = Some(64_000);
            request.volume.size_gib = Some(100);
        });
        assert!(without_iops.disks.is_err());
        assert!(without_iops.most().is_err());
    }
}
