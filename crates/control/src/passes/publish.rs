//! Putting out route tables: rendered from rows, numbered, and acknowledged by the edge.

use std::sync::Arc;
use std::time::Duration;

use crate::control::Control;
use crate::render::{RouteRows, route_table};
use crate::rows;

/// How long the edge may take to serve from a new table; it swaps a pointer.
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(5);

/// The route table could not be put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("the routes could not be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error("the edge did not acknowledge the routes of generation {0} within 5 s")]
    Unacknowledged(u64),
}

impl Control {
    /// Puts out the newest table and waits until the edge serves from it.
    pub(crate) async fn publish(&self) -> Result<(), PublishError> {
        let generation = self.put_out_table().await?;
        let mut acknowledged = self.inner.acknowledged.clone();
        let served = acknowledged.wait_for(|served| *served >= generation);
        match self.inner.clock.within(ACKNOWLEDGE_MAX, served).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(PublishError::Unacknowledged(generation)),
        }
    }

    /// Puts out the newest table and gives its generation.
    pub(crate) async fn put_out_table(&self) -> Result<u64, sqlx::Error> {
        // Held from reading to sending: an older picture never follows a newer one.
        let mut generation = self.inner.publishing.lock().await;
        let db = self.db().read();
        let rows = RouteRows {
            previews: rows::preview::all(db).await?,
            deployments: rows::deployment::for_routes(db).await?,
            instances: rows::instance::all(db).await?,
            gone: rows::host::gone(db).await?,
        };
        *generation += 1;
        let domain = &self.inner.public.domain;
        let table = route_table(&rows, *generation, |label| format!("{label}.{domain}"));
        self.inner.tables.send_replace(Arc::new(table));
        Ok(*generation)
    }
}
