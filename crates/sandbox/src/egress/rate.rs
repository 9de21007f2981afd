//! How many connections, and how many questions for names, one sandbox may begin in a second.
//!
//! Each costs the platform work that is in no limit of the sandbox: without a bound, a loop of refused connections would
//! take a CPU from everybody else. Whoever asks for more waits in the kernel's queue.

use std::time::{Duration, Instant};

/// In the long run, and at once: an install opens some hundreds, once.
const PER_SECOND: f64 = 200.0;
const BURST: f64 = 1_000.0;

pub(super) struct Rate {
    left: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new() -> Rate {
        Rate {
            left: BURST,
            at: Instant::now(),
        }
    }

    /// Returns when one more may begin.
    pub(super) async fn next(&mut self) {
        let wait = self.wait(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Counts one more, and tells how long it has to wait.
    fn wait(&mut self, now: Instant) -> Duration {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * PER_SECOND;
        (self.left, self.at) = ((self.left + gained).min(BURST) - 1.0, now);
        Duration::from_secs_f64((-self.left / PER_SECOND).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_what_follows_at_the_rate() {
        let mut rate = Rate::new();
        let begin = rate.at;
        let mut now = begin;
        for _ in 0..1_000 {
            now += rate.wait(now);
        }
        assert_eq!(now, begin);
        for _ in 0..1_000 {
            now += rate.wait(now);
        }
        let took = now.duration_since(begin).as_secs_f64();
        assert!((4.9..5.1).contains(&took), "{took}");
    }
}
