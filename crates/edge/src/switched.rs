//! Connections that have switched their protocol: tunnels to applications, and sockets of the edge's own.
//!
//! Guards against an end of the edge that nobody says: whoever is connected is told, and the worker whose event loop the
//! connection lives in goes on until he is, or until all have had their time.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// All of them; cheap to clone.
#[derive(Clone)]
pub(crate) struct Switched {
    open: TaskTracker,
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Switched {
    /// `stop` fires when they must end, `abandon` when they have had their time for it.
    pub(crate) fn new(stop: CancellationToken, abandon: CancellationToken) -> Self {
        Self {
            open: TaskTracker::new(),
            stop,
            abandon,
        }
    }

    /// Lets one run in the event loop of this worker.
    pub(crate) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let abandon = self.abandon.clone();
        self.open.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = abandon.cancelled_owned() => {}
            }
        });
    }

    /// Fires when the edge ends.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Comes back when the last has ended.
    pub(crate) async fn ended(&self) {
        self.open.close();
        self.open.wait().await;
    }
}
