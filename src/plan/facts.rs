//! What was looked up for a plan, all at once.

use std::time::{Duration, SystemTime};

use super::known::Known;
use crate::model::{
    active_group::ActiveGroup,
    image::Image,
    machine::Machine,
    network::{RouteTable, SecurityGroup, Subnet},
    vm_type::VmTypeFacts,
};

#[derive(Clone, Debug)]
pub struct Facts {
    /// The AWS account, 12 digits.
    pub account: String,
    pub region: String,
    /// When it was looked up: EC2's time at which the calls were sent.
    pub looked_at: SystemTime,
    /// How far the hours of client tokens are ahead of that clock. It is zero, except in
    /// tests.
    pub hours_offset: Duration,
    /// All the group's machines that EC2 shows, terminated ones too.
    pub machines: Vec<Machine>,
    pub images: Vec<Image>,
    pub vm_type: VmTypeFacts,
    /// The properties of the request's further types, in their order.
    pub other_types: Vec<VmTypeFacts>,
    /// The named subnet, or the default ones of the zone or region.
    pub subnets: Vec<Subnet>,
    /// The route tables of the region, or why they are not known.
    pub route_tables: Result<Vec<RouteTable>, String>,
    /// Those of the launch's possible VPCs whose tenancy is dedicated, or why they are
    /// not known.
    pub dedicated_vpcs: Result<Vec<String>, String>,
    /// The most that one machine can cost an hour, USD. Budgets go by it.
    pub most_usd_per_hour: Known<f64>,
    /// What a machine costs once at most, beside that.
    pub usd_once: Known<f64>,
    /// The group on Inductiva's side, if it is active.
    pub group: Known<Option<ActiveGroup>>,
    /// The security groups that have the name of ours, in any VPC.
    pub security_groups: Vec<SecurityGroup>,
}

impl Facts {
    /// The types' properties, in the order of the request.
    pub fn vm_types(&self) -> impl Iterator<Item = &VmTypeFacts> {
        std::iter::once(&self.vm_type).chain(&self.other_types)
    }

    /// Adds machines that EC2 has named in an answer and does not show yet.
    pub fn know(&mut self, machines: &[Machine]) {
        for machine in machines {
            if !self
                .machines
                .iter()
                .any(|m| m.instance_id == machine.instance_id)
            {
                self.machines.push(machine.clone());
            }
        }
    }
}
