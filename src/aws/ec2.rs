//! EC2: one function an API call.

use aws_sdk_ec2::{
    primitives::DateTimeFormat,
    types::{
        self, BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState,
        IamInstanceProfileSpecification, InstanceMarketOptionsRequest,
        InstanceMetadataOptionsRequest, IpPermission, MarketType, Placement, ResourceType,
        ShutdownBehavior, SpotInstanceType, SpotMarketOptions, TagSpecification,
    },
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine as _;

use super::{
    Aws,
    errors::{code, failure, may_have_happened},
};
use crate::{
    error::{Failure, Result},
    machines::{LAUNCHER, Machine, Market, State, TAG_GROUP, TAG_LAUNCHER},
    plan::{
        self, CANONICAL, Gpu, Image, Ingress, LaunchPlan, Request, SecurityGroup, Subnet,
        VmTypeFacts,
    },
    values::{Cidr, GroupName, VmType},
};

/// The most that `DescribeInstances` gives in one answer (EC2 API reference).
const PAGE: i32 = 1_000;

/// Ids in one `TerminateInstances` call: one bad id fails its whole call, and
/// AWS advises against calls of more than 1,000 (EC2 API reference).
const TERMINATE_BATCH: usize = 100;

/// What became of machines that were to be terminated.
#[derive(Clone, Debug, Default)]
pub struct Terminated {
    /// The machines that EC2 answered for, and their states.
    pub states: Vec<(String, State)>,
    /// Why the others were not, when a call failed.
    pub failure: Option<Failure>,
}

impl Terminated {
    /// Those of `ids` that are not known to be going.
    pub fn left(&self, ids: &[String]) -> Vec<String> {
        let gone = |id: &String| {
            self.states
                .iter()
                .any(|(gone, state)| gone == id && state.is_gone())
        };
        ids.iter().filter(|id| !gone(id)).cloned().collect()
    }
}

/// A `RunInstances` call.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// What was decided.
    pub plan: &'a LaunchPlan,
    /// The security group; none only when EC2 is asked about a group still to be made.
    pub security_group_id: Option<&'a str>,
    /// For machines, disks and network interfaces.
    pub tags: &'a [(String, String)],
    /// Packed, before base64.
    pub user_data: &'a [u8],
    /// How many machines, all or none of them.
    pub number: u32,
}

/// Why a launch did not go through.
#[derive(Clone, Debug)]
pub enum LaunchError {
    /// The token was spent on a launch of other bytes.
    TokenMismatch,
    /// No answer, or one that leaves it open: machines may be running.
    Unknown(Failure),
    /// EC2 refused: nothing was launched.
    Refused(Failure),
}

impl Aws {
    /// All machines of the group `name`, terminated ones too.
    pub async fn group_machines(&self, name: &GroupName) -> Result<Vec<Machine>> {
        let filters = vec![
            filter(&format!("tag:{TAG_GROUP}"), [name.as_str()]),
            filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]),
        ];
        self.machines(filters).await
    }

    /// All machines of this program's in the region that are not terminated.
    pub async fn our_machines(&self) -> Result<Vec<Machine>> {
        let states = [
            State::Pending,
            State::Running,
            State::Stopping,
            State::Stopped,
            State::ShuttingDown,
        ];
        let filters = vec![
            filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]),
            filter("instance-state-name", states.map(State::as_str)),
        ];
        self.machines(filters).await
    }

    /// The machines of these ids, whoever launched them; ids that EC2 does not
    /// show are left out.
    pub async fn machines_by_id(&self, ids: &[String]) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        // EC2 API reference, "Filter": at most 200 values.
        for ids in ids.chunks(200) {
            let filters = vec![filter("instance-id", ids.iter().map(String::as_str))];
            machines.extend(self.machines(filters).await?);
        }
        Ok(machines)
    }

    async fn machines(&self, filters: Vec<Filter>) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        let mut pages = self
            .ec2
            .describe_instances()
            .set_filters(Some(filters))
            .into_paginator()
            .page_size(PAGE)
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| failure(&error, "cannot list machines", &self.region))?;
            let instances = page
                .reservations
                .unwrap_or_default()
                .into_iter()
                .flat_map(|reservation| reservation.instances.unwrap_or_default());
            machines.extend(instances.map(|instance| self.machine(instance)));
        }
        Ok(machines)
    }

    /// The image that was named, or those that the standard one is chosen from.
    pub async fn images(&self, request: &Request) -> Result<Vec<Image>> {
        let call = self.ec2.describe_images();
        let call = if let Some(id) = &request.image_id {
            call.image_ids(id)
        } else {
            let mut names = vec![format!("{}*", plan::UBUNTU_IMAGE)];
            let mut call = call.owners(CANONICAL);
            if request.vm_type.may_have_gpu() {
                names.push(format!("{}*", plan::GPU_IMAGE));
                call = call.owners("amazon");
            }
            call.filters(filter("name", names.iter().map(String::as_str)))
                .filters(filter("architecture", ["x86_64"]))
                .filters(filter("state", ["available"]))
        };
        let answer = call
            .send()
            .await
            .map_err(|error| failure(&error, "cannot look up the image", &self.region))?;
        Ok(answer
            .images
            .unwrap_or_default()
            .into_iter()
            .map(image)
            .collect())
    }

    /// The type's processors and GPUs.
    pub async fn vm_type(&self, vm_type: &VmType) -> Result<VmTypeFacts> {
        let answer = self
            .ec2
            .describe_instance_types()
            .instance_types(types::InstanceType::from(vm_type.as_str()))
            .send()
            .await
            .map_err(|error| {
                failure(
                    &error,
                    &format!("cannot look up the type {vm_type}"),
                    &self.region,
                )
            })?;
        answer
            .instance_types
            .unwrap_or_default()
            .into_iter()
            .next()
            .map(vm_type_facts)
            .ok_or_else(|| {
                Failure::failed(format!("{} does not have the type {vm_type}", self.region))
            })
    }

    /// The named subnet, or the default ones.
    pub async fn subnets(&self, request: &Request) -> Result<Vec<Subnet>> {
        let call = self.ec2.describe_subnets();
        let call = match (&request.subnet_id, &request.availability_zone) {
            (Some(id), _) => call.subnet_ids(id),
            (None, Some(zone)) => call
                .filters(filter("default-for-az", ["true"]))
                .filters(filter("availability-zone", [zone.as_str()])),
            (None, None) => call.filters(filter("default-for-az", ["true"])),
        };
        let answer = call
            .send()
            .await
            .map_err(|error| failure(&error, "cannot look up the subnet", &self.region))?;
        let subnet = |subnet: types::Subnet| {
            Some(Subnet {
                id: subnet.subnet_id?,
                vpc_id: subnet.vpc_id?,
            })
        };
        Ok(answer
            .subnets
            .unwrap_or_default()
            .into_iter()
            .filter_map(subnet)
            .collect())
    }

    /// The security groups called `name`, in any VPC.
    pub async fn security_groups(&self, name: &str) -> Result<Vec<SecurityGroup>> {
        let answer = self
            .ec2
            .describe_security_groups()
            .filters(filter("group-name", [name]))
            .send()
            .await
            .map_err(|error| failure(&error, "cannot look up the security group", &self.region))?;
        let group = |group: types::SecurityGroup| {
            Some(SecurityGroup {
                id: group.group_id?,
                name: group.group_name?,
                vpc_id: group.vpc_id?,
                ingress: group
                    .ip_permissions
                    .unwrap_or_default()
                    .into_iter()
                    .flat_map(ingress)
                    .collect(),
            })
        };
        Ok(answer
            .security_groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(group)
            .collect())
    }

    /// Makes the security group `name` without any inbound rule but SSH from
    /// `ssh_from`; another run's is as good. Returns its id.
    pub async fn create_security_group(
        &self,
        name: &str,
        vpc_id: &str,
        ssh_from: Option<&Cidr>,
    ) -> Result<String> {
        let what = format!("cannot make the security group {name}");
        let answer = self.security_group_call(name, vpc_id).send().await;
        let id = match answer {
            Ok(answer) => answer.group_id.unwrap_or_default(),
            Err(error) if code(&error) == Some("InvalidGroup.Duplicate") => self
                .security_groups(name)
                .await?
                .into_iter()
                .find(|group| group.vpc_id == vpc_id)
                .map(|group| group.id)
                .ok_or_else(|| failure(&error, &what, &self.region))?,
            Err(error) => return Err(failure(&error, &what, &self.region)),
        };
        if let Some(cidr) = ssh_from {
            let answer = self
                .ec2
                .authorize_security_group_ingress()
                .group_id(&id)
                .ip_permissions(ssh_permission(cidr))
                .send()
                .await;
            match answer {
                Err(error) if code(&error) != Some("InvalidPermission.Duplicate") => {
                    return Err(failure(
                        &error,
                        &format!("cannot open SSH in the security group {name}"),
                        &self.region,
                    ));
                }
                _ => {}
            }
        }
        Ok(id)
    }

    fn security_group_call(
        &self,
        name: &str,
        vpc_id: &str,
    ) -> aws_sdk_ec2::operation::create_security_group::builders::CreateSecurityGroupFluentBuilder
    {
        let tags = [
            ("Name".to_owned(), name.to_owned()),
            (TAG_LAUNCHER.to_owned(), LAUNCHER.to_owned()),
        ];
        self.ec2
            .create_security_group()
            .group_name(name)
            .description("Inductiva task runner machines, made by inductiva-aws")
            .vpc_id(vpc_id)
            .tag_specifications(tag_specification(ResourceType::SecurityGroup, &tags))
    }

    /// Whether EC2 would permit making the security group.
    pub async fn dry_run_security_group(&self, name: &str, vpc_id: &str) -> Result<()> {
        let answer = self
            .security_group_call(name, vpc_id)
            .dry_run(true)
            .send()
            .await;
        self.dry_run_verdict(answer, &format!("cannot make the security group {name}"))
    }

    /// Makes an EC2 key pair; returns the private key.
    pub async fn create_key_pair(&self, name: &str, ppk: bool) -> Result<String> {
        let tags = [(TAG_LAUNCHER.to_owned(), LAUNCHER.to_owned())];
        let answer = self
            .ec2
            .create_key_pair()
            .key_name(name)
            .key_type(types::KeyType::Ed25519)
            .key_format(if ppk {
                types::KeyFormat::Ppk
            } else {
                types::KeyFormat::Pem
            })
            .tag_specifications(tag_specification(ResourceType::KeyPair, &tags))
            .send()
            .await
            .map_err(|error| {
                let duplicate = code(&error) == Some("InvalidKeyPair.Duplicate");
                let failure = failure(
                    &error,
                    &format!("cannot make the key pair {name}"),
                    &self.region,
                );
                if duplicate {
                    failure.hint(format!(
                        "use it with --key-name {name}, or choose another name"
                    ))
                } else {
                    failure
                }
            })?;
        Ok(answer.key_material.unwrap_or_default())
    }

    /// Takes a key pair back.
    pub async fn delete_key_pair(&self, name: &str) -> Result<()> {
        self.ec2
            .delete_key_pair()
            .key_name(name)
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                failure(
                    &error,
                    &format!("cannot delete the key pair {name}"),
                    &self.region,
                )
            })
    }

    /// `RunInstances`: all of `launch.number` machines or none.
    pub async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
    ) -> Result<Vec<Machine>, LaunchError> {
        let answer = self
            .run_instances_call(launch)
            .client_token(client_token)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .instances
                .unwrap_or_default()
                .into_iter()
                .map(|instance| self.machine(instance))
                .collect()),
            Err(error) => {
                let failure = failure(
                    &error,
                    &format!("cannot launch {}", launch.request.vm_type),
                    &self.region,
                );
                Err(if code(&error) == Some("IdempotentParameterMismatch") {
                    LaunchError::TokenMismatch
                } else if may_have_happened(&error) {
                    LaunchError::Unknown(failure)
                } else {
                    LaunchError::Refused(failure)
                })
            }
        }
    }

    /// Whether EC2 would permit the launch.
    pub async fn dry_run_instances(&self, launch: Launch<'_>) -> Result<()> {
        let answer = self.run_instances_call(launch).dry_run(true).send().await;
        self.dry_run_verdict(answer, &format!("cannot launch {}", launch.request.vm_type))
    }

    /// `DryRunOperation` is EC2's yes.
    fn dry_run_verdict<T, E>(
        &self,
        answer: Result<T, SdkError<E, HttpResponse>>,
        what: &str,
    ) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match answer {
            Ok(_) => Err(Failure::failed(format!(
                "{what}: EC2 took a dry run for the real thing"
            ))),
            Err(error) if code(&error) == Some("DryRunOperation") => Ok(()),
            Err(error) => Err(failure(&error, what, &self.region)),
        }
    }

    fn run_instances_call(
        &self,
        launch: Launch<'_>,
    ) -> aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder {
        let Launch { request, plan, .. } = launch;
        let number = i32::try_from(launch.number).unwrap_or(i32::MAX);
        let disk = EbsBlockDevice::builder()
            .volume_size(i32::try_from(plan.volume_gib).unwrap_or(i32::MAX))
            .volume_type(types::VolumeType::from(request.volume.kind.as_str()))
            .set_iops(request.volume.iops.and_then(|n| i32::try_from(n).ok()))
            .set_throughput(
                request
                    .volume
                    .throughput_mibps
                    .and_then(|n| i32::try_from(n).ok()),
            )
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let mut call = self
            .ec2
            .run_instances()
            .image_id(&plan.image.id)
            .instance_type(types::InstanceType::from(request.vm_type.as_str()))
            .min_count(number)
            .max_count(number)
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .metadata_options(
                InstanceMetadataOptionsRequest::builder()
                    .http_tokens(HttpTokensState::Required)
                    .http_put_response_hop_limit(1)
                    .build(),
            )
            .block_device_mappings(
                BlockDeviceMapping::builder()
                    .device_name(&plan.image.root_device)
                    .ebs(disk)
                    .build(),
            )
            .user_data(base64::engine::general_purpose::STANDARD.encode(launch.user_data))
            .set_security_group_ids(launch.security_group_id.map(|id| vec![id.to_owned()]))
            .set_subnet_id(request.subnet_id.clone())
            .set_key_name(request.key_name.clone())
            .set_iam_instance_profile(request.instance_profile.as_ref().map(|name| {
                IamInstanceProfileSpecification::builder()
                    .name(name)
                    .build()
            }))
            .set_placement(
                request
                    .availability_zone
                    .as_ref()
                    .map(|zone| Placement::builder().availability_zone(zone).build()),
            );
        for resource in [
            ResourceType::Instance,
            ResourceType::Volume,
            ResourceType::NetworkInterface,
        ] {
            call = call.tag_specifications(tag_specification(resource, launch.tags));
        }
        if request.market == Market::Spot {
            let spot = SpotMarketOptions::builder()
                .spot_instance_type(SpotInstanceType::OneTime)
                .set_max_price(request.max_price.clone())
                .build();
            call = call
                .instance_market_options(
                    InstanceMarketOptionsRequest::builder()
                        .market_type(MarketType::Spot)
                        .spot_options(spot)
                        .build(),
                )
                .tag_specifications(tag_specification(
                    ResourceType::SpotInstancesRequest,
                    launch.tags,
                ));
        }
        call
    }

    /// `TerminateInstances` for any number of ids, as far as it goes: a batch
    /// that fails does not keep the next from being tried.
    pub async fn terminate(&self, ids: &[String]) -> Terminated {
        let mut terminated = Terminated::default();
        for batch in ids.chunks(TERMINATE_BATCH) {
            let answer = self
                .ec2
                .terminate_instances()
                .set_instance_ids(Some(batch.to_vec()))
                .send()
                .await;
            match answer {
                Ok(answer) => {
                    let change = |change: types::InstanceStateChange| {
                        Some((change.instance_id?, state(change.current_state.as_ref())))
                    };
                    let changes = answer.terminating_instances.unwrap_or_default();
                    terminated
                        .states
                        .extend(changes.into_iter().filter_map(change));
                }
                Err(error) => {
                    terminated.failure = Some(failure(&error, "cannot terminate", &self.region));
                }
            }
        }
        terminated
    }

    /// The regions that the account has enabled.
    pub async fn regions(&self) -> Result<Vec<String>> {
        let answer = self
            .ec2
            .describe_regions()
            .send()
            .await
            .map_err(|error| failure(&error, "cannot list the regions", &self.region))?;
        let mut regions: Vec<String> = answer
            .regions
            .unwrap_or_default()
            .into_iter()
            .filter_map(|region| region.region_name)
            .collect();
        regions.sort();
        Ok(regions)
    }

    fn machine(&self, instance: types::Instance) -> Machine {
        let market = if instance.instance_lifecycle == Some(types::InstanceLifecycleType::Spot) {
            Market::Spot
        } else {
            Market::OnDemand
        };
        Machine {
            state: state(instance.state.as_ref()),
            vm_type: instance
                .instance_type
                .map_or(String::new(), |t| t.as_str().to_owned()),
            region: self.region.clone(),
            availability_zone: instance.placement.and_then(|p| p.availability_zone),
            private_ip: instance.private_ip_address.filter(|ip| !ip.is_empty()),
            public_ip: instance.public_ip_address.filter(|ip| !ip.is_empty()),
            market,
            image_id: instance.image_id,
            launch_time: instance
                .launch_time
                .and_then(|time| time.fmt(DateTimeFormat::DateTime).ok()),
            tags: instance
                .tags
                .unwrap_or_default()
                .into_iter()
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
            instance_id: instance.instance_id.unwrap_or_default(),
        }
    }
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().map(str::to_owned).collect()))
        .build()
}

fn tag_specification(resource: ResourceType, tags: &[(String, String)]) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| types::Tag::builder().key(key).value(value).build())
        .collect();
    TagSpecification::builder()
        .resource_type(resource)
        .set_tags(Some(tags))
        .build()
}

/// A state that EC2 adds one day counts as running: it may cost money.
fn state(state: Option<&types::InstanceState>) -> State {
    use types::InstanceStateName as Name;
    match state.and_then(|state| state.name.as_ref()) {
        Some(Name::Pending) => State::Pending,
        Some(Name::Stopping) => State::Stopping,
        Some(Name::Stopped) => State::Stopped,
        Some(Name::ShuttingDown) => State::ShuttingDown,
        Some(Name::Terminated) => State::Terminated,
        _ => State::Running,
    }
}

fn image(image: types::Image) -> Image {
    let root_device = image.root_device_name.unwrap_or_else(|| "/dev/sda1".into());
    let snapshot_gib = image
        .block_device_mappings
        .unwrap_or_default()
        .into_iter()
        .find(|mapping| mapping.device_name.as_deref() == Some(&root_device))
        .and_then(|mapping| mapping.ebs)
        .and_then(|ebs| ebs.volume_size)
        .and_then(|gib| u32::try_from(gib).ok())
        .unwrap_or(1);
    Image {
        id: image.image_id.unwrap_or_default(),
        name: image.name.unwrap_or_default(),
        owner: image.owner_id.unwrap_or_default(),
        owner_alias: image.image_owner_alias,
        creation_date: image.creation_date.unwrap_or_default(),
        architecture: image
            .architecture
            .map_or(String::new(), |a| a.as_str().to_owned()),
        root_device,
        snapshot_gib,
    }
}

fn vm_type_facts(info: types::InstanceTypeInfo) -> VmTypeFacts {
    let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    let vcpus = info
        .v_cpu_info
        .as_ref()
        .and_then(|cpu| number(cpu.default_v_cpus))
        .unwrap_or(1);
    let cores = info
        .v_cpu_info
        .as_ref()
        .and_then(|cpu| number(cpu.default_cores))
        .unwrap_or(vcpus);
    let nvidia = info
        .gpu_info
        .and_then(|info| info.gpus)
        .unwrap_or_default()
        .into_iter()
        .find(|gpu| {
            gpu.manufacturer
                .as_deref()
                .is_some_and(|m| m.eq_ignore_ascii_case("nvidia"))
        });
    VmTypeFacts {
        architectures: info
            .processor_info
            .and_then(|info| info.supported_architectures)
            .unwrap_or_default()
            .into_iter()
            .map(|architecture| architecture.as_str().to_owned())
            .collect(),
        vcpus,
        cores,
        gpu: nvidia.map(|gpu| Gpu {
            count: number(gpu.count).unwrap_or(1),
            name: format!("NVIDIA {}", gpu.name.unwrap_or_default())
                .trim_end()
                .to_owned(),
        }),
    }
}

/// The rules of one permission, an entry for each source.
fn ingress(permission: IpPermission) -> Vec<Ingress> {
    let ssh = permission.ip_protocol.as_deref() == Some("tcp")
        && permission.from_port == Some(22)
        && permission.to_port == Some(22);
    let v4 = permission
        .ip_ranges
        .unwrap_or_default()
        .into_iter()
        .map(|range| range.cidr_ip);
    let v6 = permission
        .ipv6_ranges
        .unwrap_or_default()
        .into_iter()
        .map(|range| range.cidr_ipv6);
    let others = permission.user_id_group_pairs.unwrap_or_default().len()
        + permission.prefix_list_ids.unwrap_or_default().len();
    v4.chain(v6)
        .map(|cidr| match cidr {
            Some(cidr) if ssh => Ingress::Ssh(cidr),
            _ => Ingress::Other,
        })
        .chain(std::iter::repeat_n(Ingress::Other, others))
        .collect()
}

fn ssh_permission(cidr: &Cidr) -> IpPermission {
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    if cidr.is_ipv6() {
        let range = types::Ipv6Range::builder()
            .cidr_ipv6(cidr.as_str())
            .description("SSH")
            .build();
        rule.ipv6_ranges(range).build()
    } else {
        let range = types::IpRange::builder()
            .cidr_ip(cidr.as_str())
            .description("SSH")
            .build();
        rule.ip_ranges(range).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info_with_gpu(manufacturer: &str) -> types::InstanceTypeInfo {
        let gpu = types::GpuDeviceInfo::builder()
            .manufacturer(manufacturer)
            .name("X1")
            .count(2)
            .build();
        types::InstanceTypeInfo::builder()
            .v_cpu_info(
                types::VCpuInfo::builder()
                    .default_v_cpus(8)
                    .default_cores(4)
                    .build(),
            )
            .gpu_info(types::GpuInfo::builder().gpus(gpu).build())
            .build()
    }

    #[test]
    fn only_nvidia_gpus_count() {
        let gpu = Gpu {
            count: 2,
            name: "NVIDIA X1".into(),
        };
        assert_eq!(vm_type_facts(info_with_gpu("NVIDIA")).gpu, Some(gpu));
        assert_eq!(vm_type_facts(info_with_gpu("AMD")).gpu, None);
    }

    #[test]
    fn any_source_of_an_inbound_rule_is_seen() {
        let ssh: Cidr = "203.0.113.0/24".parse().expect("a block");
        assert_eq!(
            ingress(ssh_permission(&ssh)),
            [Ingress::Ssh("203.0.113.0/24".into())]
        );
        let v6: Cidr = "2001:db8::/64".parse().expect("a block");
        assert_eq!(
            ingress(ssh_permission(&v6)),
            [Ingress::Ssh("2001:db8::/64".into())]
        );
        let pair = types::UserIdGroupPair::builder().group_id("sg-1").build();
        let from_group = IpPermission::builder()
            .ip_protocol("-1")
            .user_id_group_pairs(pair)
            .build();
        assert_eq!(ingress(from_group), [Ingress::Other]);
        let list = types::PrefixListId::builder()
            .prefix_list_id("pl-1")
            .build();
        let from_list = IpPermission::builder()
            .ip_protocol("tcp")
            .prefix_list_ids(list)
            .build();
        assert_eq!(ingress(from_list), [Ingress::Other]);
    }
}
