//! What a launch under `--max-cost` gets, or why it is refused. [`super::budget`] tells
//! what a budget is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    budget::{Budget, ENDING, LaterLaunch, MINIMUM, MOST, cost_of, current_members, first_launch},
    cost::hourly,
    facts::Facts,
};
use crate::{
    error::{Failure, Result},
    model::{
        active_group::Record,
        machine::{self, Machine},
        request::Request,
        user_data::STANDARD_SCRIPT,
    },
    terminal::command_line::terminate_command,
    values::spans,
};

/// A shorter time is not worth a boot.
const LEAST: Duration = Duration::from_mins(15);

/// Refuses another budget than the group has.
///
/// # Errors
/// The two budgets differ.
pub fn refuse_another(request: &Request, facts: &Facts) -> Result<()> {
    let group = facts.group.as_ref().ok().and_then(Option::as_ref);
    for machine in current_members(&facts.machines, group) {
        let theirs = match Budget::of(machine) {
            None => None,
            Some(Ok(budget)) => Some(budget.usd),
            Some(Err(why)) => {
                return Err(
                    Failure::failed(format!("{why}: its budget is not known")).hint(format!(
                        "end the group: {}",
                        terminate_command(&request.group)
                    )),
                );
            }
        };
        if theirs != request.max_cost {
            let told = |usd: Option<&String>| usd.map_or("none".into(), |usd| format!("{usd} USD"));
            return Err(Failure::failed(format!(
                "the group {} has another budget: --max-cost is {} there, {} here",
                request.group,
                told(theirs.as_ref()),
                told(request.max_cost.as_ref())
            ))
            .hint(format!(
                "use the group's, or another --machine-group-name; or end the group: {}",
                terminate_command(&request.group)
            )));
        }
    }
    Ok(())
}

/// The budget of a new launch of `number` machines; none without `--max-cost`.
///
/// # Errors
/// A cost is not known, or the budget is too small.
pub fn of_launch(request: &Request, facts: &Facts, number: u32) -> Result<Option<Budget>> {
    let Some(usd) = &request.max_cost else {
        return Ok(None);
    };
    let refused = |why: String| Failure::failed(format!("nothing was launched: {why}"));
    if !request.script.takes_variables() || !has_our_deadlines(request.script.bytes()) {
        return Err(refused(
            "the script of --user-data-path does not have the deadlines of user-data.sh, which hold --max-cost".into(),
        )
        .hint("begin with a copy of user-data.sh of this release, or leave out --max-cost"));
    }
    let total: f64 = usd.parse().unwrap_or(0.0);
    let unknown = |why: &String| {
        refused(format!(
            "a price is not known, so --max-cost {usd} cannot be kept ({why})"
        ))
        .hint("try again later, or leave out --max-cost")
    };
    let most = facts.most_usd_per_hour.as_ref().map_err(unknown)?;
    // Tags hold these amounts, so they get no more digits than they have.
    let once = facts.usd_once.as_ref().map_err(unknown)?;
    let [most, once] = [*most, *once].map(up_to_a_millionth);
    let nobody_knows = |why: &str| {
        refused(format!(
            "nobody knows what the group {} has cost, so --max-cost {usd} cannot be kept: {why}",
            request.group
        ))
        .hint(format!(
            "try again later, or end the group for a new budget: {}",
            terminate_command(&request.group)
        ))
    };
    let group = facts
        .group
        .as_ref()
        .map_err(|why| nobody_knows(&format!("Inductiva is out of reach ({why})")))?;
    let members = current_members(&facts.machines, group.as_ref());
    let hidden: Vec<&Record> = group
        .iter()
        .flat_map(|group| &group.machines)
        .filter(|record| record.host_name.starts_with("i-"))
        .filter(|record| {
            let mut shown = facts.machines.iter();
            !shown.any(|m| m.instance_id == record.host_name)
        })
        .collect();
    if members.is_empty() {
        if let Some(record) = hidden.first() {
            return Err(nobody_knows(&format!(
                "Inductiva's group had {}, which EC2 does not show any more",
                record.host_name
            )));
        }
        return first(request, usd, total, most, once).map(Some);
    }
    let spending = Spending {
        request,
        facts,
        members,
        hidden,
        usd_per_hour: most,
        usd_once: once,
    };
    spending.later(usd, total, number, &nobody_knows).map(Some)
}

fn up_to_a_millionth(usd: f64) -> f64 {
    (usd * 1e6).ceil() / 1e6
}

/// The budget of a group's first launch.
fn first(request: &Request, usd: &str, total: f64, most: f64, once: f64) -> Result<Budget> {
    let n = request.num_machines;
    let all_once = once * f64::from(n);
    let for_time = (total - all_once).max(0.0);
    let carries = Duration::try_from_secs_f64(for_time / (most * f64::from(n)) * 3_600.0);
    let carries = carries.unwrap_or(MOST).min(MOST);
    let seconds = carries.saturating_sub(MINIMUM + ENDING).as_secs() / 60 * 60;
    if Duration::from_secs(seconds) < LEAST {
        let hours = (LEAST + MINIMUM + ENDING).as_secs_f64() / 3_600.0;
        let needed = most * f64::from(n) * hours + all_once;
        let for_rate = if all_once > 0.0 {
            format!(" and {all_once:.4} once for --initialization-rate")
        } else {
            String::new()
        };
        return Err(Failure::failed(format!(
            "nothing was launched: --max-cost {usd} is too little: {} can cost {} USD an hour{for_rate}, and a budget has to last {} beside the {} for start and end",
            machine::count(n as usize),
            hourly(most * f64::from(n)),
            spans::in_words(LEAST),
            spans::in_words(MINIMUM + ENDING),
        ))
        .hint(format!(
            "--max-cost {} or more, fewer --num-machines, or a smaller --vm-type (T3 and T3a with --standard-credits)",
            cents_that_are_enough(needed)
        )));
    }
    Ok(Budget {
        usd: usd.to_owned(),
        usd_per_hour: most,
        usd_once: once,
        seconds,
        later: None,
    })
}

/// An amount in cents that is no less than `usd`, whatever floating point makes of it.
fn cents_that_are_enough(usd: f64) -> String {
    format!("{:.2}", (usd * 100.0 + 1e-6).ceil() / 100.0)
}

/// What a group that has machines has spent and promised.
struct Spending<'a> {
    request: &'a Request,
    facts: &'a Facts,
    members: Vec<&'a Machine>,
    /// The records that Inductiva has of machines which EC2 does not show.
    hidden: Vec<&'a Record>,
    /// The most that a new machine can cost, USD an hour.
    usd_per_hour: f64,
    /// What it costs once, beside that.
    usd_once: f64,
}

impl Spending<'_> {
    fn later(
        &self,
        usd: &str,
        total: f64,
        number: u32,
        nobody_knows: &dyn Fn(&str) -> Failure,
    ) -> Result<Budget> {
        let now = self.facts.looked_at;
        let mut budgets = Vec::new();
        let mut ends = Vec::new();
        for machine in &self.members {
            // Machines with another budget have been refused before.
            let Some(Ok(budget)) = Budget::of(machine) else {
                return Err(nobody_knows(&format!(
                    "{} has no budget",
                    machine.instance_id
                )));
            };
            let end = budget.ends(machine.launched_at);
            ends.push(end.ok_or_else(|| {
                nobody_knows(&format!(
                    "EC2 does not tell when {} was launched",
                    machine.instance_id
                ))
            })?);
            budgets.push(budget);
        }
        // All launches have the L of the first one.
        let seconds = budgets.iter().map(|budget| budget.seconds).min();
        let seconds = seconds.unwrap_or(0);
        let first_rate = budgets.iter().map(|budget| budget.usd_per_hour);
        let first_rate = first_rate.fold(0.0, f64::max);
        for record in &self.hidden {
            let began = self.began(record).ok_or_else(|| {
                nobody_knows(&format!(
                    "Inductiva does not tell when {} began, and EC2 does not show it any more",
                    record.host_name
                ))
            })?;
            ends.push(began + Duration::from_secs(seconds));
        }
        let end = ends.into_iter().min().unwrap_or(now);
        let left = end.duration_since(now).unwrap_or_default();
        if left < LEAST {
            let how = if left.is_zero() {
                "is used up".to_owned()
            } else {
                let minutes = Duration::from_mins(left.as_secs() / 60);
                format!("is used up in {}", spans::in_words(minutes))
            };
            return Err(Failure::failed(format!(
                "nothing was launched: the budget of the group {} ({usd} USD) {how}",
                self.request.group
            ))
            .hint(format!(
                "end the group, and start it with a new budget: {}",
                terminate_command(&self.request.group)
            )));
        }
        let promised = self.promised(end, first_rate);
        let rate = first_rate.max(self.usd_per_hour);
        let new = f64::from(number) * (cost_of(left + ENDING, rate) + self.usd_once);
        if promised + new > total {
            return Err(Failure::failed(format!(
                "nothing was launched: the budget of the group {} ({usd} USD) does not carry {} machines up to its end: {promised:.2} USD are used or promised, and {number} more could cost {new:.2}",
                self.request.group, self.request.num_machines
            ))
            .hint(format!(
                "fewer --num-machines; or end the group, and start it with a new budget: {}",
                terminate_command(&self.request.group)
            )));
        }
        let first = self.members.iter().find_map(|m| first_launch(m));
        Ok(Budget {
            usd: usd.to_owned(),
            usd_per_hour: first_rate,
            usd_once: self.usd_once,
            seconds,
            later: Some(LaterLaunch {
                ends: seconds_since_1970(end),
                first: first.unwrap_or_default(),
            }),
        })
    }

    /// The earliest time at which a machine that EC2 does not show may have been
    /// launched.
    fn began(&self, record: &Record) -> Option<SystemTime> {
        let registered = record.started_at?;
        let launched = registered.checked_sub(self.request.runner.boot_timeout)?;
        let group = self.facts.group.as_ref().ok()?.as_ref()?;
        Some(group.created_at.map_or(launched, |made| launched.max(made)))
    }

    /// USD for the machines that have ended, and for those that live until `end`. They
    /// count at `rate` an hour, or at what a machine can cost now if that is more.
    fn promised(&self, end: SystemTime, rate: f64) -> f64 {
        let now = self.facts.looked_at;
        let rate = rate.max(self.usd_per_hour);
        let once_of = |m: &Machine| Some(Budget::of(m)?.ok()?.usd_once);
        // Nobody knows of which launch a machine was that EC2 does not show.
        let of_members = self.members.iter().filter_map(|m| once_of(m));
        let most_once = of_members.fold(self.usd_once, f64::max);
        let between =
            |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default();
        let members = self.members.iter().map(|m| {
            let until = if m.state.is_gone() {
                // It has ended at the latest by now.
                m.ended_at.unwrap_or(now).min(now)
            } else {
                let own = Budget::of(m).and_then(|b| b.ok()?.ends(m.launched_at));
                own.unwrap_or(end).max(now) + ENDING
            };
            let launched = m.launched_at.unwrap_or(now);
            cost_of(between(launched, until), rate) + once_of(m).unwrap_or(most_once)
        });
        let hidden = self.hidden.iter().map(|record| {
            let began = self.began(record).unwrap_or(now);
            let until = record.ended_at.unwrap_or(now).min(now);
            cost_of(between(began, until), rate) + most_once
        });
        members.chain(hidden).sum()
    }
}

fn seconds_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// The headings in user-data.sh where the deadlines begin, and where the next part does.
const DEADLINES: [&str; 2] = ["# --- Deadlines, ", "# --- What an earlier run left"];

/// Whether a script arms the deadlines with exactly the lines of the standard script.
pub fn has_our_deadlines(script: &[u8]) -> bool {
    if script == STANDARD_SCRIPT {
        return true;
    }
    let standard = String::from_utf8_lossy(STANDARD_SCRIPT);
    let [begin, end] = DEADLINES;
    let part = standard.split_once(begin).map(|(_, rest)| rest);
    let part = part.and_then(|rest| Some(rest.split_once(end)?.0));
    part.is_some_and(|part| String::from_utf8_lossy(script).contains(part))
}
