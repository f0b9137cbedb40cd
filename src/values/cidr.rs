//! Blocks of addresses that SSH is let in from.

use std::str::FromStr;

/// A CIDR block such as `203.0.113.7/32`; not the whole internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cidr(String);

impl Cidr {
    /// The block as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an IPv6 block.
    pub fn is_ipv6(&self) -> bool {
        self.0.contains(':')
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a CIDR block looks like 203.0.113.7/32".to_owned();
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: std::net::IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if prefix > if address.is_ipv4() { 32 } else { 128 } {
            return Err(wrong());
        }
        if prefix == 0 {
            return Err("that is the whole internet: name the block you connect from".into());
        }
        // EC2 keeps the network's address, whatever host was named.
        let network: std::net::IpAddr = match address {
            std::net::IpAddr::V4(v4) => {
                std::net::Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - prefix))).into()
            }
            std::net::IpAddr::V6(v6) => {
                std::net::Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - prefix))).into()
            }
        };
        Ok(Self(format!("{network}/{prefix}")))
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
            assert_eq!(typed.parse::<Cidr>(), Ok(Cidr(network.into())));
        }
        for bad in ["0.0.0.0/0", "::/0", "203.0.113.7", "203.0.113.7/33", "x/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?} was accepted");
        }
    }
}
