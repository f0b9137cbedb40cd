//! `types`.

use clap::Args;

use super::parsers::whole_number;

#[derive(Debug, Args)]
pub struct TypesArgs {
    /// Only types with so many vCPUs or more
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole_number)]
    pub min_vcpus: u32,
    /// Only types with so much memory or more, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 0)]
    pub min_memory: u32,
    /// Only types with an NVIDIA GPU
    #[arg(long)]
    pub gpu: bool,
}
