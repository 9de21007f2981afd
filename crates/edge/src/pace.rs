//! Whether a connection of a visitor has open requests, and since when it has none: what its time limit for heads and
//! for doing nothing is counted from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the connection and its answers.
pub(crate) struct Pace {
    begun: Instant,
    open: AtomicUsize,
    idle_since_ms: AtomicU64,
}

/// One open request; until its answer was handed over.
pub(crate) struct Open {
    pace: Arc<Pace>,
}

impl Pace {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            open: AtomicUsize::new(0),
            idle_since_ms: AtomicU64::new(0),
        })
    }

    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open { pace: self.clone() }
    }

    /// Since when there are no open requests; `None` while there are.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.open.load(Ordering::Relaxed) == 0;
        let since = Duration::from_millis(self.idle_since_ms.load(Ordering::Relaxed));
        idle.then(|| self.begun + since)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let pace = &self.pace;
        let now_ms = u64::try_from(pace.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        pace.idle_since_ms.store(now_ms, Ordering::Relaxed);
        pace.open.fetch_sub(1, Ordering::Relaxed);
    }
}
