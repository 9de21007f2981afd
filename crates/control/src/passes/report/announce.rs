//! Announcing: a deployment is told to be ready after the edge acknowledged the routes that make it true.

use super::AnyError;
use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::{self};

impl Control {
    pub(super) async fn announce_all(&self) -> Result<(), AnyError> {
        let unannounced = rows::deployment::unannounced(self.db().read(), &self.inner.boot).await?;
        if unannounced.is_empty() {
            return Ok(());
        }
        self.publish().await?;
        for deployment in &unannounced {
            self.announce(deployment).await?;
        }
        Ok(())
    }

    async fn announce(&self, deployment: &Deployment) -> Result<(), sqlx::Error> {
        let mut tx = self.db().begin().await?;
        if !rows::deployment::set_announced(&mut tx, &deployment.id).await? {
            return Ok(());
        }
        let event = NewEvent::about("deployment.ready", deployment);
        rows::event::add(&mut *tx, self.now(), event).await?;
        tx.commit().await?;
        self.inner.work.ring();
        self.inner.news.ring();
        Ok(())
    }
}
