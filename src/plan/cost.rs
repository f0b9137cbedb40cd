//! What a group costs while all its machines run: a pure function of the parts of
//! one machine and their number. All amounts are US dollars, without taxes,
//! discounts and traffic.

use std::fmt;

use serde::Serialize;

use super::{known::Known, parts::Parts};
use crate::{error::Failure, values::VmType};

/// What a group costs while all its machines run. What is unknown is null.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// At the prices of now: machines, disks and addresses.
    usd_per_hour: Option<f64>,
    usd_per_day: Option<f64>,
    machines_usd_per_hour: Option<f64>,
    disks_usd_per_hour: Option<f64>,
    addresses_usd_per_hour: Option<f64>,
    /// The type that these prices are of: the dearest that may be taken. None where all
    /// cost the same.
    dearest_vm_type: Option<VmType>,
    /// The most that all of it can become: spot machines cost their highest price, and
    /// burstable machines are busy all the time.
    at_most_usd_per_hour: Option<f64>,
    /// The part of that which is CPU credits above the baseline.
    surplus_credits_usd_per_hour: Option<f64>,
    /// What filling the root disks at `--initialization-rate` costs once, at most.
    initialization_usd: Option<f64>,
    /// Why the whole cost is not known.
    #[serde(rename = "unknown_because")]
    why_unknown: Option<String>,
}

impl Cost {
    /// The cost of `number` machines.
    pub fn of(parts: &Parts, number: u32) -> Self {
        let all = |one: f64| rounded(one * f64::from(number));
        let now = || -> Known<f64> {
            parts.initialization.clone()?;
            Ok(parts.machine.clone()?.now + parts.disks.clone()? + parts.address.clone()?)
        };
        let day = now().ok().map(|one| all(one * 24.0));
        let now = now().map(all);
        let machine = parts.machine.as_ref().ok();
        Self {
            usd_per_hour: now.clone().ok(),
            usd_per_day: day,
            machines_usd_per_hour: machine.map(|machine| all(machine.now)),
            disks_usd_per_hour: parts.disks.clone().ok().map(all),
            addresses_usd_per_hour: parts.address.clone().ok().map(all),
            dearest_vm_type: machine.and_then(|machine| machine.dearest_type.clone()),
            at_most_usd_per_hour: parts.most().ok().map(all),
            surplus_credits_usd_per_hour: machine.map(|machine| all(machine.surplus)),
            initialization_usd: parts.initialization.clone().ok().map(all),
            why_unknown: now.err(),
        }
    }

    /// Refuses a cost that can be more than `limit` an hour, or that nobody knows. What
    /// is paid once counts as a part of the first hour.
    ///
    /// # Errors
    /// Too dear, or not known.
    pub fn refuse_above(&self, limit: f64) -> Result<(), Failure> {
        let first_hour = self.at_most_usd_per_hour.zip(self.initialization_usd);
        match first_hour.map(|(hourly, once)| (rounded(hourly + once), once)) {
            Some((usd, _)) if usd <= limit => Ok(()),
            Some((usd, once)) => {
                let at_most = if self.is_certain() { "" } else { " at most" };
                let an_hour = if once > 0.0 {
                    format!(" in its first hour at most, {once:.4} of it for --initialization-rate")
                } else {
                    format!(" an hour{at_most}")
                };
                Err(Failure::failed(format!(
                    "the group would cost {} USD{an_hour}, more than the {limit} of --max-cost-per-hour: nothing was launched",
                    told_apart(usd, limit)
                ))
                .hint(self.cheaper()))
            }
            None => Err(Failure::failed(format!(
                "nothing was launched: the price is unknown, so --max-cost-per-hour {limit} cannot be checked ({})",
                self.why_unknown.as_deref().unwrap_or("no price")
            ))
            .hint("try again later, or leave out --max-cost-per-hour")),
        }
    }

    /// Whether the cost cannot become more than it is now.
    fn is_certain(&self) -> bool {
        self.at_most_usd_per_hour == self.usd_per_hour
    }

    /// The part that is paid once, if there is any.
    fn once(&self) -> Option<f64> {
        self.initialization_usd.filter(|usd| *usd > 0.0)
    }

    fn has_surplus(&self) -> bool {
        self.surplus_credits_usd_per_hour
            .is_some_and(|usd| usd > 0.0)
    }

    /// What a user can do to pay less.
    pub fn cheaper(&self) -> &'static str {
        if self.has_surplus() {
            "fewer --num-machines, a --vm-type other than T3 and T3a, or --standard-credits: surplus CPU credits are counted as if the machines were always busy"
        } else {
            "fewer --num-machines, a smaller --vm-type, or --spot with a --max-price"
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: Option<f64>| part.map_or("n/a".into(), hourly);
        let once = match self.initialization_usd {
            Some(_) => "",
            None => ", --initialization-rate n/a",
        };
        let parts = format!(
            "machines {}, disks {}, addresses {}{once}",
            part(self.machines_usd_per_hour),
            part(self.disks_usd_per_hour),
            part(self.addresses_usd_per_hour)
        );
        match (self.usd_per_hour, self.usd_per_day, &self.why_unknown) {
            (Some(hour), Some(day), _) => {
                write!(f, "about {} USD an hour, {day:.2} a day", hourly(hour))?;
                if let Some(vm_type) = &self.dearest_vm_type {
                    write!(f, " with {vm_type}, the dearest type")?;
                }
                write!(f, " ({parts})")?;
                match self.at_most_usd_per_hour {
                    _ if self.is_certain() => {}
                    Some(most) if self.has_surplus() => write!(
                        f,
                        "; at most {} an hour, with surplus CPU credits",
                        hourly(most)
                    )?,
                    Some(most) => write!(f, "; at most {} an hour", hourly(most))?,
                    None => f.write_str("; at most n/a")?,
                }
                let Some(once) = self.once() else {
                    return Ok(());
                };
                write!(f, "; and at most {once:.4} once, for --initialization-rate")
            }
            (_, _, why) => write!(f, "n/a ({}; {parts})", why.as_deref().unwrap_or("no price")),
        }
    }
}

/// An hourly amount, in words.
pub fn hourly(usd: f64) -> String {
    format!("{usd:.4}")
}

/// `usd`, which is more than `limit`, with as many digits as it takes to see that.
pub fn told_apart(usd: f64, limit: f64) -> String {
    let mut texts = (4..=6).map(|digits| format!("{usd:.digits$}"));
    let shows = |text: &String| text.parse::<f64>().is_ok_and(|told| told > limit);
    texts.find(shows).unwrap_or_else(|| usd.to_string())
}

/// Rounds to a millionth, as floating point has more digits than mean anything. Nothing
/// is 0, and not -0.
pub fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::machine_price::MachinePrice;

    fn parts(machine: f64, disks: f64, address: f64) -> Parts {
        Parts {
            machine: Ok(MachinePrice {
                now: machine,
                most: machine,
                ..MachinePrice::default()
            }),
            disks: Ok(disks),
            address: Ok(address),
            initialization: Ok(0.0),
        }
    }

    #[test]
    fn a_part_that_is_unknown_makes_the_whole_unknown() {
        let known = parts(0.5, 0.1, 0.005);
        let why = || Err("no price list".to_owned());
        for (unknown, told) in [
            (
                Parts {
                    machine: why().map(|()| MachinePrice::default()),
                    ..known.clone()
                },
                "machines n/a, disks 0.2000, addresses 0.0100",
            ),
            (
                Parts {
                    disks: why().map(|()| 0.0),
                    ..known.clone()
                },
                "machines 1.0000, disks n/a, addresses 0.0100",
            ),
            (
                Parts {
                    address: why().map(|()| 0.0),
                    ..known.clone()
                },
                "machines 1.0000, disks 0.2000, addresses n/a",
            ),
            (
                Parts {
                    initialization: why().map(|()| 0.0),
                    ..known
                },
                "machines 1.0000, disks 0.2000, addresses 0.0100, --initialization-rate n/a",
            ),
        ] {
            let cost = Cost::of(&unknown, 2);
            assert_eq!(cost.to_string(), format!("n/a (no price list; {told})"));
            assert!(cost.refuse_above(1e9).is_err());
            let document = serde_json::to_value(&cost).expect("JSON");
            assert_eq!(document["usd_per_hour"], serde_json::Value::Null);
        }
    }

    #[test]
    fn what_is_paid_once_counts_in_the_first_hour() {
        let mut once = parts(0.5, 0.1, 0.005);
        once.initialization = Ok(0.02);
        let cost = Cost::of(&once, 2);
        assert!(
            cost.to_string()
                .ends_with("addresses 0.0100); and at most 0.0400 once, for --initialization-rate"),
            "{cost}"
        );
        assert!(cost.refuse_above(1.25).is_ok());
        let refused = cost.refuse_above(1.249).expect_err("too dear").message;
        assert!(
            refused.contains("cost 1.2500 USD in its first hour at most, 0.0400 of it for"),
            "{refused}"
        );
    }

    #[test]
    fn the_limit_is_for_all_parts_of_all_machines() {
        let cost = Cost::of(&parts(0.5, 0.1, 0.005), 2);
        assert_eq!(
            cost.to_string(),
            "about 1.2100 USD an hour, 29.04 a day (machines 1.0000, disks 0.2000, addresses 0.0100)"
        );
        assert!(cost.refuse_above(1.21).is_ok());
        assert!(cost.refuse_above(1.209_999).is_err());
    }

    #[test]
    fn where_types_cost_differently_it_is_said_whose_price_it_is() {
        let mut several = parts(0.5, 0.1, 0.005);
        if let Ok(machine) = &mut several.machine {
            machine.dearest_type = Some("t2.micro".parse().expect("a type"));
        }
        let cost = Cost::of(&several, 1);
        assert!(
            cost.to_string()
                .contains(" a day with t2.micro, the dearest type (machines 0.5000, "),
            "{cost}"
        );
        let document = serde_json::to_value(&cost).expect("JSON");
        assert_eq!(document["dearest_vm_type"], "t2.micro");
    }

    #[test]
    fn what_can_become_dearer_is_limited_by_the_most_that_it_can_be() {
        let mut spot = parts(0.1, 0.0, 0.0);
        spot.machine = Ok(MachinePrice {
            now: 0.1,
            most: 0.4,
            surplus: 0.2,
            ..MachinePrice::default()
        });
        let cost = Cost::of(&spot, 1);
        assert!(cost.to_string().starts_with("about 0.1000 USD"), "{cost}");
        assert!(
            cost.to_string()
                .ends_with("; at most 0.4000 an hour, with surplus CPU credits"),
            "{cost}"
        );
        assert!(cost.refuse_above(0.399).is_err());
        assert!(cost.refuse_above(0.4).is_ok());
    }

    #[test]
    fn what_costs_as_much_as_the_limit_is_within_it() {
        // In floating point three times 0.1 is slightly more than 0.3.
        let cost = Cost::of(&parts(0.1, 0.0, 0.0), 3);
        assert!(cost.refuse_above(0.3).is_ok());
        assert!(cost.refuse_above(0.299_999).is_err());
    }

    #[test]
    fn a_refusal_shows_as_many_digits_as_the_reason_needs() {
        for (usd, limit, told) in [
            (0.058_7, 0.05, "0.0587"),
            (0.050_01, 0.05, "0.05001"),
            (0.050_001, 0.05, "0.050001"),
            (12.0, 0.5, "12.0000"),
            (0.3, 0.299_999, "0.3000"),
        ] {
            assert_eq!(told_apart(usd, limit), told);
        }
    }

    #[test]
    fn nothing_is_no_amount_below_zero() {
        let nothing = Cost::of(&parts(-0.0, -0.0, -0.0), 1);
        let text = serde_json::to_string(&nothing).expect("JSON");
        assert!(!text.contains("-0"), "{text}");
        assert!(!nothing.to_string().contains('-'), "{nothing}");
    }
}
