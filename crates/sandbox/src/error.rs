//! What can go wrong, one small enum per operation; each says what happened and what to do next.

use std::io;
use std::path::PathBuf;

use crate::spec::InvalidSpec;

/// Why no user namespace could be entered at start.
#[derive(Debug, thiserror::Error)]
#[error("cannot isolate programs as user {uid}: {cause}; {advice}")]
pub struct PrivilegeError {
    pub uid: u32,
    pub cause: String,
    pub advice: &'static str,
}

/// Why a host could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the directory {path} for sandboxes: {error}; check its owner and free space")]
    Directory { path: PathBuf, error: io::Error },
    #[error(
        "this process has no privilege to isolate programs; call sandbox::acquire_privilege() before any thread starts"
    )]
    Unprivileged,
    #[error("cannot start the zygote {exe}: {error}; check that the file can be executed")]
    Zygote { exe: PathBuf, error: io::Error },
    #[error("the zygote did not answer: {0}; see the platform's log")]
    Silent(String),
}

/// Why a command could not be started in isolation. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error(transparent)]
    Invalid(#[from] InvalidSpec),
    #[error("a sandbox named {0:?} exists already; remove it first")]
    Exists(String),
    #[error(
        "this machine cannot filter the network of a sandbox: {0}; use the egress policy none, or see cx doctor"
    )]
    NoEgress(String),
    #[error("the spec takes {bytes} bytes, more than the {max} possible; pass large files as mounts", max = crate::spec::SPEC_BYTES_MAX)]
    TooLarge { bytes: usize },
    /// A step of the isolation failed; `step` is named as in docs/security.md.
    #[error("isolation failed at {step}: {error}")]
    Step { step: String, error: String },
    /// The command itself could not be executed: absent, not executable, wrong directory.
    #[error("cannot run {command:?}: {error}")]
    Command { command: String, error: String },
    #[error("the zygote is gone and did not come back: {0}")]
    Zygote(io::Error),
    #[error("cannot prepare the sandbox's directory {path}: {error}")]
    Directory { path: PathBuf, error: io::Error },
    #[error("all {0} ranges of user ids are in use; remove sandboxes that are no longer needed")]
    NoIds(usize),
    #[error("the sandbox does not answer: {0}")]
    Silent(io::Error),
}

impl SpawnError {
    /// True when the spec or the command is to blame, not the machine or the platform.
    pub fn blames_caller(&self) -> bool {
        use SpawnError::{Command, Exists, Invalid, TooLarge};
        matches!(self, Invalid(_) | Exists(_) | TooLarge { .. } | Command { .. })
    }
}

/// Why the sandboxes of a directory could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list the sandboxes in {path}: {error}")]
pub struct FoundError {
    pub path: PathBuf,
    pub error: io::Error,
}

/// Why a sandbox could not be removed wholly; ask again, it is repeatable.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    #[error(transparent)]
    Invalid(#[from] InvalidSpec),
    #[error("the init of {name} (process {pid}) does not end; it may wait for a disk, try again later")]
    Alive { name: String, pid: u32 },
    #[error("the cgroup {path} stays busy: {error}; try again later")]
    Cgroup { path: PathBuf, error: io::Error },
    #[error("cannot delete {path}: {error}")]
    Directory { path: PathBuf, error: io::Error },
}

/// Why a running sandbox did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("the sandbox has ended")]
    Ended,
    #[error("the sandbox did not answer: {0}")]
    Silent(io::Error),
    #[error("the sandbox refused: {0}")]
    Refused(String),
}
