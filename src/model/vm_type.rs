//! What EC2 says of an instance type.

use crate::values::VmType;

/// What `DescribeInstanceTypes` says of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmTypeFacts {
    pub name: VmType,
    /// `x86_64`, `arm64`.
    pub architectures: Vec<String>,
    pub memory_mib: u64,
    /// Logical CPUs.
    pub vcpus: u32,
    pub cores: u32,
    /// How many threads may run on each core; empty where that cannot be chosen.
    pub threads_per_core: Vec<u32>,
    /// GB of instance store, all disks together.
    pub local_disks_gb: u64,
    /// GPUs of NVIDIA's.
    pub gpu: Option<Gpu>,
    /// Whether it earns and spends CPU credits.
    pub is_burstable: bool,
    /// Whether an account on the free plan may launch it; none where EC2 does not tell.
    pub is_free_tier_eligible: Option<bool>,
}

impl VmTypeFacts {
    /// The same type with this many threads on each core.
    #[must_use]
    pub fn with_threads_per_core(mut self, threads: Option<u32>) -> Self {
        if let Some(threads) = threads {
            self.vcpus = self.cores * threads;
        }
        self
    }
}

/// The NVIDIA GPUs of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    pub count: u32,
    /// `NVIDIA T4`.
    pub name: String,
}
