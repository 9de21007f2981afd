//! The time, in milliseconds since 1970, and how long anything may take. A test holds it still and moves it by hand: then
//! nothing is late unless the test says so.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Where operations and passes get `now` from.
#[derive(Clone, Debug)]
pub struct Clock {
    held_ms: Option<Arc<watch::Sender<i64>>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { held_ms: None }
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn held(now_ms: i64) -> Self {
        Self {
            held_ms: Some(Arc::new(watch::Sender::new(now_ms))),
        }
    }

    /// Moves a held clock; the machine's clock cannot be moved.
    pub fn advance(&self, millis: i64) {
        if let Some(held) = &self.held_ms {
            held.send_modify(|now| *now += millis);
        }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match &self.held_ms {
            Some(held) => *held.borrow(),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as i64),
        }
    }

    /// Returns when `time` has passed.
    pub async fn sleep(&self, time: Duration) {
        let Some(held) = &self.held_ms else {
            return tokio::time::sleep(time).await;
        };
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let until = self.now_ms().saturating_add(millis);
        // An error is only possible when the clock is gone, and we hold it.
        let _ = held.subscribe().wait_for(|now| *now >= until).await;
    }

    /// What `work` gives, or `None` when it takes longer than `at_most`; it is dropped then.
    pub(crate) async fn within<T>(&self, at_most: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(at_most) => None,
        }
    }
}
