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

/// An inbound rule: what tells ours from others.
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
