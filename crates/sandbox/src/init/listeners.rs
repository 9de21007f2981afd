//! Who listens inside: /proc/net/tcp and tcp6 of the sandbox's network namespace.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::control::{LISTENERS_MAX, Listener};
use crate::sys::nft::{DNS_PORT, TCP_PORT};

/// The sockets that listen, without our own, sorted by address.
pub(super) fn list() -> Vec<Listener> {
    let mut listeners = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        listeners.extend(parse(&fs::read_to_string(table).unwrap_or_default()));
    }
    listeners.retain(|listener| ![TCP_PORT, DNS_PORT].contains(&listener.port));
    listeners.sort_unstable();
    listeners.dedup();
    listeners.truncate(LISTENERS_MAX);
    listeners
}

fn parse(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(parse_line).collect()
}

/// `sl local_address rem_address st …`; state 0A is LISTEN.
fn parse_line(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let (_, local, _, state) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    if state != "0A" {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Listener {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
    })
}

/// Words of four bytes, each printed as a number of the machine's own byte order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..text.len())
        .step_by(8)
        .map(|at| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [v4] => Some(Ipv4Addr::from(*v4).into()),
        v6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(v6.concat()).ok()?).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_of_both_families_are_found_and_others_are_not() {
        let v4 = "  sl  local_address rem_address   st tx_queue\n\
                  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                  1: 0100007F:D431 0100007F:1F90 01 00000000:00000000\n";
        let v6 = "  sl  local_address\n   0: 00000000000000000000000001000000:0BB8 0:0 0A 0\n";
        assert_eq!(
            parse(v4),
            [Listener {
                address: Ipv4Addr::LOCALHOST.into(),
                port: 8080
            }]
        );
        assert_eq!(
            parse(v6),
            [Listener {
                address: Ipv6Addr::LOCALHOST.into(),
                port: 3000
            }]
        );
        assert_eq!(parse("header\nnonsense\n1: zz:1 0:0 0A\n"), []);
    }
}
