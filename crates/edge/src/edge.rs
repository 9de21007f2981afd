//! The edge as a whole: its listeners, its workers, its start and its end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::sync::oneshot::Receiver;
use tokio_util::sync::CancellationToken;

use crate::Activity;
use crate::files::Encoder;
use crate::options::{EdgeLinks, EdgeOptions};
use crate::serve::Server;
use crate::visitors::Visitors;
use crate::worker::Worker;

/// Connections that the system holds for one listener until they are taken.
const BACKLOG: u32 = 1_024;

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

    /// Serves until `shutdown`; then takes no more connections, takes leave of WebSockets, cuts event streams, and lets
    /// open requests finish within `drain_time`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (server, mut tables) = (self.server.clone(), self.tables.clone());
        // Tables may have come since the sockets were opened: the first visitor is served from the newest.
        server.tables().take_newest(&mut tables);
        let following = tokio::spawn(async move { server.tables().follow(tables).await });
        let encoder = Encoder {
            files: self.server.files().clone(),
            tables: self.tables.clone(),
            stop: self.server.stop().clone(),
        };
        if let Err(error) = encoder.start(self.server.home().clone()) {
            tracing::error!(%error, "files are sent as they are");
        }
        let workers = self.start_workers();
        // The workers alone hold them open now.
        self.listeners.clear();
        shutdown.cancelled().await;
        following.abort();
        self.server.stop().cancel();
        let ended = async {
            for worker in workers {
                // A worker that panicked has ended as well.
                let _ = worker.await;
            }
        };
        let mut ended = std::pin::pin!(ended);
        let drain_time = self.server.limits().drain_time;
        if tokio::time::timeout(drain_time, &mut ended).await.is_err() {
            tracing::warn!("requests were cut at the end of the edge");
            self.server.abandon().cancel();
            ended.await;
        }
    }

    /// All that can be started; what cannot is told, and the others serve.
    fn start_workers(&self) -> Vec<Receiver<()>> {
        let (options, limits) = (self.server.options(), self.server.limits());
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let visitors = Visitors::new(limits.connections_per_address_max, options.many_visitors.clone());
        let mut workers = Vec::new();
        for index in 0..options.workers.max(1) {
            let listeners: io::Result<Vec<TcpListener>> =
                self.listeners.iter().map(TcpListener::try_clone).collect();
            let started = listeners.and_then(|listeners| {
                let worker = Worker {
                    server: self.server.clone(),
                    index,
                    listeners,
                    places: places.clone(),
                    visitors: visitors.clone(),
                };
                worker.start()
            });
            match started {
                Ok(worker) => workers.push(worker),
                Err(error) => tracing::error!(%error, "a worker of the edge could not be started"),
            }
        }
        workers
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
    socket.listen(BACKLOG)?.into_std()
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
