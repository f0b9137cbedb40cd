//! What `start --dry-run` would do.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::{
    commands::report::{BudgetReport, GroupReport, labelled},
    model::request::Request,
    plan::{choices::SecurityGroupChoice, cost::Cost, launch_plan::LaunchPlan},
    values::Market,
};

#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    dry_run: bool,
    machine_group: GroupReport,
    account: String,
    region: String,
    vm_type: String,
    threads_per_core: Option<u32>,
    image_id: Option<String>,
    image_name: Option<String>,
    /// Whether the image is one of `image build`; none for a group that has its machines.
    image_is_prepared: Option<bool>,
    /// Why it is not a prepared one.
    not_prepared_because: Option<String>,
    launch: u32,
    existing: usize,
    market: Market,
    max_price: Option<String>,
    volume: Option<VolumeReport>,
    /// The image's other disks, which are of the same type.
    other_volumes: Vec<OtherVolumeReport>,
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
    budget: Option<BudgetReport>,
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
struct OtherVolumeReport {
    device: String,
    size_gib: u32,
}

#[derive(Clone, Debug, Serialize)]
struct SecurityGroupReport {
    id: Option<String>,
    name: Option<String>,
    inbound: Option<String>,
}

impl PlanReport {
    /// The report for a group that has its machines already.
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
            threads_per_core: request.threads_per_core,
            image_id: None,
            image_name: None,
            image_is_prepared: None,
            not_prepared_because: None,
            launch: 0,
            existing,
            market: request.market,
            max_price: request.max_price.clone(),
            volume: None,
            other_volumes: Vec::new(),
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
            budget: None,
        }
    }

    /// The report for a launch.
    pub fn launch(
        request: &Request,
        group_id: Option<String>,
        account: &str,
        region: &str,
        plan: &LaunchPlan,
        prepared: Result<String, String>,
        cost: Cost,
    ) -> Self {
        let ssh = request
            .ssh_from
            .as_ref()
            .map_or("none".to_owned(), |cidr| format!("TCP 22 from {cidr}"));
        let security_group = match &plan.security_group {
            SecurityGroupChoice::New { name, .. } => SecurityGroupReport {
                id: None,
                name: Some(name.clone()),
                inbound: Some(ssh),
            },
            SecurityGroupChoice::Existing(id) => SecurityGroupReport {
                id: Some(id.clone()),
                name: None,
                // What a group of the user's own lets in was not asked.
                inbound: request.security_group_id.is_none().then_some(ssh),
            },
        };
        let gpu = plan.vm_type.gpu.as_ref();
        let mut variables = request.runner.hiding_secrets().variables(
            &request.group,
            group_id.as_deref(),
            gpu.is_some(),
        );
        variables.extend(plan.budget_variables());
        Self {
            image_id: Some(plan.image.id.clone()),
            image_name: Some(plan.image.name.clone()),
            image_is_prepared: Some(prepared.is_ok()),
            not_prepared_because: prepared.err(),
            launch: plan.number,
            volume: Some(VolumeReport {
                size_gib: plan.volume_gib,
                volume_type: request.volume.kind.as_str(),
                iops: request.volume.iops,
                throughput_mibps: request.volume.throughput_mibps,
                encrypted: true,
            }),
            other_volumes: plan
                .image
                .other_disks
                .iter()
                .map(|disk| OtherVolumeReport {
                    device: disk.device.clone(),
                    size_gib: disk.size_gib,
                })
                .collect(),
            security_group: Some(security_group),
            gpu: gpu.map(|gpu| format!("{} × {}", gpu.count, gpu.name)),
            tags: plan
                .first_tags(request, group_id.as_deref())
                .into_iter()
                .collect(),
            // Its size was checked before any call.
            user_data_bytes: plan
                .user_data(request, group_id.as_deref())
                .map_or(0, |sent| sent.len()),
            budget: BudgetReport::of(request, plan),
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
        if let Some(budget) = &self.budget {
            rows.push(("budget", budget.to_string()));
        }
        if let (Some(id), Some(name)) = (&self.image_id, &self.image_name) {
            rows.push(("image", format!("{id} {name}")));
        }
        if let Some(why) = &self.not_prepared_because {
            rows.push(("not prepared", why.clone()));
        }
        if let Some(threads) = self.threads_per_core {
            rows.push(("threads per core", threads.to_string()));
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
