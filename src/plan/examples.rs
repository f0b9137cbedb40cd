//! A request and facts for tests. Each test changes what it is about.

use std::time::SystemTime;

use super::facts::Facts;
use crate::model::{
    image::{CANONICAL, Image, ImageState, UBUNTU_IMAGE},
    machine::Machine,
    network::{Destination, Route, RouteTable, RouteTarget, Subnet},
    request::Request,
    vm_type::VmTypeFacts,
};

/// A request that leaves everything to the defaults.
pub fn request(num_machines: u32) -> Request {
    let group = "g".parse().expect("a name");
    let vm_type = "t2.micro".parse().expect("a type");
    let mut request = Request::with_defaults(group, vm_type, num_machines);
    request.runner.api_key = "k".into();
    request.runner.api_url = "u".into();
    request
}

/// Facts of a region without surprises.
pub fn facts(machines: Vec<Machine>, looked_at: SystemTime) -> Facts {
    Facts {
        account: "123456789012".into(),
        region: "eu-west-2".into(),
        looked_at,
        hours_offset: std::time::Duration::ZERO,
        machines,
        images: vec![Image {
            id: "ami-1".into(),
            name: UBUNTU_IMAGE.into(),
            owner: CANONICAL.into(),
            owner_alias: None,
            creation_date: "2026".into(),
            created_at: None,
            state: ImageState::Available,
            tags: Vec::new(),
            snapshot_ids: Vec::new(),
            is_of_marketplace: false,
            architecture: "x86_64".into(),
            root_device: "/dev/sda1".into(),
            snapshot_gib: 8,
            other_disks: Vec::new(),
            is_windows: false,
            platform_details: "Linux/UNIX".into(),
        }],
        vm_type: VmTypeFacts {
            name: "t2.micro".parse().expect("a type"),
            architectures: vec!["x86_64".into()],
            memory_mib: 1_024,
            vcpus: 1,
            cores: 1,
            threads_per_core: vec![1],
            local_disks_gb: 0,
            gpu: None,
            is_burstable: true,
            is_free_tier_eligible: None,
        },
        other_types: Vec::new(),
        subnets: vec![subnet("subnet-1")],
        route_tables: Ok(vec![RouteTable {
            id: "rtb-1".into(),
            vpc_id: "vpc-1".into(),
            subnet_ids: Vec::new(),
            is_main: true,
            routes: vec![Route {
                destination: Destination::AllIpv4,
                target: RouteTarget::InternetGateway,
            }],
        }]),
        dedicated_vpcs: Ok(Vec::new()),
        most_usd_per_hour: Err("no price".into()),
        usd_once: Ok(0.0),
        group: Ok(None),
        security_groups: Vec::new(),
    }
}

pub fn subnet(id: &str) -> Subnet {
    Subnet {
        id: id.into(),
        vpc_id: "vpc-1".into(),
        zone: "eu-west-2a".into(),
        free_addresses: 4_000,
        gives_public_addresses: true,
        gives_ipv6_addresses: false,
        is_blocked: false,
    }
}
