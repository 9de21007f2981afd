//! The time, in milliseconds since 1970. A test holds it still and moves it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where operations and passes get `now` from.
#[derive(Clone, Debug)]
pub struct Clock {
    held_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { held_ms: None }
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn held(now_ms: i64) -> Self {
        Self {
            held_ms: Some(Arc::new(AtomicI64::new(now_ms))),
        }
    }

    /// Moves a held clock; the machine's clock cannot be moved.
    pub fn advance(&self, millis: i64) {
        if let Some(held) = &self.held_ms {
            held.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match &self.held_ms {
            Some(held) => held.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as i64),
        }
    }
}
