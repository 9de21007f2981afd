//! The gateway of one sandbox: its resolver and its copier, alive as long as the value is.
//!
//! It does not make the two sockets: they come out of the sandbox's network namespace, and its init keeps them, so
//! that a new platform can open a new gateway on them after a restart. Connections through a gateway end with it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::answer::GivenAnswers;
use super::contact::{Contact, ContactLog};
use super::interfaces::HostAddresses;
use super::policy::Rules;
use super::upstream::Upstreams;
use super::{copier, resolver};

/// The way out of one sandbox. Dropping it ends all its connections.
pub struct Gateway {
    shared: Arc<Shared>,
    /// The resolver and the copier; dropping the set stops both and everything they started.
    _tasks: JoinSet<()>,
}

/// Bytes of all connections of a sandbox, without the headers of TCP and IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the sandbox.
    pub bytes_sent: u64,
    /// To the sandbox.
    pub bytes_received: u64,
}

impl Gateway {
    /// Serves the sandbox's redirected connections and queries. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the sockets cannot be registered with the runtime.
    pub fn open(tcp: std::net::TcpListener, dns: std::net::UdpSocket, rules: Rules) -> io::Result<Gateway> {
        Gateway::start(tcp, dns, Shared::new(rules))
    }

    fn start(tcp: std::net::TcpListener, dns: std::net::UdpSocket, shared: Shared) -> io::Result<Gateway> {
        tcp.set_nonblocking(true)?;
        dns.set_nonblocking(true)?;
        let (tcp, dns) = (TcpListener::from_std(tcp)?, UdpSocket::from_std(dns)?);
        let shared = Arc::new(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(copier::serve_connections(tcp, Arc::clone(&shared)));
        tasks.spawn(resolver::serve_datagrams(dns, Arc::clone(&shared)));
        Ok(Gateway {
            shared,
            _tasks: tasks,
        })
    }

    /// What the sandbox contacted since this gateway was opened, the latest last; at most 1,024 entries.
    pub fn contacts(&self) -> Vec<Contact> {
        self.shared.contacts.list()
    }

    /// How many contacts are no longer in [`contacts`](Gateway::contacts) because newer ones took their places.
    pub fn contacts_dropped(&self) -> u64 {
        self.shared.contacts.dropped()
    }

    /// Bytes copied since this gateway was opened.
    pub fn traffic(&self) -> Traffic {
        let (bytes_sent, bytes_received) = self.shared.contacts.totals();
        Traffic {
            bytes_sent,
            bytes_received,
        }
    }
}

/// Tells where an accepted connection was meant to go.
type Destination = dyn Fn(&TcpStream) -> io::Result<SocketAddr> + Send + Sync;

/// What the resolver and the copier of one sandbox share.
pub(super) struct Shared {
    pub(super) rules: Rules,
    pub(super) upstreams: Upstreams,
    pub(super) given: GivenAnswers,
    pub(super) contacts: ContactLog,
    pub(super) host: HostAddresses,
    pub(super) connections: Semaphore,
    pub(super) limits: Limits,
    pub(super) destination: Box<Destination>,
}

/// Limits of one sandbox.
pub(super) struct Limits {
    /// Connections at the same time.
    pub(super) connections: usize,
    /// Until a connection is made.
    pub(super) connect: Duration,
    /// Until a connection on which nothing moves is ended.
    pub(super) idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 512,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(600),
        }
    }
}

impl Shared {
    fn new(rules: Rules) -> Shared {
        Shared::limited(rules, Limits::default())
    }

    fn limited(rules: Rules, limits: Limits) -> Shared {
        Shared {
            upstreams: Upstreams::new(&rules.upstream),
            rules,
            given: GivenAnswers::default(),
            contacts: ContactLog::told(),
            host: HostAddresses::default(),
            connections: Semaphore::new(limits.connections),
            limits,
            destination: Box::new(copier::original_destination),
        }
    }

    /// Whether it helps the sandbox to know IPv6 addresses.
    pub(super) fn ipv6_is_useful(&self) -> bool {
        self.rules.allow.has_ipv6() || resolver::has_ipv6_route()
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
