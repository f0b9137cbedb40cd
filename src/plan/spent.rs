//! What machines have cost so far, ended ones too: a pure function of their lives and of
//! today's prices. All amounts are US dollars, without taxes, discounts and traffic.

use std::{fmt, time::Duration};

use super::{budget::cost_of, cost::rounded, known::Known, life::Life};
use crate::model::machine;

/// What a machine costs an hour, USD.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// While it runs, with its address, at today's prices.
    pub running: Known<f64>,
    /// The most that this can have been: a spot machine at its highest price, and a
    /// burstable machine that was busy all the time.
    pub running_at_most: Known<f64>,
    pub disks: Known<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amount {
    /// What is known of it: all of it, unless there is a reason why not.
    pub known: f64,
    /// None where nobody knows a bound.
    pub most: Option<f64>,
    /// Why not all of it is known.
    pub why_unknown: Option<String>,
}

impl Amount {
    /// What a machine has cost.
    pub fn of(life: &Life, rates: &Rates) -> Self {
        let known = |time: Duration, rate: &Known<f64>| match rate {
            Ok(usd_per_hour) => cost_of(time, *usd_per_hour),
            Err(_) => 0.0,
        };
        let most =
            |time: Option<Duration>, rate: &Known<f64>| Some(cost_of(time?, *rate.as_ref().ok()?));
        let running = most(life.ran.most, &rates.running_at_most);
        let disks = most(life.had_disks.most, &rates.disks);
        let why_unknown = life.why_unknown.as_ref();
        let why_unknown = why_unknown
            .or(rates.running.as_ref().err())
            .or(rates.disks.as_ref().err());
        Self {
            known: known(life.ran.known, &rates.running)
                + known(life.had_disks.known, &rates.disks),
            most: running.zip(disks).map(|(running, disks)| running + disks),
            why_unknown: why_unknown.cloned(),
        }
    }

    /// The whole amount; none where a part is not known.
    pub fn usd(&self) -> Option<f64> {
        self.why_unknown.is_none().then_some(rounded(self.known))
    }

    /// The sum, with the reason of the first amount that is not known.
    pub fn sum<'a>(amounts: impl Iterator<Item = &'a Self>) -> Self {
        let nothing = Self {
            most: Some(0.0),
            ..Self::default()
        };
        amounts.fold(nothing, |sum, amount| Self {
            known: sum.known + amount.known,
            most: sum.most.zip(amount.most).map(|(a, b)| a + b),
            why_unknown: sum.why_unknown.or_else(|| amount.why_unknown.clone()),
        })
    }

    /// The same, beside something that nobody knows.
    pub fn without(self, why: String) -> Self {
        Self {
            most: None,
            why_unknown: Some(self.why_unknown.unwrap_or(why)),
            ..self
        }
    }
}

/// `about 0.1312 USD, at most 0.58`, as far as it is known.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = usd_in_words(self.known);
        match &self.why_unknown {
            None => write!(f, "about {known} USD")?,
            Some(why) => write!(f, "{known} USD as far as it is known ({why})")?,
        }
        match self.most.map(usd_in_words) {
            Some(most) if most != known => write!(f, ", at most {most}"),
            _ => Ok(()),
        }
    }
}

/// An amount with as many digits as it needs: cents, unless it is less than one USD.
pub fn usd_in_words(usd: f64) -> String {
    if usd < 0.995 {
        format!("{:.4}", rounded(usd))
    } else {
        format!("{usd:.2}")
    }
}

/// How many machines ran, for how long all together, and what that cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    pub machines: usize,
    /// The time that is certain.
    pub ran: Duration,
    /// Whether they may have run for longer.
    pub ran_longer: bool,
    pub amount: Amount,
    /// Whether machines may have had public addresses that are not in the amount, only in
    /// the most that it can be.
    pub without_addresses: bool,
}

impl Spent {
    /// What a machine with this life has cost.
    pub fn of(life: &Life, amount: &Amount, knows_address: bool) -> Self {
        Self {
            machines: 1,
            ran: life.ran.known,
            ran_longer: life.why_unknown.is_some(),
            amount: amount.clone(),
            without_addresses: !knows_address,
        }
    }

    pub fn sum<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            machines: all.clone().map(|spent| spent.machines).sum(),
            ran: all.clone().map(|spent| spent.ran).sum(),
            ran_longer: all.clone().any(|spent| spent.ran_longer),
            without_addresses: all.clone().any(|spent| spent.without_addresses),
            amount: Amount::sum(all.map(|spent| &spent.amount)),
        }
    }

    /// The same, beside something that nobody knows.
    pub fn without(self, why: String) -> Self {
        Self {
            ran_longer: true,
            amount: self.amount.without(why),
            ..self
        }
    }

    /// How long they ran, as far as that is known: `5h12m`, `at least 5h12m`, or none.
    pub fn ran_in_words(&self, span: impl Fn(Duration) -> String) -> Option<String> {
        match (self.ran_longer, self.ran.is_zero()) {
            (true, true) => None,
            (true, false) => Some(format!("at least {}", span(self.ran))),
            (false, _) => Some(span(self.ran)),
        }
    }

    /// `2 machines ran 5h12m in all: about 0.13 USD`; `span` puts the time into words.
    pub fn in_words(&self, span: impl Fn(Duration) -> String) -> String {
        let count = machine::count(self.machines);
        let Some(ran) = self.ran_in_words(span) else {
            // The minute that each of them is paid for would look like all of it.
            let why = self.amount.why_unknown.as_deref().unwrap_or("no end shows");
            return match self.machines {
                0 => format!("nobody knows what ran: cost not known ({why})"),
                _ => format!("{count} ran, nobody knows for how long: cost not known ({why})"),
            };
        };
        let in_all = if self.machines == 1 { "" } else { " in all" };
        let without = if self.without_addresses {
            " (without public addresses, which EC2 no longer shows)"
        } else {
            ""
        };
        format!("{count} ran {ran}{in_all}: {}{without}", self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::life::Span;

    fn hours(known: u64, most: u64) -> Span {
        Span {
            known: Duration::from_hours(known),
            most: Some(Duration::from_hours(most)),
        }
    }

    fn life(ran: Span, why_unknown: Option<&str>) -> Life {
        Life {
            began: None,
            ended: None,
            ran,
            had_disks: ran,
            why_unknown: why_unknown.map(str::to_owned),
        }
    }

    fn rates() -> Rates {
        Rates {
            running: Ok(1.0),
            running_at_most: Ok(3.0),
            disks: Ok(0.5),
        }
    }

    #[test]
    fn a_machine_has_come_to_its_hours_at_its_rates() {
        let amount = Amount::of(&life(hours(2, 3), None), &rates());
        assert_eq!((amount.known, amount.most), (3.0, Some(10.5)));
        assert_eq!(amount.usd(), Some(3.0));
        assert_eq!(amount.to_string(), "about 3.00 USD, at most 10.50");
        let certain = Rates {
            running_at_most: Ok(1.0),
            ..rates()
        };
        let amount = Amount::of(&life(hours(2, 2), None), &certain);
        assert_eq!(amount.to_string(), "about 3.00 USD");
    }

    #[test]
    fn a_stopped_machine_goes_on_costing_its_disks() {
        let mut stopped = life(hours(1, 1), None);
        stopped.had_disks = hours(10, 10);
        assert_eq!(Amount::of(&stopped, &rates()).usd(), Some(6.0));
    }

    #[test]
    fn a_machine_that_ran_for_seconds_is_paid_for_a_minute() {
        let moment = Span {
            known: Duration::from_secs(2),
            most: Some(Duration::from_secs(2)),
        };
        let amount = Amount::of(&life(moment, None), &rates());
        assert!((amount.known - 1.5 / 60.0).abs() < 1e-9, "{amount:?}");
    }

    #[test]
    fn what_is_not_known_makes_the_sum_unknown_and_is_not_left_out() {
        let whole = Amount::of(&life(hours(2, 2), None), &rates());
        let unknown_life = Amount::of(&life(hours(1, 4), Some("nobody knows when")), &rates());
        let no_price = |part: fn(&mut Rates)| {
            let mut rates = rates();
            part(&mut rates);
            Amount::of(&life(hours(1, 1), None), &rates)
        };
        for (unknown, known, most, why) in [
            (unknown_life, 1.5, Some(14.0), "nobody knows when"),
            (
                no_price(|rates| rates.running = why_none()),
                0.5,
                Some(3.5),
                "no price",
            ),
            (
                no_price(|rates| rates.disks = why_none()),
                1.0,
                None,
                "no price",
            ),
        ] {
            assert_eq!(unknown.usd(), None);
            assert_eq!((unknown.known, unknown.most), (known, most), "{unknown:?}");
            let both = [whole.clone(), unknown];
            let sum = Amount::sum(both.iter());
            assert_eq!(sum.usd(), None);
            assert_eq!(sum.why_unknown.as_deref(), Some(why));
            assert_eq!((sum.known, sum.usd()), (3.0 + known, None));
        }
        let no_bound = Rates {
            running_at_most: why_none(),
            ..rates()
        };
        let amount = Amount::of(&life(hours(1, 1), None), &no_bound);
        assert_eq!((amount.usd(), amount.most), (Some(1.5), None));
        assert_eq!(
            whole.without("no answer".into()).to_string(),
            "3.00 USD as far as it is known (no answer)"
        );
    }

    fn why_none() -> Known<f64> {
        Err("no price".into())
    }

    #[test]
    fn small_amounts_have_the_digits_that_they_need() {
        for (usd, text) in [
            (0.0, "0.0000"),
            (-0.0, "0.0000"),
            (0.0246, "0.0246"),
            (0.9949, "0.9949"),
            (0.996, "1.00"),
            (12.345, "12.35"),
        ] {
            assert_eq!(usd_in_words(usd), text);
        }
    }

    #[test]
    fn machines_are_counted_and_their_time_is_added() {
        let one = life(hours(2, 2), None);
        let one = Spent::of(&one, &Amount::of(&one, &rates()), true);
        let spent = |n: usize| Spent::sum(std::iter::repeat_n(&one, n));
        let span = |time: Duration| format!("{}h", time.as_secs() / 3_600);
        assert_eq!(
            spent(1).in_words(span),
            "1 machine ran 2h: about 3.00 USD, at most 7.00"
        );
        assert_eq!(
            spent(2).in_words(span),
            "2 machines ran 4h in all: about 6.00 USD, at most 14.00"
        );
        assert_eq!(
            spent(0).in_words(span),
            "0 machines ran 0h in all: about 0.0000 USD"
        );
    }

    #[test]
    fn a_time_that_is_not_known_is_said_and_is_no_zero() {
        let span = |time: Duration| format!("{}h", time.as_secs() / 3_600);
        let spent = |known, why| {
            let life = life(hours(known, 4), why);
            Spent::of(&life, &Amount::of(&life, &rates()), true)
        };
        let unknown = spent(0, Some("no end of it shows"));
        assert_eq!(
            unknown.in_words(span),
            "1 machine ran, nobody knows for how long: cost not known (no end of it shows)"
        );
        let both = Spent::sum([unknown, spent(2, None)].iter());
        assert_eq!(both.ran_in_words(span).as_deref(), Some("at least 2h"));
        assert!(
            both.in_words(span)
                .starts_with("2 machines ran at least 2h in all: ")
        );
    }

    #[test]
    fn an_amount_without_addresses_says_so() {
        let life = life(hours(2, 2), None);
        let amount = Amount::of(&life, &rates());
        let known = Spent::of(&life, &amount, true);
        let unknown = Spent::of(&life, &amount, false);
        let said = |spent: &Spent| spent.in_words(|_| "2h".to_owned());
        assert!(!said(&known).contains("without"), "{}", said(&known));
        let both = Spent::sum([known, unknown].iter());
        assert!(
            said(&both).ends_with(" (without public addresses, which EC2 no longer shows)"),
            "{}",
            said(&both)
        );
    }
}
