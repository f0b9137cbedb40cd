//! Blocks of addresses from which SSH is let in.

use std::{fmt, str::FromStr};

use ipnet::IpNet;

/// A CIDR block such as `203.0.113.7/32`; not the whole internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether it is an IPv6 block.
    pub fn is_ipv6(self) -> bool {
        matches!(self.0, IpNet::V6(_))
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let block: IpNet = text
            .parse()
            .map_err(|_| "a CIDR block looks like 203.0.113.7/32")?;
        if block.prefix_len() == 0 {
            return Err("that is the whole internet: name the block you connect from".into());
        }
        // EC2 keeps the network's address, whichever host was named.
        Ok(Self(block.trunc()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_never_opened_to_the_world() {
        for (typed, network) in [
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("2001:db8::7/64", "2001:db8::/64"),
        ] {
            let block = typed.parse::<Cidr>().map(|block| block.to_string());
            assert_eq!(block, Ok(network.into()));
        }
        for bad in ["0.0.0.0/0", "::/0", "203.0.113.7", "203.0.113.7/33", "x/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?} was accepted");
        }
    }
}
