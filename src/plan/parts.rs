//! What a machine of a request costs part by part, by the prices that were looked up. It
//! is a pure function, and assumes no price that was not looked up.

use super::{
    choices,
    disk_prices::PricedDisk,
    facts::Facts,
    known::Known,
    machine_price::{MachinePrice, machine, subnets},
    prices::Prices,
};
use crate::model::request::Request;

/// The parts of one machine's cost: USD an hour, except what is paid once.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    pub machine: Known<MachinePrice>,
    pub disks: Known<f64>,
    /// Its public address, if it gets one.
    pub address: Known<f64>,
    /// Filling its root disk at `--initialization-rate`, once and at most.
    pub initialization: Known<f64>,
}

impl Parts {
    pub fn of(request: &Request, facts: &Facts, prices: &Prices) -> Self {
        Self {
            machine: machine(request, facts, prices),
            disks: disks(request, facts, prices),
            address: address(request, facts, prices),
            initialization: initialization(request, facts, prices),
        }
    }

    /// Puts what budgets go by into the facts.
    pub fn tell(&self, facts: &mut Facts) {
        facts.most_usd_per_hour = self.most();
        facts.usd_once.clone_from(&self.initialization);
    }

    /// The most that a machine can cost an hour, USD, beside what is paid once.
    pub fn most(&self) -> Known<f64> {
        Ok(self.machine.clone()?.most + self.disks.clone()? + self.address.clone()?)
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
    // The sum of no floats is -0.
    usd.sum::<Known<f64>>().map(|usd| usd + 0.0)
}

/// What filling the root disk costs at most. EBS charges for the data in the image's
/// snapshot, which EC2 does not tell for other people's images; it is never more than the
/// size of the disk. A disk that is deleted before it is filled costs as much.
fn initialization(request: &Request, facts: &Facts, prices: &Prices) -> Known<f64> {
    let Some(rate_mibps) = request.initialization_rate_mibps else {
        return Ok(0.0);
    };
    let choice = choices::image(request, facts).map_err(|failure| failure.message)?;
    let usd = prices.initialization.clone()?;
    Ok(usd * f64::from(choice.image.snapshot_gib) * f64::from(rate_mibps))
}

/// What the public address costs; zero where no machine gets one.
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
        model::{image::Image, system::System, vm_type::VmTypeFacts},
        plan::{
            disk_prices::DiskPrices,
            examples::{facts, request},
            prices::SpotPriceNow,
        },
        values::{Market, VmType, VolumeType},
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
            initialization: Err("it was not asked for".into()),
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

    /// The parts of the example request, after `change`.
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
        // Two vCPUs, busy above a tenth each, at 0.05 USD.
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
    fn the_dearest_type_is_named_where_types_cost_differently() {
        let dearest = |change: fn(&mut Request, &mut Facts, &mut Prices)| {
            let machine = parts(change).machine.expect("a price");
            machine.dearest_type.map(|vm_type| vm_type.to_string())
        };
        assert_eq!(dearest(|_, _, _| {}), None);
        let two = dearest(|request, facts, _| add_t3_micro(request, facts));
        assert_eq!(two.as_deref(), Some("t2.micro"));
        let later = dearest(|request, facts, prices| {
            add_t3_micro(request, facts);
            prices.on_demand = Ok([("t2.micro".into(), 0.02), ("t3.micro".into(), 0.03)].into());
        });
        assert_eq!(later.as_deref(), Some("t3.micro"));
        let the_same = dearest(|request, facts, prices| {
            add_t3_micro(request, facts);
            prices.on_demand = Ok([("t2.micro".into(), 0.02), ("t3.micro".into(), 0.02)].into());
        });
        assert_eq!(the_same, None);
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
    fn filling_the_root_disk_at_a_rate_is_paid_once_by_the_images_size() {
        let without = parts(|_, _, _| {});
        assert_eq!(without.initialization, Ok(0.0));
        let large = |request: &mut Request| request.volume.size_gib = Some(100);
        let known = parts(|request, facts, prices| {
            large(request);
            request.initialization_rate_mibps = Some(200);
            facts.images[0].snapshot_gib = 10;
            prices.initialization = Ok(0.000_012);
        });
        let usd = known.initialization.clone().map(|usd| (usd * 1e6).round());
        assert_eq!(usd, Ok(24_000.0));
        assert_eq!(known.most(), parts(|request, _, _| large(request)).most());
        let unknown = parts(|request, _, _| request.initialization_rate_mibps = Some(200));
        assert_eq!(unknown.initialization, Err("it was not asked for".into()));
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
