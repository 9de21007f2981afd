//! The seam: what every provider is asked and what it answers.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use model::artifact::Server;
use model::limits::Limits;
use model::network::Egress;
use model::{DeploymentId, InstanceId, PreviewId, ServiceName};
use sandbox::log::Line;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

/// Everything that is needed to make one instance exist.
#[derive(Clone)]
pub struct InstanceSpec {
    pub instance: InstanceId,
    pub preview: PreviewId,
    pub deployment: DeploymentId,
    pub service: ServiceName,
    /// Which of the service's instances it is, from 1.
    pub replica: u32,
    pub server: Server,
    /// A directory of the provider's machine to run over, instead of the source; absolute, without links.
    pub live: Option<PathBuf>,
    /// All variables it is given, secrets included.
    pub variables: Vec<(String, String)>,
    /// Values that must not appear in any log.
    pub secrets: Vec<String>,
    pub limits: Limits,
    pub egress: Egress,
}

/// What a provider can do, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub name: String,
    /// Whether an instance can be put to sleep without losing its memory.
    pub sleep: bool,
    /// Whether instances outlive the platform.
    pub survives_platform: bool,
    /// Whether usage is measured.
    pub usage: bool,
}

/// How an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    Absent,
    Running,
    Asleep,
    /// The process ended; `summary` says how, such as `exited with code 1`.
    Exited {
        summary: String,
        out_of_memory: bool,
    },
}

/// One instance as a provider sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub instance: InstanceId,
    pub phase: Phase,
}

/// What an instance has used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    pub pids: u32,
}

/// A piece of an instance's log.
#[derive(Clone, Debug)]
pub struct LogPage {
    pub lines: Vec<Line>,
    /// Where the next page starts; survives rotation.
    pub next: u64,
}

/// A call did not do its work; it can be made again.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("the instance {0} is not there")]
    Absent(InstanceId),
    #[error("{what} of instance {instance} failed: {why}")]
    Failed {
        what: &'static str,
        instance: InstanceId,
        why: String,
    },
    #[error("the instances of this machine could not be listed: {0}")]
    List(String),
}

/// Why an instance cannot take requests.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the server {summary}")]
    Exited { summary: String, out_of_memory: bool },
    /// `seen` names the sockets that were found but did not answer.
    #[error("nothing listened within {waited_seconds} s{}", if seen.is_empty() { String::new() } else { format!(" (found {})", seen.join(", ")) })]
    NeverListened { waited_seconds: u64, seen: Vec<String> },
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// Where instances run.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Makes the instance exist and run: starts it, wakes it, or finds that nothing is to be done. An instance that has
    /// exited is started again, and so is one that runs something else than `spec` asks for. Variables take effect at a
    /// start: different ones alone start nothing.
    async fn ensure(&self, spec: &InstanceSpec) -> Result<(), ProviderError>;

    /// Waits until the instance listens and gives the port. `port` is the one it is known to use; otherwise its
    /// listening sockets are looked at and the one that speaks HTTP is taken, `PORT` first.
    async fn ready(
        &self,
        instance: &InstanceId,
        port: Option<u16>,
        timeout: Duration,
    ) -> Result<u16, NotReady>;

    /// Puts it to sleep; its memory stays. Nothing to do where it sleeps or has exited already.
    async fn sleep(&self, instance: &InstanceId) -> Result<(), ProviderError>;

    /// How it is now. An unknown instance is [`Phase::Absent`], not an error.
    async fn observe(&self, instance: &InstanceId) -> Result<Observed, ProviderError>;

    /// All instances that carry this installation's label. An error is never an empty list.
    async fn list(&self) -> Result<Vec<Observed>, ProviderError>;

    /// Ends and removes it with all it wrote; its log stays readable. Absent is fine.
    async fn remove(&self, instance: &InstanceId) -> Result<(), ProviderError>;

    /// A connection to `port` inside the instance.
    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream>;

    /// Lines of its log from the cursor `from` on (0 is the beginning), 1,000 at the most. Goes on across restarts, and
    /// works after its end; the log of an unknown instance is empty.
    async fn logs(&self, instance: &InstanceId, from: u64) -> Result<LogPage, ProviderError>;

    /// What it has used.
    async fn usage(&self, instance: &InstanceId) -> Result<Usage, ProviderError>;
}
