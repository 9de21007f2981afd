//! The log of what a sandbox contacted, or tried to.
//!
//! One entry per name, address and verdict; at most [`CONTACTS_MAX`], the one longest unused is dropped first and
//! counted. Bytes are those of the application, without the headers of TCP and IP. It does not know what was said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How many different contacts of one sandbox are remembered.
pub(super) const CONTACTS_MAX: usize = 1_024;

/// What a sandbox contacted, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The name whose lookup gave the address, if it was looked up here.
    pub name: Option<String>,
    /// Address and port; `None` when the name itself was refused.
    pub address: Option<SocketAddr>,
    pub verdict: Verdict,
    /// How many times: connections, or lookups of a refused name.
    pub connections: u64,
    /// How many of the allowed connections could not be made.
    pub failures: u64,
    /// From the sandbox.
    pub bytes_sent: u64,
    /// To the sandbox.
    pub bytes_received: u64,
    /// Milliseconds since 1970.
    pub first_ms: u64,
    /// Milliseconds since 1970, of the last connection or lookup (not of the last byte).
    pub last_ms: u64,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Allowed,
    Refused { why: Refusal },
}

/// Why a contact was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    #[error("the name is not among those the policy allows")]
    Name,
    #[error("no allowed name led to this address; look the name up instead of using an address")]
    Unnamed,
    #[error("the address is private or reserved; the operator can allow it")]
    Reserved,
    #[error("the address is the host's own; the operator can allow it")]
    Host,
    #[error("too many connections at the same time; close some first")]
    Busy,
}

/// The contacts of one sandbox so far.
#[derive(Default)]
pub(super) struct ContactLog {
    /// Whose contacts they are, for the platform's own log.
    span: Option<tracing::Span>,
    entries: Mutex<HashMap<Key, Arc<Meter>>>,
    dropped: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// What makes two contacts the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: Option<String>,
    pub(super) address: Option<SocketAddr>,
    pub(super) verdict: Verdict,
}

/// The figures of one contact; connections hold it and count into it.
#[derive(Default)]
pub(super) struct Meter {
    connections: AtomicU64,
    failures: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    first_ms: u64,
    last_ms: AtomicU64,
}

impl ContactLog {
    /// A log whose first contacts are told in the span that is current now.
    pub(super) fn told() -> ContactLog {
        ContactLog {
            span: Some(tracing::Span::current()),
            ..ContactLog::default()
        }
    }

    fn tell(&self, key: &Key) {
        let Some(span) = &self.span else { return };
        let name = key.name.as_deref().unwrap_or("an address");
        let address = key.address.map(|address| address.to_string()).unwrap_or_default();
        span.in_scope(|| match &key.verdict {
            Verdict::Allowed => tracing::info!(name, address, "contacted"),
            Verdict::Refused { why } => tracing::warn!(name, address, %why, "refused"),
        });
    }

    /// Notes one contact and returns its figures.
    pub(super) fn note(&self, key: Key) -> Arc<Meter> {
        let now_ms = now_ms();
        let mut entries = self
            .entries
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if entries.len() >= CONTACTS_MAX && !entries.contains_key(&key) {
            let oldest = entries
                .iter()
                .min_by_key(|(_, meter)| meter.last_ms.load(Relaxed));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                entries.remove(&oldest);
                self.dropped.fetch_add(1, Relaxed);
            }
        }
        // Once each, and no more than are remembered: nobody floods the platform's log this way.
        if !entries.contains_key(&key) && self.dropped() == 0 {
            self.tell(&key);
        }
        let new = || {
            Arc::new(Meter {
                first_ms: now_ms,
                ..Meter::default()
            })
        };
        let meter = entries.entry(key).or_insert_with(new);
        meter.connections.fetch_add(1, Relaxed);
        meter.last_ms.store(now_ms, Relaxed);
        Arc::clone(meter)
    }

    pub(super) fn sent(&self, meter: &Meter, bytes: u64) {
        meter.sent.fetch_add(bytes, Relaxed);
        self.sent.fetch_add(bytes, Relaxed);
    }

    pub(super) fn received(&self, meter: &Meter, bytes: u64) {
        meter.received.fetch_add(bytes, Relaxed);
        self.received.fetch_add(bytes, Relaxed);
    }

    /// Bytes sent and received by all contacts, the dropped ones too.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.sent.load(Relaxed), self.received.load(Relaxed))
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// All contacts that are remembered, the latest last.
    pub(super) fn list(&self) -> Vec<Contact> {
        let entries = self
            .entries
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut contacts: Vec<Contact> = entries.iter().map(|(key, meter)| meter.describe(key)).collect();
        drop(entries);
        contacts.sort_by(|a, b| (a.last_ms, &a.name).cmp(&(b.last_ms, &b.name)));
        contacts
    }
}

impl Meter {
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    fn describe(&self, key: &Key) -> Contact {
        Contact {
            name: key.name.clone(),
            address: key.address,
            verdict: key.verdict,
            connections: self.connections.load(Relaxed),
            failures: self.failures.load(Relaxed),
            bytes_sent: self.sent.load(Relaxed),
            bytes_received: self.received.load(Relaxed),
            first_ms: self.first_ms,
            last_ms: self.last_ms.load(Relaxed),
        }
    }
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            name: Some(name.to_owned()),
            address: None,
            verdict: Verdict::Refused { why: Refusal::Name },
        }
    }

    #[test]
    fn the_same_contact_is_one_entry() {
        let log = ContactLog::default();
        let meter = log.note(key("a.example"));
        log.note(key("a.example"));
        log.sent(&meter, 3);
        log.received(&meter, 5);
        let [contact] = &log.list()[..] else {
            panic!("one contact")
        };
        assert_eq!(
            (contact.connections, contact.bytes_sent, contact.bytes_received),
            (2, 3, 5)
        );
        assert!(contact.first_ms > 0 && contact.last_ms >= contact.first_ms);
        assert_eq!(log.totals(), (3, 5));
    }

    #[test]
    fn a_flood_drops_the_oldest_and_counts_it() {
        let log = ContactLog::default();
        for index in 0..CONTACTS_MAX + 10 {
            log.note(key(&format!("{index}.example")));
        }
        assert_eq!(log.list().len(), CONTACTS_MAX);
        assert_eq!(log.dropped(), 10);
    }

    #[test]
    fn a_refusal_is_stored_by_its_code() {
        let json = serde_json::to_string(&Verdict::Refused {
            why: Refusal::Reserved,
        })
        .unwrap();
        assert_eq!(json, r#"{"refused":{"why":"reserved"}}"#);
        assert_eq!(serde_json::to_string(&Verdict::Allowed).unwrap(), r#""allowed""#);
    }
}
