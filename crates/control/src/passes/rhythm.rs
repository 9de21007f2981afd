//! When a pass runs: as soon as the bell rings, and now and then although nobody rings.
//!
//! Guards against a burst: a thousand deliveries ring a thousand times, and passes that wrote about each would take the
//! one writer, and the processor, from the deliveries that follow.

use std::time::Duration;

use tokio::time::Instant;

use crate::bell::Listener;

/// How long a pass sleeps when nobody rings.
const POLL: Duration = Duration::from_secs(2);
const UPKEEP_EVERY: Duration = Duration::from_secs(10);
const SHORT_PAUSE: Duration = Duration::from_millis(20);
const LONG_PAUSE: Duration = Duration::from_millis(250);

/// How often a pass runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// How long it sleeps at the most.
    every: Duration,
    /// What lies at least between the beginnings of two runs. A ring after a rest is heard at once.
    pause: Duration,
}

impl Rhythm {
    /// Of passes that somebody waits for, step by step.
    pub(super) const PROMPT: Self = Self {
        every: POLL,
        pause: Duration::ZERO,
    };
    /// Of passes that talk to somebody elsewhere, for whom this is no time.
    pub(super) const STEADY: Self = Self {
        every: POLL,
        pause: SHORT_PAUSE,
    };
    /// Of passes that give something back.
    pub(super) const CALM: Self = Self {
        every: POLL,
        pause: LONG_PAUSE,
    };
    /// Of passes that look at the clock, mostly.
    pub(super) const RARE: Self = Self {
        every: UPKEEP_EVERY,
        pause: LONG_PAUSE,
    };

    /// Returns when a pass that began at `began` is to run again.
    pub(super) async fn rest(self, began: Instant, bell: &mut Listener) {
        tokio::time::sleep_until(began + self.pause).await;
        bell.wait(self.every).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bell::Bell;

    #[tokio::test]
    async fn a_ring_before_the_pause_is_over_is_heard_after_it() {
        let bell = Bell::new();
        let mut listener = bell.listen();
        let began = Instant::now();
        bell.ring();
        Rhythm::RARE.rest(began, &mut listener).await;
        let took = began.elapsed();
        assert!(took >= LONG_PAUSE, "it did not pause: {took:?}");
        assert!(took < UPKEEP_EVERY, "a ring was missed: {took:?}");
    }
}
