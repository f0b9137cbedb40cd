//! What the account allows: its network, and its plan with AWS.

use super::report::Check;
use crate::{
    commands::start,
    error::{Failure, Kind},
    model::{network::Subnet, place::Place, request::Request, vm_type::VmTypeFacts},
    plan::{choices::Network, facts::Facts, tokens::MACHINES_PER_CALL},
    values::VmType,
};

/// Where the machines would be, whether they reach the internet, and whether there are
/// addresses for them.
pub fn network(request: &Request, facts: &Facts, network: &Network) -> Vec<Check> {
    let name = "network";
    let mut checks = Vec::new();
    if let Some(first) = network.subnets.first() {
        let detail = match &request.subnet_id {
            Some(id) => format!("{id} in {}", first.vpc_id),
            None => format!(
                "default VPC {} with {}",
                first.vpc_id,
                match network.subnets.len() {
                    1 => "1 default subnet".to_owned(),
                    n => format!("{n} default subnets"),
                }
            ),
        };
        checks.push(Check::ok(name, detail));
    }
    let here = |subnet: &&Subnet| match request.place() {
        Place::Subnet(id) => subnet.id == id,
        Place::Zone(zone) => subnet.zone == zone,
        Place::Any => true,
    };
    let free = network
        .subnets
        .iter()
        .filter(here)
        .map(|s| s.free_addresses);
    // A call launches its machines in one subnet.
    let have = facts.machines.iter().filter(|m| m.state.is_live()).count();
    let have = u32::try_from(have).unwrap_or(u32::MAX);
    let least = request.least().saturating_sub(have).min(MACHINES_PER_CALL);
    let most = free.max().unwrap_or(0);
    if most < least {
        let failure = Failure::new(
            Kind::Capacity,
            format!("{most} addresses are free in the subnet, {least} are needed"),
        );
        let hint = "name a larger subnet with --subnet-id, or fewer --num-machines";
        checks.push(Check::failed(name, failure.hint(hint)));
    }
    checks
}

/// Which of these types an account on the free plan may launch, and a warning where it is
/// none. It concerns only accounts made since July 2025, which have more types in it; EC2
/// does not tell whether they are on that plan.
pub fn free_plan(vm_types: &[&VmTypeFacts], free: &[VmType]) -> Option<Check> {
    if !start::free_plan::may_be_on_it(free) || vm_types.is_empty() {
        return None;
    }
    let name = "free_plan";
    let those = |eligible: bool| {
        let those = vm_types
            .iter()
            .filter(|facts| facts.is_free_tier_eligible == Some(eligible));
        let names: Vec<&str> = those.map(|facts| facts.name.as_str()).collect();
        (names.len(), names.join(", "))
    };
    match (those(true), those(false)) {
        ((0, _), (refused, names)) if refused == vm_types.len() => {
            let message = format!("not in AWS's free plan: {names}");
            let failure = Failure::failed(message).hint(start::free_plan::hint(free));
            Some(Check::warning(name, failure))
        }
        // Of the others EC2 does not tell.
        ((0, _), _) => None,
        ((_, taken), (0, _)) => Some(Check::ok(name, format!("AWS's free plan has {taken}"))),
        ((_, taken), (_, refused)) => Some(Check::ok(
            name,
            format!("AWS's free plan has {taken}, not {refused}"),
        )),
    }
}
