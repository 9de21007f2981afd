//! *converge*: what runs outside equals what the rows call for.
//!
//! It ensures, wakes, puts to rest and removes. It never removes on an error: an answer that is missing says nothing.
//! Whatever runs without a row was left by a crash or belongs to something deleted, and goes.

use std::collections::HashMap;

use model::InstanceId;
use model::deployment::State;
use provider::{Observed, Phase};

use crate::control::Control;
use crate::rows::event::NewEvent;
use crate::rows::instance::{Instance, Wanted};
use crate::rows::{self};
use crate::view::InstanceState;

const RESTART_MS: i64 = 1_000;
const RESTART_MS_MAX: i64 = 5 * 60 * 1_000;
/// Whoever ran as long as this starts with a clean slate.
const RAN_LONG_MS: i64 = 10 * 60 * 1_000;

/// What is to be done with one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Nothing,
    /// Start, wake or restart it, then route to it.
    Wake,
    /// It ended by itself: wait a while, then start it again.
    BackOff,
    /// Route past it, then freeze it.
    Freeze,
    /// Route past it, then end it; its row stays.
    Stop,
}

impl Control {
    pub(super) async fn converge(&self) {
        if let Err(error) = self.converge_instances().await {
            tracing::error!(%error, "what runs could not be compared with the rows; nothing was removed");
        }
    }

    async fn converge_instances(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // The world first, then the rows: what was started in between has its row already.
        let listed = self.inner.provider.list().await?;
        let rows = rows::instance::all(self.db().read()).await?;
        let known: HashMap<&InstanceId, &Instance> = rows.iter().map(|row| (&row.id, row)).collect();
        for observed in &listed {
            if !known.contains_key(&observed.instance) {
                self.remove_in_background(observed.instance.clone());
            }
        }
        let seen: HashMap<&InstanceId, &Observed> =
            listed.iter().map(|seen| (&seen.instance, seen)).collect();
        for row in &rows {
            let phase = seen.get(&row.id).map_or(&Phase::Absent, |seen| &seen.phase);
            let deed = deed(row, phase, self.now());
            match deed {
                Deed::Nothing => {}
                Deed::Wake | Deed::BackOff if !self.is_ready(row).await? => {}
                Deed::BackOff => self.back_off(row, phase).await?,
                Deed::Wake | Deed::Freeze | Deed::Stop => self.in_background(row, deed),
            }
        }
        Ok(())
    }

    /// Instances of a deployment on its way belong to the step that deploys it.
    async fn is_ready(&self, row: &Instance) -> Result<bool, sqlx::Error> {
        let deployment = rows::deployment::by_id(self.db().read(), &row.deployment).await?;
        Ok(deployment.is_some_and(|deployment| deployment.state == State::Ready))
    }

    fn in_background(&self, row: &Instance, deed: Deed) {
        let Some(in_hand) = self.take_in_hand(row.id.as_str()) else {
            return;
        };
        let (control, row) = (self.clone(), row.clone());
        self.inner.tasks.spawn(async move {
            let done = match deed {
                Deed::Wake => control.wake(&row).await,
                Deed::Freeze => control.rest(&row, true).await,
                Deed::Stop => control.rest(&row, false).await,
                Deed::Nothing | Deed::BackOff => Ok(()),
            };
            if let Err(error) = done {
                tracing::warn!(instance = %row.id, %error, "an instance is not yet as wanted");
            }
            drop(in_hand);
            control.inner.work.ring();
        });
    }

    fn remove_in_background(&self, instance: InstanceId) {
        let Some(in_hand) = self.take_in_hand(instance.as_str()) else {
            return;
        };
        let control = self.clone();
        self.inner.tasks.spawn(async move {
            match control.inner.provider.remove(&instance).await {
                Ok(()) => control.inner.work.ring(),
                Err(error) => tracing::warn!(%instance, %error, "a left-over instance is not removed yet"),
            }
            drop(in_hand);
        });
    }

    /// Starts or wakes the instance and routes to it.
    pub(crate) async fn wake(&self, row: &Instance) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Some(deployment) = rows::deployment::by_id(self.db().read(), &row.deployment).await? else {
            return Ok(());
        };
        if let Err(failure) = self.start_instance(&deployment, row).await {
            let delay = restart_delay_ms(row.restarts);
            rows::instance::back_off(self.db().write(), &row.id, row.restarts + 1, self.now() + delay)
                .await?;
            return Err(failure.message.into());
        }
        self.publish().await?;
        let event = NewEvent::about("instance.awake", &deployment).detail(which(row));
        rows::event::add(self.db().write(), self.now(), event).await?;
        self.inner.news.ring();
        Ok(())
    }

    /// Takes the instance out of the routes first, so that no request meets it half-way, then freezes or ends it.
    async fn rest(
        &self,
        row: &Instance,
        freeze: bool,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        rows::instance::set_asleep(self.db().write(), &row.id, true).await?;
        self.publish().await?;
        if freeze && self.inner.provider.capabilities().sleep {
            self.inner.provider.sleep(&row.id).await?;
        } else {
            self.inner.provider.remove(&row.id).await?;
        }
        Ok(())
    }

    async fn back_off(&self, row: &Instance, phase: &Phase) -> Result<(), sqlx::Error> {
        let Phase::Exited { summary, .. } = phase else {
            return Ok(());
        };
        let ran_long = self.now() - row.started_at_ms.unwrap_or(0) >= RAN_LONG_MS;
        let restarts = if ran_long { 0 } else { row.restarts };
        let delay = restart_delay_ms(restarts);
        tracing::warn!(instance = %row.id, summary, delay_ms = delay, "an instance ended by itself; it is started again");
        // Together: an end that is dealt with and was never told would stay untold.
        let mut tx = self.db().begin().await?;
        rows::instance::back_off(&mut *tx, &row.id, restarts + 1, self.now() + delay).await?;
        if let Some(deployment) = rows::deployment::by_id(&mut *tx, &row.deployment).await? {
            let mut detail = which(row);
            detail.push(("summary", summary.clone()));
            let event = NewEvent::about("instance.exited", &deployment).detail(detail);
            rows::event::add(&mut *tx, self.now(), event).await?;
        }
        tx.commit().await?;
        // From now on the others of its service answer alone.
        self.put_out_table().await?;
        self.inner.news.ring();
        Ok(())
    }
}

/// Which instance an event is about.
fn which(row: &Instance) -> Vec<(&'static str, String)> {
    vec![
        ("service", row.service.to_string()),
        ("instance", row.replica.to_string()),
    ]
}

/// What follows from the row and from what was seen.
fn deed(row: &Instance, seen: &Phase, now: i64) -> Deed {
    match (row.wanted, seen) {
        (Wanted::Awake, Phase::Running) if row.state() == InstanceState::Running => Deed::Nothing,
        (Wanted::Awake, Phase::Exited { .. }) if row.not_before_ms == 0 => Deed::BackOff,
        (Wanted::Awake, _) if row.not_before_ms > now => Deed::Nothing,
        (Wanted::Awake, _) => Deed::Wake,
        (Wanted::Asleep, Phase::Running) => Deed::Freeze,
        (Wanted::Asleep, _) => Deed::Nothing,
        (Wanted::Stopped | Wanted::Gone, Phase::Absent) => Deed::Nothing,
        (Wanted::Stopped | Wanted::Gone, _) => Deed::Stop,
    }
}

fn restart_delay_ms(restarts: u32) -> i64 {
    (RESTART_MS << restarts.min(16)).min(RESTART_MS_MAX)
}
