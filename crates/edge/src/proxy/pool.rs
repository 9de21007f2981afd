//! Connections to one instance that wait for the next request, apart for every worker: a connection lives in the event
//! loop that made it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::wire::Wire;

pub(crate) struct Pool {
    by_worker: Vec<Mutex<Vec<Wire>>>,
}

impl Pool {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            by_worker: (0..workers).map(|_| Mutex::default()).collect(),
        }
    }

    /// A connection to `port` that was kept for less than `idle_time`; the one used last, so that the others can go.
    pub(crate) fn take(&self, worker: usize, port: u16, idle_time: Duration) -> Option<Wire> {
        let mut kept = self.of(worker)?;
        while let Some(at) = kept.iter().rposition(|wire| wire.port == port) {
            let wire = kept.remove(at);
            let young = wire.kept_since().is_some_and(|since| since.elapsed() < idle_time);
            if young && wire.is_fit() {
                return Some(wire);
            }
        }
        None
    }

    /// Keeps `wire` unless `max` are kept already.
    pub(crate) fn keep(&self, worker: usize, mut wire: Wire, max: usize) {
        if let Some(mut kept) = self.of(worker)
            && kept.len() < max
        {
            wire.keep();
            kept.push(wire);
        }
    }

    /// Ends what was kept for `idle_time`.
    pub(crate) fn sweep(&self, worker: usize, idle_time: Duration) {
        if let Some(mut kept) = self.of(worker) {
            kept.retain(|wire| wire.kept_since().is_some_and(|since| since.elapsed() < idle_time));
        }
    }

    fn of(&self, worker: usize) -> Option<MutexGuard<'_, Vec<Wire>>> {
        let kept = self.by_worker.get(worker)?;
        Some(kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}
