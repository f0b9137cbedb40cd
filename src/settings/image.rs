//! What an `image build` was asked for.

use super::proxy;
use crate::{
    cli::ImageBuildArgs,
    error::{Failure, Result},
    model::request::{Request, Runner},
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
    let group = "image-builder".parse().map_err(Failure::usage)?;
    let defaults = Request::with_defaults(group, vm_type, 1);
    let request = Request {
        // An image is made from the standard image, and not from one that was prepared
        // before.
        prepared_image_age: None,
        volume: args.disk.volume(),
        initialization_rate_mibps: args.disk.initialization_rate,
        subnet_id: args.place.subnet_id.clone(),
        allow_no_internet: args.place.allow_no_internet,
        security_group_id: args.place.security_group_id.clone(),
        availability_zone: args.place.availability_zone.clone(),
        runner: Runner {
            proxy: proxy(args.proxy.as_deref())?,
            task_runner_image: args.containers.task_runner_image.clone(),
            file_tracker_image: args.containers.file_tracker_image.clone(),
            boot_timeout: args.boot_timeout,
            ..defaults.runner
        },
        ..defaults
    };
    if let Some(size) = request.volume.size_gib {
        request.volume.check(size).map_err(Failure::usage)?;
    }
    Ok(request.in_plain_words())
}
