//! What results have in common. A result is one value with a JSON form and a text form,
//! and stands beside its command. Fields are added, never renamed; what is unknown is
//! null.

use std::{collections::BTreeSet, fmt, time::SystemTime};

use anstyle::Style;
use serde::Serialize;

use crate::{
    machines::everywhere::Survey,
    model::{
        machine::{Machine, State, remedy},
        request::Request,
    },
    plan::{budget::ENDING, launch_plan::LaunchPlan},
    terminal::{printable::printable, time::moment},
    values::{GroupName, Market},
};

/// The style of what is over.
pub const DIMMED: Style = Style::new().dimmed();

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

/// A machine that EC2 ended by itself, and still shows.
#[derive(Clone, Debug, Serialize)]
pub struct EndedMachine {
    pub instance_id: String,
    pub machine_group: Option<String>,
    pub vm_type: String,
    pub region: String,
    pub availability_zone: Option<String>,
    pub launch_time: Option<String>,
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl EndedMachine {
    /// The machines that EC2 ended by itself.
    pub fn of<'a>(machines: impl IntoIterator<Item = &'a Machine>) -> Vec<Self> {
        let mut ended: Vec<Self> = machines
            .into_iter()
            .filter_map(|m| {
                let reason = m.ended_by_ec2()?;
                Some(Self {
                    instance_id: m.instance_id.clone(),
                    machine_group: m.group().map(str::to_owned),
                    vm_type: m.vm_type.clone(),
                    region: m.region.clone(),
                    availability_zone: m.availability_zone.clone(),
                    launch_time: m.launch_time.clone(),
                    reason: reason.to_owned(),
                    hint: remedy(reason),
                })
            })
            .collect();
        ended.sort_by(|a, b| {
            let key = |e: &Self| {
                (
                    e.region.clone(),
                    e.machine_group.clone(),
                    e.launch_time.clone(),
                    e.instance_id.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        ended
    }
}

impl EndedMachine {
    /// What has happened to it, and what to do about that.
    pub fn line(&self) -> String {
        printable(&format!(
            "{} of {} was ended by EC2: {} ({})",
            self.instance_id,
            or_na(self.machine_group.as_deref()),
            self.reason,
            self.hint
        ))
    }
}

/// A line below the running machines.
impl fmt::Display for EndedMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIMMED}{}{DIMMED:#}", self.line())
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
    /// The regions that were asked and have answered.
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
    /// Only the region that was asked.
    pub fn one(region: &str) -> Self {
        Self {
            regions: vec![region.to_owned()],
            left_out: Vec::new(),
        }
    }

    /// Adds the regions of another look. A region that could not be asked in one of the
    /// looks is left out.
    pub fn add(&mut self, other: Self) {
        for left_out in other.left_out {
            if !self.left_out.iter().any(|l| l.region == left_out.region) {
                self.left_out.push(left_out);
            }
        }
        self.regions.extend(other.regions);
        self.regions.sort();
        self.regions.dedup();
        let left_out: BTreeSet<Option<&String>> =
            self.left_out.iter().map(|l| l.region.as_ref()).collect();
        self.regions.retain(|name| !left_out.contains(&Some(name)));
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

/// What becomes of machines whose budget is used up.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetReport {
    /// USD.
    max_cost: f64,
    /// When the machines of the launch are off at the latest, RFC 3339.
    ends_at: String,
    #[serde(skip)]
    off_at: SystemTime,
    #[serde(skip)]
    now: SystemTime,
    /// Whether `--max-lifetime` ends them earlier.
    lifetime_is_earlier: bool,
    /// Whether an earlier group of this name had a budget, which has ended with it.
    is_anew: bool,
}

impl BudgetReport {
    /// The budget of a planned launch; none if it has no budget.
    pub fn of(request: &Request, plan: &LaunchPlan) -> Option<Self> {
        let budget = plan.budget.as_ref()?;
        let now = plan.looked_at;
        let by_budget = budget.ends(Some(now))? + ENDING;
        let by_lifetime = request.runner.max_lifetime.map(|lifetime| now + lifetime);
        let lifetime = by_lifetime.filter(|lifetime| *lifetime < by_budget);
        let off_at = lifetime.unwrap_or(by_budget);
        Some(Self {
            max_cost: budget.usd.parse().ok()?,
            ends_at: rfc_3339(off_at),
            off_at,
            now,
            lifetime_is_earlier: lifetime.is_some(),
            is_anew: plan.budget_is_anew,
        })
    }
}

impl fmt::Display for BudgetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = moment(self.off_at, self.now);
        let ends = if self.lifetime_is_earlier {
            write!(
                f,
                "ends by {moment} (--max-lifetime), before {} USD are used up",
                self.max_cost
            )
        } else {
            write!(
                f,
                "ends by {moment}, when {} USD are used up",
                self.max_cost
            )
        };
        ends?;
        if self.is_anew {
            f.write_str("; a new budget, as the earlier one ended with the group")?;
        }
        Ok(())
    }
}

/// A time in the form that JSON has.
pub fn rfc_3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// `label  value` lines, the values aligned.
pub fn labelled(f: &mut fmt::Formatter<'_>, rows: &[(&str, String)]) -> fmt::Result {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    rows.iter()
        .try_for_each(|(label, value)| writeln!(f, "{label:width$}  {}", printable(value)))
}

/// The value, or `n/a` if there is none, as in the `inductiva` program.
pub fn or_na(value: Option<&str>) -> String {
    value.unwrap_or("n/a").to_owned()
}
