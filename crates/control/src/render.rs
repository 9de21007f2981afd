//! The route table as a pure rendering of rows, and the views that people and programs see of them.

use std::collections::HashMap;

use model::artifact::Content;
use model::deployment::State;
use model::failure::{Code, Failure};
use model::preview::{Facts, status};
use model::route::{Kind, Notice, Readiness, Replica, Route, RouteTable, Target};
use model::{DeploymentId, PreviewId, ServiceName};

use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::host::Gone;
use crate::rows::instance::{Instance, Wanted};
use crate::rows::preview::Preview;
use crate::rows::{self};
use crate::view::{self, InstanceState};

/// The rows that the route table is rendered from.
pub(crate) struct RouteRows {
    pub(crate) previews: Vec<Preview>,
    /// The newest of every preview, and every one that may have a route.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) gone: Vec<Gone>,
}

/// Renders the table; `host` makes a host name of a label.
pub(crate) fn route_table(rows: &RouteRows, generation: u64, host: impl Fn(&str) -> String) -> RouteTable {
    let mut instances: HashMap<(&DeploymentId, &ServiceName), Vec<&Instance>> = HashMap::new();
    for instance in &rows.instances {
        let service = (&instance.deployment, &instance.service);
        instances.entry(service).or_default().push(instance);
    }
    let target = |deployment: &Deployment| serving_target(deployment, &instances);
    let mut routes = HashMap::with_capacity(rows.deployments.len() * 2 + rows.gone.len());
    for gone in &rows.gone {
        routes.insert(host(&gone.label), gone_route(gone));
    }
    let mut newest: HashMap<&PreviewId, &Deployment> = HashMap::new();
    for deployment in &rows.deployments {
        if let (Some(label), true) = (&deployment.label, deployment.state.may_run()) {
            routes.insert(host(label), route(deployment, Kind::Pinned, target(deployment)));
        }
        let known = newest.entry(&deployment.preview).or_insert(deployment);
        if deployment.sequence > known.sequence {
            *known = deployment;
        }
    }
    let serving: HashMap<&PreviewId, &Deployment> = rows
        .deployments
        .iter()
        .filter(|d| d.current && d.state == State::Ready)
        .map(|d| (&d.preview, d))
        .collect();
    for preview in &rows.previews {
        let mut shown = match (serving.get(&preview.id), newest.get(&preview.id)) {
            (Some(current), _) => route(current, Kind::Alias, target(current)),
            (None, Some(newest)) => Route {
                deployment: None,
                ..route(newest, Kind::Alias, notice(newest))
            },
            // Made before anything was deployed to it.
            (None, None) => Route {
                kind: Kind::Alias,
                project: preview.project.clone(),
                namespace: preview.namespace.clone(),
                service: ServiceName::web(),
                deployment: None,
                target: Target::Notice(Notice::Queued),
                watched: false,
            },
        };
        shown.watched = preview.watched_until_ms.is_some();
        routes.insert(host(&preview.label), shown);
    }
    RouteTable { generation, routes }
}

fn route(deployment: &Deployment, kind: Kind, target: Target) -> Route {
    Route {
        kind,
        project: deployment.project.clone(),
        namespace: deployment.namespace.clone(),
        service: ServiceName::web(),
        deployment: Some(deployment.id.clone()),
        target,
        watched: false,
    }
}

fn gone_route(gone: &Gone) -> Route {
    Route {
        kind: Kind::Alias,
        project: gone.project.clone(),
        namespace: gone.namespace.clone(),
        service: ServiceName::web(),
        deployment: None,
        target: Target::Notice(Notice::Gone),
        watched: false,
    }
}

fn serving_target(
    deployment: &Deployment,
    instances: &HashMap<(&DeploymentId, &ServiceName), Vec<&Instance>>,
) -> Target {
    let web = ServiceName::web();
    let part = deployment
        .artifact
        .as_ref()
        .and_then(|artifact| artifact.part(&web));
    match part.map(|part| &part.content) {
        Some(Content::Static { tree, spa }) => Target::Static {
            tree: *tree,
            spa: *spa,
        },
        Some(Content::Server(_)) => {
            let all = instances.get(&(&deployment.id, &web)).into_iter().flatten();
            let known: Vec<Replica> = all.filter_map(|instance| replica(instance)).collect();
            match known.is_empty() {
                true => Target::Notice(Notice::Starting),
                false => Target::Instances(known),
            }
        }
        None => Target::Notice(Notice::Starting),
    }
}

/// What the edge is told of an instance, once its port is known.
fn replica(instance: &Instance) -> Option<Replica> {
    Some(Replica {
        instance: instance.id.clone(),
        port: instance.port?,
        readiness: match instance.state() {
            InstanceState::Running => Readiness::Ready,
            InstanceState::Asleep => Readiness::Asleep,
            InstanceState::Starting | InstanceState::Restarting => Readiness::Away,
        },
    })
}

fn notice(newest: &Deployment) -> Target {
    let failed = |failure: Failure| Notice::Failed(Box::new(failure));
    Target::Notice(match newest.state {
        State::Queued => Notice::Queued,
        State::Building => Notice::Building,
        State::Deploying | State::Ready => Notice::Starting,
        State::Failed => {
            let unknown = || Failure::new(Code::PlatformError, "the deployment failed");
            failed(newest.failure.clone().unwrap_or_else(unknown))
        }
        State::Cancelled => failed(Failure::new(Code::Cancelled, "the deployment was cancelled")),
        State::Retired => Notice::Gone,
    })
}

/// What others are told: Ready only after the edge has acknowledged the routes that make it true.
fn told_state(row: &Deployment) -> State {
    match row.state {
        State::Ready if !row.announced => State::Deploying,
        state => state,
    }
}

impl Control {
    /// The view of a deployment.
    pub(crate) async fn view_deployment(&self, row: Deployment) -> Result<view::Deployment, sqlx::Error> {
        let preview = rows::preview::by_id(self.db().read(), &row.preview).await?;
        let alias = preview
            .map(|preview| self.url(&preview.label))
            .unwrap_or_default();
        self.view_deployment_at(row, &alias).await
    }

    async fn view_deployment_at(
        &self,
        row: Deployment,
        alias: &str,
    ) -> Result<view::Deployment, sqlx::Error> {
        let instances = rows::instance::of(self.db().read(), &row.id).await?;
        let instance = |instance: Instance| view::Instance {
            state: instance.state(),
            id: instance.id,
            service: instance.service,
            replica: instance.replica,
            port: instance.port,
        };
        let pinned = match &row.label {
            Some(label) => self.url(label),
            None => self.url(&model::host::pinned_label(&row.project, &row.id)),
        };
        let state = told_state(&row);
        Ok(view::Deployment {
            url: pinned,
            preview_url: alias.to_owned(),
            phases: rows::phase::of(self.db().read(), &row.id).await?,
            instances: instances
                .into_iter()
                .filter(|row| row.wanted != Wanted::Gone)
                .map(instance)
                .collect(),
            id: row.id,
            project: row.project,
            namespace: row.namespace,
            environment: row.environment,
            state,
            waiting: row.waiting,
            source: row.source,
            revision: row.revision,
            created_at_ms: row.created_at_ms,
            finished_at_ms: row.finished_at_ms,
            current: row.current,
            reused_build_of: row.reused_build_of,
            plan: row.plan,
            artifact: row.artifact,
            failure: row.failure,
            live_directory: row.live_directory,
        })
    }

    /// The view of a preview, its status derived.
    pub(crate) async fn view_preview(&self, row: Preview) -> Result<view::Preview, sqlx::Error> {
        let url = self.url(&row.label);
        let deployments = rows::deployment::of(self.db().read(), &row.id).await?;
        let current = deployments
            .iter()
            .find(|deployment| deployment.current && deployment.state == State::Ready);
        let asleep = match current {
            Some(current) => {
                let instances = rows::instance::of(self.db().read(), &current.id).await?;
                !instances.is_empty() && instances.iter().all(|row| row.state() == InstanceState::Asleep)
            }
            None => false,
        };
        let facts = Facts {
            newest: deployments.first().map(told_state),
            serving: current.is_some(),
            asleep,
            expired: row.expires_at_ms.is_some_and(|at| at <= self.now()),
        };
        let newest = match deployments.into_iter().next() {
            Some(newest) => Some(self.view_deployment_at(newest, &url).await?),
            None => None,
        };
        Ok(view::Preview {
            status: status(facts),
            url,
            newest,
            id: row.id,
            project: row.project,
            namespace: row.namespace,
            environment: row.environment,
            origin: row.origin,
            current: row.current,
            created_at_ms: row.created_at_ms,
            expires_at_ms: row.expires_at_ms,
            watched: row.watched_until_ms.is_some(),
            ttl: row.ttl,
            keep: row.keep,
        })
    }
}
