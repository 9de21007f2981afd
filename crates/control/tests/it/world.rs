//! One installation in a temporary directory, and the words that the stories are told with.

use std::collections::BTreeMap;
use std::sync::Arc;

use builder::fake::FakeRunner;
use builder::{Builder, BuilderOptions};
use control::ops::{DeployRequest, InlineFile, OpError};
use control::view::{Deployment, LogKind, Preview};
use control::{Clock, Control, ControlOptions, Disk, Policy, PublicAddress};
use model::deployment::State;
use model::preview::Origin;
use model::{DeploymentId, EnvironmentName, NamespaceName, ProjectName};
use provider::fake::FakeProvider;
use store::{Room, Store};
use tempfile::TempDir;

use crate::edge::{Answer, FakeEdge};

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) store: Store,
    pub(crate) provider: FakeProvider,
    pub(crate) runner: FakeRunner,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) policy: Policy,
    pub(crate) edge: FakeEdge,
    pub(crate) control: Control,
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::new(name).unwrap()
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

/// A page that says `text`.
pub(crate) fn page(text: &str) -> Vec<(String, String)> {
    vec![("index.html".to_owned(), text.to_owned())]
}

/// A server whose start command is `command`; the fake provider tells behaviours apart by it.
pub(crate) fn server(command: &str) -> Vec<(String, String)> {
    vec![("cx.toml".to_owned(), format!("[run]\ncommand = \"{command}\"\n"))]
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(1_700_000_000_000).await
    }

    /// One whose clock begins now, like the times of files: what is in the store grows old when the clock is moved.
    pub(crate) async fn today() -> Self {
        Self::at(Clock::system().now_ms()).await
    }

    async fn at(now_ms: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let parts = Parts {
            store: Store::open(&directory.path().join("store")).unwrap(),
            provider: FakeProvider::new(),
            runner: FakeRunner::default(),
            clock: Clock::held(now_ms),
            disk: Disk::held(Room {
                free_bytes: 100 << 30,
                total_bytes: 200 << 30,
            }),
            policy: Policy::default(),
        };
        let (control, edge) = open(&directory, parts.clone()).await;
        let Parts {
            store,
            provider,
            runner,
            clock,
            disk,
            policy,
        } = parts;
        Self {
            directory,
            store,
            provider,
            runner,
            clock,
            disk,
            policy,
            edge,
            control,
        }
    }

    /// The platform dies and starts again over the same data; what runs outside goes on running.
    pub(crate) async fn restart(&mut self) {
        self.control.close().await;
        let parts = Parts {
            store: self.store.clone(),
            provider: self.provider.clone(),
            runner: self.runner.clone(),
            clock: self.clock.clone(),
            disk: self.disk.clone(),
            policy: self.policy.clone(),
        };
        (self.control, self.edge) = open(&self.directory, parts).await;
    }

    pub(crate) async fn try_deploy(
        &self,
        name: &str,
        space: &str,
        files: Vec<(String, String)>,
        variables: &[(&str, &str)],
    ) -> Result<Deployment, OpError> {
        let file = |(path, text): (String, String)| InlineFile {
            path,
            bytes: text.into_bytes(),
            executable: false,
        };
        let tree = self
            .control
            .put_inline(&project(name), files.into_iter().map(file).collect())
            .await?;
        let variables: BTreeMap<_, _> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = DeployRequest {
            project: project(name),
            namespace: namespace(space),
            environment: EnvironmentName::Preview,
            tree,
            origin: Origin::Files,
            ttl: None,
            variables,
            rebuild: false,
            uploaded: None,
        };
        self.control.deploy(request).await
    }

    /// Queues a deployment; nothing has happened to it yet.
    pub(crate) async fn queue(&self, name: &str, space: &str, files: Vec<(String, String)>) -> DeploymentId {
        self.try_deploy(name, space, files, &[]).await.unwrap().id
    }

    /// Deploys and lets everything come to rest.
    pub(crate) async fn deploy(&self, name: &str, space: &str, files: Vec<(String, String)>) -> Deployment {
        let id = self.queue(name, space, files).await;
        self.control.settle().await;
        self.deployment(&id).await
    }

    pub(crate) async fn deployment(&self, id: &DeploymentId) -> Deployment {
        self.control.deployment(id).await.unwrap()
    }

    pub(crate) async fn preview(&self, name: &str, space: &str) -> Preview {
        self.control
            .find_preview(&project(name), &namespace(space))
            .await
            .unwrap()
    }

    /// What a visitor of the address gets.
    pub(crate) async fn visit(&self, url: &str) -> Answer {
        self.edge.get(host(url)).await
    }

    /// Whether pages at the address reload when it changes.
    pub(crate) fn is_watched(&self, url: &str) -> bool {
        self.edge.route(host(url)).is_some_and(|route| route.watched)
    }

    pub(crate) async fn log(&self, id: &DeploymentId) -> Vec<String> {
        let page = self.control.log(id, LogKind::Build, 0).await.unwrap();
        page.lines.into_iter().map(|line| line.text).collect()
    }

    pub(crate) async fn event_kinds(&self) -> Vec<String> {
        self.control
            .events(0)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .collect()
    }

    /// Nothing half-way and nothing left behind: what runs is what the rows call for, and every unfinished thing is gone.
    pub(crate) async fn assert_quiet(&self) {
        self.control.settle().await;
        let mut called_for = Vec::new();
        for preview in self.control.previews().await.unwrap() {
            for deployment in self.control.deployments(&preview.id).await.unwrap() {
                assert!(
                    !deployment.state.is_unfinished(),
                    "{} is {}",
                    deployment.id,
                    deployment.state
                );
                assert!(
                    deployment.phases.iter().all(|phase| phase.millis.is_some()),
                    "{:?}",
                    deployment.phases
                );
                assert!(deployment.state != State::Failed || deployment.failure.is_some());
                called_for.extend(deployment.instances.into_iter().map(|instance| instance.id));
                if deployment.current {
                    assert_eq!(self.visit(&preview.url).await.deployment, Some(deployment.id));
                }
            }
        }
        for instance in self.provider.instances() {
            assert!(
                called_for.contains(&instance.instance),
                "{} runs and no row calls for it",
                instance.instance
            );
        }
        let logs = std::fs::read_dir(self.directory.path().join("logs"))
            .into_iter()
            .flatten()
            .flatten();
        for log in logs {
            let id: DeploymentId = log.file_name().to_str().unwrap().parse().unwrap();
            assert!(
                self.control.deployment(&id).await.is_ok(),
                "the log of {id} is left behind"
            );
        }
    }
}

/// The host of `http://host:port`.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split("://").nth(1).unwrap();
    rest.split(':').next().unwrap()
}

/// What an installation is opened over.
#[derive(Clone)]
struct Parts {
    store: Store,
    provider: FakeProvider,
    runner: FakeRunner,
    clock: Clock,
    disk: Disk,
    policy: Policy,
}

async fn open(directory: &TempDir, parts: Parts) -> (Control, FakeEdge) {
    let Parts {
        store,
        provider,
        runner,
        clock,
        disk,
        policy,
    } = parts;
    let (edge, links) = FakeEdge::new(&store, &provider);
    let builder = Builder::new(BuilderOptions {
        store: store.clone(),
        runner: Arc::new(runner),
        registry_url: "http://127.0.0.1:9".to_owned(),
        proxy: None,
        toolchain_search: Vec::new(),
        installation_key: [3; 32],
        base_id: "test".to_owned(),
    });
    let options = ControlOptions {
        database: directory.path().join("state.db"),
        logs: directory.path().join("logs"),
        master_key: [9; 32],
        token: "token".to_owned(),
        public: PublicAddress {
            scheme: "http",
            domain: "localhost".to_owned(),
            port: Some(7700),
        },
        store,
        builder,
        provider: Arc::new(provider),
        links,
        clock,
        disk,
        policy,
        limits_hold: true,
        builds_max: 2,
        builds_per_project_max: 1,
    };
    (Control::open(options).await.unwrap(), edge)
}
