//! How many connections each address has open, bounded so that one visitor cannot take all places.
//!
//! Addresses of one IPv6 network of 64 bits are one visitor: each household has as many as it likes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) struct Visitors {
    open: Mutex<HashMap<IpAddr, usize>>,
    max: usize,
    /// Behind these stand many visitors.
    exempt: Vec<IpAddr>,
}

/// One connection; counted until it is dropped.
pub(crate) struct Visit {
    visitors: Arc<Visitors>,
    address: Option<IpAddr>,
}

impl Visitors {
    pub(crate) fn new(max: usize, exempt: Vec<IpAddr>) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            max,
            exempt,
        })
    }

    /// Counts a connection; `None` when its address has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Visit> {
        let address = address.to_canonical();
        let counted = !self.exempt.contains(&address);
        let address = counted.then(|| network(address));
        if let Some(address) = address {
            let mut open = self.lock();
            let count = open.entry(address).or_insert(0);
            if *count >= self.max {
                return None;
            }
            *count += 1;
        }
        Some(Visit {
            visitors: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.visitors.lock();
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_so_many_and_gives_them_back() {
        let visitors = Visitors::new(1, vec![]);
        let first = visitors.enter(address("10.0.0.1"));
        assert!(first.is_some() && visitors.enter(address("::ffff:10.0.0.1")).is_none());
        assert!(visitors.enter(address("10.0.0.2")).is_some());
        drop(first);
        assert!(visitors.enter(address("10.0.0.1")).is_some());
        assert!(visitors.lock().is_empty());
    }

    #[test]
    fn a_network_is_one_visitor_and_a_proxy_is_none() {
        let visitors = Visitors::new(1, vec![address("127.0.0.1")]);
        let _first = visitors.enter(address("2001:db8::1")).unwrap();
        assert!(visitors.enter(address("2001:db8::2")).is_none());
        assert!(visitors.enter(address("2001:db8:0:1::1")).is_some());
        let proxied: Vec<_> = (0..3).map(|_| visitors.enter(address("127.0.0.1"))).collect();
        assert!(proxied.iter().all(Option::is_some));
    }
}
