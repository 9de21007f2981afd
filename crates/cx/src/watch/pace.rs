//! When to look: a moment after the last sign of a change, and at the latest a while after the first.
//!
//! Guards against deploying every file of a save that has many, and against never deploying because something writes
//! all the time.

use std::time::{Duration, Instant};

/// The silence that ends a save.
const QUIET: Duration = Duration::from_millis(12);
/// How long signs may go on before it is looked all the same.
const PATIENCE: Duration = Duration::from_millis(250);

/// The signs of one change.
#[derive(Debug)]
pub(super) struct Pace {
    first: Instant,
    last: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            first: now,
            last: now,
        }
    }

    pub(super) fn sign(&mut self, now: Instant) {
        self.last = now;
    }

    /// How long to wait for further signs; `None`: it is time to look.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let due = (self.last + QUIET).min(self.first + PATIENCE);
        Some(due.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    pub(super) fn since(&self) -> Instant {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_when_it_is_quiet_and_at_the_latest_after_a_while() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut pace = Pace::new(begin);
        assert_eq!(pace.left(begin), Some(QUIET));
        pace.sign(after(10));
        assert_eq!(pace.left(after(12)), Some(Duration::from_millis(10)));
        assert_eq!(pace.left(after(22)), None);
        for millis in (10..250).step_by(10) {
            pace.sign(after(millis));
            assert!(pace.left(after(millis)).is_some(), "{millis}");
        }
        pace.sign(after(249));
        assert_eq!(
            pace.left(after(250)),
            None,
            "whoever never pauses does not hold it up"
        );
    }
}
