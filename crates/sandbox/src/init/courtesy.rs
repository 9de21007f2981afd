//! Who uses a CPU for long gives way to whoever needs one for a moment.
//!
//! A quota bounds how much a program uses, not when: a spinning one makes every short answer of its neighbours wait for
//! the end of its time slice. While a sandbox keeps a CPU busy, its group runs only when nobody else wants to; as soon as
//! it does less, it is like all others. So does one that asks for more processes than it may have, again and again: hundreds
//! that sleep and wake use little, and still push others aside at every waking. Where the kernel has no `cpu.idle`, nothing
//! happens.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::processes;
use crate::cgroup::Handles;

/// How often a busy program is looked at, and one that does little.
const BUSY_INTERVAL: Duration = Duration::from_millis(500);
const CALM_INTERVAL: Duration = Duration::from_secs(2);
/// Shares of one CPU that it would use if it had it, in hundredths: above the first for [`ROUNDS`] looks it gives way,
/// below the second no longer.
const BUSY: u128 = 60;
const CALM: u128 = 30;
/// A page that is built or a server that starts is busy too, but not for long.
const ROUNDS: u32 = 3;
/// How often something is said at the most.
const TELL_INTERVAL: Duration = Duration::from_secs(30);
/// So little, whatever it would have liked, keeps nobody waiting.
const HARMLESS: u128 = 10;

pub(super) struct Courtesy {
    looked_at: Instant,
    cpu_ms: u64,
    /// How long each thread had waited for a CPU.
    waits: HashMap<u32, Duration>,
    /// Looks in a row at which it was busy, or had been refused processes.
    busy: u32,
    gives_way: bool,
    pids_refused: u64,
    /// When something was last said.
    told_at: Option<Instant>,
}

impl Courtesy {
    pub(super) fn new(now: Instant) -> Courtesy {
        Courtesy {
            looked_at: now,
            cpu_ms: 0,
            waits: HashMap::new(),
            busy: 0,
            gives_way: false,
            pids_refused: 0,
            told_at: None,
        }
    }

    /// When to look next; none where there is nothing to be set.
    pub(super) fn next(&self, handles: &Handles) -> Option<Instant> {
        let interval = if self.busy > 0 {
            BUSY_INTERVAL
        } else {
            CALM_INTERVAL
        };
        handles.can_give_way().then(|| self.looked_at + interval)
    }

    /// Looks, if it is time to, and gives what whoever reads the log should know.
    pub(super) fn look(&mut self, handles: &Handles, now: Instant) -> Option<&'static str> {
        if self.next(handles).is_none_or(|at| now < at) {
            return None;
        }
        let gave_way = self.gives_way;
        let refusals = handles.pids_refused();
        let refused = refusals > std::mem::replace(&mut self.pids_refused, refusals);
        self.measure(handles, now, refused);
        let text = if refused {
            "The limit of processes and threads was reached; start fewer at a time"
        } else if self.gives_way && !gave_way {
            "It has kept a CPU busy for a while, and gives way to others until it does less"
        } else {
            return None;
        };
        let due = self
            .told_at
            .is_none_or(|at| now.duration_since(at) >= TELL_INTERVAL);
        due.then(|| {
            self.told_at = Some(now);
            text
        })
    }

    fn measure(&mut self, handles: &Handles, now: Instant, refused: bool) {
        let Some(cpu_ms) = handles.cpu_ms() else { return };
        let passed = now.duration_since(self.looked_at);
        let used = Duration::from_millis(cpu_ms.saturating_sub(self.cpu_ms));
        (self.looked_at, self.cpu_ms) = (now, cpu_ms);
        let waited = self.waited(used, passed);
        let before = self.gives_way;
        self.judge(used, passed.saturating_sub(waited), refused);
        if before != self.gives_way && handles.give_way(self.gives_way).is_err() {
            self.gives_way = before;
        }
    }

    /// How long the thread that waited most has waited for a CPU since the last look: time in which it could not show how
    /// much it would use.
    fn waited(&mut self, used: Duration, passed: Duration) -> Duration {
        if percent(used, passed) < HARMLESS {
            return Duration::ZERO;
        }
        let waits = processes::waits();
        let since =
            |(thread, waited): (&u32, &Duration)| Some(waited.saturating_sub(*self.waits.get(thread)?));
        let longest = waits.iter().filter_map(since).max().unwrap_or_default();
        self.waits = waits;
        longest
    }

    /// `used` of the time `had` in which it did not wait; `refused` processes since the last look.
    fn judge(&mut self, used: Duration, had: Duration, refused: bool) {
        let share = percent(used, had);
        self.busy = if share > BUSY || refused {
            self.busy.saturating_add(1)
        } else {
            0
        };
        if self.busy >= ROUNDS {
            self.gives_way = true;
        } else if share < CALM && !refused {
            self.gives_way = false;
        }
    }
}

fn percent(used: Duration, of: Duration) -> u128 {
    used.as_micros() * 100 / of.as_micros().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_spins_gives_way_until_it_is_calm_and_a_burst_does_not() {
        let mut courtesy = Courtesy::new(Instant::now());
        let ms = Duration::from_millis;
        let mut after = |used: u64| {
            courtesy.judge(ms(used), ms(500), false);
            courtesy.gives_way
        };
        assert_eq!([480, 490, 100, 480].map(&mut after), [false; 4]);
        assert_eq!([500, 500].map(&mut after), [false, true]);
        assert!(after(200), "half a CPU is neither");
        assert!(!after(50));
    }

    #[test]
    fn one_that_is_refused_processes_again_and_again_gives_way_however_little_it_uses() {
        let mut courtesy = Courtesy::new(Instant::now());
        let ms = Duration::from_millis;
        let mut after = |refused: bool| {
            courtesy.judge(ms(20), ms(500), refused);
            courtesy.gives_way
        };
        assert_eq!(
            [true, true, false, true].map(&mut after),
            [false; 4],
            "once is chance"
        );
        assert_eq!([true, true].map(&mut after), [false, true]);
        assert!(!after(false));
    }
}
