//! What the API, the dashboard and the command line show of the rows: one shape for all of them.

mod subscribers;

pub use subscribers::{
    AddedSubscriber, EVENT_KINDS, Happening, HookDeployment, HookEvent, Replayed, Sending, SendingState,
    Subscriber, TEST_KIND, Trial,
};

use std::collections::BTreeMap;

use model::commit::CommitSha;
use model::commit::Revision;
use model::deployment::State;
use model::git::GitBounds;
use model::preview::{Origin, Status, TimeToLive};
use model::{
    Artifact, DeploymentId, Digest, EnvironmentName, Failure, InstanceId, NamespaceName, Plan, PreviewId,
    ProjectId, ProjectName, RepositoryId, ServiceName,
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
    /// Changes of its repository are noted, and nothing is deployed because of them.
    #[serde(default)]
    pub paused: bool,
    /// Where its changes come from.
    #[serde(default)]
    pub repository: Option<ProjectRepository>,
}

/// Which part of which repository a project is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProjectRepository {
    pub repository: Repository,
    /// The project's directory in it; empty for all of it.
    pub root: String,
    /// What the operator says above the `[git]` of the project's cx.toml.
    pub settings: GitBounds,
}

/// A repository at a forge.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
    pub id: RepositoryId,
    /// The forge's name here.
    pub forge: String,
    /// `owner/name`.
    pub name: String,
    pub default_branch: String,
    pub web_url: String,
    /// `active`; `gone` where the forge has it no more; `held` where somebody has to look first.
    pub state: String,
    /// Why it is held.
    pub held_reason: Option<String>,
    /// What is wrong right now.
    pub trouble: Option<String>,
    /// When its open pull requests were last listed.
    pub listed_at_ms: Option<i64>,
    /// `set`; `wanted` where it could not be set yet; `none` where deliveries come without one, or none is wanted.
    pub webhook: String,
    /// Why it could not be set.
    pub webhook_trouble: Option<String>,
}

/// Where changes come from and reports go to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forge {
    pub name: String,
    /// `github` or `gitea`.
    pub kind: String,
    /// Its pages.
    pub web_url: Option<String>,
    /// By what right it is asked: `app`, `token` or `none`.
    pub credentials: String,
    /// Whether the server was given it at its start, and keeps no credentials of it.
    pub given: bool,
    /// Where somebody lets the App see repositories.
    pub install_url: Option<String>,
    /// Where it delivers to.
    pub webhook_url: String,
    /// Repositories of projects here.
    pub repositories: u64,
    /// What is wrong with it right now.
    pub trouble: Option<String>,
    pub created_at_ms: i64,
}

/// A forge that was added, with what is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddedForge {
    pub forge: Forge,
    /// What its webhooks are signed with, for webhooks that are made by hand.
    pub webhook_secret: String,
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
    /// When it is deleted by itself; every deployment puts that off.
    pub expires_at_ms: Option<i64>,
    /// Whether somebody works on it right now: its pages reload when it changes.
    pub watched: bool,
    /// How long it lives after its newest deployment: seconds, such as `604800s`, or `never`.
    #[serde(default)]
    pub ttl: TimeToLive,
    /// Ready deployments that are kept, the current one included.
    #[serde(default)]
    pub keep: u32,
}

/// One attempt to serve one revision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub environment: EnvironmentName,
    pub state: State,
    /// What it waits for while it is queued, when that is not its turn alone.
    #[serde(default)]
    pub waiting: Option<String>,
    /// The pinned address; this deployment for ever.
    pub url: String,
    /// The address of its preview.
    pub preview_url: String,
    /// Digest of the source tree; absent until it has been fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// Where the source comes from, when nobody sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
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
    /// The directory of the server's machine over which its development server runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_directory: Option<String>,
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
    /// Which of the service's instances it is, from 1.
    pub replica: u32,
    pub state: InstanceState,
    pub port: Option<u16>,
}

impl Instance {
    /// Its service and its number, such as `web-2`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.service, self.replica)
    }
}

/// How an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// It has never listened yet.
    Starting,
    /// It takes requests.
    Running,
    /// A request wakes it.
    Asleep,
    /// It ended by itself, and is started again after a while.
    Restarting,
}

impl InstanceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Asleep => "asleep",
            Self::Restarting => "restarting",
        }
    }
}

/// What happened, for whoever follows along.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Grows by one with every event; the cursor of a follower.
    pub sequence: i64,
    pub at_ms: i64,
    /// One of [`EVENT_KINDS`], such as `deployment.ready`.
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

/// Which log of a deployment, and of which of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSource {
    pub kind: LogKind,
    /// Of a runtime log: the number of the instance, from 1; `None` is the first.
    pub instance: Option<u32>,
}

impl From<LogKind> for LogSource {
    fn from(kind: LogKind) -> Self {
        Self { kind, instance: None }
    }
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

/// What the server takes on its disk, and what is left.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Bytes that can still be written.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Below this many free bytes builds wait and uploads are refused.
    pub floor_bytes: u64,
    /// By what it is for: `files`, `layers`, `scratch`, `staging`, `logs`, `database`.
    pub parts: BTreeMap<String, UsagePart>,
    /// What the newest look through the store removed; absent before the first.
    pub collected: Option<CollectedView>,
}

/// Bytes on disk and the number of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsagePart {
    pub bytes: u64,
    pub files: u64,
}

/// What a look through the store removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Collected")]
pub struct CollectedView {
    pub at_ms: i64,
    pub millis: u64,
    pub blobs: u64,
    pub trees: u64,
    pub layers: u64,
    pub scratches: u64,
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

/// Something that a forge delivered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The name of the forge here.
    pub forge: String,
    /// The forge's id of it, the same when it is delivered again.
    pub delivery: String,
    /// The forge's name of what happened, such as `pull_request`.
    pub event: String,
    pub received_at_ms: i64,
    /// When it had been worked on; absent before.
    pub done_at_ms: Option<i64>,
    /// What came of it.
    pub outcome: String,
}

/// A pull request or a branch that is followed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// The name of the forge here.
    pub forge: String,
    /// `owner/name`.
    pub repository: String,
    /// Why nothing of the repository is removed until somebody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Of a pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Of a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where its previews are.
    pub namespace: NamespaceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Its page at the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub fork: bool,
    /// Closed, merged or deleted.
    pub over: bool,
    /// Its newest commit, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether something was heard of it that has not been looked at yet.
    pub pending: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at_ms: Option<i64>,
    /// Why it cannot be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What each project makes of it.
    pub projects: Vec<HeadProject>,
}

/// What a project makes of a pull request or branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeadProject {
    pub project: ProjectName,
    /// `deploy`, `awaits_approval`, `skipped`, `kept`, `paused`, `over`, or `unknown` before the first look.
    pub state: String,
    /// Why, where it is no preview of the newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The commit that was deployed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<String>,
}

/// What would be done because of a delivery.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    pub delivery: String,
    pub event: String,
    pub steps: Vec<RehearsedStep>,
}

/// One thing that would be done, or not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RehearsedStep {
    /// The repository, and the pull request or branch, such as `acme/shop pull/12`.
    pub about: String,
    pub project: Option<ProjectName>,
    /// `deploy`, `remove`, `await_approval`, `skip`, `keep`, `command`, `look` or `ignore`.
    pub action: String,
    pub commit: Option<CommitSha>,
    /// How far the author is trusted: `member` or `fork`.
    pub trust: Option<String>,
    pub reason: String,
}
