//! What the API, the dashboard and the command line show of the rows: one shape for all of them.

use std::collections::BTreeMap;

use model::deployment::State;
use model::preview::{Origin, Status};
use model::{
    Artifact, DeploymentId, Digest, EnvironmentName, Failure, InstanceId, NamespaceName, Plan, PreviewId,
    ProjectId, ProjectName, ServiceName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A codebase with settings.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    pub id: ProjectId,
    pub name: ProjectName,
    pub created_at_ms: i64,
    /// How many previews it has.
    pub previews: u64,
}

/// The previews of one change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Namespace {
    pub name: NamespaceName,
    pub previews: Vec<Preview>,
}

/// The long-lived environment of one context.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    pub id: PreviewId,
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub environment: EnvironmentName,
    pub status: Status,
    /// The stable address; follows the current deployment.
    pub url: String,
    pub origin: Origin,
    /// What the alias follows.
    pub current: Option<DeploymentId>,
    /// The newest deployment, whatever became of it.
    pub newest: Option<Deployment>,
    pub created_at_ms: i64,
    pub expires_at_ms: Option<i64>,
    /// Whether somebody works on it right now: its pages reload when it changes.
    pub watched: bool,
}

/// One attempt to serve one revision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub environment: EnvironmentName,
    pub state: State,
    /// The pinned address; this deployment for ever.
    pub url: String,
    /// The address of its preview.
    pub preview_url: String,
    /// Digest of the source tree.
    pub source: Digest,
    pub created_at_ms: i64,
    pub finished_at_ms: Option<i64>,
    /// Whether its preview's alias follows it.
    pub current: bool,
    pub phases: Vec<Phase>,
    /// The deployment whose build it uses, when it did not need one of its own.
    pub reused_build_of: Option<DeploymentId>,
    pub plan: Option<Plan>,
    pub artifact: Option<Artifact>,
    pub failure: Option<Failure>,
    pub instances: Vec<Instance>,
}

/// One phase of a deployment: `upload`, `detect`, `toolchain`, `install`, `build`, `collect`, `start`, `health`, `route`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    pub name: String,
    pub started_at_ms: i64,
    /// `None` while it runs.
    pub millis: Option<u64>,
}

/// Something that runs for a deployment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    pub id: InstanceId,
    pub service: ServiceName,
    pub asleep: bool,
    pub port: Option<u16>,
}

/// What happened, for whoever follows along.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Grows by one with every event; the cursor of a follower.
    pub sequence: i64,
    pub at_ms: i64,
    /// `preview.created`, `preview.deleted`, `preview.expired`, `deployment.queued`, `deployment.building`, `deployment.phase`,
    /// `deployment.deploying`, `deployment.ready`, `deployment.failed`, `deployment.cancelled`, `deployment.retired`,
    /// `preview.switched`, `instance.asleep`, `instance.awake`, `instance.exited`.
    pub kind: String,
    pub project: Option<ProjectName>,
    pub namespace: Option<NamespaceName>,
    pub deployment: Option<DeploymentId>,
    /// More about it, by name.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
}

/// Which log of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Detection, install, build, and what the platform did to start and route it.
    Build,
    /// What its instances wrote.
    Runtime,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    pub at_ms: i64,
    /// `out`, `err`, `info`, `warn` or `error`.
    pub level: String,
    pub text: String,
}

/// A piece of a log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Where the next page starts.
    pub next: u64,
    /// Whether nothing more will come.
    pub ended: bool,
}

/// A variable as it is listed; the value of a secret is never shown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Variable {
    pub name: String,
    pub secret: bool,
    pub value: Option<String>,
}

/// What the server says of itself to anybody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Installation")]
pub struct Health {
    /// `ok`.
    pub status: String,
    pub version: String,
    /// Names this installation.
    pub installation: String,
    pub started_at_ms: i64,
    /// What stands behind every label of a preview's host.
    pub domain: String,
}
