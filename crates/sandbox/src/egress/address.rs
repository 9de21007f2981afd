//! Which addresses no sandbox reaches unless the operator opens them.
//!
//! A list of what is refused, and not "everything that is not global unicast": company mirrors and proxies live in
//! documentation and benchmark ranges too. An IPv6 address that carries an IPv4 one is judged by both. The host's
//! own addresses are not known here (`interfaces.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The form that is judged and connected to: an IPv4 address in IPv6 clothes becomes IPv4.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Why an address is refused whatever the policy, in words that end "… is a …"; `None` when it is public.
pub(super) fn reserved(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    // Azure's host agent: a public address by its number, the machine's own secrets by what it tells.
    if address == Ipv4Addr::new(168, 63, 129, 16) {
        return Some("cloud metadata address");
    }
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("address of \"this network\""),
        (127, ..) => Some("loopback address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("private address"),
        (100, 64..=127, _) => Some("carrier-grade NAT address"),
        // Cloud metadata (169.254.169.254) is one of these.
        (169, 254, _) => Some("link-local address"),
        // Some clouds keep their metadata here too.
        (192, 0, 0) => Some("protocol assignment address"),
        (224..=239, ..) => Some("multicast address"),
        (240..=255, ..) => Some("broadcast or future-use address"),
        _ => None,
    }
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("unspecified address");
    }
    if address.is_loopback() {
        return Some("loopback address");
    }
    let segments = address.segments();
    match segments {
        // Unique-local; the metadata services at fd00:ec2::254 and fd20:ce::254 are among them.
        [0xfc00..=0xfdff, ..] => return Some("unique-local address"),
        [0xfe80..=0xfebf, ..] => return Some("link-local address"),
        [0xfec0..=0xfeff, ..] => return Some("site-local address"),
        [0xff00..=0xffff, ..] => return Some("multicast address"),
        // Translation prefix for local use: where it leads is known to the local network alone (RFC 8215).
        [0x64, 0xff9b, 1, ..] => return Some("local translation address"),
        _ => {}
    }
    embedded_v4(address).and_then(reserved_v4)
}

/// The IPv4 address that a translator or tunnel would send packets for this IPv6 address to.
pub(super) fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // IPv4-compatible (RFC 4291, deprecated), mapped, and translated (RFC 2765).
        [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        // NAT64 (RFC 6052)
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        // 6to4 (RFC 3056)
        [0x2002, high, low, ..] => Some(join(high, low)),
        // Teredo (RFC 4380) carries the client's address inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        // ISATAP (RFC 5214)
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(text: &str) -> Option<&'static str> {
        reserved(text.parse().unwrap())
    }

    #[test]
    fn what_belongs_to_the_host_and_its_networks_is_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b:1::808:808",
        ] {
            assert!(judge(text).is_some(), "{text} must be refused");
        }
    }

    #[test]
    fn ipv4_in_ipv6_clothes_is_judged_as_ipv4() {
        for text in [
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "2002:c0a8:101::",
            "2001:0:4136:e378:8000:63bf:3f57:fefe", // the client is 192.168.1.1, inverted
            "2001:db8::5efe:10.0.0.1",
            "2001:db8::200:5efe:192.168.0.1",
        ] {
            assert!(judge(text).is_some(), "{text} must be refused");
        }
        for text in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
            assert_eq!(judge(text), None, "{text} is public");
        }
    }

    #[test]
    fn documentation_and_benchmark_ranges_are_left_alone() {
        for text in [
            "192.0.2.7",
            "198.51.100.7",
            "203.0.113.80",
            "198.18.0.1",
            "198.19.255.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "169.253.0.1",
            "8.8.8.8",
            "2606:4700::1111",
            "2001:db8::1",
        ] {
            assert_eq!(judge(text), None, "{text} is public");
        }
    }

    proptest! {
        #[test]
        fn no_disguise_changes_the_judgement(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let bare = reserved(IpAddr::V4(address));
            let [a, b, c, d] = address.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for disguised in [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(reserved(IpAddr::V6(disguised)), bare);
            }
        }
    }
}
