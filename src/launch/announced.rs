//! What a start says of its machines as soon as they are launched.

use std::collections::BTreeSet;

use crate::model::{
    machine::{self, Machine},
    request::Request,
};

/// Nobody reads a longer line of ids; the report and `list` have them all.
const MOST_IDS: usize = 20;

/// The ids of what was launched, by type where one of several is taken.
pub fn launched(launched: &[Machine], request: &Request) -> String {
    let mut launched = launched.to_vec();
    machine::sort_by_launch(&mut launched);
    let names_types = request.has_several_types();
    let types: BTreeSet<&str> = launched.iter().map(|m| m.vm_type.as_str()).collect();
    let said = |vm_type: &str| {
        let its: Vec<&str> = launched
            .iter()
            .filter(|m| !names_types || m.vm_type == vm_type)
            .map(|m| m.instance_id.as_str())
            .collect();
        let what = match its.as_slice() {
            [first, .., last] if its.len() > MOST_IDS => {
                format!("{}, {first} to {last}", machine::count(its.len()))
            }
            ids => ids.join(" "),
        };
        if names_types {
            format!("{what} ({vm_type})")
        } else {
            what
        }
    };
    let said: Vec<String> = if names_types {
        types.into_iter().map(said).collect()
    } else {
        vec![said("")]
    };
    format!("launched {}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::machine::State, plan::examples};

    fn machines(number: usize) -> Vec<Machine> {
        (0..number)
            .rev()
            .map(|n| Machine::example(&format!("i-{n:02}"), State::Pending))
            .collect()
    }

    #[test]
    fn the_types_that_were_taken_of_several_are_named() {
        let mut request = examples::request(3);
        let mut machines = machines(3);
        assert_eq!(launched(&machines, &request), "launched i-00 i-01 i-02");
        request.other_types = vec!["t3.micro".parse().expect("a type")];
        machines[0].vm_type = "t3.micro".into();
        assert_eq!(
            launched(&machines, &request),
            "launched i-00 i-01 (t2.micro), i-02 (t3.micro)"
        );
    }

    #[test]
    fn hundreds_of_machines_are_no_wall_of_ids() {
        let request = examples::request(3);
        let said = launched(&machines(21), &request);
        assert_eq!(said, "launched 21 machines, i-00 to i-20");
    }
}
