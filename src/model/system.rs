//! The operating system by which EC2 bills a machine.

/// The operating systems whose prices are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum System {
    #[default]
    Linux,
    RedHat,
    Suse,
    UbuntuPro,
}

impl System {
    /// The system in an image's or a machine's `PlatformDetails` ("AMI billing
    /// information fields", EC2 user guide). None if a licence such as SQL Server's is in
    /// its price, and for Windows.
    pub fn of(platform_details: &str) -> Option<Self> {
        match platform_details {
            "Linux/UNIX" => Some(Self::Linux),
            "Red Hat Enterprise Linux" => Some(Self::RedHat),
            "SUSE Linux" => Some(Self::Suse),
            "Ubuntu Pro" => Some(Self::UbuntuPro),
            _ => None,
        }
    }

    /// As the Price List has it in `operatingSystem`.
    pub fn in_price_list(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::RedHat => "RHEL",
            Self::Suse => "SUSE",
            Self::UbuntuPro => "Ubuntu Pro",
        }
    }

    /// As `DescribeSpotPriceHistory` has it in `ProductDescription`; none for one
    /// that it does not list.
    pub fn in_spot_history(self) -> Option<&'static str> {
        match self {
            Self::Linux => Some("Linux/UNIX"),
            Self::RedHat => Some("Red Hat Enterprise Linux"),
            Self::Suse => Some("SUSE Linux"),
            Self::UbuntuPro => None,
        }
    }
}
