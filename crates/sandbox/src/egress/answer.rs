//! Which address the resolver gave for which name: what makes a policy by name possible.
//!
//! Bounded per sandbox: at most [`ADDRESSES_MAX`] addresses with [`NAMES_MAX`] names each; what expires first is
//! dropped first. An answer is remembered for at least an hour, because programs keep addresses far longer than they
//! should; its name was allowed then and is allowed still. Nothing survives the platform: after its restart a program
//! under a `Names` policy has to look its names up again. It does not judge the addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(super) const ADDRESSES_MAX: usize = 4_096;
const NAMES_MAX: usize = 4;
const KEPT_MIN: Duration = Duration::from_secs(60 * 60);
const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The addresses that one sandbox was given.
#[derive(Default)]
pub(super) struct GivenAnswers {
    names: Mutex<HashMap<IpAddr, Vec<Given>>>,
}

struct Given {
    name: String,
    until: Instant,
}

impl GivenAnswers {
    /// Remembers that `name` led to these addresses, each for its seconds (clamped to an hour and a day).
    pub(super) fn remember(&self, name: &str, addresses: &[(IpAddr, u32)], now: Instant) {
        let mut names = self.names.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for &(address, seconds) in addresses {
            let address = address.to_canonical();
            if names.len() >= ADDRESSES_MAX && !names.contains_key(&address) {
                make_room(&mut names);
            }
            let until = now + Duration::from_secs(seconds.into()).clamp(KEPT_MIN, KEPT_MAX);
            let given = names.entry(address).or_default();
            // The latest stands last.
            given.retain(|known| known.name != name);
            if given.len() >= NAMES_MAX {
                given.remove(0);
            }
            given.push(Given {
                name: name.to_owned(),
                until,
            });
        }
    }

    /// The name that led to this address most recently, if that was not too long ago.
    pub(super) fn name_of(&self, address: IpAddr, now: Instant) -> Option<String> {
        let names = self.names.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let given = names.get(&address.to_canonical())?;
        given
            .iter()
            .rev()
            .find(|given| given.until > now)
            .map(|given| given.name.clone())
    }
}

fn make_room(names: &mut HashMap<IpAddr, Vec<Given>>) {
    let last_use = |given: &[Given]| given.iter().map(|given| given.until).max();
    let first = names
        .iter()
        .min_by_key(|(_, given)| last_use(given))
        .map(|(address, _)| *address);
    if let Some(first) = first {
        names.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(index: usize) -> IpAddr {
        IpAddr::from(u32::try_from(index).unwrap().to_be_bytes())
    }

    #[test]
    fn an_address_is_known_by_its_latest_name_until_it_expires() {
        let answers = GivenAnswers::default();
        let now = Instant::now();
        answers.remember("a.example", &[(address(1), 0)], now);
        answers.remember("b.example", &[(address(1), 3 * 3600)], now);
        assert_eq!(answers.name_of(address(1), now).as_deref(), Some("b.example"));
        answers.remember("a.example", &[(address(1), 0)], now);
        assert_eq!(answers.name_of(address(1), now).as_deref(), Some("a.example"));
        let later = now + Duration::from_secs(2 * 3600);
        assert_eq!(
            answers.name_of(address(1), later).as_deref(),
            Some("b.example"),
            "a.example expired"
        );
        assert_eq!(answers.name_of(address(1), now + KEPT_MAX), None);
        assert_eq!(answers.name_of(address(2), now), None);
    }

    #[test]
    fn an_address_in_ipv6_clothes_is_the_same_address() {
        let answers = GivenAnswers::default();
        let now = Instant::now();
        answers.remember("a.example", &[("::ffff:203.0.113.9".parse().unwrap(), 60)], now);
        assert!(answers.name_of("203.0.113.9".parse().unwrap(), now).is_some());
    }

    #[test]
    fn a_flood_drops_what_expires_first() {
        let answers = GivenAnswers::default();
        let now = Instant::now();
        for index in 0..=ADDRESSES_MAX {
            let at = now + Duration::from_millis(u64::try_from(index).unwrap());
            answers.remember("a.example", &[(address(index), 60)], at);
        }
        assert_eq!(answers.name_of(address(0), now), None);
        assert!(answers.name_of(address(1), now).is_some());
        assert!(answers.name_of(address(ADDRESSES_MAX), now).is_some());
        for index in 0..NAMES_MAX + 1 {
            answers.remember(&format!("{index}.example"), &[(address(7), 60)], now);
        }
        assert_eq!(answers.names.lock().unwrap()[&address(7)].len(), NAMES_MAX);
    }
}
