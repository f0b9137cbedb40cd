//! What is checked of the request itself: the type, the disk, the proxy, the user data.

use super::report::Check;
use crate::{
    error::{Failure, Result},
    model::{request::Request, user_data::MAX_BYTES, vm_type::VmTypeFacts},
    settings,
};

pub fn vm_type(
    request: &Request,
    facts: &Result<VmTypeFacts>,
    zones: Result<Vec<String>>,
) -> Check {
    let vm_type = &request.vm_type;
    let facts = match facts {
        Ok(facts) => facts
            .clone()
            .with_threads_per_core(request.threads_per_core),
        Err(failure) => return Check::failed("vm_type", failure.clone()),
    };
    match zones {
        Ok(zones) => match &request.availability_zone {
            Some(zone) if !zones.contains(zone) => Check::failed(
                "vm_type",
                Failure::failed(format!("{vm_type} is not offered in {zone}")).hint(format!(
                    "it is in {}",
                    if zones.is_empty() {
                        "no zone of this region".to_owned()
                    } else {
                        zones.join(", ")
                    }
                )),
            ),
            _ => Check::ok(
                "vm_type",
                format!(
                    "{vm_type} with {} vCPU{}{}, offered in {}",
                    facts.vcpus,
                    if facts.vcpus == 1 { "" } else { "s" },
                    local_disks(request, &facts),
                    zones.join(", ")
                ),
            ),
        },
        Err(failure) => Check::warning("vm_type", failure),
    }
}

/// What the machines do with the type's local disks.
fn local_disks(request: &Request, facts: &VmTypeFacts) -> String {
    let used = if request.runner.local_disks {
        "for tasks and images"
    } else {
        "not used"
    };
    match facts.local_disks_gb {
        0 => String::new(),
        gb => format!(" and {gb} GB of local disks ({used})"),
    }
}

/// The machines' proxy, which only they can try.
pub fn proxy(request: &Request) -> Option<Check> {
    let proxy = request.runner.proxy.as_ref()?;
    Some(Check::ok(
        "proxy",
        format!("machines go out through {proxy}; it is not tried from here"),
    ))
}

/// `known_gib` is the size by the image, where that is known.
pub fn disk(request: &Request, known_gib: Option<u32>) -> Check {
    let volume = &request.volume;
    let kind = volume.kind.as_str();
    match volume.size_gib.or(known_gib) {
        None => Check::ok(
            "disk",
            format!("{kind}, of the standard size or the image's"),
        ),
        Some(gib) => Check::of("disk", volume.check(gib).map_err(Failure::usage), |()| {
            format!("{gib} GiB {kind}")
        }),
    }
}

pub fn user_data(request: &Request) -> Check {
    Check::of(
        "user_data",
        settings::request::checked_user_data(request),
        |bytes| format!("{bytes} bytes of at most {MAX_BYTES}"),
    )
}
