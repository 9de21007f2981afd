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
use model::route::{Readiness, Replica, RouteTable, Target};
use tokio::sync::watch;

use crate::proxy::Pool;

/// How long an instance that could not be reached is asked after all others.
const DOUBT_MS: i64 = 1_000;

/// Reads how busy instances are. Cheap to clone.
#[derive(Clone)]
pub struct Activity {
    tracked: Arc<Mutex<HashMap<InstanceId, Arc<Tracked>>>>,
    /// Requests so far; says who was asked longest ago.
    turns: Arc<AtomicU64>,
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
    /// The turn at which it was asked last.
    turn: AtomicU64,
    /// Milliseconds since 1970 until which others are asked rather.
    doubted_until_ms: AtomicI64,
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
            turns: Arc::default(),
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

    /// Counts a request at the least busy of `replicas`; `None` when that has `max` open already, or there is none.
    pub(crate) fn begin<'a>(
        &self,
        replicas: impl Iterator<Item = &'a Replica>,
        max: u64,
    ) -> Option<(&'a Replica, Ticket)> {
        let now_ms = now_ms();
        let mut all = self.lock();
        let mut least: Option<(_, &Replica, Arc<Tracked>)> = None;
        for replica in replicas {
            let tracked = match all.get(&replica.instance) {
                Some(tracked) => tracked,
                None => all
                    .entry(replica.instance.clone())
                    .or_insert_with(|| Arc::new(Tracked::new(self.workers))),
            };
            let rank = tracked.rank(now_ms);
            if least.as_ref().is_none_or(|(lowest, ..)| rank < *lowest) {
                least = Some((rank, replica, tracked.clone()));
            }
        }
        let (_, replica, tracked) = least?;
        // Counted under the lock, so the bound holds.
        if tracked.in_flight.load(Ordering::SeqCst) >= max {
            return None;
        }
        tracked.in_flight.fetch_add(1, Ordering::SeqCst);
        tracked.last_request_at_ms.store(now_ms, Ordering::SeqCst);
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        tracked.turn.store(turn, Ordering::Relaxed);
        Some((replica, Ticket { tracked }))
    }

    /// Tells open requests what has become of their instances, and forgets instances that are in no route.
    pub(crate) fn apply(&self, table: &RouteTable) {
        let (mut awake, mut asleep) = (HashSet::new(), HashSet::new());
        for route in table.routes.values() {
            let Target::Instances(replicas) = &route.target else {
                continue;
            };
            for replica in replicas {
                match replica.readiness {
                    Readiness::Asleep => asleep.insert(&replica.instance),
                    // What it still answers is not cut.
                    Readiness::Ready | Readiness::Away => awake.insert(&replica.instance),
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
            turn: AtomicU64::new(0),
            doubted_until_ms: AtomicI64::new(0),
            standing: watch::Sender::new(Standing::Serving),
            pool: Pool::new(workers),
        }
    }

    /// Who has the lowest is asked first.
    fn rank(&self, now_ms: i64) -> (bool, u64, u64) {
        (
            self.doubted_until_ms.load(Ordering::Relaxed) > now_ms,
            self.in_flight.load(Ordering::SeqCst),
            self.turn.load(Ordering::Relaxed),
        )
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Ticket {
    /// The kept connections of the instance.
    pub(crate) fn pool(&self) -> &Pool {
        &self.tracked.pool
    }

    /// The instance could not be reached: for a moment others are asked rather.
    pub(crate) fn doubt(&self) {
        let until_ms = now_ms() + DOUBT_MS;
        self.tracked.doubted_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Follows what the table says of the instance.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.tracked.standing.subscribe()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tracked.last_request_at_ms.store(now_ms(), Ordering::SeqCst);
        self.tracked.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(n: u8) -> Replica {
        Replica {
            instance: InstanceId::from_random([n; 10]),
            port: 3000,
            readiness: Readiness::Ready,
        }
    }

    fn begin(activity: &Activity, replicas: &[Replica]) -> Option<(u16, Ticket)> {
        let (chosen, ticket) = activity.begin(replicas.iter(), 2)?;
        let place = replicas.iter().position(|replica| replica == chosen).unwrap();
        Some((u16::try_from(place).unwrap(), ticket))
    }

    #[test]
    fn requests_are_counted_until_they_end_and_bounded() {
        let activity = Activity::new(1);
        let one = [replica(1)];
        let open = [begin(&activity, &one).unwrap(), begin(&activity, &one).unwrap()];
        assert!(begin(&activity, &one).is_none());
        assert_eq!(activity.of(&one[0].instance).in_flight, 2);
        drop(open);
        let load = activity.of(&one[0].instance);
        assert_eq!(load.in_flight, 0);
        assert!(load.last_request_at_ms > 0);
        assert_eq!(activity.of(&replica(2).instance), Load::default());
        assert!(begin(&activity, &[]).is_none());
    }

    #[test]
    fn the_least_busy_is_asked_and_equal_ones_take_turns() {
        let activity = Activity::new(1);
        let all = [replica(1), replica(2), replica(3)];
        let turns: Vec<u16> = (0..6).map(|_| begin(&activity, &all).unwrap().0).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        let (_, _first) = begin(&activity, &all[..1]).unwrap();
        let (_, _third) = begin(&activity, &all[2..]).unwrap();
        for _ in 0..3 {
            assert_eq!(begin(&activity, &all).unwrap().0, 1, "it alone has nothing to do");
        }
    }

    #[test]
    fn one_that_was_not_reached_is_asked_last() {
        let activity = Activity::new(1);
        let all = [replica(1), replica(2)];
        begin(&activity, &all[..1]).unwrap().1.doubt();
        let open: Vec<_> = (0..2).map(|_| begin(&activity, &all[1..]).unwrap()).collect();
        assert!(
            begin(&activity, &all).is_none(),
            "the other one is asked, and is full"
        );
        drop(open);
        assert_eq!(begin(&activity, &all).unwrap().0, 1);
        assert_eq!(begin(&activity, &all[..1]).unwrap().0, 0, "there is no other");
    }

    #[test]
    fn a_table_without_the_instance_drops_it() {
        let activity = Activity::new(1);
        let one = [replica(1)];
        let (_, ticket) = begin(&activity, &one).unwrap();
        activity.apply(&RouteTable::default());
        assert_eq!(*ticket.standing().borrow(), Standing::Dropped);
        assert_eq!(activity.of(&one[0].instance), Load::default());
    }
}
