//! The step from a source to an artifact: detect, look for an earlier build of the same input, build only if there is
//! none. Waiting for a free slot happens here, so that what needs no build never waits.

use std::sync::Arc;
use std::time::Duration;

use builder::{BuildError, BuildRequest, Observer};
use model::deployment::{Event, State};
use model::failure::{Code, Failure};
use model::{Artifact, DeploymentId, Digest, Plan};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::advance::{Held, Stop};
use crate::control::Control;
use crate::rows::build::NewBuild;
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::{self};

/// What a build may take beyond its limit: fetching toolchains, storing what was built.
const BUILD_GRACE: Duration = Duration::from_secs(5 * 60);
/// How long a cancelled build may take to end.
const CANCEL_GRACE: Duration = Duration::from_secs(30);

/// What the step ends with.
struct Built {
    artifact: Artifact,
    /// The deployment that built it, when it was not this one.
    by: Option<DeploymentId>,
    /// The key under which it is to be remembered.
    record: Option<Digest>,
}

impl Control {
    pub(super) async fn build_step(&self, deployment: &Deployment, held: &Held) -> Result<(), Stop> {
        if !deployment.trust.may_run(self.inner.limits_hold) {
            let message =
                "this server cannot keep a stranger's code within limits of memory, CPU and processes";
            return Err(Failure::new(Code::IsolationTooWeak, message).into());
        }
        let built = match self.prepared(deployment) {
            Some(built) => built,
            None => self.find_or_build(deployment, held).await?,
        };
        if let Some(by) = &built.by {
            held.journal.info(&format!(
                "Using the build of {by}: the same input was built before"
            ));
        }
        self.finish_build(deployment, held, built).await
    }

    /// What a redeploy took over, as long as it is still in the store.
    fn prepared(&self, deployment: &Deployment) -> Option<Built> {
        let artifact = deployment
            .artifact
            .clone()
            .filter(|artifact| self.inner.builder.is_present(artifact))?;
        Some(Built {
            artifact,
            by: deployment.reused_build_of.clone(),
            record: None,
        })
    }

    async fn find_or_build(&self, deployment: &Deployment, held: &Held) -> Result<Built, Stop> {
        let source = self.source(deployment, held).await?;
        let deployment = &Deployment {
            source: Some(source),
            ..deployment.clone()
        };
        let plan = self.detect(deployment, &source, held).await?;
        let given = self.given(deployment).await?;
        let request = BuildRequest {
            name: deployment.id.short().to_owned(),
            project: deployment.project_id.clone(),
            tree: source,
            plan,
            variables: given.variables,
            secrets: given.secrets,
            trust: deployment.trust,
            rebuild: deployment.rebuild,
        };
        let key = self.key(&request, held).await?;
        if let Some(found) = self.find_build(deployment, &key).await? {
            return Ok(found);
        }
        // What runs nothing waits for nobody.
        let slots = match request.plan.needs_build() {
            true => {
                self.room_to_build()?;
                let slots = self.wait_for_slots(deployment, held).await?;
                self.room_to_build()?;
                Some(slots)
            }
            false => None,
        };
        if slots.is_some() {
            // Another deployment may have built the same while this one waited.
            if let Some(found) = self.find_build(deployment, &key).await? {
                return Ok(found);
            }
            self.mark_building(deployment, held).await?;
        }
        match self.build(&request, held).await {
            Ok(artifact) => Ok(Built {
                artifact,
                by: None,
                record: Some(key),
            }),
            Err(BuildError::Cancelled) => {
                let row = rows::deployment::by_id(self.db().read(), &deployment.id).await?;
                let goes_on = row.is_some_and(|row| row.state.is_unfinished());
                held.journal.info(match goes_on {
                    true => "Stopped with the platform; it goes on at the next start",
                    false => "Stopped: no longer wanted",
                });
                Err(Stop::Lost)
            }
            Err(BuildError::Failed(failure)) => Err(failure.into()),
        }
    }

    /// The builder keeps the build within its time and ends it when it is cancelled. One that does not come back even so
    /// must not keep a slot from others: it is dropped, which ends it.
    async fn build(&self, request: &BuildRequest, held: &Held) -> Result<Artifact, BuildError> {
        let clock = &self.inner.clock;
        let at_most = Duration::from_secs(u64::from(request.plan.limits.build_seconds_max)) + BUILD_GRACE;
        let overdue = async {
            tokio::select! {
                () = clock.sleep(at_most) => {}
                () = async { held.cancel.cancelled().await; clock.sleep(CANCEL_GRACE).await } => {}
            }
        };
        tokio::select! {
            built = self.inner.builder.build(request, &held.journal, &held.cancel) => built,
            () = overdue => {
                let message = "the build did not come to an end in time, although it was asked to";
                Err(BuildError::Failed(Failure::new(Code::PlatformError, message)))
            }
        }
    }

    async fn detect(&self, deployment: &Deployment, source: &Digest, held: &Held) -> Result<Plan, Stop> {
        if let Some(plan) = &deployment.plan {
            return Ok(plan.clone());
        }
        held.journal.phase_started("detect");
        let (builder, source) = (self.inner.builder.clone(), *source);
        let live = deployment.live_directory.is_some();
        let directory = deployment.root().to_owned();
        let detected = tokio::task::spawn_blocking(move || match live {
            true => builder.detect_dev(&source),
            false => builder.detect_in(&source, &directory),
        });
        let detected = detected.await;
        let plan = detected
            .map_err(|error| Failure::new(Code::PlatformError, format!("detection broke off: {error}")))??;
        held.journal.phase_ended("detect");
        held.journal.info(&format!("Detected {}", plan.framework));
        rows::deployment::set_plan(self.db().write(), &held.lease, &plan).await?;
        Ok(plan)
    }

    /// The key names the toolchains, so they are found or fetched here.
    async fn key(&self, request: &BuildRequest, held: &Held) -> Result<Digest, Failure> {
        let named = !request.plan.toolchains.is_empty();
        if named {
            held.journal.phase_started("toolchain");
        }
        let key = self.inner.builder.key(request).await;
        if named {
            held.journal.phase_ended("toolchain");
        }
        key
    }

    async fn find_build(&self, deployment: &Deployment, key: &Digest) -> Result<Option<Built>, Stop> {
        if deployment.rebuild {
            return Ok(None);
        }
        let found =
            rows::build::find(self.db().read(), &deployment.project_id, key, deployment.trust).await?;
        let present = found
            .into_iter()
            .find(|build| self.inner.builder.is_present(&build.artifact));
        let Some(build) = present else { return Ok(None) };
        rows::build::note_use(self.db().write(), &deployment.project_id, key, self.now()).await?;
        Ok(Some(Built {
            artifact: build.artifact,
            by: Some(build.deployment),
            record: None,
        }))
    }

    /// First the project's own limit, then everybody's: a project with many builds waits behind itself.
    pub(super) async fn wait_for_slots(
        &self,
        deployment: &Deployment,
        held: &Held,
    ) -> Result<[OwnedSemaphorePermit; 2], Stop> {
        let of_project = self
            .slot(self.project_slots(&deployment.project_id), held)
            .await?;
        let of_all = self.slot(self.inner.build_slots.clone(), held).await?;
        Ok([of_project, of_all])
    }

    async fn slot(&self, slots: Arc<Semaphore>, held: &Held) -> Result<OwnedSemaphorePermit, Stop> {
        if slots.available_permits() == 0 {
            held.journal.info("Waiting for other builds to finish");
        }
        tokio::select! {
            permit = slots.acquire_owned() => permit.map_err(|_| Stop::Lost),
            () = held.cancel.cancelled() => Err(Stop::Lost),
        }
    }

    /// A build that finds too little room waits in its row, and takes no slot meanwhile.
    pub(super) fn room_to_build(&self) -> Result<(), Stop> {
        self.check_room().map_err(|full| Stop::Waits {
            reason: full.to_string(),
        })
    }

    async fn mark_building(&self, deployment: &Deployment, held: &Held) -> Result<(), Stop> {
        if deployment.state == State::Building {
            return Ok(());
        }
        let mut tx = self.db().begin().await?;
        let moved = rows::deployment::step(
            &mut tx,
            &held.lease,
            State::Queued,
            Event::BuildStarted,
            self.now(),
        )
        .await?;
        if !moved {
            return Err(Stop::Lost);
        }
        rows::event::add(
            &mut *tx,
            self.now(),
            NewEvent::about("deployment.building", deployment),
        )
        .await?;
        tx.commit().await?;
        self.inner.news.ring();
        self.put_out_table().await?;
        Ok(())
    }

    async fn finish_build(&self, deployment: &Deployment, held: &Held, built: Built) -> Result<(), Stop> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let state = rows::deployment::by_id(&mut *tx, &deployment.id)
            .await?
            .map(|row| row.state);
        if state == Some(State::Queued) {
            rows::deployment::step(&mut tx, &held.lease, State::Queued, Event::BuildStarted, now).await?;
        }
        if !rows::deployment::step(&mut tx, &held.lease, State::Building, Event::BuildFinished, now).await? {
            return Err(Stop::Lost);
        }
        rows::deployment::set_artifact(&mut tx, &held.lease, &built.artifact, built.by.as_ref()).await?;
        if let Some(key) = &built.record {
            let build = NewBuild {
                project: &deployment.project_id,
                key,
                trust: deployment.trust,
                artifact: &built.artifact,
                deployment: &deployment.id,
                now,
            };
            rows::build::record(&mut *tx, build).await?;
        }
        rows::host::claim_pinned(&mut tx, &deployment.preview, &deployment.id, &deployment.project).await?;
        rows::event::add(&mut *tx, now, NewEvent::about("deployment.deploying", deployment)).await?;
        tx.commit().await?;
        Ok(())
    }
}
