//! What is to be done: a pure function of what the user asked for and what EC2
//! and Inductiva say. No clock, network, file or randomness; the plan is a
//! value, and executing it decides nothing.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    budget::{self, Budget},
    choices::{self, SecurityGroupChoice},
    group_settings::Settings,
    known::Known,
    prepared,
    tag_limit::OWN_TAGS,
    tokens::{Base, Call, Hour, Intent, LaunchTag, MACHINES_PER_CALL, calls},
    underway::{Standing, Underway, underway},
    warnings::warnings,
};
use crate::{
    error::{Failure, Kind, Result},
    model::{
        image::Image,
        machine::{
            self, LAUNCHER, Machine, TAG_BUDGET, TAG_GROUP, TAG_GROUP_ID, TAG_LAUNCH, TAG_LAUNCHER,
            TAG_LAUNCHER_VERSION,
        },
        network::Subnet,
        place::Place,
        request::{Request, Runner},
        user_data::{Script, Variable},
        vm_type::VmTypeFacts,
    },
    plan::facts::Facts,
    terminal::command_line::{command, terminate_command},
    values::VmType,
};

/// What `start` has to do.
#[derive(Clone, Debug)]
pub enum Plan {
    /// The group has its machines.
    Complete(Vec<Machine>),
    /// Nobody named a type, and these are the ones that it is about: look again,
    /// with a request for them.
    OtherTypes(Vec<VmType>),
    /// Machines that were launched do not show yet: look again.
    Settling,
    /// Machines are missing.
    Launch(Box<LaunchPlan>),
}

/// A launch, decided in full but for the group's id on Inductiva's side.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// How many machines to launch.
    pub number: u32,
    /// The calls to launch them with.
    pub calls: Vec<Call>,
    /// The launch that the calls are of.
    pub launch: LaunchId,
    /// What the machines of its first call say of it.
    pub tag: LaunchTag,
    /// The group's id on Inductiva's side that its machines were given, where it
    /// is one that is under way.
    pub group_id: Option<String>,
    /// When the group was looked at, by EC2's clock.
    pub looked_at: SystemTime,
    /// The group's machines that count already.
    pub existing: Vec<Machine>,
    /// The ids of all the group's machines that were known, terminated ones too.
    pub seen: Vec<String>,
    /// The image to launch from.
    pub image: Image,
    /// Why a new launch is not from a prepared one.
    pub why_not_prepared: Option<String>,
    /// GiB of the root disk.
    pub volume_gib: u32,
    /// The type's properties, with the threads that were asked for.
    pub vm_type: VmTypeFacts,
    /// The cores of each type of which the threads can be chosen: EC2 wants both.
    pub cores: BTreeMap<VmType, u32>,
    /// Those of the other types.
    pub other_types: Vec<VmTypeFacts>,
    /// The security group.
    pub security_group: SecurityGroupChoice,
    /// What the user chose.
    pub settings: Settings,
    /// The group's budget, as the machines are told it.
    pub budget: Option<Budget>,
    /// The default subnets to launch in, where no place was named.
    pub subnets: Vec<Subnet>,
    /// Whether there are others, so that EC2 must not choose.
    pub leaves_out: bool,
    /// A place that the launch can be tried in.
    pub first_place: Place,
    /// What to say before it.
    pub warnings: Vec<String>,
}

/// Which launch a plan is about.
#[derive(Clone, Debug)]
pub enum LaunchId {
    /// A new one.
    New(Intent),
    /// One that is under way.
    Resumed,
}

/// Decides what to do.
///
/// `used` is the highest number in its hour that a launch is known to have had,
/// beside those that machines show.
///
/// # Errors
/// Whatever makes the request impossible, before anything is made or launched.
pub fn plan(request: &Request, facts: &Facts, used: Option<(Hour, u32)>) -> Result<Plan> {
    if let Some(types) = choices::types_instead(request, &facts.machines, facts.vm_types()) {
        return Ok(Plan::OtherTypes(types));
    }
    let settings = Settings::of(request);
    let live: Vec<Machine> = facts
        .machines
        .iter()
        .filter(|m| m.state.is_live())
        .cloned()
        .collect();
    refuse_other_settings(request, &settings, &live)?;
    budget::refuse_another(request, facts)?;
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
    // Of a launch that is under way, whatever this start would take.
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
        (LaunchId::New(_), _) => budget::of_launch(request, facts, wanted - have)?,
        // Its own: a call that is made again has its launch's bytes.
        (LaunchId::Resumed, budget) => budget.transpose().map_err(Failure::failed)?,
    };
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

/// A launch and those of its calls that are to be made.
struct Next {
    launch: LaunchId,
    tag: LaunchTag,
    group_id: Option<String>,
    image_id: Option<String>,
    budget: Option<Known<Budget>>,
    calls: Vec<Call>,
}

/// The launch that comes first: one that is under way, with its own bytes, or
/// else a new one of the `missing` machines.
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
    // Each may be of a launch of its own: damaged tags do not tell.
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

/// How many of a launch's first call are taken at least, where fewer than all are.
/// Each place adds what it has. Only where the launch is tried again, a place that
/// has too few must not begin it, as it would be undone.
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

/// Refuses a group that has, or is about to have, more machines than asked for,
/// and one of which nobody knows how many it has.
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
            "try again when it is done, in ten minutes if it was broken off; or {end}"
        )));
    }
    Ok(())
}

/// A group is all of one kind.
fn refuse_other_settings(request: &Request, settings: &Settings, live: &[Machine]) -> Result<()> {
    let mut differences = live.iter().map(|m| settings.differences(m));
    let Some(differences) = differences.find(|d| !d.is_empty()) else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "the group {} has machines with other settings: {}",
        request.group,
        differences.join("; ")
    ))
    .hint("use the group's settings, or another --machine-group-name"))
}

impl LaunchPlan {
    /// The new launch's name in full; none of one that is under way.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.launch {
            LaunchId::New(intent) => Some(intent),
            LaunchId::Resumed => None,
        }
    }

    /// Whether it is a launch of this run's own.
    pub fn is_new(&self) -> bool {
        self.intent().is_some()
    }

    /// What is to be said of its image: that it is a prepared one, or why not.
    ///
    /// # Errors
    /// The reason, where it is the standard or the named one.
    pub fn prepared_image(&self, facts: &Facts) -> Result<String, String> {
        let image = &self.image;
        if image.is_prepared(&facts.account) {
            let age = prepared::age(image, facts);
            return Ok(format!("prepared image {}, {age}", image.id));
        }
        let why = self.why_not_prepared.as_deref();
        Err(why
            .unwrap_or("an earlier start of the group took none")
            .to_owned())
    }

    /// What EC2 says of one of the types.
    pub fn facts_of(&self, vm_type: &VmType) -> Option<&VmTypeFacts> {
        let mut all = std::iter::once(&self.vm_type).chain(&self.other_types);
        all.find(|facts| facts.name == *vm_type)
    }

    /// The launch's name.
    pub fn base(&self) -> &Base {
        &self.tag.base
    }

    /// What the machines of a call say of their launch.
    pub fn launch_tag(&self, call: Call, candidate: u32) -> LaunchTag {
        LaunchTag {
            call: call.index,
            candidate,
            ..self.tag.clone()
        }
    }

    /// The tags of machines, disks and network interfaces.
    pub fn tags(
        &self,
        request: &Request,
        group_id: Option<&str>,
        launch: &LaunchTag,
    ) -> Vec<(String, String)> {
        let ours: [(String, String); OWN_TAGS] = [
            ("Name", request.group.as_str()),
            (TAG_GROUP, request.group.as_str()),
            (TAG_GROUP_ID, group_id.unwrap_or_default()),
            (TAG_LAUNCHER, LAUNCHER),
            (TAG_LAUNCHER_VERSION, env!("CARGO_PKG_VERSION")),
            (TAG_LAUNCH, &launch.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let users = request
            .tags
            .iter()
            .map(|tag| (tag.key.clone(), tag.value.clone()));
        let settings = self.settings.to_tags();
        let budget = self.budget.iter();
        let budget = budget.map(|budget| (TAG_BUDGET.to_owned(), budget.to_string()));
        let all = ours.into_iter().chain(settings).chain(budget);
        all.chain(users).collect()
    }

    /// The tags of the first call.
    pub fn first_tags(&self, request: &Request, group_id: Option<&str>) -> Vec<(String, String)> {
        let first = self.calls.first().copied().unwrap_or(Call {
            index: 0,
            number: 0,
        });
        self.tags(request, group_id, &self.launch_tag(first, 0))
    }

    /// What the machines are told of their budget.
    pub fn budget_variables(&self) -> Vec<Variable> {
        self.budget.iter().flat_map(Budget::variables).collect()
    }

    /// The user data as it is sent.
    ///
    /// # Errors
    /// More than EC2 takes.
    pub fn user_data(&self, request: &Request, group_id: Option<&str>) -> Result<Vec<u8>> {
        let gpu = self.vm_type.gpu.is_some();
        // Those of the launch: a call that is made again has its own bytes.
        let runner = Runner {
            num_machines: self.tag.wanted,
            ..request.runner.clone()
        };
        let mut variables = runner.variables(&request.group, group_id, gpu);
        variables.extend(self.budget_variables());
        packed_user_data(&request.script, &variables)
    }
}

/// The bytes that a machine is given.
///
/// # Errors
/// More than EC2 takes.
pub fn packed_user_data(script: &Script, variables: &[Variable]) -> Result<Vec<u8>> {
    script.packed(variables).map_err(|too_large| {
        Failure::usage(too_large.to_string())
            .hint("shorten the script of --user-data-path, or let it download the rest")
    })
}

#[cfg(test)]
mod tests {
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
                    "the group g has machines with other settings: vm-type is t3.micro there and t2.micro here"
                )
            );
        }
    }
}
