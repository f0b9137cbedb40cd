//! vCPU quotas, and what runs against them.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceLifecycleType, InstanceType};

use super::{Aws, errors, filter, trace::Trace};
use crate::{error::Result, machines::Market};

/// The most types in one `DescribeInstanceTypes` call (EC2 API reference).
const TYPES_PER_CALL: usize = 100;

/// A quota of vCPUs: of the types whose families it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What AWS calls it, in short.
    pub name: &'static str,
    families: &'static [&'static str],
    on_demand: &'static str,
    spot: &'static str,
}

/// Codes of Service Quotas ("Amazon EC2 instance type quotas", EC2 user guide).
const QUOTAS: &[Quota] = &[
    Quota {
        name: "Standard (A, C, D, H, I, M, R, T, Z)",
        families: &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"],
        on_demand: "L-1216C47A",
        spot: "L-34B43A08",
    },
    Quota {
        name: "G and VT",
        families: &["g", "gr", "vt"],
        on_demand: "L-DB2E81BA",
        spot: "L-3819A6DF",
    },
    Quota {
        name: "P",
        families: &["p"],
        on_demand: "L-417A185B",
        spot: "L-7212CCBC",
    },
];

impl Quota {
    /// The quota that a type counts against, where it is known.
    pub fn of(vm_type: &str) -> Option<Self> {
        let family: String = vm_type
            .chars()
            .take_while(char::is_ascii_lowercase)
            .collect();
        QUOTAS
            .iter()
            .find(|quota| quota.families.contains(&family.as_str()))
            .copied()
    }

    /// Its code in Service Quotas.
    pub fn code(self, market: Market) -> &'static str {
        match market {
            Market::OnDemand => self.on_demand,
            Market::Spot => self.spot,
        }
    }
}

impl Aws {
    /// `servicequotas:GetServiceQuota`: the vCPUs that may run at once.
    pub async fn vcpu_quota(&self, quota: Quota, market: Market) -> Result<f64> {
        let config = aws_sdk_servicequotas::config::Builder::from(&self.config)
            .interceptor(Trace(self.out))
            .build();
        let code = quota.code(market);
        let answer = aws_sdk_servicequotas::Client::from_conf(config)
            .get_service_quota()
            .service_code("ec2")
            .quota_code(code)
            .send()
            .await
            .map_err(|error| {
                let what = format!("cannot look up the vCPU quota {code}");
                errors::failure(&error, &what, &self.region)
            })?;
        Ok(answer.quota.and_then(|quota| quota.value).unwrap_or(0.0))
    }

    /// The vCPUs of all machines in the region that count against a quota,
    /// whoever launched them.
    pub async fn vcpus_in_use(&self, quota: Quota, market: Market) -> Result<u32> {
        let mut running: BTreeMap<InstanceType, u32> = BTreeMap::new();
        let mut pages = self
            .ec2
            .describe_instances()
            .filters(filter("instance-state-name", ["pending", "running"]))
            .into_paginator()
            .page_size(1_000)
            .send();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| errors::failure(&error, "cannot list what runs", &self.region))?;
            let instances = page
                .reservations
                .unwrap_or_default()
                .into_iter()
                .flat_map(|reservation| reservation.instances.unwrap_or_default());
            for instance in instances {
                let spot = instance.instance_lifecycle == Some(InstanceLifecycleType::Spot);
                let Some(vm_type) = instance.instance_type else {
                    continue;
                };
                if spot == (market == Market::Spot) && Quota::of(vm_type.as_str()) == Some(quota) {
                    *running.entry(vm_type).or_default() += 1;
                }
            }
        }
        let types: Vec<InstanceType> = running.keys().cloned().collect();
        let mut vcpus = 0;
        for types in types.chunks(TYPES_PER_CALL) {
            let answer = self
                .ec2
                .describe_instance_types()
                .set_instance_types(Some(types.to_vec()))
                .send()
                .await
                .map_err(|error| {
                    errors::failure(&error, "cannot look up the types that run", &self.region)
                })?;
            for info in answer.instance_types.unwrap_or_default() {
                let each = info
                    .v_cpu_info
                    .and_then(|cpu| cpu.default_v_cpus)
                    .and_then(|vcpus| u32::try_from(vcpus).ok())
                    .unwrap_or(1);
                let number = info.instance_type.and_then(|t| running.get(&t).copied());
                vcpus += each * number.unwrap_or(0);
            }
        }
        Ok(vcpus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_counts_against_its_familys_quota() {
        let code = |vm_type: &str| Quota::of(vm_type).map(|quota| quota.code(Market::OnDemand));
        assert_eq!(code("t2.micro"), Some("L-1216C47A"));
        assert_eq!(code("c7i.large"), Some("L-1216C47A"));
        assert_eq!(code("g5.xlarge"), Some("L-DB2E81BA"));
        assert_eq!(code("vt1.3xlarge"), Some("L-DB2E81BA"));
        assert_eq!(code("p4d.24xlarge"), Some("L-417A185B"));
        assert_eq!(code("hpc7a.12xlarge"), None);
        let spot = Quota::of("t2.micro").map(|quota| quota.code(Market::Spot));
        assert_eq!(spot, Some("L-34B43A08"));
    }
}
