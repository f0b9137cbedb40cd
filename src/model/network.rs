//! Subnets and security groups.

use crate::values::Cidr;

/// The security group that machines get when none is named. It has no inbound rule.
pub const SECURITY_GROUP: &str = "inductiva-aws";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// The VPC that it is in.
    pub vpc_id: String,
    /// The Availability Zone that it is in.
    pub zone: String,
    /// Addresses that no machine has yet.
    pub free_addresses: u32,
    /// Whether machines get a public IPv4 address unless told otherwise.
    pub gives_public_addresses: bool,
    /// Whether machines get an IPv6 address unless told otherwise.
    pub gives_ipv6_addresses: bool,
    /// Whether VPC Block Public Access blocks its internet gateway, and its egress-only
    /// one.
    pub is_blocked: bool,
}

/// Where the traffic of subnets goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`
    pub id: String,
    pub vpc_id: String,
    /// The subnets that name it. The main one also holds for subnets that name none.
    pub subnet_ids: Vec<String>,
    pub is_main: bool,
    pub routes: Vec<Route>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: Destination,
    pub target: RouteTarget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `0.0.0.0/0`: all IPv4 addresses without another route.
    AllIpv4,
    /// `::/0`: the same for IPv6.
    AllIpv6,
    Some,
}

/// Where a route leads, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// The VPC itself, or a gateway endpoint of S3 or `DynamoDB`.
    Nowhere,
    /// Something that is gone.
    Blackhole,
    /// An internet gateway, or an egress-only one for IPv6. It serves machines with a
    /// public address.
    InternetGateway,
    /// Anything else that may have a way out behind it: a NAT, transit or virtual
    /// gateway, an interface, an instance, a peering, a load balancer's endpoint.
    Other,
}

/// A security group and what it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    pub name: String,
    /// The VPC that it is in.
    pub vpc_id: String,
    pub ingress: Vec<Ingress>,
}

/// An inbound rule, as far as it tells our group from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// TCP port 22 from one block.
    Ssh(String),
    Other,
}

/// The name of the group with SSH from `ssh_from`, or with no inbound rule.
pub fn security_group_name(ssh_from: Option<&Cidr>) -> String {
    ssh_from.map_or(SECURITY_GROUP.into(), |cidr| {
        format!("{SECURITY_GROUP} ssh from {cidr}")
    })
}
