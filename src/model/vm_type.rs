//! What EC2 says of an instance type.

/// What `DescribeInstanceTypes` says of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmTypeFacts {
    /// `x86_64`, `arm64`.
    pub architectures: Vec<String>,
    /// Logical CPUs.
    pub vcpus: u32,
    pub cores: u32,
    /// GPUs of NVIDIA's.
    pub gpu: Option<Gpu>,
}

/// The NVIDIA GPUs of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    pub count: u32,
    /// `NVIDIA T4`.
    pub name: String,
}
