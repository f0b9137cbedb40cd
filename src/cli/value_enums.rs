//! How plain values are typed, and what their help says.

use clap::{ValueEnum, builder::PossibleValue};

use crate::{
    terminal::output::Format,
    values::{KeyFormat, VolumeType, WaitFor},
};

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Text => PossibleValue::new("text").help("For people"),
            Self::Json => PossibleValue::new("json").help("One JSON document"),
        })
    }
}

impl ValueEnum for KeyFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Pem, Self::Ppk]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Pem => "OpenSSH",
            Self::Ppk => "PuTTY",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ValueEnum for VolumeType {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Gp3, Self::Gp2, Self::Io1, Self::Io2, Self::Standard]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Gp3 => "General purpose SSD",
            Self::Gp2 => "General purpose SSD, previous generation",
            Self::Io1 | Self::Io2 => "Provisioned IOPS SSD",
            Self::Standard => "Magnetic, previous generation",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ValueEnum for WaitFor {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Registered, Self::Running]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Registered => PossibleValue::new("registered")
                .help("Known to Inductiva as a machine of the group"),
            Self::Running => PossibleValue::new("running").help("Up, as EC2 sees it"),
        })
    }
}
