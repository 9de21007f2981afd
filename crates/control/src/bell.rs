//! The bell: whoever wrote a row rings, the passes wake. Ringing while nobody listens is remembered once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Rings for "there may be work"; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    count: Arc<watch::Sender<u64>>,
}

/// One who waits for the bell. Made before looking at the rows, so that no ring is missed in between.
#[derive(Debug)]
pub(crate) struct Listener(watch::Receiver<u64>);

impl Bell {
    pub(crate) fn new() -> Self {
        Self {
            count: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn ring(&self) {
        self.count.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How often it has rung.
    pub(crate) fn count(&self) -> u64 {
        *self.count.borrow()
    }

    pub(crate) fn listen(&self) -> Listener {
        Listener(self.count.subscribe())
    }
}

impl Listener {
    /// Forgets rings so far; whoever looks at the rows after this misses nothing.
    pub(crate) fn seen(&mut self) {
        self.0.mark_unchanged();
    }

    /// Returns when the bell rings, or after `at_most`.
    pub(crate) async fn wait(&mut self, at_most: Duration) {
        // An error is only possible when the bell is gone, and then there is nothing to wait for.
        let _ = tokio::time::timeout(at_most, self.0.changed()).await;
    }
}
