//! Requests for sleeping instances: a wake is asked for, and the request waits until a table says that it is awake.
//!
//! Guards against a crowd in front of a sleeping instance: wakes for one instance are sent once a second at the most,
//! and the number of waiting requests and the time of each are bounded.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use model::InstanceId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// How often a wake for the same instance is sent, and asked for anew while a request waits.
const REPEAT_TIME: Duration = Duration::from_secs(1);
/// Instances whose last wake is remembered.
const REMEMBERED_MAX: usize = 1_024;

/// Sends wake requests.
pub(crate) struct Wakes {
    sender: mpsc::Sender<InstanceId>,
    sent: Mutex<HashMap<InstanceId, Instant>>,
    waiting: Semaphore,
    hold_time: Duration,
}

/// The place of one waiting request.
pub(crate) struct Hold<'a> {
    wakes: &'a Wakes,
    _place: SemaphorePermit<'a>,
    swapped: watch::Receiver<u64>,
    deadline: Instant,
}

/// Its time is over and the instance still sleeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TookTooLong;

impl Wakes {
    pub(crate) fn new(sender: mpsc::Sender<InstanceId>, held_max: usize, hold_time: Duration) -> Self {
        let waiting = Semaphore::new(held_max.min(Semaphore::MAX_PERMITS));
        Self {
            sender,
            sent: Mutex::default(),
            waiting,
            hold_time,
        }
    }

    /// Asks for a wake unless one was sent just now.
    pub(crate) fn ask(&self, instance: &InstanceId) {
        let now = Instant::now();
        let mut sent = self.sent.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if sent
            .get(instance)
            .is_some_and(|at| now.duration_since(*at) < REPEAT_TIME)
        {
            return;
        }
        if sent.len() >= REMEMBERED_MAX {
            sent.retain(|_, at| now.duration_since(*at) < REPEAT_TIME);
        }
        match self.sender.try_send(instance.clone()) {
            Ok(()) => drop(sent.insert(instance.clone(), now)),
            Err(TrySendError::Full(_)) => {
                tracing::warn!(%instance, "too many wakes at once; asking again later")
            }
            Err(TrySendError::Closed(_)) => tracing::warn!(%instance, "nobody takes wakes"),
        }
    }

    /// A place to wait; `None` when all are taken. `swapped` must have been subscribed before the table was looked at.
    pub(crate) fn hold(&self, swapped: watch::Receiver<u64>) -> Option<Hold<'_>> {
        let place = self.waiting.try_acquire().ok()?;
        Some(Hold {
            wakes: self,
            _place: place,
            swapped,
            deadline: Instant::now() + self.hold_time,
        })
    }
}

impl Hold<'_> {
    /// Waits for the next table, or until it is time to ask for a wake of `instance` again.
    pub(crate) async fn wait(&mut self, instance: &InstanceId) -> Result<(), TookTooLong> {
        self.wakes.ask(instance);
        if Instant::now() >= self.deadline {
            return Err(TookTooLong);
        }
        let until = self.deadline.min(Instant::now() + REPEAT_TIME);
        // No more tables: the time runs out and the visitor is told so.
        if let Ok(Err(_)) = timeout_at(until, self.swapped.changed()).await {
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }
}
