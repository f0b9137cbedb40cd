//! All prices that a request depends on, of the Price List and of the spot market.

use super::{
    Aws,
    pricing::{Worth, in_time},
};
use crate::{
    model::{request::Request, system::System},
    plan::prices::Prices,
    values::{Market, VmType},
};

impl Aws {
    /// The prices of everything that a request may launch, for machines with `system`.
    /// They are asked for side by side.
    pub async fn prices(&self, request: &Request, system: System) -> Prices {
        let vm_types: Vec<&str> = request.vm_types().map(VmType::as_str).collect();
        let is_spot = request.markets().contains(&Market::Spot);
        // Prices that nothing depends on may be older.
        let worth = if request.needs_prices() {
            Worth::A_LIMIT
        } else {
            Worth::A_LOOK
        };
        let not_asked = || "they were not asked for".to_owned();
        // If the user gives no highest price, a spot machine's is the on-demand price.
        let needs_on_demand =
            request.markets().contains(&Market::OnDemand) || request.max_price.is_none();
        let on_demand = async {
            if needs_on_demand {
                self.on_demand_prices(&vm_types, system, worth).await
            } else {
                Err(not_asked())
            }
        };
        let spot = async {
            if is_spot {
                let zone = request.availability_zone.as_deref();
                self.spot_prices(&vm_types, zone, system, worth).await
            } else {
                Err(not_asked())
            }
        };
        let offerings = async {
            if is_spot {
                let asking = self.offerings(&vm_types);
                in_time(
                    &self.time,
                    worth,
                    asking,
                    "ec2:DescribeInstanceTypeOfferings",
                    "EC2",
                )
                .await
            } else {
                Err(not_asked())
            }
        };
        let kind = request.volume.kind;
        let disk = async {
            let mut prices = self.disk_prices(&[kind], worth).await?;
            let none = || format!("the Price List has no {kind} disk in {}", self.region);
            prices.remove(kind.as_str()).ok_or_else(none)
        };
        let initialization = async {
            match request.initialization_rate_mibps {
                Some(_) => self.initialization_price(worth).await,
                None => Err(not_asked()),
            }
        };
        let (on_demand, spot, offerings, disk, initialization, address) = tokio::join!(
            on_demand,
            spot,
            offerings,
            disk,
            initialization,
            self.address_price(worth)
        );
        Prices {
            system,
            on_demand,
            spot,
            offerings,
            disk,
            initialization,
            address,
        }
    }
}
