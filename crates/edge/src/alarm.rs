//! A timer for deadlines that move with every request and are hardly ever reached.
//!
//! Setting one costs a look at the clock and no lock: the timer of the runtime stays where it is as long as the new
//! deadline is later, rings too early, and is only then moved on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Default)]
pub(crate) struct Alarm {
    /// Made when a deadline is first waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl Alarm {
    /// Rings `time` from now.
    pub(crate) fn set(&mut self, time: Duration) {
        self.set_at(Instant::now() + time);
    }

    pub(crate) fn set_at(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Does not ring until it is set again.
    pub(crate) fn clear(&mut self) {
        self.deadline = None;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.deadline.is_some()
    }

    /// Ready when it rings, which it does once; pending for ever while it is not set.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                self.deadline = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SOON: Duration = Duration::from_millis(30);
    const NEVER: Duration = Duration::from_secs(3_600);

    /// Looks once whether it rings.
    async fn rings(alarm: &mut Alarm) -> bool {
        poll_fn(|context| Poll::Ready(alarm.poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn it_rings_at_the_deadline_set_last() {
        let mut alarm = Alarm::default();
        for first in [NEVER, Duration::ZERO, SOON] {
            alarm.set(first);
            if first == NEVER {
                assert!(!rings(&mut alarm).await);
            }
            let begun = Instant::now();
            alarm.set(SOON);
            poll_fn(|context| alarm.poll(context)).await;
            assert!(begun.elapsed() >= SOON && !alarm.is_set());
            assert!(!rings(&mut alarm).await);
        }
    }

    #[tokio::test]
    async fn it_is_silent_unless_set() {
        let mut alarm = Alarm::default();
        alarm.set(Duration::ZERO);
        alarm.clear();
        assert!(!rings(&mut alarm).await);
    }
}
