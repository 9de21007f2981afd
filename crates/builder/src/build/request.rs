//! What a build is asked to do, whom it tells, and how it ends.

use std::collections::BTreeMap;

use model::trust::Trust;
use model::{Digest, Failure, Plan, ProjectId};
use sandbox::log::Level;

/// One build.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// `[a-z0-9-]`, at most 48 bytes, unique among builds that run: names sandboxes and directories.
    pub name: String,
    pub project: ProjectId,
    /// The source, in the store.
    pub tree: Digest,
    pub plan: Plan,
    /// Given to install and build. Only an HMAC of them is part of any key.
    pub variables: BTreeMap<String, String>,
    /// Values that no log may show.
    pub secrets: Vec<String>,
    pub trust: Trust,
    /// Passes by all caches.
    pub rebuild: bool,
}

/// Is told what happens while it happens.
pub trait Observer: Send + Sync {
    /// `source`, `toolchain`, `install`, `build`.
    fn phase_started(&self, name: &str);
    fn phase_ended(&self, name: &str);
    /// One line of log, redacted.
    fn line(&self, level: Level, text: &str);
}

/// A build gave no artifact.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{}", .0.message)]
    Failed(Failure),
    #[error("the build was cancelled")]
    Cancelled,
}

impl From<Failure> for BuildError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
