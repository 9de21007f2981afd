//! A worker: a thread with an event loop of its own, in which its connections and those to instances live. What one
//! request needs happens on one thread, so nothing is handed over and nobody is woken.

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::connection::{Protocols, converse};
use crate::serve::Server;
use crate::visitors::Visitors;

/// After an accept that failed for lack of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Threads that read files for one worker, and how long they stay without work.
const READERS_MAX: usize = 8;
const READER_IDLE_TIME: Duration = Duration::from_secs(5);

pub(crate) struct Worker {
    pub(crate) server: Arc<Server>,
    pub(crate) index: usize,
    pub(crate) listeners: Vec<StdListener>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) visitors: Arc<Visitors>,
}

impl Worker {
    /// Starts the thread. What it gives comes when its last connection has ended.
    pub(crate) fn start(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (done, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(READERS_MAX)
            .thread_keep_alive(READER_IDLE_TIME)
            .build()?;
        std::thread::Builder::new()
            .name(format!("edge-{}", self.index))
            .spawn(move || {
                runtime.block_on(self.run());
                // Nobody waits any more when the edge was dropped.
                let _ = done.send(());
            })?;
        Ok(ended)
    }

    async fn run(mut self) {
        let connections = TaskTracker::new();
        let mut accepting = JoinSet::new();
        // Each goes with the task that accepts: whoever comes after that is refused, and not left waiting.
        let listeners = std::mem::take(&mut self.listeners);
        let this = Arc::new(self);
        for listener in listeners {
            accepting.spawn(this.clone().accept(listener, connections.clone()));
        }
        accepting.spawn(this.clone().sweep());
        this.server.stop().cancelled().await;
        accepting.shutdown().await;
        connections.close();
        connections.wait().await;
        this.server.switched().ended().await;
    }

    async fn accept(self: Arc<Self>, listener: StdListener, connections: TaskTracker) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a worker cannot listen"),
        };
        let protocols = Protocols::new(self.server.limits());
        loop {
            // A place first: what cannot be served waits in the system's queue, bounded.
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(visit) = self.visitors.enter(peer.ip()) else {
                        tracing::debug!(%peer, "too many connections from one address; this one is ended");
                        continue;
                    };
                    let (who, protocols) = ((self.server.clone(), self.index), protocols.clone());
                    let abandon = self.server.abandon().clone();
                    connections.spawn(async move {
                        let _held = (place, visit);
                        tokio::select! {
                            biased;
                            () = converse(who, protocols, stream, peer) => {}
                            () = abandon.cancelled() => {}
                        }
                    });
                    // The next one may be for another worker, who has less to do.
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Ends connections to instances that nobody has used for a while.
    async fn sweep(self: Arc<Self>) {
        let idle_time = self.server.limits().pool_idle_time;
        loop {
            tokio::time::sleep(idle_time).await;
            self.server.activity().sweep(self.index, idle_time);
        }
    }
}
