//! The route table that is served from: swapped as a whole, then acknowledged.
//!
//! Guards against a half-switched table (a request sees one table only) and against serving nothing when whoever makes
//! tables is gone (the last one stays).

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::route::RouteTable;
use tokio::sync::watch;

use crate::Activity;

pub(crate) struct Tables {
    current: ArcSwap<RouteTable>,
    /// Changes after every swap; for requests that wait for one.
    swapped: watch::Sender<u64>,
    acknowledged: watch::Sender<u64>,
    activity: Activity,
}

impl Tables {
    pub(crate) fn new(first: Arc<RouteTable>, acknowledged: watch::Sender<u64>, activity: Activity) -> Self {
        let tables = Self {
            current: ArcSwap::default(),
            swapped: watch::Sender::new(0),
            acknowledged,
            activity,
        };
        tables.swap(first);
        tables
    }

    pub(crate) fn current(&self) -> Arc<RouteTable> {
        self.current.load_full()
    }

    /// Changes after every swap that comes after this call.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.swapped.subscribe()
    }

    /// Serves from every table that comes; ends when no more can come.
    pub(crate) async fn follow(&self, mut tables: watch::Receiver<Arc<RouteTable>>) {
        while tables.changed().await.is_ok() {
            self.take_newest(&mut tables);
        }
        tracing::warn!("no more route tables come; serving from the last one");
    }

    /// Serves from the newest table that has come.
    pub(crate) fn take_newest(&self, tables: &mut watch::Receiver<Arc<RouteTable>>) {
        let table = tables.borrow_and_update().clone();
        self.swap(table);
    }

    fn swap(&self, table: Arc<RouteTable>) {
        let generation = table.generation;
        self.current.store(table.clone());
        self.activity.apply(&table);
        self.swapped.send_modify(|count| *count += 1);
        self.acknowledged.send_replace(generation);
    }
}
