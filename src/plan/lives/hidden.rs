//! The life of a machine that EC2 no longer shows, by Inductiva's times. These leave out
//! its boot and the last moments before its end.

use crate::plan::{
    budget::ENDING,
    life::{Circumstances, End, Life, Span, between, nothing_known},
    members::Member,
};

pub fn life(member: &Member<'_>, at: &Circumstances) -> Life {
    let id = member.id;
    let Some(began) = member.registered().map(|began| began.min(at.now)) else {
        return nothing_known(format!(
            "EC2 does not show {id} any more, and Inductiva does not tell when it began"
        ));
    };
    let launched = began.checked_sub(at.boot_timeout).unwrap_or(began);
    let launched = at.group_made.map_or(launched, |made| launched.max(made));
    let launched = launched.min(began);
    let left = member.left_at().map(|left| left.clamp(began, at.now));
    let end = match left {
        Some(left) => End {
            earliest: left,
            latest: (left + ENDING).min(at.now),
            why_unknown: None,
        },
        None => End {
            earliest: member
                .last_seen()
                .map_or(began, |seen| seen.clamp(began, at.now)),
            latest: at.now,
            why_unknown: Some(format!(
                "EC2 does not show {id}, and Inductiva does not tell when it ended"
            )),
        },
    };
    let ran = Span {
        known: between(began, end.earliest),
        most: Some(between(launched, end.latest)),
    };
    Life {
        began: Some(began),
        ended: left,
        ran,
        had_disks: ran,
        why_unknown: end.why_unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::lives::tests::{at, life, record, seconds, time};

    #[test]
    fn of_a_machine_that_ec2_forgot_the_boot_and_the_end_are_in_what_it_is_at_most() {
        let left = record(Some(10_000), Some(11_000), Some(12_000));
        let mut circumstances = at(90_000);
        let whole = life(None, std::slice::from_ref(&left), &circumstances);
        let end = ENDING.as_secs();
        assert_eq!(whole.ran, seconds(2_000, 2_000 + 1_800 + end));
        // It was not launched before its group was made.
        circumstances.group_made = Some(time(9_940));
        let young = life(None, &[left], &circumstances);
        assert_eq!(young.ran, seconds(2_000, 2_000 + 60 + end));
        assert_eq!(young.why_unknown, None);
        let stays = record(Some(10_000), Some(11_000), None);
        let unknown = life(None, &[stays], &circumstances);
        assert_eq!(unknown.ran, seconds(1_000, 80_060));
        assert!(unknown.why_unknown.is_some());
    }
}
