//! The seam behind which foreign code runs.

use std::path::PathBuf;

use async_trait::async_trait;
use model::network::Egress;
use sandbox::egress::AllowedAddress;
use sandbox::log::Line;
use sandbox::{Exit, Limits};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One command of a build and everything it may see.
#[derive(Clone)]
pub struct StepSpec {
    /// `[a-z0-9-]{1,64}`.
    pub name: String,
    /// For `/bin/sh -c`.
    pub command: String,
    /// Absolute, inside.
    pub directory: String,
    /// The whole environment. Holds secrets.
    pub environment: Vec<(String, String)>,
    /// What lies below [`model::inside::APP_DIRECTORY`], topmost first; never changed.
    pub lowers: Vec<PathBuf>,
    /// Takes what is written there.
    pub upper: PathBuf,
    /// An empty directory on the file system of `upper`.
    pub work: PathBuf,
    pub toolchains: Vec<ToolchainMount>,
    /// Writable, mounted as [`model::inside::HOME_DIRECTORY`].
    pub home: PathBuf,
    /// Writable, mounted as `/tmp`.
    pub temporary: PathBuf,
    /// Writable, mounted as the cache of package managers and compilers.
    pub cache: PathBuf,
    pub limits: Limits,
    pub egress: Egress,
    /// Addresses that it reaches although they are private or the host's own.
    pub opened: Vec<AllowedAddress>,
    /// Values that the output must not show.
    pub secrets: Vec<String>,
}

/// A toolchain's layer and where it appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainMount {
    pub source: PathBuf,
    pub target: String,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepEnd {
    pub exit: Exit,
    /// Hosts that it reached or tried to reach, each with whether that was allowed.
    pub contacts: Vec<(String, bool)>,
    /// It was ended because the files that it had deleted and kept open were larger than a file may be.
    pub hoarded: bool,
}

/// The command did not run to any end of its own: the platform is to blame.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the sandbox could not be started: {0}")]
    Start(String),
    #[error("the sandbox was lost: {0}")]
    Lost(String),
}

/// Runs commands in isolation.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs `step` to its end and sends every line of its output. Cancelling kills it at once; the end is
    /// `Ended::Killed` then. Nothing of the sandbox is left when this returns.
    async fn run(
        &self,
        step: StepSpec,
        output: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, RunError>;
}
