//! *upkeep*: what has had its time ends. Previews expire, old deployments retire, unused instances rest, and what no row
//! speaks of any more leaves the disk.

use std::collections::HashSet;

use model::deployment::{Event, State};
use model::{DeploymentId, InstanceId};

use crate::control::Control;
use crate::links::Busy;
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::instance::{Instance, Wanted};
use crate::rows::{self};

/// Events that are kept for followers.
const EVENTS_KEPT: i64 = 20_000;
/// How long a deleted host says that it is gone, in milliseconds.
const GONE_MS: i64 = 7 * 24 * 3_600 * 1_000;
const GONE_KEPT: i64 = 10_000;

/// How long it is remembered what subscribers were sent, in milliseconds, and how much of it for each.
const SENDINGS_MS: i64 = 7 * 24 * 3_600 * 1_000;
const SENDINGS_KEPT: i64 = 2_000;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Control {
    pub(super) async fn upkeep(&self) {
        let done: Result<(), AnyError> = async {
            self.expire().await?;
            self.end_watching().await?;
            self.retire().await?;
            self.let_rest().await?;
            self.forget().await?;
            self.remove_stray_logs().await
        }
        .await;
        if let Err(error) = done {
            tracing::error!(%error, "upkeep was interrupted; the next one continues");
        }
    }

    /// What ended since the last upkeep leaves nothing behind either, although the server ends now.
    pub(super) async fn last_upkeep(&self) {
        if let Err(error) = self.remove_stray_logs().await {
            tracing::warn!(%error, "logs that nobody needs are left for the next start");
        }
    }

    async fn expire(&self) -> Result<(), AnyError> {
        for preview in rows::preview::all(self.db().read()).await? {
            if preview.expires_at_ms.is_some_and(|at| at <= self.now()) {
                tracing::info!(preview = %preview.id, project = %preview.project, "its time to live is over");
                self.delete_preview_rows(&preview, "preview.expired").await?;
            }
        }
        Ok(())
    }

    /// Whoever worked on a preview and does not say so any more has gone.
    async fn end_watching(&self) -> Result<(), AnyError> {
        if rows::preview::end_lapsed_watching(self.db().write(), self.now()).await? {
            self.put_out_table().await?;
        }
        Ok(())
    }

    /// Ready deployments beyond the number to keep; never the current one.
    async fn retire(&self) -> Result<(), AnyError> {
        for preview in rows::preview::all(self.db().read()).await? {
            let deployments = rows::deployment::of(self.db().read(), &preview.id).await?;
            let ready = deployments
                .iter()
                .filter(|deployment| deployment.state == State::Ready);
            let (current, others): (Vec<_>, Vec<_>) = ready.partition(|deployment| deployment.current);
            let kept = (preview.keep as usize).saturating_sub(current.len());
            for deployment in others.into_iter().skip(kept) {
                self.retire_one(deployment).await?;
            }
        }
        Ok(())
    }

    async fn retire_one(&self, deployment: &Deployment) -> Result<(), AnyError> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        // Read again under the write lock: a rollback may have made it current meanwhile.
        let row = rows::deployment::by_id(&mut *tx, &deployment.id).await?;
        if row.is_none_or(|row| row.current) {
            return Ok(());
        }
        if !rows::deployment::overrule(&mut tx, &deployment.id, State::Ready, Event::Retired, now).await? {
            return Ok(());
        }
        rows::instance::want_all(&mut *tx, &deployment.id, Wanted::Gone, None).await?;
        rows::host::bury(&mut tx, &deployment.preview, Some(&deployment.id), now).await?;
        let event = NewEvent::about("deployment.retired", deployment);
        rows::event::add(&mut *tx, now, event).await?;
        tx.commit().await?;
        self.put_out_table().await?;
        self.inner.work.ring();
        Ok(())
    }

    /// Drained predecessors freeze, the ones before them stop, idle current ones freeze when their project says so.
    async fn let_rest(&self) -> Result<(), AnyError> {
        let rows = rows::instance::all(self.db().read()).await?;
        // The instances of a service rest together.
        for service in rows.chunk_by(|a, b| (&a.deployment, &a.service) == (&b.deployment, &b.service)) {
            let [row, ..] = service else { continue };
            let Some(deployment) = rows::deployment::by_id(self.db().read(), &row.deployment).await? else {
                continue;
            };
            if deployment.state != State::Ready {
                continue;
            }
            let due = match row.wanted {
                Wanted::Awake if service.iter().any(|row| !row.asleep) => {
                    self.rest_due(service, &deployment).await?
                }
                Wanted::Asleep if !deployment.current && !self.is_predecessor(&deployment).await? => {
                    Some(Wanted::Stopped)
                }
                _ => None,
            };
            if let Some(wanted) = due {
                let service = (&row.deployment, &row.service);
                rows::instance::want(self.db().write(), service, wanted, None).await?;
                self.note_rest(&deployment).await?;
                self.inner.work.ring();
            }
        }
        Ok(())
    }

    /// How busy the instances of a service are together.
    fn busy(&self, service: &[Instance]) -> Busy {
        let each = service.iter().map(|row| self.inner.activity.of(&row.id));
        each.fold(Busy::default(), |all, one| Busy {
            last_request_at_ms: all.last_request_at_ms.max(one.last_request_at_ms),
            in_flight: all.in_flight + one.in_flight,
        })
    }

    async fn rest_due(
        &self,
        service: &[Instance],
        deployment: &Deployment,
    ) -> Result<Option<Wanted>, AnyError> {
        let (now, busy) = (self.now(), self.busy(service));
        if deployment.current {
            let idle_ms = deployment
                .plan
                .as_ref()
                .and_then(|plan| plan.limits.idle_seconds)
                .map(|s| i64::from(s) * 1_000);
            let since = busy
                .last_request_at_ms
                .max(deployment.finished_at_ms.unwrap_or(now))
                .max(self.inner.started_at_ms);
            let idle = idle_ms.is_some_and(|idle_ms| busy.in_flight == 0 && now - since >= idle_ms);
            return Ok(idle.then_some(Wanted::Asleep));
        }
        let drain_end = service.iter().filter_map(|row| row.rest_at_ms).max();
        let rest_at = drain_end.unwrap_or(0);
        // A visitor of a pinned address prolongs the stay; the drain of an alias has an end.
        let visited = now - busy.last_request_at_ms < super::VISIT_MS && drain_end.is_none();
        if rest_at > now || visited {
            return Ok(None);
        }
        Ok(Some(if self.is_predecessor(deployment).await? {
            Wanted::Asleep
        } else {
            Wanted::Stopped
        }))
    }

    /// Whether it is the newest ready one besides the current: the one that going back leads to.
    async fn is_predecessor(&self, deployment: &Deployment) -> Result<bool, sqlx::Error> {
        let deployments = rows::deployment::of(self.db().read(), &deployment.preview).await?;
        let before = deployments
            .iter()
            .find(|other| other.state == State::Ready && !other.current);
        Ok(before.is_some_and(|before| before.id == deployment.id))
    }

    async fn note_rest(&self, deployment: &Deployment) -> Result<(), sqlx::Error> {
        let event = NewEvent::about("instance.asleep", deployment);
        rows::event::add(self.db().write(), self.now(), event).await?;
        self.inner.news.ring();
        Ok(())
    }

    async fn forget(&self) -> Result<(), AnyError> {
        rows::event::trim(self.db().write(), EVENTS_KEPT).await?;
        rows::sending::forget(self.db().write(), self.now() - SENDINGS_MS, SENDINGS_KEPT).await?;
        if rows::host::forget_gone(self.db().write(), self.now() - GONE_MS, GONE_KEPT).await? > 0 {
            self.put_out_table().await?;
        }
        Ok(())
    }

    /// Logs of deployments and instances of which no row speaks any more.
    async fn remove_stray_logs(&self) -> Result<(), AnyError> {
        // Of what a backup names all must stay until it is copied.
        let Some(_alone) = self.nobody_copies() else {
            return Ok(());
        };
        let mut entries = match tokio::fs::read_dir(self.logs()).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            if let Some(name) = entry.file_name().to_str() {
                found.push((name.to_owned(), entry.path()));
            }
        }
        // The directories first, then the rows: whatever has a log had its row before.
        let mut known: HashSet<String> = rows::deployment::ids(self.db().read())
            .await?
            .into_iter()
            .collect();
        let instances = rows::instance::all(self.db().read()).await?;
        known.extend(instances.into_iter().map(|row| row.id.to_string()));
        let is_ours = |name: &str| name.parse::<DeploymentId>().is_ok() || name.parse::<InstanceId>().is_ok();
        for (name, directory) in found {
            if is_ours(&name) && !known.contains(&name) {
                tokio::fs::remove_dir_all(directory).await?;
            }
        }
        Ok(())
    }
}
