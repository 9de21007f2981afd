//! The copier of a sandbox: takes the connections that were meant for the outside, decides, connects and copies.
//!
//! What is judged is the address that will be connected to, and nothing is looked up again in between: an answer that
//! changes its mind (DNS rebinding) changes nothing. The program sees its connection accepted before the decision, so
//! a refusal reaches it as a reset, at once. It does not look into the bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::{plain, reserved};
use super::contact::{ContactLog, Key, Meter, Refusal, Verdict};
use super::gateway::Shared;
use super::rate::Rate;
use super::relay::{Count, relay};
use super::resolver;

/// Connections of all sandboxes together: the platform keeps descriptors for everything else.
static EVERYBODYS_CONNECTIONS: Semaphore = Semaphore::const_new(EVERYBODYS_CONNECTIONS_MAX);
const EVERYBODYS_CONNECTIONS_MAX: usize = 4_096;
/// So many of its own a sandbox has as long as there are any.
const FAIR_CONNECTIONS: usize = 64;
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(50);
const DNS_PORT: u16 = 53;

/// Takes connections until the task is dropped.
pub(super) async fn serve_connections(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut rate = Rate::new();
    loop {
        while tasks.try_join_next().is_some() {}
        rate.next().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move { serve(stream, &shared).await });
            }
            // The program gave up before we came, or descriptors have run out: a pause instead of a spin.
            Err(error) => {
                tracing::debug!(%error, "egress: cannot accept a connection");
                tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
            }
        }
    }
}

async fn serve(mut inside: TcpStream, shared: &Shared) {
    let result = match (shared.destination)(&inside).map(plain) {
        Ok(target) => serve_target(&mut inside, target, shared).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "egress: a connection ended");
        // Failing means that the connection is already gone.
        let _ = inside.set_zero_linger();
    }
}

async fn serve_target(inside: &mut TcpStream, target: SocketAddr, shared: &Shared) -> io::Result<()> {
    let name = shared.given.name_of(target.ip(), Instant::now());
    let refuse = |why| {
        shared.contacts.note(Key {
            name: name.clone(),
            address: Some(target),
            verdict: Verdict::Refused { why },
        });
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    };
    let _own = shared
        .connections
        .try_acquire()
        .map_err(|_| refuse(Refusal::Busy))?;
    let own = shared.limits.connections - shared.connections.available_permits();
    if !is_fair(own, EVERYBODYS_CONNECTIONS.available_permits()) {
        return Err(refuse(Refusal::Busy));
    }
    let _shared = EVERYBODYS_CONNECTIONS
        .try_acquire()
        .map_err(|_| refuse(Refusal::Busy))?;
    // Whatever resolver the program wanted to ask, it asks ours.
    if target.port() == DNS_PORT {
        return resolver::serve_stream(inside, shared).await;
    }
    judge(shared, target, name.as_deref()).map_err(refuse)?;
    let key = Key {
        name: name.clone(),
        address: Some(target),
        verdict: Verdict::Allowed,
    };
    let meter = shared.contacts.note(key);
    let connected = timeout(shared.limits.connect, TcpStream::connect(target)).await;
    let mut outside = connected
        .map_err(io::Error::from)
        .flatten()
        .inspect_err(|_| meter.failed())?;
    // Small writes are the program's choice; holding them back would only add delay. Failing is harmless.
    let _ = inside.set_nodelay(true);
    let _ = outside.set_nodelay(true);
    let count = Counted {
        log: &shared.contacts,
        meter: &meter,
    };
    relay(inside, &mut outside, &count, shared.limits.idle).await
}

/// Whether a sandbox may have its `own`th connection while everybody may have `left` more: a few that take all they can
/// must leave enough for the others.
fn is_fair(own: usize, left: usize) -> bool {
    own <= FAIR_CONNECTIONS || left > EVERYBODYS_CONNECTIONS_MAX / 2
}

/// Whether the policy and the address rules let the sandbox connect to `target`, which `name` led to.
pub(super) fn judge(shared: &Shared, target: SocketAddr, name: Option<&str>) -> Result<(), Refusal> {
    let rules = &shared.rules;
    if !name.is_some_and(|name| rules.allows_name(name)) && !rules.allows_unnamed(target.ip()) {
        return Err(Refusal::Unnamed);
    }
    if rules.allow.allows(target) {
        return Ok(());
    }
    if reserved(target.ip()).is_some() {
        return Err(Refusal::Reserved);
    }
    match shared.host.contain(target.ip()) {
        Ok(false) => Ok(()),
        // What cannot be told apart from the host is treated as the host.
        Ok(true) | Err(_) => Err(Refusal::Host),
    }
}

struct Counted<'a> {
    log: &'a ContactLog,
    meter: &'a Meter,
}

impl Count for Counted<'_> {
    fn sent(&self, bytes: u64) {
        self.log.sent(self.meter, bytes);
    }

    fn received(&self, bytes: u64) {
        self.log.received(self.meter, bytes);
    }
}

/// Where the program wanted to connect to, before the redirection (`SO_ORIGINAL_DST`).
///
/// Without a redirection (a catch-all route alone) the address we were reached at is what was wanted. The kernel
/// answers from the network namespace of the socket, so it does not matter that we are in another.
pub(super) fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    let reached_at = stream.local_addr()?;
    let original = match plain(reached_at) {
        SocketAddr::V4(_) => rustix::net::sockopt::ip_original_dst(stream).map(SocketAddr::V4),
        SocketAddr::V6(_) => rustix::net::sockopt::ipv6_original_dst(stream).map(SocketAddr::V6),
    };
    Ok(original.unwrap_or(reached_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_many_leaves_half_of_all_to_the_others() {
        assert!(is_fair(500, 4_000) && is_fair(10, 1));
        assert!(!is_fair(65, 2_000));
    }
}
