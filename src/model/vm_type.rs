//! What EC2 says of an instance type.

/// What `DescribeInstanceTypes` says of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmTypeFacts {
    /// `x86_64`, `arm64`.
    pub architectures: Vec<String>,
    /// Logical CPUs.
    pub vcpus: u32,
    pub cores: u32,
    /// How many threads may run on each core; none where that cannot be chosen.
    pub threads_per_core: Vec<u32>,
    /// GPUs of NVIDIA's.
    pub gpu: Option<Gpu>,
}

impl VmTypeFacts {
    /// With so many threads on each core.
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
