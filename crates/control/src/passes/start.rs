//! Starting an instance and waiting until it listens: the same for a first start, a wake and a restart.

use std::time::Duration;

use builder::diagnose::{Sources, explain};
use model::artifact::{Content, Server};
use model::failure::{Code, Failure, Stage};
use provider::{InstanceSpec, NotReady, ProviderError};

use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::instance::Instance;
use crate::rows::{self};

/// Lines of the runtime log that are looked at for an excerpt.
const LOG_PAGES_MAX: usize = 50;

impl Control {
    /// Makes `instance` run and gives the port it listens on; the row is written when it does.
    pub(super) async fn start_instance(
        &self,
        deployment: &Deployment,
        instance: &Instance,
    ) -> Result<u16, Failure> {
        let platform = |error: &dyn std::fmt::Display| {
            Failure::new(Code::PlatformError, error.to_string()).at(Stage::Start)
        };
        let server = server_of(deployment, instance).ok_or_else(|| {
            platform(&format!(
                "{} has nothing to run for {}",
                deployment.id, instance.service
            ))
        })?;
        let spec = self
            .instance_spec(deployment, instance, server.clone())
            .await
            .map_err(|error| platform(&error))?;
        self.inner
            .provider
            .ensure(&spec)
            .await
            .map_err(|error| start_failure(&error))?;
        let timeout = Duration::from_secs(u64::from(server.health.timeout_seconds));
        let ready = self
            .inner
            .provider
            .ready(&instance.id, server.port, timeout)
            .await;
        let port = match ready {
            Ok(port) => port,
            Err(not_ready) => {
                return Err(self
                    .with_log(deployment, instance, not_ready_failure(&not_ready))
                    .await);
            }
        };
        let written = rows::instance::set_running(self.db().write(), &instance.id, port, self.now()).await;
        written.map_err(|error| platform(&error))?;
        Ok(port)
    }

    async fn instance_spec(
        &self,
        deployment: &Deployment,
        instance: &Instance,
        server: Server,
    ) -> Result<InstanceSpec, Box<dyn std::error::Error + Send + Sync>> {
        let given = self.given(deployment).await?;
        let preview = rows::preview::by_id(self.db().read(), &deployment.preview).await?;
        let alias = preview.map(|preview| preview.label).unwrap_or_default();
        let mut variables: Vec<_> = given.variables.into_iter().collect();
        variables.extend(self.told(deployment, &alias));
        variables.push(("CYGNI_INSTANCE".to_owned(), instance.replica.to_string()));
        let plan = deployment.plan.as_ref();
        let ceiling = deployment.trust.network_ceiling().run;
        Ok(InstanceSpec {
            instance: instance.id.clone(),
            preview: deployment.preview.clone(),
            deployment: deployment.id.clone(),
            service: instance.service.clone(),
            replica: instance.replica,
            server,
            live: deployment.live_directory.as_ref().map(Into::into),
            variables,
            secrets: given.secrets,
            limits: plan.map(|plan| plan.limits.clone()).unwrap_or_default(),
            egress: plan.map_or_else(|| ceiling.clone(), |plan| plan.network.run.within(&ceiling)),
        })
    }

    /// The failure with the last lines that the instance wrote, and what they say of it.
    pub(super) async fn with_log(
        &self,
        deployment: &Deployment,
        instance: &Instance,
        failure: Failure,
    ) -> Failure {
        let mut lines = Vec::new();
        let mut from = 0;
        for _ in 0..LOG_PAGES_MAX {
            let Ok(page) = self.inner.provider.logs(&instance.id, from).await else {
                break;
            };
            if page.lines.is_empty() {
                break;
            }
            lines.extend(page.lines.into_iter().map(|line| line.text));
            let excess = lines.len().saturating_sub(model::failure::EXCERPT_LINES_MAX);
            lines.drain(..excess);
            from = page.next;
        }
        self.explained(deployment, failure, &lines).excerpt(lines)
    }

    /// Where in the source a server stopped, when its last words tell.
    fn explained(&self, deployment: &Deployment, failure: Failure, lines: &[String]) -> Failure {
        let root = deployment.plan.as_ref().map_or("", |plan| plan.root.as_str());
        let tree = deployment.source.map(|source| self.inner.store.tree(&source));
        match tree {
            Some(Ok(tree)) if failure.code == Code::ServerExited => {
                explain(failure, lines, Sources { tree: &tree, root })
            }
            _ => failure,
        }
    }
}

/// What `instance` runs.
pub(super) fn server_of<'a>(deployment: &'a Deployment, instance: &Instance) -> Option<&'a Server> {
    let part = deployment.artifact.as_ref()?.part(&instance.service)?;
    match &part.content {
        Content::Server(server) => Some(server),
        Content::Static { .. } => None,
    }
}

fn start_failure(error: &ProviderError) -> Failure {
    Failure::new(Code::SandboxFailed, error.to_string()).at(Stage::Start)
}

fn not_ready_failure(not_ready: &NotReady) -> Failure {
    match not_ready {
        NotReady::Exited {
            out_of_memory: true, ..
        } => Failure::new(Code::OutOfMemory, "the server used more memory than its limit").at(Stage::Start),
        NotReady::Exited { .. } => Failure::new(Code::ServerExited, not_ready.to_string()),
        NotReady::NeverListened { .. } => Failure::new(Code::NeverListened, not_ready.to_string()),
        NotReady::Provider(error) => start_failure(error),
    }
}
