//! What a launch is made of, chosen from what exists: type, image, disk, subnet and
//! security group.

use std::collections::BTreeMap;

use super::{
    facts::Facts,
    prepared, tagged_settings,
    way_out::{WayOut, way_out},
};
use crate::{
    error::{Failure, Result},
    model::{
        image::{self, GPU_IMAGE, Image, UBUNTU_IMAGE},
        machine::Machine,
        network::{Ingress, Subnet, security_group_name},
        request::Request,
        vm_type::VmTypeFacts,
    },
    terminal::command_line::AwsOptions,
    values::{VmType, Volume},
};

/// The security group of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityGroupChoice {
    /// One that exists.
    Existing(String),
    /// One that is to be made in this VPC.
    New { name: String, vpc_id: String },
}

/// The types of a start without `--vm-type`: the group's own, or those of the default
/// ones that the region has. None where the request has these types already.
pub fn types_instead<'a>(
    request: &Request,
    machines: &[Machine],
    there: impl Iterator<Item = &'a VmTypeFacts>,
) -> Option<Vec<VmType>> {
    if !request.types_are_default {
        return None;
    }
    let mut live = machines.iter().filter(|m| m.state.is_live());
    let groups = live.find_map(tagged_settings::vm_types);
    let types = groups.unwrap_or_else(|| there.map(|facts| facts.name.clone()).collect());
    let asked: Vec<VmType> = request.vm_types().cloned().collect();
    (types != asked).then_some(types)
}

/// Where machines are launched, and what to say about it.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The named subnet, or the default ones from which machines reach the internet.
    pub subnets: Vec<Subnet>,
    /// Whether default subnets were left out. EC2 must not choose the subnet then.
    pub leaves_out: bool,
    /// What may be wrong with the subnets, as far as that is known.
    pub warnings: Vec<String>,
}

/// The subnets to launch in.
///
/// # Errors
/// There is no subnet, or machines would certainly reach the internet from none.
pub fn network(request: &Request, facts: &Facts) -> Result<Network> {
    if facts.subnets.is_empty() {
        return Err(no_subnet(request, &facts.region));
    }
    let mut network = Network::default();
    let mut closed = Vec::new();
    // Several subnets may have the same reason.
    let mut doubts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for subnet in &facts.subnets {
        // With a proxy, the proxy is the way out.
        if request.runner.proxy.is_some() {
            network.subnets.push(subnet.clone());
            continue;
        }
        match way_out(subnet, facts.route_tables.as_deref()) {
            WayOut::Closed(why) if !request.allow_no_internet => {
                closed.push(format!("{} in {}: {why}", subnet.id, subnet.zone));
                continue;
            }
            WayOut::Untold(why) | WayOut::Closed(why) => {
                doubts.entry(why).or_default().push(&subnet.id);
            }
            WayOut::Open => {}
        }
        network.subnets.push(subnet.clone());
    }
    if network.subnets.is_empty() {
        return Err(Failure::failed(format!(
            "machines cannot reach the internet: {}",
            closed.join("; ")
        ))
        .hint("name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet"));
    }
    let warnings = doubts.into_iter().map(|(why, subnets)| {
        let subnets = subnets.join(", ");
        format!("machines may not reach the internet from {subnets}: {why}")
    });
    network.warnings = warnings.collect();
    network.leaves_out = !closed.is_empty();
    Ok(network)
}

/// Refuses types that the task runner's software is not made for, and types that need
/// different images.
pub fn refuse_types(request: &Request, facts: &Facts) -> Result<()> {
    for (name, vm_type) in vm_types(request, facts) {
        if let Some(threads) = request.threads_per_core {
            refuse_threads(threads, name, vm_type)?;
        }
        if !vm_type.architectures.iter().any(|a| a == "x86_64") {
            return Err(Failure::failed(format!(
                "{name} is {} only, and the task runner's images are for amd64 (x86_64)",
                vm_type.architectures.join(", ")
            ))
            .hint("choose a type with an Intel or AMD processor, such as t3.micro or c7i.large"));
        }
        if vm_type.gpu.is_some() != facts.vm_type.gpu.is_some() {
            let with = |gpu: bool| if gpu { "has an NVIDIA GPU" } else { "has none" };
            return Err(Failure::failed(format!(
                "{} {} and {name} {}: they need different images",
                request.vm_type,
                with(facts.vm_type.gpu.is_some()),
                with(vm_type.gpu.is_some())
            ))
            .hint("name types that all have an NVIDIA GPU, or types that have none"));
        }
    }
    Ok(())
}

/// The types that were asked for, with their properties.
fn vm_types<'a>(
    request: &'a Request,
    facts: &'a Facts,
) -> impl Iterator<Item = (&'a VmType, &'a VmTypeFacts)> {
    let all = std::iter::once(&facts.vm_type).chain(&facts.other_types);
    request.vm_types().zip(all)
}

/// The number of cores of each type whose threads can be chosen.
pub fn cores(request: &Request, facts: &Facts) -> BTreeMap<VmType, u32> {
    let types = vm_types(request, facts).filter(|(_, facts)| !facts.threads_per_core.is_empty());
    types
        .map(|(name, facts)| (name.clone(), facts.cores))
        .collect()
}

/// Refuses a number of threads per core that the type does not run with.
fn refuse_threads(threads: u32, name: &VmType, vm_type: &VmTypeFacts) -> Result<()> {
    let counted = |n: u32, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let valid = &vm_type.threads_per_core;
    let is_fixed = valid.is_empty() && vm_type.cores * threads == vm_type.vcpus;
    if is_fixed || valid.contains(&threads) {
        return Ok(());
    }
    let may: Vec<String> = valid.iter().map(u32::to_string).collect();
    let may = match may.as_slice() {
        [] => format!(
            "EC2 does not let anybody choose them ({}, {})",
            counted(vm_type.vcpus, "vCPU"),
            counted(vm_type.cores, "core")
        ),
        may => format!("each of its cores has {}", may.join(" or ")),
    };
    let threads = counted(threads, "thread");
    Err(
        Failure::failed(format!("{name} cannot run {threads} on each core: {may}"))
            .hint("leave out --threads-per-core, or choose another --vm-type"),
    )
}

/// The image of a launch: a prepared one that fits, else the named or the standard one.
#[derive(Clone, Debug)]
pub struct ImageChoice {
    pub image: Image,
    /// Why it is not a prepared image.
    pub why_not_prepared: Option<String>,
}

/// The newest prepared image that fits, else the named or the standard one.
///
/// # Errors
/// There is no image, or the machines cannot use it.
pub fn image(request: &Request, facts: &Facts) -> Result<ImageChoice> {
    let standard = standard_image(request, facts)?;
    Ok(match prepared::choose(request, facts, &standard) {
        Ok(image) => ImageChoice {
            image: image.clone(),
            why_not_prepared: None,
        },
        Err(why) => ImageChoice {
            image: standard,
            why_not_prepared: Some(why),
        },
    })
}

/// The named image, or the newest of the standard ones.
fn standard_image(request: &Request, facts: &Facts) -> Result<Image> {
    let canonical = image::canonical(&facts.region);
    if request.image_id.is_none() && facts.vm_type.gpu.is_some() {
        refuse_old_gpus(facts)?;
    } else if request.image_id.is_none() && canonical.is_none() {
        return Err(Failure::failed(format!(
            "Canonical's account for Ubuntu images in {} is not known to this program",
            facts.region
        ))
        .hint("name an Ubuntu 24.04 image of that region with --image-id"));
    }
    let (what, found) = match (&request.image_id, &facts.vm_type.gpu) {
        (Some(id), _) => (
            format!("the image {id}"),
            facts.images.iter().find(|image| image.id == *id),
        ),
        (None, Some(_)) => (
            "AWS's Deep Learning Base GPU image (Ubuntu 24.04)".into(),
            newest(facts.images.iter().filter(|image| {
                image.owner_alias.as_deref() == Some("amazon") && image.name.starts_with(GPU_IMAGE)
            })),
        ),
        (None, None) => (
            "Canonical's Ubuntu 24.04 image for amd64".into(),
            newest(facts.images.iter().filter(|image| {
                Some(image.owner.as_str()) == canonical && image.name.starts_with(UBUNTU_IMAGE)
            })),
        ),
    };
    let image = found.ok_or_else(|| {
        Failure::failed(format!("{} does not have {what}", facts.region))
            .hint("name an image of that region with --image-id")
    })?;
    if image.architecture != "x86_64" {
        return Err(Failure::failed(format!(
            "the image {} is for {}, and the task runner's images are for amd64 (x86_64)",
            image.id, image.architecture
        ))
        .hint(
            "name an x86_64 image with --image-id, or leave it out for the newest Ubuntu 24.04",
        ));
    }
    let without_script = match image {
        image if image.is_windows => Some("is Windows"),
        image if image.is_bottlerocket() => Some("is Bottlerocket"),
        _ => None,
    };
    if let Some(system) = without_script {
        return Err(Failure::failed(format!(
            "the image {} {system}: it would not run the script that installs the task runner, and nothing would end the machine",
            image.id
        ))
        .hint("name an image of Ubuntu or Debian with --image-id, or leave it out for the newest Ubuntu 24.04"));
    }
    Ok(image.clone())
}

/// Refuses GPUs that the driver in the standard image does not support.
fn refuse_old_gpus(facts: &Facts) -> Result<()> {
    let old = |facts: &VmTypeFacts| Some((facts.name.clone(), image::old_gpu(&facts.name)?));
    let Some((name, gpu)) = facts.vm_types().find_map(old) else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "the NVIDIA driver of AWS's Deep Learning Base image does not support the {gpu} of {name}"
    ))
    .hint("choose a later GPU type, such as g4dn.xlarge, or name an image with NVIDIA's proprietary driver for it with --image-id"))
}

fn newest<'a>(images: impl Iterator<Item = &'a Image>) -> Option<&'a Image> {
    images.max_by(|a, b| (&a.creation_date, &a.id).cmp(&(&b.creation_date, &b.id)))
}

/// The size of each disk of the group's machines in GiB, the root disk first.
///
/// # Errors
/// There is no image, or it is larger than the disk that was asked for.
pub fn disks_gib(request: &Request, facts: &Facts) -> Result<Vec<u32>> {
    let image = image(request, facts)?.image;
    let others = image.other_disks.iter().map(|disk| disk.size_gib);
    Ok(std::iter::once(volume_gib(request, &image)?)
        .chain(others)
        .collect())
}

/// The size of the root disk: what was asked for, and at least the image's own size.
pub fn volume_gib(request: &Request, image: &Image) -> Result<u32> {
    let size = request
        .volume
        .size_gib
        .unwrap_or(Volume::DEFAULT_GIB.max(image.snapshot_gib));
    if size < image.snapshot_gib {
        return Err(Failure::failed(format!(
            "a disk of {size} GiB is too small: the image {} needs at least {} GiB",
            image.id, image.snapshot_gib
        ))
        .hint(format!("--volume-size {} or more", image.snapshot_gib)));
    }
    request.volume.check(size).map_err(Failure::usage)?;
    Ok(size)
}

/// The named security group, or ours in the VPC of the launch.
pub fn security_group(
    request: &Request,
    facts: &Facts,
    network: &Network,
) -> Result<SecurityGroupChoice> {
    let subnet = network
        .subnets
        .first()
        .ok_or_else(|| no_subnet(request, &facts.region))?;
    if let Some(id) = &request.security_group_id {
        return Ok(SecurityGroupChoice::Existing(id.clone()));
    }
    let name = security_group_name(request.ssh_from.as_ref());
    let vpc_id = &subnet.vpc_id;
    let Some(group) = facts
        .security_groups
        .iter()
        .find(|group| group.vpc_id == *vpc_id && group.name == name)
    else {
        return Ok(SecurityGroupChoice::New {
            name,
            vpc_id: vpc_id.clone(),
        });
    };
    let expected: Vec<Ingress> = request
        .ssh_from
        .iter()
        .map(|cidr| Ingress::Ssh(cidr.to_string()))
        .collect();
    // The group has no rule if a run died between making the group and making its rule.
    if group.ingress == expected {
        Ok(SecurityGroupChoice::Existing(group.id.clone()))
    } else if group.ingress.is_empty() {
        Ok(SecurityGroupChoice::New {
            name,
            vpc_id: vpc_id.clone(),
        })
    } else {
        Err(Failure::failed(format!(
            "the security group {} ({name}) has inbound rules that inductiva-aws did not make: machines would be open to them",
            group.id
        ))
        .hint("remove those rules, or choose a group of your own with --security-group-id"))
    }
}

fn no_subnet(request: &Request, region: &str) -> Failure {
    match (&request.subnet_id, &request.availability_zone) {
        (Some(id), _) => Failure::failed(format!("{region} has no subnet {id}"))
            .hint("name a subnet of that region with --subnet-id"),
        (None, Some(zone)) => Failure::failed(format!(
            "the default VPC of {region} has no subnet in {zone}"
        ))
        .hint("choose another --availability-zone, or name a subnet with --subnet-id"),
        (None, None) => Failure::failed(format!(
            "{region} has no default VPC with a default subnet"
        ))
        .hint(format!(
            "make one with `{}`, or name a subnet with --subnet-id",
            AwsOptions::of_this_run()
                .in_region(region)
                .aws("ec2 create-default-vpc")
        )),
    }
}
