//! *collect*: the disk gets back what no row names, no running step uses, and nobody asked for lately.
//!
//! Looks through the store now and then, and at once when less is free than must be; then it is less patient with what
//! is only kept because it may save work later. What serves, what is queued and what runs is never touched.
//!
//! Who guards what: rows name what deployments and remembered builds are made of. What a running step has found but no
//! row names yet was used after the step began. What a project was told it need not send stands in its list of sent
//! blobs with the time it was told; a blob leaves those lists before it leaves the store, in a transaction, so that a
//! crash in between means sending it once more. An instance that no row speaks of may stand on anything: as long as there
//! is one, nothing is collected.

mod patience;
mod scratch;

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::DeploymentId;
use model::deployment::State;
use store::{Collected, KeepSet, UnusedSince};

use self::patience::Patience;
use crate::control::Control;
use crate::disk::TooFull;
use crate::rows::{self};
use crate::view;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// How often the store is looked through when something has happened, and when nothing has.
const COLLECT_EVERY_MS: i64 = 10 * 60 * 1_000;
const COLLECT_ANYWAY_MS: i64 = 6 * 3_600 * 1_000;
/// How often while the disk is below its floor.
const PRESSED_EVERY_MS: i64 = 30_000;
/// An operation is done with what it has just used, or has written a row that names it, within this time.
const MOMENT_MS: i64 = 2 * 60 * 1_000;
/// Clocks of files are coarse.
const MARGIN_MS: i64 = 5_000;
/// What a deployment was made of stays so long after its end: its instance may still be leaving.
const LEAVING_MS: i64 = 3_600 * 1_000;
/// Deployments of a preview that are remembered after their end.
const HISTORY_MAX: i64 = 50;

/// When the store is next looked through, and what came of the last time.
#[derive(Debug)]
pub(crate) struct Schedule {
    next_ms: i64,
    /// The earliest time under pressure.
    pressed_ms: i64,
    looked_ms: i64,
    /// The newest event at that time.
    event: i64,
    pub(crate) newest: Option<view::CollectedView>,
}

impl From<i64> for Schedule {
    /// Nothing is urgent at the start.
    fn from(started_ms: i64) -> Self {
        Self {
            next_ms: started_ms + COLLECT_EVERY_MS,
            pressed_ms: started_ms,
            looked_ms: started_ms,
            event: -1,
            newest: None,
        }
    }
}

impl Control {
    /// Collects when it is time to.
    pub(super) async fn collect(&self) {
        let Ok(mut schedule) = self.inner.collecting.try_lock() else {
            return;
        };
        let full = self.check_room().err();
        let done = match self.is_due(&schedule, full).await {
            Ok(false) => return,
            // Of what a backup names all must stay until it is copied.
            Ok(true) => match self.nobody_copies() {
                Some(_alone) => self.collect_all(&mut schedule, full).await,
                None => return,
            },
            Err(error) => Err(error.into()),
        };
        let now = self.now();
        schedule.next_ms = now + COLLECT_EVERY_MS;
        schedule.pressed_ms = now + PRESSED_EVERY_MS;
        if let Err(error) = done {
            tracing::error!(%error, "the store could not be looked through; nothing that is named was touched");
        }
    }

    async fn is_due(&self, schedule: &Schedule, full: Option<TooFull>) -> Result<bool, sqlx::Error> {
        let now = self.now();
        if full.is_some() {
            return Ok(now >= schedule.pressed_ms);
        }
        if now < schedule.next_ms {
            return Ok(false);
        }
        let event = rows::event::newest(self.db().read()).await?;
        Ok(event != schedule.event || now - schedule.looked_ms >= COLLECT_ANYWAY_MS)
    }

    async fn collect_all(&self, schedule: &mut Schedule, full: Option<TooFull>) -> Result<(), AnyError> {
        let begun = Instant::now();
        let (event, at_ms) = (rows::event::newest(self.db().read()).await?, self.now());
        self.forget_ended().await?;
        let mut sum = view::CollectedView {
            at_ms,
            ..view::CollectedView::default()
        };
        let efforts = Patience::efforts(&self.inner.policy);
        let efforts = if full.is_some() {
            &efforts[..]
        } else {
            &efforts[..1]
        };
        let mut looked = true;
        for patience in efforts {
            let collected = self.collect_once(patience).await?;
            looked &= collected.is_some();
            let collected = collected.unwrap_or_default();
            sum.blobs += collected.blobs;
            sum.trees += collected.trees;
            sum.layers += collected.layers;
            sum.scratches += self.remove_scratches(patience, full).await?;
            if self.has_enough(full) || self.inner.closing.is_cancelled() {
                break;
            }
        }
        sum.millis = begun.elapsed().as_millis() as u64;
        if let Some(full) = full.filter(|_| self.check_room().is_err()) {
            tracing::warn!(
                "{full}: builds wait and uploads are refused until there is room; what serves goes on"
            );
        }
        tracing::info!(
            blobs = sum.blobs,
            trees = sum.trees,
            layers = sum.layers,
            scratches = sum.scratches,
            millis = sum.millis,
            "looked through the store"
        );
        // Only now: what failed or was put off is tried again soon, whether anything happens until then or not.
        if looked {
            (schedule.event, schedule.looked_ms) = (event, at_ms);
        }
        schedule.newest = Some(sum);
        Ok(())
    }

    /// Whether there is as much room as is aimed at; always where there was enough before.
    fn has_enough(&self, full: Option<TooFull>) -> bool {
        let Some(full) = full else { return true };
        let room = self.inner.disk.room();
        room.is_ok_and(|room| room.free_bytes >= full.enough_bytes())
    }

    /// Deployments that ended long ago, with their logs and events, are forgotten.
    async fn forget_ended(&self) -> Result<(), sqlx::Error> {
        let history_ms = i64::try_from(self.inner.policy.history_seconds * 1_000).unwrap_or(i64::MAX);
        let before = self.now().saturating_sub(history_ms);
        let forgotten = rows::deployment::forget_ended(self.db().write(), before, HISTORY_MAX).await?;
        rows::event::forget(self.db().write(), before).await?;
        if forgotten > 0 {
            self.inner.work.ring();
        }
        Ok(())
    }

    /// `None` where it had to be put off.
    async fn collect_once(&self, patience: &Patience) -> Result<Option<Collected>, AnyError> {
        let now = self.now();
        // What is used from here on is younger than this.
        let cutoff = |unused_ms: i64| {
            let oldest_step = self.drives().values().map(|drive| drive.since_ms).min();
            let step = oldest_step.map_or(i64::MAX, |since| since - MARGIN_MS);
            now.saturating_sub(unused_ms.max(MOMENT_MS)).min(step)
        };
        let since = UnusedSince {
            files: time(cutoff(patience.files_ms)),
            layers: time(cutoff(patience.layers_ms)),
        };
        let Some(running) = self.running_deployments().await? else {
            tracing::info!(
                "an instance that no row speaks of is still there; the store is looked through after it is gone"
            );
            return Ok(None);
        };
        rows::build::forget_unused(self.db().write(), now.saturating_sub(patience.builds_ms)).await?;
        let keep = self.named(patience, &running).await?;
        let store = self.inner.store.clone();
        let mut unneeded = tokio::task::spawn_blocking(move || store.unneeded(&keep, since)).await??;
        let mut tx = self.db().begin().await?;
        let sent_before = now.saturating_sub(patience.sent_ms);
        let relied_on = rows::blob::forget(&mut tx, &unneeded.blobs(), sent_before).await?;
        tx.commit().await?;
        unneeded.spare(&relied_on);
        let (store, closing) = (self.inner.store.clone(), self.inner.closing.clone());
        let removal = move || {
            let mut collected = Collected::default();
            for step in store.remove_unneeded(unneeded) {
                if closing.is_cancelled() {
                    break;
                }
                collected.add(step?);
            }
            Ok::<_, store::CollectError>(collected)
        };
        Ok(Some(tokio::task::spawn_blocking(removal).await??))
    }

    /// The deployments of all instances that are there, or `None` when one of them has no row.
    async fn running_deployments(&self) -> Result<Option<HashSet<DeploymentId>>, AnyError> {
        // The world first, then the rows: what was started in between has its row already.
        let listed = self.inner.provider.list().await?;
        let rows = rows::instance::all(self.db().read()).await?;
        let of = |observed: &provider::Observed| {
            let row = rows.iter().find(|row| row.id == observed.instance);
            row.map(|row| row.deployment.clone())
        };
        Ok(listed.iter().map(of).collect())
    }

    /// Everything that a row names.
    async fn named(
        &self,
        patience: &Patience,
        running: &HashSet<DeploymentId>,
    ) -> Result<KeepSet, sqlx::Error> {
        let mut keep = KeepSet::default();
        let now = self.now();
        for deployment in rows::deployment::named(self.db().read()).await? {
            let wanted = deployment.state.is_unfinished() || deployment.state == State::Ready;
            let leaving = deployment.finished_at_ms.is_none_or(|at| now - at < LEAVING_MS);
            let present = wanted || leaving || running.contains(&deployment.id);
            if present || deployment.newest || patience.keeps_history {
                keep.trees.extend(deployment.source);
            }
            if let Some(artifact) = deployment.artifact.filter(|_| present) {
                name(&mut keep, &artifact);
            }
        }
        for artifact in rows::build::artifacts(self.db().read()).await? {
            name(&mut keep, &artifact);
        }
        Ok(keep)
    }
}

fn name(keep: &mut KeepSet, artifact: &model::Artifact) {
    let references = artifact.references();
    // A digest says nothing of whether it names a tree or a layer; one that names neither is harmless.
    keep.trees.extend(&references);
    keep.layers.extend(references);
}

fn time(at_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0))
}
