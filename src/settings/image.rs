//! What an `image build` was asked for.

use super::proxy;
use crate::{
    cli::ImageBuildArgs,
    error::{Failure, Result},
    model::{
        request::{Request, Runner},
        user_data::Script,
    },
    values::Market,
};

/// The request of an `image build`: one machine without a group or a key.
///
/// # Errors
/// Usage failures, before any call.
pub fn build_request(args: &ImageBuildArgs) -> Result<Request> {
    let default_type = if args.gpu { "g4dn.xlarge" } else { "t3.small" };
    let vm_type = match &args.vm_type {
        Some(vm_type) => vm_type.clone(),
        None => default_type.parse().map_err(Failure::usage)?,
    };
    if args.gpu != vm_type.may_have_gpu() {
        return Err(Failure::usage(if args.gpu {
            format!("{vm_type} has no NVIDIA GPU, and --gpu makes an image for types that have one")
        } else {
            format!("{vm_type} may have a GPU: add --gpu for an image of such types")
        }));
    }
    let request = Request {
        group: "image-builder".parse().map_err(Failure::usage)?,
        num_machines: 1,
        min_machines: None,
        wait_for_capacity: None,
        vm_type,
        threads_per_core: None,
        other_types: Vec::new(),
        types_are_default: false,
        image_id: None,
        // From the standard image, not from one that was prepared before.
        prepared_image_age: None,
        volume: args.disk.volume(),
        initialization_rate_mibps: args.disk.initialization_rate,
        subnet_id: args.subnet_id.clone(),
        allow_no_internet: args.allow_no_internet,
        security_group_id: args.security_group_id.clone(),
        availability_zone: args.availability_zone.clone(),
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
            proxy: proxy(args.proxy.as_deref())?,
            local_disks: true,
            api_url: Runner::API_URL.to_owned(),
            task_runner_image: args.task_runner_image.clone(),
            file_tracker_image: args.file_tracker_image.clone(),
            num_machines: 1,
            max_idle_minutes: Runner::MAX_IDLE_MINUTES,
            max_lifetime: None,
            boot_timeout: args.boot_timeout,
        },
    };
    if let Some(size) = request.volume.size_gib {
        request.volume.check(size).map_err(Failure::usage)?;
    }
    Ok(request.in_plain_words())
}
