//! The edge as a whole: its listeners, its start and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Activity;
use crate::connection::{converse, protocol};
use crate::options::{EdgeLinks, EdgeOptions};
use crate::serve::Server;

/// Connections that the system holds for one listener until they are taken.
const BACKLOG: u32 = 1_024;
/// After an accept that failed for lack of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listening, and ready to serve.
pub struct Edge {
    server: Arc<Server>,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    tables: tokio::sync::watch::Receiver<Arc<model::route::RouteTable>>,
}

/// No address can be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is in use by another program; stop it, or listen elsewhere with --listen")]
    Taken { address: SocketAddr },
    #[error("listening on {address} is not permitted; use a port from 1024 on, or run as root")]
    NotPermitted { address: SocketAddr },
    #[error("cannot listen on {address}: {source}; give an address of this machine with --listen")]
    Unusable { address: SocketAddr, source: io::Error },
    #[error("no address to listen on is given; give one with --listen")]
    Nothing,
}

impl Edge {
    /// Listens on all addresses of `options` and takes the first table. An address of a family that this machine does
    /// not have is passed over as long as another one works. Needs a tokio runtime.
    pub fn bind(options: EdgeOptions, mut links: EdgeLinks) -> Result<Self, BindError> {
        let listeners = listen_all(&options.listen)?;
        let addresses = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        let first = links.tables.borrow_and_update().clone();
        let tables = links.tables.clone();
        let server = Arc::new(Server::new(options, links, first));
        Ok(Self {
            server,
            listeners,
            addresses,
            tables,
        })
    }

    /// Where it listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Tells how busy instances are, now and after the end.
    pub fn activity(&self) -> Activity {
        self.server.activity().clone()
    }

    /// Serves until `shutdown`; then takes no more connections, cuts upgraded ones and event streams, and lets open
    /// requests finish within `drain_time`.
    pub async fn run(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.server.limits().connections_max));
        let (server, mut tables) = (self.server.clone(), self.tables);
        // Tables may have come since the sockets were opened: the first visitor is served from the newest.
        server.tables().take_newest(&mut tables);
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            let accepting = Accepting {
                server: self.server.clone(),
                connections: connections.clone(),
                places: places.clone(),
            };
            tasks.spawn(accepting.run(listener));
        }
        tasks.spawn(async move { server.tables().follow(tables).await });
        shutdown.cancelled().await;
        tasks.shutdown().await;
        self.server.stop().cancel();
        connections.close();
        if tokio::time::timeout(self.server.limits().drain_time, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                open = connections.len(),
                "requests were cut at the end of the edge"
            );
            self.server.abandon().cancel();
            connections.wait().await;
        }
    }
}

struct Accepting {
    server: Arc<Server>,
    connections: TaskTracker,
    places: Arc<Semaphore>,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        let builder = protocol(self.server.limits());
        loop {
            // A place first: what cannot be served waits in the system's queue, bounded.
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (server, builder) = (self.server.clone(), builder.clone());
                    let abandon = server.abandon().clone();
                    self.connections.spawn(async move {
                        let _place = place;
                        tokio::select! {
                            () = converse(server, builder, stream, peer) => {}
                            () = abandon.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn listen_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    let mut absent = None;
    for &address in addresses {
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error) => {
                tracing::warn!(%address, %error, "this machine does not have the address");
                absent = Some(explain(address, error));
            }
            Err(error) => return Err(explain(address, error)),
        }
    }
    if listeners.is_empty() {
        return Err(absent.unwrap_or(BindError::Nothing));
    }
    Ok(listeners)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait until the connections of the run before are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn is_absent(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    const AF_NOT_SUPPORTED: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(AF_NOT_SUPPORTED)
}

fn explain(address: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        io::ErrorKind::PermissionDenied => BindError::NotPermitted { address },
        _ => BindError::Unusable { address, source },
    }
}
