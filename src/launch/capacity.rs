//! Where else there may be capacity, and what is said when there is none.

use super::{calls::Calls, run::TRIED_WITHIN, world::World};
use crate::{
    error::{Failure, Kind, Tried},
    plan::tokens::Call,
    values::VmType,
};

impl<W: World> Calls<'_, W> {
    /// The zones to try a type in: those that offer it and whose default subnet has
    /// addresses for the `missing` machines of a call. Where nobody knows which zones
    /// offer it, all of them are tried, and EC2's answer tells.
    pub(super) async fn zones(&self, vm_type: &VmType, call: Call, missing: u32) -> Vec<String> {
        let subnets = &self.plan.subnets;
        if subnets.len() < 2 && !self.plan.leaves_out {
            return Vec::new();
        }
        let world = self.run.world;
        let offerings = &self.run.offerings;
        let offerings = offerings
            .get_or_init(|| self.run.awake(TRIED_WITHIN, world.offerings()))
            .await;
        let offers = |zone: &str| {
            let offer =
                |(name, place): &(String, String)| name == vm_type.as_str() && place == zone;
            offerings.as_ref().is_none_or(|all| all.iter().any(offer))
        };
        let least = self.plan.tag.least_of(call, missing);
        let mut zones: Vec<String> = subnets
            .iter()
            .filter(|subnet| subnet.free_addresses >= least && offers(&subnet.zone))
            .map(|subnet| subnet.zone.clone())
            .collect();
        zones.sort();
        zones
    }

    /// Says that there was no capacity, and remembers it.
    pub(super) fn tried(&self, tried: Tried) {
        let place = tried
            .availability_zone
            .as_ref()
            .or(tried.subnet_id.as_ref());
        self.run.out.say(&format!(
            "no {} {} in {}: {}",
            tried.market,
            tried.vm_type,
            place.map_or("any zone", String::as_str),
            tried.code
        ));
        self.tried.borrow_mut().push(tried);
    }

    /// The failure when there is no capacity for all the machines that are needed, and
    /// where it was looked for.
    pub(super) fn no_capacity(&self) -> Failure {
        let tried = self.tried.borrow().clone();
        let last = self.last_refusal.borrow().clone();
        let last = last.unwrap_or_else(|| Failure::new(Kind::Capacity, "no capacity"));
        let request = self.run.request;
        let message = if last.kind == Kind::Capacity && tried.len() > 1 {
            format!(
                "cannot launch {}: there was no capacity in any place that was tried",
                request.vm_types_text()
            )
        } else {
            last.message
        };
        Failure {
            message,
            tried,
            ..last
        }
    }
}
