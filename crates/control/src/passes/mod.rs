//! The passes: small repeatable loops that move the world towards the rows.
//!
//! Each wakes by the bell and polls as a slow fallback. None owns a fact that is not in a row: after a crash they simply
//! continue. *changes* turns what forges tell into deployments, *advance* moves deployments forward, *converge* makes what runs equal to what the rows call for, *report*
//! tells what was reached, *send* tells subscribers, *upkeep* lets things end, *collect* gives back the disk, *hooks* keeps webhooks as they are wanted.

mod advance;
mod build;
mod changes;
mod collect;
mod converge;
mod deploy;
mod hooks;
mod publish;
mod report;
mod rhythm;
mod send;
mod source;
mod start;
mod upkeep;

pub(crate) use changes::Following;
pub(crate) use collect::Schedule;
pub(crate) use report::Telling;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::rhythm::Rhythm;
use crate::control::Control;
use crate::rows::instance::Wanted;
use crate::rows::{self};

/// How long steps under way may take to stop at the end. What has not stopped by then is done again by the next start,
/// as after a crash.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How long a deployment that the alias has left goes on with requests that it has begun, in milliseconds.
pub(crate) const DRAIN_MS: i64 = 30_000;
/// How long a deployment that is not current stays awake after a visit, in milliseconds.
const VISIT_MS: i64 = 5 * 60 * 1_000;
/// Rounds after which settling gives up: passes that never come to rest are a bug.
const SETTLE_ROUNDS_MAX: usize = 200;

impl Control {
    /// Runs the passes until `shutdown`; then builds are stopped, and what serves goes on serving.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            self.repeat(&shutdown, Rhythm::STEADY, async |control| control.changes().await),
            self.repeat(&shutdown, Rhythm::PROMPT, async |control| control.advance().await),
            self.repeat(&shutdown, Rhythm::PROMPT, async |control| control
                .converge()
                .await),
            self.repeat(&shutdown, Rhythm::STEADY, async |control| control.report().await),
            self.repeat(&shutdown, Rhythm::STEADY, async |control| control.send().await),
            self.repeat(&shutdown, Rhythm::RARE, async |control| control.upkeep().await),
            self.repeat(&shutdown, Rhythm::CALM, async |control| control.collect().await),
            self.repeat(&shutdown, Rhythm::RARE, async |control| control.hooks().await),
            self.take_wakes(&shutdown),
            async {
                shutdown.cancelled().await;
                self.inner.closing.cancel();
            },
        );
        for drive in self.drives().values() {
            drive.cancel.cancel();
        }
        self.inner.tasks.close();
        if tokio::time::timeout(STOP_MAX, self.inner.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                steps = self.inner.tasks.len(),
                "steps under way are left to the next start"
            );
        }
        self.last_upkeep().await;
    }

    /// Runs all passes until none of them finds anything to do now. What is due later stays undone.
    ///
    /// # Panics
    /// When they do not come to rest.
    pub async fn settle(&self) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            let before = self.inner.work.count();
            self.pass().await;
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
            self.inner.tasks.reopen();
            if self.inner.work.count() == before {
                return;
            }
        }
        panic!("the passes do not come to rest");
    }

    /// Runs every pass once, and does not wait for what they begin.
    pub async fn pass(&self) {
        self.changes().await;
        self.advance().await;
        self.converge().await;
        self.report().await;
        self.send().await;
        self.upkeep().await;
        self.collect().await;
        self.hooks().await;
    }

    async fn repeat(&self, shutdown: &CancellationToken, rhythm: Rhythm, pass: impl AsyncFn(&Control)) {
        // Subscribed before looking at the rows, so that nothing written in between is missed.
        let mut bell = self.inner.work.listen();
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            bell.seen();
            pass(self).await;
            tokio::select! {
                () = rhythm.rest(began, &mut bell) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn take_wakes(&self, shutdown: &CancellationToken) {
        let taken = self
            .inner
            .wakes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let Some(mut wakes) = taken else { return };
        loop {
            let wake = tokio::select! {
                wake = wakes.recv() => wake,
                () = shutdown.cancelled() => return,
            };
            let Some(instance) = wake else { return };
            if let Err(error) = self.want_awake(&instance).await {
                tracing::error!(%instance, %error, "a sleeping instance could not be woken");
            }
        }
    }

    /// Notes that a request waits for the instance, and rings. All instances of its service wake: they rest together.
    pub async fn want_awake(&self, instance: &model::InstanceId) -> Result<(), sqlx::Error> {
        let Some(row) = rows::instance::by_id(self.db().read(), instance).await? else {
            return Ok(());
        };
        let deployment = rows::deployment::by_id(self.db().read(), &row.deployment).await?;
        let current = deployment.is_some_and(|deployment| deployment.current);
        let rest_at_ms = (!current).then(|| self.now() + VISIT_MS);
        let service = (&row.deployment, &row.service);
        rows::instance::want(self.db().write(), service, Wanted::Awake, rest_at_ms).await?;
        self.inner.work.ring();
        Ok(())
    }
}
