//! The host's own addresses, which no sandbox reaches: a service that listens on a public address of this machine
//! is still a service of this machine.
//!
//! Addresses come and go, so the list is read again when it is older than two seconds. When it cannot be read and
//! was never read, the answer is an error and the caller refuses. It does not know addresses that are translated to this machine by
//! a router in front of it.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::address::embedded_v4;

const AGE_MAX: Duration = Duration::from_secs(2);

/// The addresses of this network namespace's interfaces, at most two seconds old.
#[derive(Default)]
pub(super) struct HostAddresses {
    read: Mutex<Option<(Instant, HashSet<IpAddr>)>>,
}

impl HostAddresses {
    /// Whether connecting to this address ends on this machine.
    pub(super) fn contain(&self, address: IpAddr) -> io::Result<bool> {
        let mut read = self.read.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let fresh = read.as_ref().is_some_and(|(at, _)| at.elapsed() < AGE_MAX);
        if !fresh {
            match own_addresses() {
                Ok(addresses) => *read = Some((Instant::now(), addresses)),
                // Old knowledge is better than none, and none is a refusal.
                Err(error) if read.is_none() => return Err(error),
                Err(_) => {}
            }
        }
        let Some((_, own)) = read.as_ref() else {
            return Ok(true);
        };
        let hidden = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
        };
        Ok(own.contains(&address) || hidden.is_some_and(|address| own.contains(&address)))
    }
}

/// Asks the C library for the addresses of all interfaces (`getifaddrs(3)`).
fn own_addresses() -> io::Result<HashSet<IpAddr>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `first` is a valid place for the head of the list, and is only used when the call succeeds.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = HashSet::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: `next` is an element of the list that getifaddrs made and freeifaddrs has not yet freed.
        let interface = unsafe { &*next };
        // SAFETY: `ifa_addr` is null or points at a socket address of the family it says, owned by the list.
        addresses.extend(unsafe { ip_of(interface.ifa_addr) });
        next = interface.ifa_next;
    }
    // SAFETY: the list came from getifaddrs, is freed once, and nothing that points into it remains.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// The address in a C socket address, if it is an internet one.
///
/// # Safety
/// `address` is null or points at a socket address that is as long as its family says.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, and every socket address begins with its family.
    match i32::from(unsafe { (*address).sa_family }) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in; it is copied out, whatever its alignment.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that this is a sockaddr_in6; it is copied out, whatever its alignment.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn the_machines_own_addresses_are_known_in_every_form() {
        let host = HostAddresses::default();
        // The kernel names one of our addresses; no packet is sent.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let own = socket.local_addr().unwrap().ip();
        assert!(host.contain(own).unwrap());
        assert!(host.contain("64:ff9b::127.0.0.1".parse().unwrap()).unwrap());
        assert!(!host.contain("203.0.113.250".parse().unwrap()).unwrap());
    }
}
