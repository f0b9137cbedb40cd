//! Results: each is one value with a JSON form and a text form. Fields are
//! added, never renamed; what is unknown is null.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::SystemTime};

use serde::Serialize;

use crate::{
    inductiva::Group,
    machines::price_book::PriceBook,
    model::{
        machine::{Machine, State},
        request::Request,
    },
    plan::{
        cost::{self, Cost},
        decision::{LaunchPlan, SecurityGroupChoice},
    },
    terminal::output::table,
    values::{GroupName, Market},
};

/// A machine in a result.
#[derive(Clone, Debug, Serialize)]
pub struct MachineReport {
    instance_id: String,
    state: State,
    availability_zone: Option<String>,
    private_ip: Option<String>,
    public_ip: Option<String>,
    market: Market,
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

/// A machine of a start.
#[derive(Clone, Debug, Serialize)]
pub struct StartedMachine {
    #[serde(flatten)]
    machine: MachineReport,
    vm_type: String,
}

impl From<&Machine> for StartedMachine {
    fn from(machine: &Machine) -> Self {
        Self {
            machine: MachineReport::from(machine),
            vm_type: machine.vm_type.clone(),
        }
    }
}

/// A machine group by its name, and its id on Inductiva's side.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    /// The name.
    pub name: GroupName,
    /// None while Inductiva has not been reached.
    pub id: Option<String>,
}

/// What `start` came to.
#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    /// The group.
    pub machine_group: GroupReport,
    /// The AWS account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The EC2 type, or types in order of preference.
    pub vm_type: String,
    /// How many machines were asked for.
    pub requested: u32,
    /// The image that the machines run.
    pub image_id: Option<String>,
    /// Machines that this run launched.
    pub launched: usize,
    /// Machines that the group had.
    pub existing: usize,
    /// All of them.
    pub machines: Vec<StartedMachine>,
    /// What all of them cost.
    pub cost: Cost,
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The type is a column only where there are several.
        let vm_type = |m: &StartedMachine| m.vm_type.clone();
        let first = self.machines.first().map(vm_type);
        let several = self
            .machines
            .iter()
            .any(|m| Some(&m.vm_type) != first.as_ref());
        let column = |cell: String| several.then_some(cell);
        let rows: Vec<Vec<String>> = self
            .machines
            .iter()
            .map(|started| {
                let m = &started.machine;
                let cells = [
                    m.instance_id.clone(),
                    m.state.to_string(),
                    or_na(m.availability_zone.as_deref()),
                    or_na(m.private_ip.as_deref()),
                    or_na(m.public_ip.as_deref()),
                    m.market.to_string(),
                ];
                cells.into_iter().chain(column(vm_type(started))).collect()
            })
            .collect();
        let headers = [
            "INSTANCE ID",
            "STATE",
            "ZONE",
            "PRIVATE IP",
            "PUBLIC IP",
            "MARKET",
            "TYPE",
        ];
        f.write_str(&table(&headers[..if several { 7 } else { 6 }], &rows))
    }
}

/// A machine of a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedMachine {
    #[serde(flatten)]
    machine: MachineReport,
    machine_group: Option<String>,
    vm_type: String,
    region: String,
    launch_time: Option<String>,
    age_seconds: Option<u64>,
    /// Without its disk.
    usd_per_hour: Option<f64>,
    runner: Option<RunnerState>,
    current_task_id: Option<String>,
}

/// A group on Inductiva's side that has no machine any more.
#[derive(Clone, Debug, Serialize)]
pub struct LeftoverGroup {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
}

impl From<&Group> for LeftoverGroup {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            id: group.id.clone(),
        }
    }
}

/// A machine's task runner, as Inductiva sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunnerState {
    /// Not, or no longer, one of the group's machines.
    NotRegistered,
    /// Waiting for a task.
    Idle,
    /// Running a task.
    Busy,
}

impl RunnerState {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotRegistered => "not registered",
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// What `list` found.
#[derive(Clone, Debug, Serialize)]
pub struct ListReport {
    /// Sorted by region, group, launch and id.
    pub machines: Vec<ListedMachine>,
    /// All of them, without their disks; none where a price is not known.
    pub usd_per_hour: Option<f64>,
    /// None where Inductiva was not asked.
    pub leftover_groups: Option<Vec<LeftoverGroup>>,
}

impl ListReport {
    /// The list of `machines` at the time `now`, and what Inductiva says of those
    /// of `groups`, some of which it may not have.
    pub fn of(
        machines: &[Machine],
        groups: &BTreeMap<String, Option<Group>>,
        prices: &PriceBook,
        now: SystemTime,
    ) -> Self {
        let age = |launched| now.duration_since(launched).unwrap_or_default().as_secs();
        let mut sorted: Vec<&Machine> = machines.iter().collect();
        sorted.sort_by_key(|m| (&m.region, m.group(), &m.launch_time, &m.instance_id));
        let listed = |m: &&Machine| {
            let known = m.group().and_then(|name| groups.get(name));
            let registered =
                known.map(|group| group.as_ref().and_then(|g| g.machine(&m.instance_id)));
            ListedMachine {
                machine: MachineReport::from(*m),
                machine_group: m.group().map(str::to_owned),
                vm_type: m.vm_type.clone(),
                region: m.region.clone(),
                launch_time: m.launch_time.clone(),
                age_seconds: m.launched_at.map(age),
                usd_per_hour: prices.usd_per_hour(m),
                runner: registered.map(|machine| match machine {
                    None => RunnerState::NotRegistered,
                    Some(machine) if machine.current_task_id.is_some() => RunnerState::Busy,
                    Some(_) => RunnerState::Idle,
                }),
                current_task_id: registered.flatten().and_then(|m| m.current_task_id.clone()),
            }
        };
        let machines: Vec<ListedMachine> = sorted.iter().map(listed).collect();
        Self {
            usd_per_hour: machines
                .iter()
                // An empty sum of floats is -0.
                .try_fold(0.0, |sum, m| Some(sum + m.usd_per_hour?))
                .map(cost::rounded),
            machines,
            leftover_groups: None,
        }
    }

    /// The ids, in the list's order.
    pub fn ids(&self) -> Vec<String> {
        self.machines
            .iter()
            .map(|m| m.machine.instance_id.clone())
            .collect()
    }
}

impl fmt::Display for ListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> = self
            .machines
            .iter()
            .map(|listed| {
                let m = &listed.machine;
                vec![
                    or_na(listed.machine_group.as_deref()),
                    m.instance_id.clone(),
                    listed.vm_type.clone(),
                    m.state.to_string(),
                    or_na(m.availability_zone.as_deref().or(Some(&listed.region))),
                    or_na(m.private_ip.as_deref()),
                    or_na(m.public_ip.as_deref()),
                    m.market.to_string(),
                    listed.age_seconds.map_or("n/a".into(), age),
                    listed.usd_per_hour.map_or("n/a".into(), cost::hourly),
                    or_na(listed.runner.map(RunnerState::as_str)),
                    or_na(listed.current_task_id.as_deref()),
                ]
            })
            .collect();
        let headers = [
            "MACHINE GROUP",
            "INSTANCE ID",
            "TYPE",
            "STATE",
            "ZONE",
            "PRIVATE IP",
            "PUBLIC IP",
            "MARKET",
            "AGE",
            "USD/H",
            "RUNNER",
            "TASK",
        ];
        f.write_str(&table(&headers, &rows))
    }
}

/// `42s`, `12m`, `3h12m`, `2d3h`.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

/// What `terminate` ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TerminateReport {
    /// The ids of machines.
    pub terminated: Vec<String>,
    /// The names of the groups that were deleted on Inductiva's side.
    pub deleted_machine_groups: Vec<String>,
    /// The ids of security groups.
    pub removed_security_groups: Vec<String>,
}

impl fmt::Display for TerminateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terminated
            .iter()
            .try_for_each(|id| writeln!(f, "{id}"))
    }
}

/// Who is signed in.
#[derive(Clone, Debug, Serialize)]
pub struct WhoamiReport {
    /// The AWS account.
    pub account: String,
    /// The user or role.
    pub arn: String,
    /// The region that calls go to.
    pub region: String,
    /// Where the credentials came from.
    pub credentials_from: String,
    /// When they end, RFC 3339; null for keys that stay good.
    pub credentials_expire: Option<String>,
}

impl fmt::Display for WhoamiReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![
            ("account", self.account.clone()),
            ("arn", self.arn.clone()),
            ("region", self.region.clone()),
            ("credentials from", self.credentials_from.clone()),
        ];
        if let Some(end) = &self.credentials_expire {
            rows.push(("credentials end", end.clone()));
        }
        labelled(f, &rows)
    }
}

/// A sign-in with IAM Identity Center.
#[derive(Clone, Debug, Serialize)]
pub struct LoginReport {
    /// The session; null for a profile of the older form.
    pub sso_session: Option<String>,
    /// Its start URL.
    pub start_url: String,
    /// The region of IAM Identity Center.
    pub region: String,
    /// When the token is over; it is refreshed where that is possible.
    pub expires_at: String,
}

impl fmt::Display for LoginReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sso_session.as_ref().unwrap_or(&self.start_url);
        writeln!(f, "signed in to {name} until {}", self.expires_at)
    }
}

/// A profile for IAM Identity Center, in ~/.aws/config.
#[derive(Clone, Debug, Serialize)]
pub struct SsoProfileReport {
    /// The profile's name.
    pub profile: String,
    /// Its session.
    pub sso_session: String,
    /// The session's start URL.
    pub sso_start_url: String,
    /// The region of IAM Identity Center.
    pub sso_region: String,
    /// The account.
    pub sso_account_id: String,
    /// The role in it.
    pub sso_role_name: String,
    /// The region of the profile's machines.
    pub region: String,
    /// The file.
    pub config_file: PathBuf,
    /// False where all of it was there already.
    pub added: bool,
}

impl fmt::Display for SsoProfileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            profile,
            config_file,
            ..
        } = self;
        let config_file = config_file.display();
        if self.added {
            writeln!(f, "added profile {profile} to {config_file}")
        } else {
            writeln!(f, "profile {profile} is in {config_file} already")
        }
    }
}

/// The end of a sign-in with IAM Identity Center.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutReport {
    /// The session; null for a profile of the older form.
    pub sso_session: Option<String>,
    /// Its start URL.
    pub start_url: String,
    /// Whether there was anything to end.
    pub was_signed_in: bool,
}

impl fmt::Display for LogoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sso_session.as_ref().unwrap_or(&self.start_url);
        if self.was_signed_in {
            writeln!(f, "signed out of {name}")
        } else {
            writeln!(f, "was not signed in to {name}")
        }
    }
}

/// What `start --dry-run` would do.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    dry_run: bool,
    machine_group: GroupReport,
    account: String,
    region: String,
    vm_type: String,
    image_id: Option<String>,
    image_name: Option<String>,
    launch: u32,
    existing: usize,
    market: Market,
    max_price: Option<String>,
    volume: Option<VolumeReport>,
    subnet_id: Option<String>,
    availability_zone: Option<String>,
    security_group: Option<SecurityGroupReport>,
    key_name: Option<String>,
    instance_profile: Option<String>,
    gpu: Option<String>,
    tags: BTreeMap<String, String>,
    user_data_bytes: usize,
    variables: BTreeMap<&'static str, String>,
    cost: Cost,
}

#[derive(Clone, Debug, Serialize)]
struct VolumeReport {
    size_gib: u32,
    volume_type: &'static str,
    iops: Option<u32>,
    throughput_mibps: Option<u32>,
    encrypted: bool,
}

#[derive(Clone, Debug, Serialize)]
struct SecurityGroupReport {
    id: Option<String>,
    name: Option<String>,
    inbound: Option<String>,
}

impl PlanReport {
    /// Of a group that has its machines already.
    pub fn complete(
        request: &Request,
        group_id: Option<String>,
        account: &str,
        region: &str,
        existing: usize,
        cost: Cost,
    ) -> Self {
        Self {
            dry_run: true,
            machine_group: GroupReport {
                name: request.group.clone(),
                id: group_id,
            },
            account: account.to_owned(),
            region: region.to_owned(),
            vm_type: request.vm_types_text(),
            image_id: None,
            image_name: None,
            launch: 0,
            existing,
            market: request.market,
            max_price: request.max_price.clone(),
            volume: None,
            subnet_id: request.subnet_id.clone(),
            availability_zone: request.availability_zone.clone(),
            security_group: None,
            key_name: request.key_name.clone(),
            instance_profile: request.instance_profile.clone(),
            gpu: None,
            tags: BTreeMap::new(),
            user_data_bytes: 0,
            variables: BTreeMap::new(),
            cost,
        }
    }

    /// Of a launch.
    pub fn launch(
        request: &Request,
        group_id: Option<String>,
        account: &str,
        region: &str,
        plan: &LaunchPlan,
        cost: Cost,
    ) -> Self {
        let ssh = request.ssh_from.as_ref().map_or("none".to_owned(), |cidr| {
            format!("TCP 22 from {}", cidr.as_str())
        });
        let security_group = match &plan.security_group {
            SecurityGroupChoice::New { name, .. } => SecurityGroupReport {
                id: None,
                name: Some(name.clone()),
                inbound: Some(ssh),
            },
            SecurityGroupChoice::Existing(id) => SecurityGroupReport {
                id: Some(id.clone()),
                name: None,
                // A group of the user's own lets in what it lets in.
                inbound: request.security_group_id.is_none().then_some(ssh),
            },
        };
        let gpu = plan.vm_type.gpu.as_ref();
        let variables = request.runner.hiding_key().variables(
            &request.group,
            group_id.as_deref(),
            gpu.is_some(),
        );
        Self {
            image_id: Some(plan.image.id.clone()),
            image_name: Some(plan.image.name.clone()),
            launch: plan.number,
            volume: Some(VolumeReport {
                size_gib: plan.volume_gib,
                volume_type: request.volume.kind.as_str(),
                iops: request.volume.iops,
                throughput_mibps: request.volume.throughput_mibps,
                encrypted: true,
            }),
            security_group: Some(security_group),
            gpu: gpu.map(|gpu| format!("{} × {}", gpu.count, gpu.name)),
            tags: plan
                .first_tags(request, group_id.as_deref())
                .into_iter()
                .collect(),
            // Whether it fits was checked before any call.
            user_data_bytes: plan
                .user_data(request, group_id.as_deref())
                .map_or(0, |sent| sent.len()),
            variables: variables.into_iter().map(|v| (v.name, v.value)).collect(),
            ..Self::complete(
                request,
                group_id,
                account,
                region,
                plan.existing.len(),
                cost,
            )
        }
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![
            (
                "machine group",
                format!(
                    "{} ({})",
                    self.machine_group.name,
                    self.machine_group.id.as_deref().unwrap_or("to be made")
                ),
            ),
            ("account", self.account.clone()),
            ("region", self.region.clone()),
            (
                "to launch",
                format!("{} × {} {}", self.launch, self.vm_type, self.market),
            ),
            ("existing", self.existing.to_string()),
            ("cost", self.cost.to_string()),
        ];
        if let (Some(id), Some(name)) = (&self.image_id, &self.image_name) {
            rows.push(("image", format!("{id} {name}")));
        }
        if let Some(gpu) = &self.gpu {
            rows.push(("gpu", gpu.clone()));
        }
        if let Some(volume) = &self.volume {
            let more = |n: Option<u32>, unit| n.map_or(String::new(), |n| format!(", {n} {unit}"));
            let (iops, throughput) = (
                more(volume.iops, "IOPS"),
                more(volume.throughput_mibps, "MiB/s"),
            );
            rows.push((
                "root disk",
                format!(
                    "{} GiB {}{iops}{throughput}, encrypted",
                    volume.size_gib, volume.volume_type
                ),
            ));
        }
        if let Some(group) = &self.security_group {
            let id = group.id.as_deref().unwrap_or("to be made");
            let name = group
                .name
                .as_deref()
                .map_or(String::new(), |name| format!(" {name}"));
            let inbound = group.inbound.as_deref().unwrap_or("as it has");
            rows.push(("security group", format!("{id}{name}, inbound: {inbound}")));
        }
        let options = [
            ("subnet", &self.subnet_id),
            ("zone", &self.availability_zone),
            ("key pair", &self.key_name),
            ("instance profile", &self.instance_profile),
            ("max price", &self.max_price),
        ];
        rows.extend(
            options
                .into_iter()
                .filter_map(|(label, value)| Some((label, value.clone()?))),
        );
        if self.launch > 0 {
            rows.push(("user data", format!("{} bytes", self.user_data_bytes)));
        }
        labelled(f, &rows)?;
        for (key, value) in &self.tags {
            writeln!(f, "  tag       {key}={value}")?;
        }
        for (name, value) in &self.variables {
            writeln!(f, "  variable  {name}={value}")?;
        }
        Ok(())
    }
}

/// `label  value` lines, the values aligned.
fn labelled(f: &mut fmt::Formatter<'_>, rows: &[(&str, String)]) -> fmt::Result {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    rows.iter()
        .try_for_each(|(label, value)| writeln!(f, "{label:width$}  {value}"))
}

/// The value, or `n/a` for nothing, as the `inductiva` program has it.
fn or_na(value: Option<&str>) -> String {
    value.unwrap_or("n/a").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        let ages = [0, 59, 60, 3_599, 3_600, 11_520, 86_399, 86_400, 200_000].map(age);
        assert_eq!(
            ages,
            [
                "0s", "59s", "1m", "59m", "1h0m", "3h12m", "23h59m", "1d0h", "2d7h"
            ]
        );
    }
}
