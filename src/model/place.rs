//! Where machines are launched, and as what.

use std::fmt;

use crate::values::{Market, VmType};

/// A type, a place and a market to launch in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub vm_type: VmType,
    pub place: Place,
    pub market: Market,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.vm_type, self.place, self.market)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where EC2 chooses.
    Any,
    /// A zone of the default VPC.
    Zone(String),
    Subnet(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any",
            Self::Zone(name) | Self::Subnet(name) => name,
        })
    }
}
