//! Faults by chance: what nobody thought of.
//!
//! A round's seed decides what is ordered; what meets what is up to the machine.

use serde_json::json;

use crate::{
    cases::Case,
    group::{Group, Verdict},
    happenings::refused,
    sandbox::ended,
};

/// `SplitMix64`: enough chance for a test, and the same for the same seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (drawn ^ (drawn >> 31)) % end
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let end = u64::try_from(choices.len()).expect("few");
        choices[usize::try_from(self.below(end)).expect("few")]
    }
}

/// One round of this seed.
pub fn round(seed: u64) -> Case {
    let mut chance = Chance(seed);
    let number = chance.one_of(&[1, 1, 2, 2, 3, 5, 20]);
    Case::new(
        number,
        &format!("random faults, seed {seed}"),
        move |group| {
            let mut chance = Chance(seed.wrapping_add(1));
            let unseen = chance.one_of(&[0, 0, 1, 2]);
            group.account.put(
                "settings",
                json!({"visible_after_seconds": unseen, "visible_at_once": chance.below(3)}),
            );
            for _ in 0..=chance.below(3) {
                act(group, &mut chance)?;
            }
            Ok(())
        },
    )
}

fn act(group: &Group, chance: &mut Chance) -> Verdict {
    group.account.forget_faults();
    let seed = chance.below(1 << 32);
    let fault = chance.one_of(&["lost_answer", "reset", "500", "503"]);
    let (kind, status) = match fault {
        "500" => ("error", 500),
        "503" => ("error", 503),
        kind => (kind, 500),
    };
    let probability = chance.one_of(&[0.05, 0.1, 0.3]);
    group.account.fault(json!({"service": "*", "operation": "*", "kind": kind, "status": status, "code": "Unavailable", "count": null, "probability": probability, "seed": seed}));
    if chance.below(4) == 0 {
        let mut fault = refused();
        fault["service"] = json!("ec2");
        fault["operation"] = json!("*");
        fault["after"] = json!(chance.below(12));
        group.account.fault(fault);
    }
    match chance.below(6) {
        0 => group.terminate(1),
        1 => {
            group.account.post("publish_image", json!({}));
        }
        2 => {
            let children: Vec<_> = (0..2 + chance.below(2)).map(|_| group.start()).collect();
            for child in children {
                drop(ended(child));
            }
        }
        3 | 4 => {
            let held = chance.one_of(&["hold", "hold_answer"]);
            group.account.fault(
                json!({"service": "*", "operation": "*", "kind": held, "after": chance.below(14)}),
            );
            let mut child = group.start();
            // It may have come to its end before: that is a start like others.
            if group.until_held(&mut child).is_ok() {
                let drop_it = chance.below(2) == 0;
                if chance.below(2) == 0 {
                    Group::kill(child);
                    group.release(drop_it);
                } else {
                    group.interrupt(child, &[chance.one_of(&["-INT", "-TERM"])], drop_it);
                }
            } else {
                drop(ended(child));
            }
        }
        _ => {
            group.run()?;
        }
    }
    Ok(())
}
