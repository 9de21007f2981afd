//! The step from an artifact to a route: start, ask through the public route, switch, drain.
//!
//! Ready means that the edge itself answered for the new deployment through its public route. Then one transaction sets
//! Ready and moves the alias; until then nothing that serves has changed.

use std::time::Duration;

use builder::Observer;
use futures_util::future::join_all;
use model::artifact::Content;
use model::deployment::{Event, State};
use model::failure::{Code, Failure};
use model::plan::Health;
use model::{Artifact, InstanceId};
use provider::Phase;

use super::DRAIN_MS;
use super::advance::{Held, Stop};
use crate::control::Control;
use crate::links::{Check, NoAnswer};
use crate::rows::deployment::Deployment;
use crate::rows::event::NewEvent;
use crate::rows::instance::{Instance, Wanted};
use crate::rows::{self};
use crate::secret::random;

/// How often a starting server is looked at while its health is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What a health check may take beyond its own time-out: one answer that is under way.
const PROBE_GRACE: Duration = Duration::from_secs(40);

impl Control {
    pub(super) async fn deploy_step(&self, deployment: &Deployment, held: &Held) -> Result<(), Stop> {
        let Some(artifact) = &deployment.artifact else {
            return Err(
                Failure::new(Code::PlatformError, "the artifact of the deployment is missing").into(),
            );
        };
        let has_server = artifact
            .services
            .iter()
            .any(|part| matches!(part.content, Content::Server(_)));
        if has_server {
            self.start_servers(deployment, artifact, held).await?;
        }
        self.publish()
            .await
            .map_err(|error| Failure::new(Code::RouteUnanswered, error.to_string()))?;
        let phase = if has_server { "health" } else { "route" };
        held.journal.phase_started(phase);
        tokio::select! {
            answered = self.ask_through_route(deployment, artifact) => answered?,
            () = held.cancel.cancelled() => return Err(Stop::Lost),
        }
        if has_server {
            held.journal.phase_ended("health");
            held.journal.phase_started("route");
        }
        self.switch(deployment, held).await?;
        self.publish()
            .await
            .map_err(|error| Failure::new(Code::RouteUnanswered, error.to_string()))?;
        held.journal.phase_ended("route");
        let preview = rows::preview::by_id(self.db().read(), &deployment.preview)
            .await?
            .ok_or(Stop::Lost)?;
        held.journal
            .info(&format!("Live at {}", self.url(&preview.label)));
        Ok(())
    }

    async fn start_servers(
        &self,
        deployment: &Deployment,
        artifact: &Artifact,
        held: &Held,
    ) -> Result<(), Stop> {
        held.journal.phase_started("start");
        for part in &artifact.services {
            if matches!(part.content, Content::Static { .. }) {
                continue;
            }
            let planned = deployment.plan.as_ref();
            let count = planned.map_or(1, |plan| plan.instances(&part.service)).max(1);
            for replica in 1..=count {
                let bytes = random().map_err(|error| Failure::new(Code::PlatformError, error.to_string()))?;
                let id = InstanceId::from_random(bytes);
                let which = (&deployment.id, &part.service, replica);
                rows::instance::ensure(self.db().write(), &id, which, self.now()).await?;
            }
        }
        let instances = rows::instance::of(self.db().read(), &deployment.id).await?;
        // Side by side, and all of them to their end: none is left half-way because another one failed.
        let started = join_all(
            instances
                .iter()
                .map(|instance| self.start_one(deployment, instance)),
        );
        tokio::select! {
            started = started => started.into_iter().collect::<Result<(), Failure>>()?,
            () = held.cancel.cancelled() => return Err(Stop::Lost),
        };
        held.journal.phase_ended("start");
        Ok(())
    }

    async fn start_one(&self, deployment: &Deployment, instance: &Instance) -> Result<(), Failure> {
        let Some(_in_hand) = self.take_in_hand(instance.id.as_str()) else {
            return Err(Failure::new(
                Code::PlatformError,
                "the instance is being worked on",
            ));
        };
        self.start_instance(deployment, instance).await.map(drop)
    }

    async fn ask_through_route(&self, deployment: &Deployment, artifact: &Artifact) -> Result<(), Stop> {
        let row = rows::deployment::by_id(self.db().read(), &deployment.id)
            .await?
            .ok_or(Stop::Lost)?;
        let label = row.label.ok_or(Stop::Lost)?;
        let web = artifact.part(&model::ServiceName::web());
        let health = match web.map(|part| &part.content) {
            Some(Content::Server(server)) => server.health.clone(),
            _ => Health::default(),
        };
        let host = format!("{label}.{}", self.inner.public.domain);
        let check = Check {
            host,
            deployment: deployment.id.clone(),
            health,
        };
        let instances = rows::instance::of(self.db().read(), &deployment.id).await?;
        tokio::select! {
            answer = self.answers(&check, instances.len()) => match answer {
                Ok(()) => Ok(()),
                Err(no_answer) => Err(self.no_answer(deployment, &instances, &no_answer).await.into()),
            },
            failure = self.wait_for_exit(deployment, &instances) => Err(failure.into()),
        }
    }

    /// Asks once for each instance: the edge takes turns.
    async fn answers(&self, check: &Check, instances: usize) -> Result<(), NoAnswer> {
        for _ in 0..instances.max(1) {
            self.answer(check).await?;
        }
        Ok(())
    }

    /// The probe keeps the time of the health check itself; this is for one that does not come back.
    async fn answer(&self, check: &Check) -> Result<(), NoAnswer> {
        let at_most = Duration::from_secs(u64::from(check.health.timeout_seconds)) + PROBE_GRACE;
        let answered = self.inner.clock.within(at_most, self.inner.probe.answer(check));
        answered.await.unwrap_or_else(|| {
            Err(NoAnswer::Edge {
                deployment: check.deployment.clone(),
                why: format!("it was not heard of for {} s", at_most.as_secs()),
            })
        })
    }

    async fn no_answer(
        &self,
        deployment: &Deployment,
        instances: &[Instance],
        no_answer: &NoAnswer,
    ) -> Failure {
        let failure = match no_answer {
            NoAnswer::Unhealthy { .. } | NoAnswer::Silent { .. } => {
                Failure::new(Code::HealthCheckFailed, no_answer.to_string())
            }
            NoAnswer::Edge { .. } => return Failure::new(Code::RouteUnanswered, no_answer.to_string()),
        };
        match instances.first() {
            Some(instance) => self.with_log(deployment, instance, failure).await,
            None => failure,
        }
    }

    /// Returns when one of the instances ends by itself; a server that is gone need not be asked until the time-out.
    async fn wait_for_exit(&self, deployment: &Deployment, instances: &[Instance]) -> Failure {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            for instance in instances {
                let Ok(observed) = self.inner.provider.observe(&instance.id).await else {
                    continue;
                };
                let failure = match observed.phase {
                    Phase::Exited {
                        out_of_memory: true, ..
                    } => Failure::new(Code::OutOfMemory, "the server used more memory than its limit")
                        .at(model::failure::Stage::Start),
                    Phase::Exited { summary, .. } => {
                        Failure::new(Code::ServerExited, format!("the server {summary}"))
                    }
                    Phase::Absent | Phase::Running | Phase::Asleep => continue,
                };
                return self.with_log(deployment, instance, failure).await;
            }
        }
    }

    /// Ready, current and alias in one transaction. The predecessor drains and then rests.
    async fn switch(&self, deployment: &Deployment, held: &Held) -> Result<(), Stop> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        if !rows::deployment::step(&mut tx, &held.lease, State::Deploying, Event::Answered, now).await? {
            return Err(Stop::Lost);
        }
        let preview = rows::preview::by_id(&mut *tx, &deployment.preview)
            .await?
            .ok_or(Stop::Lost)?;
        if !rows::preview::set_current(&mut tx, &deployment.preview, &deployment.id).await? {
            return Err(Stop::Lost);
        }
        if let Some(before) = preview.current.filter(|before| *before != deployment.id) {
            rows::instance::want_all(&mut *tx, &before, Wanted::Awake, Some(now + DRAIN_MS)).await?;
        }
        let event = NewEvent::about("preview.switched", deployment);
        rows::event::add(&mut *tx, now, event).await?;
        tx.commit().await?;
        Ok(())
    }
}
