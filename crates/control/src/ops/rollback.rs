//! Rollback: the alias moves, nothing else. What it moves to is awake before it does.

use futures_util::future::join_all;
use model::deployment::State;
use model::{DeploymentId, PreviewId};

use super::{Kind, OpError};
use crate::control::Control;
use crate::passes::DRAIN_MS;
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::instance::Wanted;
use crate::rows::{self};
use crate::view::{self, InstanceState};

impl Control {
    /// Lets the preview follow `to`, or the newest ready deployment before its current one.
    pub async fn rollback(
        &self,
        preview: &PreviewId,
        to: Option<&DeploymentId>,
    ) -> Result<view::Deployment, OpError> {
        let target = self.rollback_target(preview, to).await?;
        if target.current {
            return Ok(self.view_deployment(target).await?);
        }
        let instances = rows::instance::of(self.db().read(), &target.id).await?;
        let drained = Some(self.now() + DRAIN_MS);
        rows::instance::want_all(self.db().write(), &target.id, Wanted::Awake, drained).await?;
        let resting = instances
            .iter()
            .filter(|row| row.state() == InstanceState::Asleep);
        for woken in join_all(resting.map(|instance| self.wake_for_rollback(instance))).await {
            woken?;
        }
        self.move_alias(preview, &target).await?;
        self.publish().await.map_err(|error| {
            let message = format!("the preview follows {} now, but {error}", target.id);
            OpError::new(Kind::Unavailable, "not_served_yet", message)
                .hint("Look again in a moment with `cx inspect`.")
        })?;
        self.inner.work.ring();
        self.inner.news.ring();
        self.deployment(&target.id).await
    }

    async fn wake_for_rollback(&self, instance: &rows::instance::Instance) -> Result<(), OpError> {
        let Some(_in_hand) = self.take_in_hand(instance.id.as_str()) else {
            // Somebody wakes it already; the edge holds requests until it has.
            return Ok(());
        };
        self.wake(instance).await.map_err(|error| {
            let message = format!("{} could not be started again: {error}", instance.deployment);
            OpError::new(Kind::Unavailable, "not_startable", message)
                .hint("The preview still serves what it served.")
        })
    }

    async fn rollback_target(
        &self,
        preview: &PreviewId,
        to: Option<&DeploymentId>,
    ) -> Result<Deployment, OpError> {
        let deployments = rows::deployment::of(self.db().read(), preview).await?;
        if let Some(id) = to {
            let found = deployments.into_iter().find(|deployment| deployment.id == *id);
            let found = found.ok_or_else(|| OpError::not_found("deployment of this preview", id))?;
            if found.state != State::Ready {
                let message = format!("{id} is {} and cannot serve", found.state);
                return Err(OpError::new(Kind::Conflict, "not_ready", message)
                    .hint("Choose a ready one from `cx inspect`."));
            }
            return Ok(found);
        }
        let current = deployments
            .iter()
            .find(|deployment| deployment.current)
            .map(|current| current.sequence);
        let before = |deployment: &Deployment| {
            deployment.state == State::Ready && current.is_some_and(|current| deployment.sequence < current)
        };
        deployments.into_iter().find(before).ok_or_else(|| {
            OpError::new(
                Kind::Conflict,
                "nothing_before",
                "there is no ready deployment before the current one",
            )
            .hint("`cx inspect` lists the deployments that are kept.")
        })
    }

    async fn move_alias(&self, preview: &PreviewId, target: &Deployment) -> Result<(), OpError> {
        let mut tx = self.db().begin().await?;
        let row = rows::deployment::by_id(&mut *tx, &target.id).await?;
        if row.is_none_or(|row| row.state != State::Ready) {
            return Err(OpError::new(
                Kind::Conflict,
                "not_ready",
                format!("{} was retired meanwhile", target.id),
            ));
        }
        let before = rows::preview::by_id(&mut *tx, preview)
            .await?
            .and_then(|preview| preview.current);
        rows::preview::set_current(&mut tx, preview, &target.id).await?;
        rows::instance::want_all(&mut *tx, &target.id, Wanted::Awake, None).await?;
        if let Some(before) = before.filter(|before| *before != target.id) {
            rows::instance::want_all(&mut *tx, &before, Wanted::Awake, Some(self.now() + DRAIN_MS)).await?;
        }
        let event = NewEvent::about("preview.switched", target).detail(vec![("by", "rollback".to_owned())]);
        rows::event::add(&mut *tx, self.now(), event).await?;
        Ok(tx.commit().await?)
    }
}
