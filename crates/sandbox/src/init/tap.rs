//! How fast output is taken from the program.
//!
//! The init is in no group of the program's, so what it does for each line is not in the program's CPU limit: a program
//! that only prints would use a CPU that others were promised. Beyond the rate its pipe fills up, and it waits.

use std::time::{Duration, Instant};

/// In the long run, for both streams together.
pub(super) const BYTES_PER_SECOND: u64 = 2 << 20;
/// At once: a chatty build is over before this is.
const BURST_BYTES: u64 = 8 << 20;
/// Less is not worth waking up for.
const SIP_BYTES: u64 = 128 << 10;
/// What a line costs beside its bytes: its time, its level, its way to disk.
const LINE_BYTES: usize = 32;
/// How often it is said again that output is slowed down.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// A bucket that fills with time and empties with output.
pub(super) struct Tap {
    /// Below zero what came with the last read is still owed.
    bytes: i64,
    filled_at: Instant,
    told_at: Option<Instant>,
}

impl Tap {
    pub(super) fn new(now: Instant) -> Tap {
        Tap {
            bytes: BURST_BYTES as i64,
            filled_at: now,
            told_at: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.bytes > 0
    }

    pub(super) fn take(&mut self, output: &[u8]) {
        let lines = output.iter().filter(|&&byte| byte == b'\n').count();
        let bytes = output.len() + lines * LINE_BYTES;
        self.bytes = self.bytes.saturating_sub_unsigned(bytes as u64);
    }

    /// How long no output is to be read; none: it may be read now.
    pub(super) fn closed_for(&mut self, now: Instant) -> Option<Duration> {
        if self.is_open() {
            return None;
        }
        let ms = u64::try_from(now.duration_since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        let gained = (ms.saturating_mul(BYTES_PER_SECOND) / 1000).min(BURST_BYTES);
        let wanted = SIP_BYTES + self.bytes.unsigned_abs();
        if gained >= wanted {
            self.bytes = self.bytes.saturating_add_unsigned(gained);
            self.filled_at = now;
            return None;
        }
        Some(Duration::from_millis(
            1 + (wanted - gained) * 1000 / BYTES_PER_SECOND,
        ))
    }

    /// Whether it is time to say that it is closed.
    pub(super) fn tell(&mut self, now: Instant) -> bool {
        let due = self
            .told_at
            .is_none_or(|at| now.duration_since(at) >= TELL_INTERVAL);
        if due {
            self.told_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_held_to_the_rate() {
        let start = Instant::now();
        let mut tap = Tap::new(start);
        // Lines of 32 bytes.
        let chunk: Vec<u8> = (0..64 << 10)
            .map(|at| if at % 32 == 31 { b'\n' } else { b'x' })
            .collect();
        let (mut now, mut passed) = (start, 0);
        while now < start + Duration::from_secs(20) {
            match tap.closed_for(now) {
                Some(wait) => now += wait,
                None => {
                    tap.take(&chunk);
                    passed += (chunk.len() + 2048 * LINE_BYTES) as u64;
                }
            }
        }
        let at_most = BURST_BYTES * 2 + 20 * BYTES_PER_SECOND;
        assert!((20 * BYTES_PER_SECOND..at_most).contains(&passed), "{passed}");
    }

    #[test]
    fn it_is_told_once_a_minute() {
        let start = Instant::now();
        let mut tap = Tap::new(start);
        assert!(tap.tell(start));
        assert!(!tap.tell(start + Duration::from_secs(59)));
        assert!(tap.tell(start + Duration::from_secs(60)));
    }
}
