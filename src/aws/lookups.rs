//! What a plan needs to know: types, subnets, routes, regions.

use aws_sdk_ec2::types;

use super::{
    Aws,
    errors::{code, failure},
    filter,
};
use crate::{
    error::{Failure, Result},
    model::{
        network::{Destination, Route, RouteTable, RouteTarget, Subnet},
        request::Request,
        vm_type::{Gpu, VmTypeFacts},
    },
    values::VmType,
};

/// Adds the names that may have been meant: a type that no region has was probably
/// mistyped.
fn with_what_was_meant<'a>(
    failure: Failure,
    code: Option<&str>,
    vm_types: impl IntoIterator<Item = &'a VmType>,
) -> Failure {
    let is_unknown = code == Some("InvalidInstanceType");
    match vm_types.into_iter().find_map(VmType::meant) {
        Some(meant) if is_unknown => failure.hint(format!("did you mean --vm-type {meant}?")),
        _ => failure,
    }
}

impl Aws {
    /// The type's properties, such as its processors and GPUs.
    pub async fn vm_type(&self, vm_type: &VmType) -> Result<VmTypeFacts> {
        let answer = self
            .ec2
            .describe_instance_types()
            .instance_types(types::InstanceType::from(vm_type.as_str()))
            .send()
            .await
            .map_err(|error| {
                let what = format!("cannot look up the type {vm_type}");
                let failure = failure(&error, &what, &self.region);
                with_what_was_meant(failure, code(&error), [vm_type])
            })?;
        answer
            .instance_types
            .unwrap_or_default()
            .into_iter()
            .find_map(vm_type_facts)
            .ok_or_else(|| {
                Failure::failed(format!("{} does not have the type {vm_type}", self.region))
            })
    }

    /// The properties of several types, in their order.
    pub async fn vm_types(&self, vm_types: &[VmType]) -> Result<Vec<VmTypeFacts>> {
        if vm_types.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = vm_types.iter().map(VmType::as_str).collect();
        let what = format!("cannot look up the types {}", names.join(", "));
        let answer = self
            .ec2
            .describe_instance_types()
            .set_instance_types(Some(
                names.into_iter().map(types::InstanceType::from).collect(),
            ))
            .send()
            .await
            .map_err(|error| {
                let failure = failure(&error, &what, &self.region);
                with_what_was_meant(failure, code(&error), vm_types)
            })?;
        let found = answer.instance_types.unwrap_or_default().into_iter();
        let found: Vec<VmTypeFacts> = found.filter_map(vm_type_facts).collect();
        let facts = |vm_type: &VmType| {
            let it = found.iter().find(|facts| facts.name == *vm_type);
            it.cloned().ok_or_else(|| {
                Failure::failed(format!("{} does not have the type {vm_type}", self.region))
            })
        };
        vm_types.iter().map(facts).collect()
    }

    /// The properties of those types that the region has, in their order.
    pub async fn vm_types_there(&self, vm_types: &[VmType]) -> Result<Vec<VmTypeFacts>> {
        let names: Vec<&str> = vm_types.iter().map(VmType::as_str).collect();
        let found = self
            .types_with([filter("instance-type", names.iter().copied())])
            .await?;
        let facts = |vm_type: &VmType| found.iter().find(|facts| facts.name == *vm_type).cloned();
        let there: Vec<VmTypeFacts> = vm_types.iter().filter_map(facts).collect();
        if there.is_empty() {
            return Err(Failure::failed(format!(
                "{} has none of {}",
                self.region,
                names.join(", ")
            ))
            .hint("name a type of that region with --vm-type"));
        }
        Ok(there)
    }

    /// The amd64 types that an account on the free plan may launch, the smallest first.
    pub async fn free_tier_types(&self) -> Result<Vec<VmType>> {
        let filters = [
            filter("free-tier-eligible", ["true"]),
            filter("processor-info.supported-architecture", ["x86_64"]),
        ];
        let mut found = self.types_with(filters).await?;
        found.sort_by_key(|facts| (facts.vcpus, facts.memory_mib, facts.name.to_string()));
        Ok(found.into_iter().map(|facts| facts.name).collect())
    }

    /// All amd64 types of the region.
    pub async fn amd64_types(&self) -> Result<Vec<VmTypeFacts>> {
        self.types_with([filter("processor-info.supported-architecture", ["x86_64"])])
            .await
    }

    async fn types_with(
        &self,
        filters: impl IntoIterator<Item = types::Filter>,
    ) -> Result<Vec<VmTypeFacts>> {
        let mut found = Vec::new();
        let mut pages = self
            .ec2
            .describe_instance_types()
            .set_filters(Some(filters.into_iter().collect()))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| failure(&error, "cannot look up types", &self.region))?;
            let infos = page.instance_types.unwrap_or_default();
            found.extend(infos.into_iter().filter_map(vm_type_facts));
        }
        Ok(found)
    }

    /// The zones that offer the types, as pairs of type and zone.
    pub async fn offerings(&self, vm_types: &[&str]) -> Result<Vec<(String, String)>> {
        let mut offerings = Vec::new();
        let mut pages = self
            .ec2
            .describe_instance_type_offerings()
            .location_type(types::LocationType::AvailabilityZone)
            .filters(filter("instance-type", vm_types.iter().copied()))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                failure(
                    &error,
                    "cannot look up which zones offer a type",
                    &self.region,
                )
            })?;
            let pair = |offering: types::InstanceTypeOffering| {
                let vm_type = offering.instance_type?.as_str().to_owned();
                Some((vm_type, offering.location?))
            };
            let found = page.instance_type_offerings.unwrap_or_default();
            offerings.extend(found.into_iter().filter_map(pair));
        }
        Ok(offerings)
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
                zone: subnet.availability_zone.unwrap_or_default(),
                free_addresses: subnet
                    .available_ip_address_count
                    .and_then(|n| u32::try_from(n).ok())
                    .unwrap_or(0),
                gives_public_addresses: subnet.map_public_ip_on_launch.unwrap_or(false),
                gives_ipv6_addresses: subnet.assign_ipv6_address_on_creation.unwrap_or(false),
                is_blocked: subnet
                    .block_public_access_states
                    .and_then(|states| states.internet_gateway_block_mode)
                    .is_some_and(|mode| mode != types::BlockPublicAccessMode::Off),
            })
        };
        Ok(answer
            .subnets
            .unwrap_or_default()
            .into_iter()
            .filter_map(subnet)
            .collect())
    }

    /// The route tables of all VPCs: the launch's VPC is not known yet when they are
    /// asked for.
    pub async fn route_tables(&self) -> Result<Vec<RouteTable>> {
        let mut tables = Vec::new();
        let mut pages = self.ec2.describe_route_tables().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => return Err(self.failure(&error, "cannot look up the routes").await),
            };
            let found = page.route_tables.unwrap_or_default();
            tables.extend(found.into_iter().filter_map(route_table));
        }
        Ok(tables)
    }

    /// The ids of the VPCs whose tenancy is dedicated.
    pub async fn dedicated_vpcs(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut pages = self.ec2.describe_vpcs().into_paginator().send();
        while let Some(page) = pages.next().await {
            let what = "cannot look up the tenancy of VPCs";
            let page = page.map_err(|error| failure(&error, what, &self.region))?;
            let dedicated =
                |vpc: &types::Vpc| vpc.instance_tenancy == Some(types::Tenancy::Dedicated);
            let vpcs = page.vpcs.unwrap_or_default().into_iter();
            found.extend(vpcs.filter(dedicated).filter_map(|vpc| vpc.vpc_id));
        }
        Ok(found)
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
}

fn route_table(table: types::RouteTable) -> Option<RouteTable> {
    let associations = table.associations.unwrap_or_default();
    Some(RouteTable {
        id: table.route_table_id?,
        vpc_id: table.vpc_id?,
        is_main: associations.iter().any(|a| a.main == Some(true)),
        subnet_ids: associations
            .into_iter()
            .filter_map(|a| a.subnet_id)
            .collect(),
        routes: table.routes.unwrap_or_default().iter().map(route).collect(),
    })
}

/// An internet gateway, a virtual private gateway and a gateway endpoint all have their
/// id in `GatewayId` ("Routes", EC2 API reference). A gateway endpoint's destination is a
/// prefix list. A load balancer's endpoint may have one, too, so nobody knows for certain
/// which of the two it is.
fn route(route: &types::Route) -> Route {
    let gateway = route.gateway_id.as_deref().unwrap_or_default();
    let target = if route.state == Some(types::RouteState::Blackhole) {
        RouteTarget::Blackhole
    } else if gateway == "local"
        || gateway.starts_with("vpce-") && route.destination_prefix_list_id.is_some()
    {
        RouteTarget::Nowhere
    } else if gateway.starts_with("igw-") || route.egress_only_internet_gateway_id.is_some() {
        RouteTarget::InternetGateway
    } else {
        RouteTarget::Other
    };
    let destination = if route.destination_cidr_block.as_deref() == Some("0.0.0.0/0") {
        Destination::AllIpv4
    } else if route.destination_ipv6_cidr_block.as_deref() == Some("::/0") {
        Destination::AllIpv6
    } else {
        Destination::Some
    };
    Route {
        destination,
        target,
    }
}

/// None if EC2's answer has no name that a type can have.
fn vm_type_facts(info: types::InstanceTypeInfo) -> Option<VmTypeFacts> {
    let name = info.instance_type.as_ref()?.as_str().parse().ok()?;
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
    let threads_per_core = info
        .v_cpu_info
        .and_then(|cpu| cpu.valid_threads_per_core)
        .unwrap_or_default();
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
    let local_disks_gb = info
        .instance_storage_info
        .and_then(|storage| storage.total_size_in_gb);
    let memory_mib = info.memory_info.and_then(|memory| memory.size_in_mib);
    Some(VmTypeFacts {
        name,
        is_burstable: info.burstable_performance_supported == Some(true),
        is_free_tier_eligible: info.free_tier_eligible,
        memory_mib: memory_mib.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        architectures: info
            .processor_info
            .and_then(|info| info.supported_architectures)
            .unwrap_or_default()
            .into_iter()
            .map(|architecture| architecture.as_str().to_owned())
            .collect(),
        vcpus,
        cores,
        local_disks_gb: local_disks_gb
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        threads_per_core: threads_per_core
            .into_iter()
            .filter_map(|n| number(Some(n)))
            .collect(),
        gpu: nvidia.map(|gpu| Gpu {
            count: number(gpu.count).unwrap_or(1),
            name: format!("NVIDIA {}", gpu.name.unwrap_or_default())
                .trim_end()
                .to_owned(),
        }),
    })
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
            .instance_type(types::InstanceType::G5Xlarge)
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
        let gpu_of = |manufacturer| vm_type_facts(info_with_gpu(manufacturer)).map(|f| f.gpu);
        assert_eq!(gpu_of("NVIDIA"), Some(Some(gpu)));
        assert_eq!(gpu_of("AMD"), Some(None));
    }
}
