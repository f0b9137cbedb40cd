//! What a plan has to know: images, types, subnets, regions.

use aws_sdk_ec2::types;

use super::{Aws, errors::failure, filter};
use crate::{
    error::{Failure, Result},
    model::{
        image::{self, CANONICAL, Image},
        network::Subnet,
        request::Request,
        vm_type::{Gpu, VmTypeFacts},
    },
    values::VmType,
};

impl Aws {
    /// The image that was named, or those that the standard one is chosen from.
    pub async fn images(&self, request: &Request) -> Result<Vec<Image>> {
        let call = self.ec2.describe_images();
        let call = if let Some(id) = &request.image_id {
            call.image_ids(id)
        } else {
            let mut names = vec![format!("{}*", image::UBUNTU_IMAGE)];
            let mut call = call.owners(CANONICAL);
            if request.vm_types().any(VmType::may_have_gpu) {
                names.push(format!("{}*", image::GPU_IMAGE));
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

    /// The same of several types, in their order.
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
            .map_err(|error| failure(&error, &what, &self.region))?;
        let found = answer.instance_types.unwrap_or_default();
        let facts = |vm_type: &VmType| {
            let is_it = |info: &&types::InstanceTypeInfo| {
                info.instance_type
                    .as_ref()
                    .is_some_and(|name| name.as_str() == vm_type.as_str())
            };
            found
                .iter()
                .find(is_it)
                .cloned()
                .map(vm_type_facts)
                .ok_or_else(|| {
                    Failure::failed(format!("{} does not have the type {vm_type}", self.region))
                })
        };
        vm_types.iter().map(facts).collect()
    }

    /// The zones that offer each of the types: pairs of type and zone.
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
            })
        };
        Ok(answer
            .subnets
            .unwrap_or_default()
            .into_iter()
            .filter_map(subnet)
            .collect())
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
}
