//! How busy each instance is, and the word to its open requests that it was put to sleep or dropped.
//!
//! A request is counted *before* it looks at the table for the last time. So whoever publishes a table in which an
//! instance sleeps, waits for its acknowledgement and then reads 0 in flight, can stop that instance: no request can
//! still be on its way to it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::InstanceId;
use model::route::{RouteTable, Target};
use tokio::sync::watch;

use crate::proxy::Pool;

/// Reads how busy instances are. Cheap to clone.
#[derive(Clone)]
pub struct Activity {
    tracked: Arc<Mutex<HashMap<InstanceId, Arc<Tracked>>>>,
    workers: usize,
}

/// How busy one instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Milliseconds since 1970 at which its last request began or ended; 0 is never.
    pub last_request_at_ms: i64,
    /// Requests and upgraded connections that are open now.
    pub in_flight: u64,
}

/// What the table says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Serving,
    Asleep,
    Dropped,
}

struct Tracked {
    last_request_at_ms: AtomicI64,
    in_flight: AtomicU64,
    standing: watch::Sender<Standing>,
    /// Goes with the instance.
    pool: Pool,
}

/// One open request or upgraded connection; counted until it is dropped.
pub(crate) struct Ticket {
    tracked: Arc<Tracked>,
}

impl Activity {
    /// Of an edge with so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            tracked: Arc::default(),
            workers,
        }
    }

    /// How busy `instance` is; all zero where it is not known.
    pub fn of(&self, instance: &InstanceId) -> Load {
        self.lock()
            .get(instance)
            .map_or_else(Load::default, |tracked| Load {
                last_request_at_ms: tracked.last_request_at_ms.load(Ordering::SeqCst),
                in_flight: tracked.in_flight.load(Ordering::SeqCst),
            })
    }

    /// Counts a request; `None` when `max` are open already.
    pub(crate) fn begin(&self, instance: &InstanceId, max: u64) -> Option<Ticket> {
        let mut all = self.lock();
        let tracked = match all.get(instance) {
            Some(tracked) => tracked,
            None => all
                .entry(instance.clone())
                .or_insert_with(|| Arc::new(Tracked::new(self.workers))),
        };
        // Counted under the lock, so the bound holds.
        if tracked.in_flight.load(Ordering::SeqCst) >= max {
            return None;
        }
        tracked.in_flight.fetch_add(1, Ordering::SeqCst);
        tracked.touch();
        Some(Ticket {
            tracked: tracked.clone(),
        })
    }

    /// Tells open requests what has become of their instances, and forgets instances that are in no route.
    pub(crate) fn apply(&self, table: &RouteTable) {
        let (mut awake, mut asleep) = (HashSet::new(), HashSet::new());
        for route in table.routes.values() {
            if let Target::Instance {
                instance,
                asleep: sleeps,
                ..
            } = &route.target
            {
                if *sleeps {
                    asleep.insert(instance)
                } else {
                    awake.insert(instance)
                };
            }
        }
        self.lock().retain(|instance, tracked| {
            let standing = match (awake.contains(instance), asleep.contains(instance)) {
                (true, _) => Standing::Serving,
                (false, true) => Standing::Asleep,
                (false, false) => Standing::Dropped,
            };
            tracked
                .standing
                .send_if_modified(|now| std::mem::replace(now, standing) != standing);
            standing != Standing::Dropped
        });
    }

    /// Ends connections of `worker` that were kept unused for `idle_time`.
    pub(crate) fn sweep(&self, worker: usize, idle_time: Duration) {
        for tracked in self.lock().values() {
            tracked.pool.sweep(worker, idle_time);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Arc<Tracked>>> {
        self.tracked
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Tracked {
    fn new(workers: usize) -> Self {
        Self {
            last_request_at_ms: AtomicI64::new(0),
            in_flight: AtomicU64::new(0),
            standing: watch::Sender::new(Standing::Serving),
            pool: Pool::new(workers),
        }
    }

    fn touch(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self.last_request_at_ms.store(now, Ordering::SeqCst);
    }
}

impl Ticket {
    /// The kept connections of the instance.
    pub(crate) fn pool(&self) -> &Pool {
        &self.tracked.pool
    }

    /// Follows what the table says of the instance.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.tracked.standing.subscribe()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tracked.touch();
        self.tracked.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(n: u8) -> InstanceId {
        InstanceId::from_random([n; 10])
    }

    #[test]
    fn requests_are_counted_until_they_end_and_bounded() {
        let activity = Activity::new(1);
        let one = activity.begin(&instance(1), 2).unwrap();
        let two = activity.begin(&instance(1), 2).unwrap();
        assert!(activity.begin(&instance(1), 2).is_none());
        assert_eq!(activity.of(&instance(1)).in_flight, 2);
        drop((one, two));
        let load = activity.of(&instance(1));
        assert_eq!(load.in_flight, 0);
        assert!(load.last_request_at_ms > 0);
        assert_eq!(activity.of(&instance(2)), Load::default());
    }

    #[test]
    fn a_table_without_the_instance_drops_it() {
        let activity = Activity::new(1);
        let ticket = activity.begin(&instance(1), 2).unwrap();
        activity.apply(&RouteTable::default());
        assert_eq!(*ticket.standing().borrow(), Standing::Dropped);
        assert_eq!(activity.of(&instance(1)), Load::default());
    }
}
