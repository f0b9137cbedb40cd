//! The most that a machine can have cost an hour, where nobody knows the exact amount: as
//! a spot machine, and for surplus credits.

use super::{known::Known, machine_price::surplus_of, tagged_settings::TaggedSettings};
use crate::model::machine::Machine;

/// The most that a spot machine can have cost an hour, by its settings and its on-demand
/// price.
pub fn spot_at_most(machine: &Machine, on_demand: &Known<f64>, now: f64) -> Known<f64> {
    let told = TaggedSettings::by(machine);
    let highest = told.words.get("max-price");
    match highest.and_then(|price| price.parse::<f64>().ok()) {
        Some(highest) => Ok(highest),
        None => on_demand.clone().map(|usd| usd.max(now)),
    }
}

/// What a machine may have used above its baseline, USD an hour.
pub fn surplus(machine: &Machine) -> Known<f64> {
    let told = TaggedSettings::by(machine);
    let (family, size) = machine.vm_type.split_once('.').unwrap_or_default();
    let is_burstable = family
        .strip_prefix('t')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !is_burstable || told.words.contains_key("standard-credits") {
        return Ok(0.0);
    }
    surplus_of(&machine.vm_type, burstable_vcpus(size))
}

/// The vCPUs of T3 and T3a ("Burstable performance instances", EC2 instance types guide).
fn burstable_vcpus(size: &str) -> u32 {
    match size {
        "xlarge" => 4,
        "2xlarge" => 8,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::machine::{State, TAG_SETTINGS};

    fn ended(settings: &str) -> Machine {
        Machine {
            tags: vec![(TAG_SETTINGS.into(), format!("format=2 {settings}"))],
            ..Machine::example("i-0123456789abcdef0", State::Terminated)
        }
    }

    #[test]
    fn a_spot_machine_can_have_cost_its_highest_price() {
        let told = |settings: &str, on_demand: Known<f64>| {
            spot_at_most(&ended(settings), &on_demand, 0.01)
        };
        assert_eq!(told("max-price=0.02", Err("no price".into())), Ok(0.02));
        assert_eq!(told("", Ok(0.03)), Ok(0.03));
        assert_eq!(told("", Ok(0.005)), Ok(0.01));
        assert_eq!(told("", Err("no price".into())), Err("no price".into()));
    }

    #[test]
    fn a_burstable_machine_can_have_been_busy_all_the_time() {
        let of = |vm_type: &str, settings: &str| {
            let usd = surplus(&Machine {
                vm_type: vm_type.into(),
                ..ended(settings)
            });
            usd.map(|usd| (usd * 1e6).round() / 1e6)
        };
        assert_eq!(of("t3.micro", ""), Ok(0.09));
        assert_eq!(of("t3a.2xlarge", ""), Ok(0.24));
        assert_eq!(of("t3.micro", "standard-credits=yes"), Ok(0.0));
        assert_eq!(of("t2.micro", ""), Ok(0.0));
        assert_eq!(of("c7i.large", ""), Ok(0.0));
        assert_eq!(of("trn1.2xlarge", ""), Ok(0.0));
        assert!(of("t9.micro", "").is_err());
    }
}
