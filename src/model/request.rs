//! What `start` was asked for.

use std::time::Duration;

use super::{
    place::{Candidate, Place},
    user_data::{self, Script, Variable},
};
use crate::values::{Cidr, GroupName, KeyPlace, Market, Proxy, Tag, VmType, Volume, VolumeType};

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "options are independent")]
pub struct Request {
    pub group: GroupName,
    /// How many machines it is to have.
    pub num_machines: u32,
    /// How many machines are enough where there is no capacity for all.
    pub min_machines: Option<u32>,
    /// For how long the launch is tried again where there is no capacity.
    pub wait_for_capacity: Option<Duration>,
    pub vm_type: VmType,
    /// How many threads run on each core; none for the type's own number.
    pub threads_per_core: Option<u32>,
    /// Further types, in this order, where there is no capacity for the first.
    pub other_types: Vec<VmType>,
    /// Nobody named a type, and these are the default ones.
    pub types_are_default: bool,
    /// An image other than the newest standard one.
    pub image_id: Option<String>,
    /// How old a prepared image may be to be taken instead of the standard one; none to
    /// take no prepared image.
    pub prepared_image_age: Option<Duration>,
    pub volume: Volume,
    /// The MiB/s at which EBS fills the root disk from its snapshot; none to fill it as
    /// it is read.
    pub initialization_rate_mibps: Option<u32>,
    /// A subnet; else the default VPC.
    pub subnet_id: Option<String>,
    /// Launch although machines reach no internet there.
    pub allow_no_internet: bool,
    /// A security group; else our own.
    pub security_group_id: Option<String>,
    /// A zone of the default VPC.
    pub availability_zone: Option<String>,
    /// Who may connect with SSH.
    pub ssh_from: Option<Cidr>,
    /// The EC2 key pair for SSH.
    pub key_name: Option<String>,
    pub instance_profile: Option<String>,
    /// Burstable machines do not use more than their CPU credits.
    pub standard_credits: bool,
    pub market: Market,
    /// Spot machines that there is no capacity for are launched on demand.
    pub spot_fallback: bool,
    /// The most to pay for a spot machine, USD an hour, as EC2 takes it.
    pub max_price: Option<String>,
    /// The most that the group may cost, USD an hour. It is not one of the group's
    /// settings: it only refuses a launch.
    pub max_cost_per_hour: Option<f64>,
    /// The group's budget, USD.
    pub max_cost: Option<String>,
    pub tags: Vec<Tag>,
    pub script: Script,
    /// What the runner on the machine is told.
    pub runner: Runner,
}

/// The IOPS that every gp3 volume has without paying for them (EBS user guide, volume
/// types).
pub const GP3_IOPS: u32 = 3_000;
/// The same in MiB per second.
pub const GP3_THROUGHPUT_MIBPS: u32 = 125;

/// What a machine reaches without its proxy: itself and its metadata service.
const NOT_BY_PROXY: &str = "169.254.169.254,fd00:ec2::254,localhost,127.0.0.1,::1";

/// A price in digits and at most one point, without superfluous zeros.
pub fn plain_price(price: &str) -> String {
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match part.trim_end_matches('0') {
        "" => whole.to_owned(),
        part => format!("{whole}.{part}"),
    }
}

/// What the task runner on a machine is told.
#[derive(Clone, Debug)]
pub struct Runner {
    pub api_key: String,
    /// Where the machine fetches the key itself, instead of being given it.
    pub api_key_from: Option<KeyPlace>,
    /// The proxy for everything that the machine sends out.
    pub proxy: Option<Proxy>,
    /// Whether tasks and images are kept on the instance store, if there is one.
    pub local_disks: bool,
    /// The API's address, without a trailing slash.
    pub api_url: String,
    pub task_runner_image: String,
    pub file_tracker_image: String,
    /// How many machines the group is to have. While there are fewer, others may still be
    /// booting.
    pub num_machines: u32,
    /// The machine ends itself after so many minutes without a task; 0: never.
    pub max_idle_minutes: u32,
    /// The machine ends itself at this age.
    pub max_lifetime: Option<Duration>,
    /// The machine ends itself if it is not registered by then.
    pub boot_timeout: Duration,
}

// These are the defaults. user-data.sh repeats them for whoever runs it by hand.
impl Runner {
    pub const API_URL: &str = "https://api.inductiva.ai";
    /// The released images (the Python client's defaults too).
    pub const TASK_RUNNER_IMAGE: &str = "inductiva/task-runner:main";
    /// The released images (the Python client's defaults too).
    pub const FILE_TRACKER_IMAGE: &str = "inductiva/file-tracker:main";
    /// Minutes without a task before a machine ends itself.
    pub const MAX_IDLE_MINUTES: u32 = 30;
    /// How long a machine may take to register.
    pub const BOOT_TIMEOUT: Duration = Duration::from_mins(30);

    /// The same with its secrets hidden, to be shown.
    pub fn hiding_secrets(&self) -> Self {
        self.with_secrets(|_| user_data::HIDDEN.into())
    }

    /// The same with texts of the same length instead of its secrets, for a request that
    /// EC2 is only asked about.
    pub fn without_secrets(&self) -> Self {
        self.with_secrets(|length| "x".repeat(length))
    }

    fn with_secrets(&self, secret: impl Fn(usize) -> String) -> Self {
        Self {
            api_key: secret(self.api_key.len()),
            proxy: self.proxy.as_ref().map(|p| p.with_other_user(secret)),
            ..self.clone()
        }
    }

    /// The variables of the preamble, in their order.
    pub fn variables(&self, group: &GroupName, group_id: Option<&str>, gpu: bool) -> Vec<Variable> {
        let variable = |name, value: &str| Variable {
            name,
            value: value.to_owned(),
        };
        let lifetime = self
            .max_lifetime
            .map_or(String::new(), |l| l.as_secs().to_string());
        let key = match &self.api_key_from {
            None => variable("INDUCTIVA_API_KEY", &self.api_key),
            Some(place) => variable("INDUCTIVA_API_KEY_FROM", &place.to_string()),
        };
        let mut variables = vec![
            key,
            variable("INDUCTIVA_API_URL", &self.api_url),
            variable("MACHINE_GROUP_ID", group_id.unwrap_or_default()),
            variable("MACHINE_GROUP_NAME", group.as_str()),
            variable("TASK_RUNNER_IMAGE", &self.task_runner_image),
            variable("FILE_TRACKER_IMAGE", &self.file_tracker_image),
            variable("MAX_IDLE_MINUTES", &self.max_idle_minutes.to_string()),
            variable("MAX_LIFETIME_SECONDS", &lifetime),
            variable(
                "BOOT_TIMEOUT_SECONDS",
                &self.boot_timeout.as_secs().to_string(),
            ),
            variable("NUM_MACHINES", &self.num_machines.to_string()),
            variable("GPU", if gpu { "true" } else { "false" }),
        ];
        if !self.local_disks {
            variables.push(variable("LOCAL_DISKS", "false"));
        }
        if let Some(proxy) = &self.proxy {
            let proxy = proxy.with_user();
            variables.extend([
                variable("http_proxy", &proxy),
                variable("https_proxy", &proxy),
                variable("no_proxy", NOT_BY_PROXY),
            ]);
        }
        variables
    }
}

impl Request {
    /// Older prepared images are not used, as their system lacks a month of updates.
    pub const PREPARED_IMAGE_AGE: Duration = Duration::from_hours(30 * 24);

    /// A request with the defaults for everything else, and without a key.
    pub fn with_defaults(group: GroupName, vm_type: VmType, num_machines: u32) -> Self {
        Self {
            group,
            num_machines,
            min_machines: None,
            wait_for_capacity: None,
            vm_type,
            threads_per_core: None,
            other_types: Vec::new(),
            types_are_default: false,
            image_id: None,
            prepared_image_age: Some(Self::PREPARED_IMAGE_AGE),
            volume: Volume {
                size_gib: None,
                kind: VolumeType::Gp3,
                iops: None,
                throughput_mibps: None,
            },
            initialization_rate_mibps: None,
            subnet_id: None,
            allow_no_internet: false,
            security_group_id: None,
            availability_zone: None,
            ssh_from: None,
            key_name: None,
            instance_profile: None,
            standard_credits: false,
            market: Market::OnDemand,
            spot_fallback: false,
            max_price: None,
            max_cost_per_hour: None,
            max_cost: None,
            tags: Vec::new(),
            script: Script::standard(),
            runner: Runner {
                api_key: String::new(),
                api_key_from: None,
                proxy: None,
                local_disks: true,
                api_url: Runner::API_URL.to_owned(),
                task_runner_image: Runner::TASK_RUNNER_IMAGE.to_owned(),
                file_tracker_image: Runner::FILE_TRACKER_IMAGE.to_owned(),
                num_machines,
                max_idle_minutes: Runner::MAX_IDLE_MINUTES,
                max_lifetime: None,
                boot_timeout: Runner::BOOT_TIMEOUT,
            },
        }
    }

    /// The same request with equal values written in the same way. Groups are compared by
    /// these words, and a launch that is made again has to have the same bytes.
    pub fn in_plain_words(mut self) -> Self {
        self.max_price = self.max_price.map(|price| plain_price(&price));
        self.max_cost = self.max_cost.map(|usd| plain_price(&usd));
        if self.volume.kind == VolumeType::Gp3 {
            let volume = &mut self.volume;
            volume.iops = volume.iops.filter(|n| *n != GP3_IOPS);
            volume.throughput_mibps = volume
                .throughput_mibps
                .filter(|n| *n != GP3_THROUGHPUT_MIBPS);
        }
        self
    }

    /// The same request for types that turned out to be the group's or the region's.
    pub fn of_types(&self, types: Vec<VmType>) -> Self {
        let mut types = types.into_iter();
        Self {
            vm_type: types.next().unwrap_or_else(|| self.vm_type.clone()),
            other_types: types.collect(),
            types_are_default: false,
            ..self.clone()
        }
    }

    /// Whether a launch depends on what it costs.
    pub fn needs_prices(&self) -> bool {
        self.max_cost_per_hour.is_some() || self.max_cost.is_some()
    }

    /// The types in order of preference.
    pub fn vm_types(&self) -> impl Iterator<Item = &VmType> {
        std::iter::once(&self.vm_type).chain(&self.other_types)
    }

    /// Whether one of several types is taken. Then it is worth saying which one.
    pub fn has_several_types(&self) -> bool {
        !self.other_types.is_empty()
    }

    /// The types as they are shown.
    pub fn vm_types_text(&self) -> String {
        let names: Vec<&str> = self.vm_types().map(VmType::as_str).collect();
        names.join(",")
    }

    /// The markets in order of preference.
    pub fn markets(&self) -> Vec<Market> {
        let fallback =
            (self.spot_fallback && self.market == Market::Spot).then_some(Market::OnDemand);
        std::iter::once(self.market).chain(fallback).collect()
    }

    /// How many machines the group is to have at least.
    pub fn least(&self) -> u32 {
        self.min_machines.unwrap_or(self.num_machines)
    }

    pub fn first_choice(&self) -> Candidate {
        Candidate {
            vm_type: self.vm_type.clone(),
            place: self.place(),
            market: self.market,
        }
    }

    pub fn place(&self) -> Place {
        match (&self.subnet_id, &self.availability_zone) {
            (Some(id), _) => Place::Subnet(id.clone()),
            (None, Some(zone)) => Place::Zone(zone.clone()),
            (None, None) => Place::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_sh_has_the_same_defaults() {
        let script = include_str!("../../user-data.sh");
        let minutes = Runner::MAX_IDLE_MINUTES.to_string();
        let seconds = Runner::BOOT_TIMEOUT.as_secs().to_string();
        for (variable, default) in [
            ("INDUCTIVA_API_URL", Runner::API_URL),
            ("TASK_RUNNER_IMAGE", Runner::TASK_RUNNER_IMAGE),
            ("FILE_TRACKER_IMAGE", Runner::FILE_TRACKER_IMAGE),
            ("MAX_IDLE_MINUTES", &minutes),
            ("BOOT_TIMEOUT_SECONDS", &seconds),
        ] {
            let used = format!("${{{variable}:-{default}}}");
            assert!(script.contains(&used), "{used}");
            let told = format!("#   {variable:<20}  {default}");
            let lines: Vec<&str> = script.lines().filter(|l| l.starts_with(&told)).collect();
            assert_eq!(lines.len(), 1, "{told}");
        }
    }
}
