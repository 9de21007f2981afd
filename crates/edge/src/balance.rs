//! Which instance of a service answers: the one with the fewest open requests, and of equal ones the one that was asked
//! longest ago.
//!
//! Guards against an instance that has died and is not yet known to be away: having nothing to do, it would attract every
//! request. One that could not be reached is asked last for a moment. It does *not* know whether a request can be sent to
//! another instance; `proxy` does.

use std::sync::Arc;

use model::InstanceId;
use model::route::{Readiness, Replica, RouteTable, Target};

use crate::activity::{Activity, Ticket};
use crate::table::Tables;

/// The instances of a route that can answer one request.
pub(crate) struct Choice<'a> {
    pub(crate) tables: &'a Tables,
    pub(crate) activity: &'a Activity,
    /// The table that the request was received with.
    pub(crate) table: &'a Arc<RouteTable>,
    pub(crate) replicas: &'a [Replica],
    /// Open requests of one instance at the most.
    pub(crate) limit: u64,
    /// Those that were asked and have not answered.
    tried: Vec<&'a InstanceId>,
}

/// What can be done about a request.
pub(crate) enum Found<'a> {
    /// It is counted, and can be sent.
    Ready(&'a Replica, Ticket),
    /// All have as many requests as they may.
    Busy,
    /// The table has changed meanwhile: look again.
    Changed,
}

/// How ready the readiest is. One that sleeps can be woken; one that is away can only be hoped for.
pub(crate) fn readiest(replicas: &[Replica]) -> Readiness {
    let any = |wanted| replicas.iter().any(|replica| replica.readiness == wanted);
    if any(Readiness::Ready) {
        Readiness::Ready
    } else if any(Readiness::Asleep) {
        Readiness::Asleep
    } else {
        Readiness::Away
    }
}

impl<'a> Choice<'a> {
    pub(crate) fn new(
        (tables, activity): (&'a Tables, &'a Activity),
        table: &'a Arc<RouteTable>,
        replicas: &'a [Replica],
        limit: u64,
    ) -> Self {
        Self {
            tables,
            activity,
            table,
            replicas,
            limit,
            tried: Vec::new(),
        }
    }

    /// The instance that is asked first.
    pub(crate) fn first(&self) -> Found<'a> {
        let Some((replica, ticket)) = self.least_busy() else {
            return Found::Busy;
        };
        // Counted first, looked at last: see `activity`.
        match Arc::ptr_eq(self.table, &self.tables.current()) {
            true => Found::Ready(replica, ticket),
            false => Found::Changed,
        }
    }

    /// Another one instead of `failed`, as long as `host` leads to it.
    pub(crate) fn next(&mut self, failed: &'a InstanceId, host: &str) -> Option<(&'a Replica, Ticket)> {
        self.tried.push(failed);
        loop {
            let (replica, ticket) = self.least_busy()?;
            let now = self.tables.current();
            if Arc::ptr_eq(self.table, &now) || leads_to(&now, host, replica) {
                return Some((replica, ticket));
            }
            self.tried.push(&replica.instance);
        }
    }

    fn least_busy(&self) -> Option<(&'a Replica, Ticket)> {
        let readiness = readiest(self.replicas);
        let untried = self
            .replicas
            .iter()
            .filter(|replica| replica.readiness == readiness && !self.tried.contains(&&replica.instance));
        self.activity.begin(untried, self.limit)
    }
}

fn leads_to(table: &RouteTable, host: &str, wanted: &Replica) -> bool {
    let target = table.routes.get(host).map(|route| &route.target);
    matches!(target, Some(Target::Instances(replicas)) if replicas.contains(wanted))
}
