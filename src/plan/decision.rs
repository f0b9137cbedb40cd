//! What is to be done: a pure function of what the user asked for and what EC2 and
//! Inductiva say. It uses no clock, network, file or randomness. The plan is a value, and
//! carrying it out decides nothing.

use super::{
    budget::Budget,
    budget_of_launch, choices,
    group_settings::GroupSettings,
    known::Known,
    launch_plan::{LaunchId, LaunchPlan},
    launch_tag::LaunchTag,
    tokens::{Call, Hour, Intent, MACHINES_PER_CALL, calls},
    underway::{Standing, Underway, underway},
    warnings::warnings,
};
use crate::{
    error::{Failure, Kind, Result},
    model::{
        machine::{self, Machine},
        place::Place,
        request::Request,
    },
    plan::facts::Facts,
    terminal::{
        command_line::{command, terminate_command},
        quoting,
    },
    values::VmType,
};

/// What `start` has to do.
#[derive(Clone, Debug)]
pub enum Plan {
    /// The group has its machines.
    Complete(Vec<Machine>),
    /// No type was named, and these are the types to launch. Look again with a request
    /// for them.
    OtherTypes(Vec<VmType>),
    /// Machines that were launched do not show yet. Look again.
    Settling,
    Launch(Box<LaunchPlan>),
}

/// Decides what to do.
///
/// `used` is the highest number that a launch of its hour is known to have had, beside
/// those that machines show.
///
/// # Errors
/// Whatever makes the request impossible, before anything is made or launched.
pub fn plan(request: &Request, facts: &Facts, used: Option<(Hour, u32)>) -> Result<Plan> {
    if let Some(types) = choices::types_instead(request, &facts.machines, facts.vm_types()) {
        return Ok(Plan::OtherTypes(types));
    }
    let settings = GroupSettings::of(request);
    let live: Vec<Machine> = facts
        .machines
        .iter()
        .filter(|m| m.state.is_live())
        .cloned()
        .collect();
    refuse_other_settings(request, &settings, &live)?;
    budget_of_launch::refuse_another(request, facts)?;
    let underway = underway(&facts.machines, facts.looked_at);
    if underway.iter().any(|u| u.standing == Standing::Settling) {
        return Ok(Plan::Settling);
    }
    refuse_too_many(request, &live, &underway)?;
    let wanted = request.num_machines;
    let have = u32::try_from(live.len()).unwrap_or(u32::MAX);
    if have == wanted {
        return Ok(Plan::Complete(live));
    }
    choices::refuse_types(request, facts)?;
    let next = next(request, facts, used, wanted - have, underway);
    refuse_half_rounds(request, &next)?;
    // A launch that is under way goes on with its own image, whatever this start would
    // take.
    let of_launch = next.image_id.as_ref();
    let of_launch = of_launch.and_then(|id| facts.images.iter().find(|image| image.id == *id));
    let (image, why_not_prepared) = if let Some(image) = of_launch {
        (image.clone(), None)
    } else {
        let choice = choices::image(request, facts)?;
        (choice.image, choice.why_not_prepared)
    };
    let volume_gib = choices::volume_gib(request, &image)?;
    let network = choices::network(request, facts)?;
    let security_group = choices::security_group(request, facts, &network)?;
    let budget = match (&next.launch, next.budget) {
        (LaunchId::New(_), _) => budget_of_launch::of_launch(request, facts, wanted - have)?,
        // A call that is made again has the bytes of its launch, and so its budget.
        (LaunchId::Resumed, budget) => budget.transpose().map_err(Failure::failed)?,
    };
    // A launch into a group that has machines now is not its first.
    let is_first = matches!(next.launch, LaunchId::New(_))
        && budget.as_ref().is_some_and(|budget| budget.later.is_none());
    let budget_is_anew = is_first && facts.machines.iter().any(|m| Budget::of(m).is_some());
    Ok(Plan::Launch(Box::new(LaunchPlan {
        number: next.calls.iter().map(|call| call.number).sum(),
        calls: next.calls,
        launch: next.launch,
        tag: next.tag,
        group_id: next.group_id,
        looked_at: facts.looked_at,
        existing: live,
        seen: machine::ids(&facts.machines),
        warnings: warnings(request, facts, &image, network.warnings),
        image,
        why_not_prepared,
        volume_gib,
        vm_type: facts
            .vm_type
            .clone()
            .with_threads_per_core(request.threads_per_core),
        cores: choices::cores(request, facts),
        other_types: facts.other_types.clone(),
        security_group,
        settings,
        budget,
        budget_is_anew,
        first_place: match (request.place(), network.subnets.first()) {
            (Place::Any, Some(subnet)) if network.leaves_out => Place::Zone(subnet.zone.clone()),
            (place, _) => place,
        },
        leaves_out: network.leaves_out,
        subnets: match request.place() {
            Place::Any => network.subnets,
            Place::Zone(_) | Place::Subnet(_) => Vec::new(),
        },
    })))
}

/// A launch, and those of its calls that are to be made.
struct Next {
    launch: LaunchId,
    tag: LaunchTag,
    group_id: Option<String>,
    image_id: Option<String>,
    budget: Option<Known<Budget>>,
    calls: Vec<Call>,
}

/// The launch that comes next: one that is under way, with its own bytes, or else a new
/// one of the `missing` machines.
fn next(
    request: &Request,
    facts: &Facts,
    used: Option<(Hour, u32)>,
    missing: u32,
    underway: Vec<Underway>,
) -> Next {
    for launch in underway {
        if let Standing::Unmade(calls) = launch.standing {
            return Next {
                launch: LaunchId::Resumed,
                tag: launch.tag,
                group_id: launch.group_id,
                image_id: launch.image_id,
                budget: launch.budget,
                calls,
            };
        }
    }
    let offset = facts.hours_offset;
    let hour = Hour::of(facts.looked_at + offset);
    let tags = facts.machines.iter().map(|machine| {
        let tag = LaunchTag::of(machine);
        (machine, tag.and_then(|tag| tag.slot))
    });
    let numbers = tags.clone().filter_map(|(_, slot)| slot).chain(used);
    let numbers = numbers.filter(|(of, _)| *of == hour);
    let highest = numbers.map(|(_, number)| number).max().unwrap_or(0);
    // Damaged tags do not tell the launch, so each such machine may be of one of its own.
    let untold = tags.filter(|(machine, slot)| {
        let launched = machine.launched_at.map(|at| Hour::of(at + offset));
        slot.is_none() && launched == Some(hour)
    });
    let untold = u32::try_from(untold.count()).unwrap_or(u32::MAX);
    let intent = Intent {
        account: facts.account.clone(),
        region: facts.region.clone(),
        group: request.group.clone(),
        hour,
        begins: hour.begins() - offset,
        ends: hour.ends() - offset,
        number: highest.saturating_add(untold).saturating_add(1),
    };
    Next {
        tag: LaunchTag {
            base: intent.base(),
            call: 0,
            total: missing,
            known: u32::try_from(facts.machines.len()).unwrap_or(u32::MAX),
            or_fewer: request.least() < request.num_machines,
            least: least_of_first_call(request, missing),
            wanted: request.num_machines,
            slot: Some((hour, intent.number)),
            candidate: 0,
        },
        launch: LaunchId::New(intent),
        group_id: None,
        image_id: None,
        budget: None,
        calls: calls(missing),
    }
}

/// How many machines a launch's first call takes at least, where fewer than all are
/// enough. Usually each place adds the machines that it has. But a launch that is tried
/// again must not begin in a place that has too few, as they would have to be undone.
fn least_of_first_call(request: &Request, missing: u32) -> u32 {
    if request.wait_for_capacity.is_none() {
        return 1;
    }
    let have = request.num_machines - missing;
    request
        .least()
        .saturating_sub(have)
        .clamp(1, MACHINES_PER_CALL)
}

/// Refuses to wait for the capacity of several calls at once: the first ones would be
/// launched and undone in each round.
fn refuse_half_rounds(request: &Request, next: &Next) -> Result<()> {
    let is_new = matches!(next.launch, LaunchId::New(_));
    let missing = next.tag.total;
    if request.wait_for_capacity.is_none()
        || !is_new
        || missing <= MACHINES_PER_CALL
        || request.least() <= MACHINES_PER_CALL
    {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--wait-for-capacity takes {MACHINES_PER_CALL} machines at once, and {missing} are missing"
    ))
    .hint(format!(
        "add --min-machines {MACHINES_PER_CALL}: it launches as many as there are from {MACHINES_PER_CALL} on, and the same line later fills the group up"
    )))
}

/// Refuses a group that has, or is about to have, more machines than were asked for, and
/// a group of which nobody knows how many it has.
fn refuse_too_many(request: &Request, live: &[Machine], underway: &[Underway]) -> Result<()> {
    let group = &request.group;
    let wanted = request.num_machines as usize;
    let end = format!(
        "end the ones you do not need: {}, or the whole group: {}",
        command("terminate --instance-id ID"),
        terminate_command(group)
    );
    if live.len() > wanted {
        return Err(Failure::failed(format!(
            "the group {group} has {} already, more than the {wanted} asked for",
            machine::count(live.len())
        ))
        .hint(end));
    }
    let (mut lost, mut unmade) = (0, 0);
    for launch in underway {
        match &launch.standing {
            Standing::Lost(number) => lost += *number as usize,
            Standing::Unmade(calls) => {
                unmade += calls.iter().map(|c| c.number as usize).sum::<usize>();
            }
            Standing::Settling => {}
        }
    }
    if lost > 0 {
        return Err(Failure::new(
            Kind::MachinesMayBeRunning,
            format!(
                "the group {group} was started with {} that EC2 does not show: they may be running",
                machine::count(lost)
            ),
        )
        .hint(format!(
            "nothing was launched; try again in ten minutes, or end the group: {}",
            terminate_command(group)
        )));
    }
    if live.len() + unmade > wanted {
        return Err(Failure::failed(format!(
            "a start of the group {group} with {} is under way, more than the {wanted} asked for",
            machine::count(live.len() + unmade)
        ))
        .hint(format!(
            "try again when it is done, in ten minutes if it was interrupted; or {end}"
        )));
    }
    Ok(())
}

/// Refuses other settings than the group's: all its machines are of one kind.
fn refuse_other_settings(
    request: &Request,
    settings: &GroupSettings,
    live: &[Machine],
) -> Result<()> {
    let mut differences = live.iter().map(|m| (m, settings.differences(m)));
    let Some((machine, differences)) = differences.find(|(_, d)| !d.is_empty()) else {
        return Ok(());
    };
    let theirs = settings.options_of(machine).map(|options| {
        let name = quoting::word(request.group.as_str());
        let number = request.num_machines;
        let command_line = format!("start --machine-group-name {name} -n {number} {options}");
        format!(": {}", command(&command_line))
    });
    Err(Failure::failed(format!(
        "the group {} has machines with other settings: {}",
        request.group,
        differences.join("; ")
    ))
    .hint(format!(
        "use another --machine-group-name, or the group's settings{}",
        theirs.unwrap_or_default()
    )))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        model::machine::{State, TAG_SETTINGS},
        plan::examples::{facts, request},
    };

    #[test]
    fn the_settings_of_every_machine_of_the_group_are_compared() {
        let machine = |id: &str, settings: &str| Machine {
            tags: vec![(TAG_SETTINGS.into(), settings.into())],
            ..Machine::example(id, State::Running)
        };
        let same = machine("i-1", "vm-type=t2.micro");
        let other = machine("i-2", "vm-type=t3.micro");
        for machines in [[&same, &other], [&other, &same]] {
            let machines = machines.map(Machine::clone).to_vec();
            let planned = plan(&request(2), &facts(machines, SystemTime::UNIX_EPOCH), None);
            let why = planned.err().map(|failure| failure.message);
            assert_eq!(
                why.as_deref(),
                Some(
                    "the group g has machines with other settings: --vm-type is t3.micro there, t2.micro here"
                )
            );
        }
    }
}
