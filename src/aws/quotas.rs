//! vCPU quotas, and how much of them is in use.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceLifecycleType, InstanceType};

use super::{Aws, errors, filter, slow::Slow, trace::Trace};
use crate::{
    error::{Failure, Result},
    values::Market,
};

/// The most types in one `DescribeInstanceTypes` call (EC2 API reference).
const TYPES_PER_CALL: usize = 100;

/// A quota of vCPUs, for the types of some families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// A short form of AWS's name for it.
    pub name: &'static str,
    families: &'static [&'static str],
    on_demand: &'static str,
    /// Some families have no spot machines.
    spot: Option<&'static str>,
}

/// Codes of Service Quotas ("Amazon EC2 instance type quotas", EC2 user guide).
const QUOTAS: &[Quota] = &[
    Quota {
        name: "Standard (A, C, D, H, I, M, R, T, Z)",
        families: &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"],
        on_demand: "L-1216C47A",
        spot: Some("L-34B43A08"),
    },
    Quota {
        name: "G and VT",
        families: &["g", "gr", "vt"],
        on_demand: "L-DB2E81BA",
        spot: Some("L-3819A6DF"),
    },
    Quota {
        name: "P",
        families: &["p"],
        on_demand: "L-417A185B",
        spot: Some("L-7212CCBC"),
    },
    Quota {
        name: "DL",
        families: &["dl"],
        on_demand: "L-6E869C2A",
        spot: Some("L-85EED4F7"),
    },
    Quota {
        name: "F",
        families: &["f"],
        on_demand: "L-74FC7D96",
        spot: Some("L-88CF9481"),
    },
    Quota {
        name: "High Memory (U)",
        families: &["u"],
        on_demand: "L-43DA4232",
        spot: None,
    },
    Quota {
        name: "HPC",
        families: &["hpc"],
        on_demand: "L-F7808C92",
        spot: None,
    },
    Quota {
        name: "Inf",
        families: &["inf"],
        on_demand: "L-1945791B",
        spot: Some("L-B5D1601B"),
    },
    Quota {
        name: "Trn",
        families: &["trn"],
        on_demand: "L-2C3B7624",
        spot: Some("L-6B0D517C"),
    },
    Quota {
        name: "X",
        families: &["x"],
        on_demand: "L-7295265B",
        spot: Some("L-E3A00192"),
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

    /// Its code in Service Quotas; none where the market does not have these families.
    pub fn code(self, market: Market) -> Option<&'static str> {
        match market {
            Market::OnDemand => Some(self.on_demand),
            Market::Spot => self.spot,
        }
    }
}

impl Aws {
    /// `servicequotas:GetServiceQuota`: how many vCPUs may run at once.
    pub async fn vcpu_quota(&self, code: &str) -> Result<f64> {
        let config = aws_sdk_servicequotas::config::Builder::from(&self.config)
            .interceptor(Trace(self.out))
            .interceptor(Slow::new(self.out, &self.time))
            .build();
        let answer = aws_sdk_servicequotas::Client::from_conf(config)
            .get_service_quota()
            .service_code("ec2")
            .quota_code(code)
            .send()
            .await;
        let what = format!("cannot look up the vCPU quota {code}");
        let answer = answer.map_err(|error| errors::failure(&error, &what, &self.region))?;
        let value = answer.quota.and_then(|quota| quota.value);
        value.ok_or_else(|| Failure::failed(format!("{what}: AWS's answer does not have it")))
    }

    /// The vCPUs of all machines in the region that count against a quota, whoever
    /// launched them.
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
        let code = |vm_type: &str| Quota::of(vm_type)?.code(Market::OnDemand);
        assert_eq!(code("t2.micro"), Some("L-1216C47A"));
        assert_eq!(code("c7i.large"), Some("L-1216C47A"));
        assert_eq!(code("g5.xlarge"), Some("L-DB2E81BA"));
        assert_eq!(code("vt1.3xlarge"), Some("L-DB2E81BA"));
        assert_eq!(code("p4d.24xlarge"), Some("L-417A185B"));
        assert_eq!(code("hpc7a.12xlarge"), Some("L-F7808C92"));
        assert_eq!(code("u7i-12tb.224xlarge"), Some("L-43DA4232"));
        assert_eq!(code("inf2.xlarge"), Some("L-1945791B"));
        assert_eq!(code("mac2.metal"), None);
        let spot = |vm_type: &str| Quota::of(vm_type)?.code(Market::Spot);
        assert_eq!(spot("t2.micro"), Some("L-34B43A08"));
        assert_eq!(spot("hpc7a.12xlarge"), None);
    }
}
