//! A launch that was decided: what EC2 is asked for, and what the machines are given.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    budget::Budget,
    choices::SecurityGroupChoice,
    facts::Facts,
    group_settings::GroupSettings,
    launch_tag::LaunchTag,
    prepared,
    tag_limit::OWN_TAGS,
    tokens::{Base, Call, Intent},
};
use crate::{
    error::{Failure, Result},
    model::{
        image::Image,
        machine::{
            LAUNCHER, Machine, TAG_BUDGET, TAG_GROUP, TAG_GROUP_ID, TAG_LAUNCH, TAG_LAUNCHER,
            TAG_LAUNCHER_VERSION,
        },
        network::Subnet,
        place::Place,
        request::{Request, Runner},
        user_data::{Script, TooLarge, Variable},
        vm_type::VmTypeFacts,
    },
    values::VmType,
};

/// A decided launch. Only the group's id on Inductiva's side is still open.
#[derive(Clone, Debug)]
pub struct LaunchPlan {
    /// How many machines to launch.
    pub number: u32,
    /// The calls to launch them with.
    pub calls: Vec<Call>,
    /// The launch that these calls belong to.
    pub launch: LaunchId,
    /// What the machines of its first call say of the launch.
    pub tag: LaunchTag,
    /// The group's id on Inductiva's side that the machines of a launch which is under
    /// way were given.
    pub group_id: Option<String>,
    /// When the group was looked at, by EC2's clock.
    pub looked_at: SystemTime,
    /// The group's machines that count already.
    pub existing: Vec<Machine>,
    /// The ids of all machines of the group that were known, terminated ones too.
    pub seen: Vec<String>,
    pub image: Image,
    /// Why a new launch does not use a prepared image.
    pub why_not_prepared: Option<String>,
    /// GiB of the root disk.
    pub volume_gib: u32,
    /// The type's properties, with the threads that were asked for.
    pub vm_type: VmTypeFacts,
    /// The number of cores of each type whose threads can be chosen: EC2 wants both
    /// numbers.
    pub cores: BTreeMap<VmType, u32>,
    /// The properties of the further types.
    pub other_types: Vec<VmTypeFacts>,
    pub security_group: SecurityGroupChoice,
    /// What the user chose.
    pub settings: GroupSettings,
    /// The group's budget, as the machines are told it.
    pub budget: Option<Budget>,
    /// Whether an earlier group of this name had a budget, which has ended with it.
    pub budget_is_anew: bool,
    /// The default subnets to launch in, where no place was named.
    pub subnets: Vec<Subnet>,
    /// Whether there are other default subnets, so that EC2 must not choose.
    pub leaves_out: bool,
    /// A place in which a dry run can try the launch.
    pub first_place: Place,
    /// What to say before the launch.
    pub warnings: Vec<String>,
}

/// Which launch a plan is about.
#[derive(Clone, Debug)]
pub enum LaunchId {
    New(Intent),
    /// One that is under way.
    Resumed,
}

impl LaunchPlan {
    /// The new launch's full name; none for a launch that is under way.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.launch {
            LaunchId::New(intent) => Some(intent),
            LaunchId::Resumed => None,
        }
    }

    /// Whether this run begins the launch itself.
    pub fn is_new(&self) -> bool {
        self.intent().is_some()
    }

    /// What to say of the image: that it is a prepared one, or why it is not.
    ///
    /// # Errors
    /// Why the image is the standard or the named one.
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

    /// The properties of one of the types.
    pub fn facts_of(&self, vm_type: &VmType) -> Option<&VmTypeFacts> {
        let mut all = std::iter::once(&self.vm_type).chain(&self.other_types);
        all.find(|facts| facts.name == *vm_type)
    }

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

    /// The user data in the form that is sent.
    ///
    /// # Errors
    /// It is more than EC2 takes.
    pub fn user_data(&self, request: &Request, group_id: Option<&str>) -> Result<Vec<u8>> {
        let gpu = self.vm_type.gpu.is_some();
        // A call that is made again has the bytes of its launch, and so its number.
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
/// They are more than EC2 takes.
pub fn packed_user_data(script: &Script, variables: &[Variable]) -> Result<Vec<u8>> {
    script.packed(variables).map_err(too_much_user_data)
}

pub fn too_much_user_data(too_large: TooLarge) -> Failure {
    Failure::usage(too_large.to_string())
        .hint("shorten the script of --user-data-path, or let it download the rest")
}
