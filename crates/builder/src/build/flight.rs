//! One at a time for each key: who comes second waits, and finds the result.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use model::Digest;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// What is being made at the moment.
#[derive(Default)]
pub(super) struct Flights {
    running: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

/// The right to make what a key names; dropping it lets the next one in.
pub(super) struct Turn {
    /// Whether somebody else was making it when it was asked for.
    pub(super) waited: bool,
    _held: OwnedMutexGuard<()>,
}

impl Flights {
    /// Waits until nobody else makes `key`. `None` when cancelled before that.
    pub(super) async fn enter(&self, key: Digest, cancel: &CancellationToken) -> Option<Turn> {
        let lock = {
            let mut running = self
                .running
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            // Nobody holds or waits for what only this map still has.
            running.retain(|_, lock| Arc::strong_count(lock) > 1);
            running.entry(key).or_default().clone()
        };
        if let Ok(held) = lock.clone().try_lock_owned() {
            return Some(Turn {
                waited: false,
                _held: held,
            });
        }
        tokio::select! {
            held = lock.lock_owned() => Some(Turn { waited: true, _held: held }),
            () = cancel.cancelled() => None,
        }
    }
}
