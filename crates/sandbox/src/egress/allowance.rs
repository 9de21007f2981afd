//! What the operator opens in spite of the address rules: a package mirror in 10/8, a database on the host.
//!
//! An allowance lifts the refusal of an *address*; the policy's names still have to agree. It does not know about
//! names that lead to an address: an allowed name with a private address needs both.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the operator of the platform opens, for every sandbox that may reach anything at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Allowances {
    /// Addresses and networks that may be reached although they are private or the host's own.
    pub addresses: Vec<AllowedAddress>,
    /// Names allowed beside those of a `Names` policy, in the same notation.
    pub names: Vec<String>,
}

impl Allowances {
    pub(super) fn allows(&self, target: SocketAddr) -> bool {
        self.addresses.iter().any(|allowed| allowed.covers(target))
    }

    pub(super) fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|allowed| allowed.network.is_ipv6())
    }
}

/// A network, or a single address, with all its ports or one of them.
///
/// Written `10.1.2.3`, `10.1.2.3:8080`, `10.0.0.0/8`, `10.0.0.0/8:443`, `fd00::1`, `fd00::/8` or `[fd00::/8]:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedAddress {
    network: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

impl AllowedAddress {
    /// One address and port.
    pub fn exactly(address: SocketAddr) -> AllowedAddress {
        let network = address.ip().to_canonical();
        AllowedAddress {
            network,
            prefix: if network.is_ipv4() { 32 } else { 128 },
            port: Some(address.port()),
        }
    }

    /// The loopback address and port that this opens, if it opens one and nothing else.
    pub(crate) fn loopback(&self) -> Option<SocketAddr> {
        let bits = if self.network.is_ipv4() { 32 } else { 128 };
        let one = self.prefix == bits && self.network.is_loopback();
        Some(SocketAddr::new(self.network, self.port.filter(|_| one)?))
    }

    fn covers(&self, target: SocketAddr) -> bool {
        let same_network = match (self.network, target.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)) & v4_mask(self.prefix) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)) & v6_mask(self.prefix) == 0,
            _ => false,
        };
        same_network && self.port.is_none_or(|port| port == target.port())
    }
}

impl FromStr for AllowedAddress {
    type Err = ParseAllowedAddressError;

    fn from_str(text: &str) -> Result<AllowedAddress, ParseAllowedAddressError> {
        let wrong = || ParseAllowedAddressError {
            text: text.to_owned(),
        };
        let (network, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (network, port) = rest.split_once("]:").ok_or_else(wrong)?;
                (network, Some(port))
            }
            // One colon is a v4 port; more are a v6 address, which takes brackets before a port.
            None if text.matches(':').count() == 1 => text
                .split_once(':')
                .map(|(network, port)| (network, Some(port)))
                .ok_or_else(wrong)?,
            None => (text, None),
        };
        let port = port
            .map(|port| port.parse::<u16>().map_err(|_| wrong()))
            .transpose()?;
        let (address, prefix) = match network.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (network, None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits_max);
        if prefix > bits_max || text.starts_with('[') && network.is_ipv4() {
            return Err(wrong());
        }
        Ok(AllowedAddress {
            network,
            prefix,
            port,
        })
    }
}

/// The text is neither an address nor a network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not an address to allow; write an address or a network, with a port if only one is meant: \
     `10.1.2.3`, `10.1.2.3:8080`, `10.0.0.0/8`, `[fd00::/8]:443`"
)]
pub struct ParseAllowedAddressError {
    text: String,
}

impl fmt::Display for AllowedAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AllowedAddress {
            network,
            prefix,
            port,
        } = self;
        match (network, port) {
            (_, None) => write!(out, "{network}/{prefix}"),
            (IpAddr::V4(_), Some(port)) => write!(out, "{network}/{prefix}:{port}"),
            (IpAddr::V6(_), Some(port)) => write!(out, "[{network}/{prefix}]:{port}"),
        }
    }
}

impl TryFrom<String> for AllowedAddress {
    type Error = ParseAllowedAddressError;

    fn try_from(text: String) -> Result<AllowedAddress, ParseAllowedAddressError> {
        text.parse()
    }
}

impl From<AllowedAddress> for String {
    fn from(address: AllowedAddress) -> String {
        address.to_string()
    }
}

fn v4_mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn v6_mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(allowed: &str, target: &str) -> bool {
        allowed
            .parse::<AllowedAddress>()
            .unwrap()
            .covers(target.parse().unwrap())
    }

    #[test]
    fn an_address_a_network_and_a_port_are_told_apart() {
        assert!(covers("10.1.2.3", "10.1.2.3:5432"));
        assert!(!covers("10.1.2.3", "10.1.2.4:5432"));
        assert!(covers("10.1.2.3:5432", "10.1.2.3:5432"));
        assert!(!covers("10.1.2.3:5432", "10.1.2.3:22"));
        assert!(covers("10.0.0.0/8", "10.200.0.1:1"));
        assert!(!covers("10.0.0.0/8", "11.0.0.1:1"));
        assert!(covers("10.0.0.0/8:443", "10.200.0.1:443"));
        assert!(!covers("10.0.0.0/8:443", "10.200.0.1:80"));
        assert!(covers("0.0.0.0/0", "192.168.0.1:80"));
        assert!(!covers("0.0.0.0/0", "[fd00::1]:80"));
        assert!(covers("fd00::/8", "[fd12::1]:80"));
        assert!(covers("[fd00::/8]:443", "[fd12::1]:443"));
        assert!(!covers("[fd00::/8]:443", "[fd12::1]:80"));
        assert!(covers("::/0", "[fd12::1]:80"));
        assert!(covers("::1", "[::1]:80"));
    }

    #[test]
    fn nonsense_is_refused_with_a_way_out() {
        for text in [
            "",
            "10.1.2",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.1:x",
            "10.0.0.1:70000",
            "[10.0.0.1]:1",
            "[::1]",
            "[::1]x",
            "a.b",
        ] {
            let error = text.parse::<AllowedAddress>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{text}`")) && error.contains("10.0.0.0/8"),
                "{error}"
            );
        }
    }

    #[test]
    fn text_survives_a_round_trip() {
        for text in ["10.1.2.3/32", "10.0.0.0/8:443", "fd00::/8", "[fd00::/8]:443"] {
            let allowed: AllowedAddress = text.parse().unwrap();
            assert_eq!(allowed.to_string(), text);
            let json = serde_json::to_string(&allowed).unwrap();
            assert_eq!(serde_json::from_str::<AllowedAddress>(&json).unwrap(), allowed);
        }
    }
}
