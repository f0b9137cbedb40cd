//! The request of a `start`, from what was typed, and what its machines are told.

use anyhow::Context as _;

use super::{api, cannot_read, proxy};
use crate::{
    bounds,
    cli::{BootArgs, StartArgs},
    error::{Failure, Result},
    model::{
        request::{Request, Runner},
        user_data::{Script, Variable},
    },
    plan::{
        budget,
        launch_plan::{packed_user_data, too_much_user_data},
        tag_limit::refuse_tags,
    },
    terminal::output::Output,
    values::{GroupName, Market, VmType},
};

/// The request of a `start`. Everything that it names has been read.
///
/// # Errors
/// Usage failures, before any call: no API key, a script that cannot be read or
/// is too large.
pub fn checked(args: &StartArgs, out: Output) -> Result<Request> {
    let key = api(&args.boot.api)?.require_key()?;
    let request = unchecked(args, &key, out)?;
    if let (Some(place), None) = (&request.runner.api_key_from, &request.instance_profile) {
        return Err(Failure::usage(format!(
            "--api-key-from {place} needs --instance-profile: machines read the key as its role"
        )));
    }
    if let Some(size) = request.volume.size_gib {
        request.volume.check(size).map_err(Failure::usage)?;
    }
    refuse_too_much_user_data(&request)?;
    Ok(request)
}

/// The same with this key, even if the request could not be used.
///
/// # Errors
/// A script that cannot be read; no randomness for a name.
pub fn unchecked(args: &StartArgs, api_key: &str, out: Output) -> Result<Request> {
    let boot = &args.boot;
    let network = &args.network;
    let mut types: Vec<VmType> = Vec::new();
    let types_are_default = args.vm_types.is_empty();
    let default_types = VmType::defaults();
    let named = if types_are_default {
        &default_types[..]
    } else {
        &args.vm_types
    };
    for vm_type in named {
        if !types.contains(vm_type) {
            types.push(vm_type.clone());
        }
    }
    let other_types = types.split_off(1.min(types.len()));
    let vm_type = types
        .pop()
        .ok_or_else(|| Failure::usage("--vm-type names no type"))?;
    if let Some(least) = args.min_machines.filter(|m| *m > args.num_machines) {
        return Err(Failure::usage(format!(
            "--min-machines {least} is more than --num-machines {}",
            args.num_machines
        )));
    }
    let request = Request {
        group: group_name(boot)?,
        num_machines: args.num_machines,
        min_machines: args.min_machines,
        wait_for_capacity: args.wait_for_capacity,
        vm_type,
        threads_per_core: args.threads_per_core,
        other_types,
        types_are_default,
        image_id: args.image_id.clone(),
        prepared_image_age: (!args.no_prepared_image).then_some(args.prepared_image_age),
        volume: args.disk.volume(),
        initialization_rate_mibps: args.disk.initialization_rate,
        subnet_id: network.place.subnet_id.clone(),
        allow_no_internet: network.place.allow_no_internet,
        security_group_id: network.place.security_group_id.clone(),
        availability_zone: network.place.availability_zone.clone(),
        ssh_from: network.ssh_from,
        key_name: network
            .key_name
            .clone()
            .or_else(|| network.create_key_pair.clone()),
        instance_profile: network.instance_profile.clone(),
        standard_credits: args.standard_credits,
        market: if args.spot {
            Market::Spot
        } else {
            Market::OnDemand
        },
        spot_fallback: args.spot_fallback,
        max_price: args.max_price.clone(),
        max_cost_per_hour: args.max_cost_per_hour,
        max_cost: args.max_cost.clone(),
        tags: args.tags.clone(),
        script: script(boot, out)?,
        runner: runner(boot, args.num_machines, api_key)?,
    }
    .in_plain_words();
    refuse_tags(&request)?;
    Ok(request)
}

/// The most bytes that the user data can have.
///
/// # Errors
/// A usage failure: more than EC2 takes.
pub fn checked_user_data(request: &Request) -> Result<usize> {
    packed_user_data(&request.script, &longest_variables(request)).map(|packed| packed.len())
}

/// # Errors
/// A usage failure: the user data may have more bytes than EC2 takes.
pub fn refuse_too_much_user_data(request: &Request) -> Result<()> {
    let refused = request.script.refuse_too_large(&longest_variables(request));
    refused.map_err(too_much_user_data)
}

fn longest_variables(request: &Request) -> Vec<Variable> {
    // It gets an id of the usual length, so that the real one cannot make it too large.
    let group_id = "00000000-0000-0000-0000-000000000000";
    let mut variables = request
        .runner
        .variables(&request.group, Some(group_id), true);
    if request.max_cost.is_some() {
        variables.extend(budget::longest_variables());
    }
    variables
}

/// The named group, or a new name.
pub fn group_name(boot: &BootArgs) -> Result<GroupName> {
    if let Some(name) = &boot.machine_group_name {
        return Ok(name.clone());
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(std::io::Error::other)
        .context("the system has no randomness for a group name (--machine-group-name)")?;
    Ok(GroupName::generated(random))
}

/// What the runner on a machine is told.
pub fn runner(boot: &BootArgs, num_machines: u32, api_key: &str) -> Result<Runner> {
    Ok(Runner {
        api_key: api_key.to_owned(),
        api_key_from: boot.api_key_from.clone(),
        proxy: proxy(boot.proxy.as_deref())?,
        local_disks: !boot.no_local_disks,
        api_url: api(&boot.api)?.url,
        task_runner_image: boot.containers.task_runner_image.clone(),
        file_tracker_image: boot.containers.file_tracker_image.clone(),
        num_machines,
        max_idle_minutes: boot.max_idle_time,
        max_lifetime: boot.max_lifetime,
        boot_timeout: boot.boot_timeout,
    })
}

/// The standard script, or the file of `--user-data-path`.
pub fn script(boot: &BootArgs, out: Output) -> Result<Script> {
    let Some(path) = &boot.user_data_path else {
        return Ok(Script::standard());
    };
    let bytes = bounds::read(path).map_err(|error| cannot_read(path, &error))?;
    if bytes.is_empty() {
        return Err(Failure::usage(format!(
            "{} is empty: a machine would start, do nothing and cost money",
            path.display()
        ))
        .hint("leave out --user-data-path for the standard script"));
    }
    let script = Script::custom(bytes);
    if !script.takes_variables() {
        out.warn(&format!(
            "{} is not a #! shell script: it is sent as it is, without the variables (INDUCTIVA_API_KEY and the others)",
            path.display()
        ));
    }
    Ok(script)
}
