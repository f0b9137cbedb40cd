//! What results have in common. A result is one value with a JSON form and a text
//! form, beside its command. Fields are added, never renamed; what is unknown is
//! null.

use std::fmt;

use serde::Serialize;

use crate::{
    machines::everywhere::Survey,
    model::machine::{Machine, State},
    terminal::printable::printable,
    values::{GroupName, Market},
};

#[derive(Clone, Debug, Serialize)]
pub struct MachineReport {
    pub instance_id: String,
    pub state: State,
    pub availability_zone: Option<String>,
    pub private_ip: Option<String>,
    pub public_ip: Option<String>,
    pub market: Market,
}

impl From<&Machine> for MachineReport {
    fn from(machine: &Machine) -> Self {
        Self {
            instance_id: machine.instance_id.clone(),
            state: machine.state,
            availability_zone: machine.availability_zone.clone(),
            private_ip: machine.private_ip.clone(),
            public_ip: machine.public_ip.clone(),
            market: machine.market,
        }
    }
}

/// A machine group by its name, and its id on Inductiva's side.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    pub name: GroupName,
    /// None while Inductiva has not been reached.
    pub id: Option<String>,
}

/// The regions that a result is about.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionsReport {
    /// Those that were asked and answered.
    regions: Vec<String>,
    left_out: Vec<LeftOut>,
}

/// A region that could not be asked.
#[derive(Clone, Debug, Serialize)]
struct LeftOut {
    /// None where the regions could not be listed.
    region: Option<String>,
    reason: String,
}

impl RegionsReport {
    /// One region, which was asked.
    pub fn one(region: &str) -> Self {
        Self {
            regions: vec![region.to_owned()],
            left_out: Vec::new(),
        }
    }
}

impl From<&Survey> for RegionsReport {
    fn from(found: &Survey) -> Self {
        let left_out = found.left_out().map(|(region, failure)| LeftOut {
            region: region.map(str::to_owned),
            reason: failure.message.clone(),
        });
        Self {
            regions: found.regions.clone(),
            left_out: left_out.collect(),
        }
    }
}

/// `label  value` lines, the values aligned.
pub fn labelled(f: &mut fmt::Formatter<'_>, rows: &[(&str, String)]) -> fmt::Result {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    rows.iter()
        .try_for_each(|(label, value)| writeln!(f, "{label:width$}  {}", printable(value)))
}

/// The value, or `n/a` for nothing, as the `inductiva` program has it.
pub fn or_na(value: Option<&str>) -> String {
    value.unwrap_or("n/a").to_owned()
}
