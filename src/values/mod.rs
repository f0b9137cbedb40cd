//! Validated values: parsed once, from the command line, and trusted inside.

mod cidr;
mod group_name;
mod key_place;
mod proxy;
pub mod similar;
pub mod spans;
mod tag;
mod target;
mod vm_type;
mod volume;

use std::fmt;

use serde::Serialize;

pub use self::{
    cidr::Cidr,
    group_name::GroupName,
    key_place::{KeyPlace, KeyService},
    proxy::Proxy,
    tag::Tag,
    target::{Target, is_machine_id},
    vm_type::VmType,
    volume::{Volume, VolumeType},
};

/// How the machine is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    OnDemand,
    /// At the spot price; AWS may take it back.
    Spot,
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        })
    }
}

/// The form of a new private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    #[default]
    Pem,
    Ppk,
}

impl KeyFormat {
    /// What it is called, and how its files end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Ppk => "ppk",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// Registered with Inductiva as a machine of the group.
    Registered,
    /// Running, as EC2 shows it.
    Running,
}
