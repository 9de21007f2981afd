//! Runs a command in isolation on Linux and keeps it alive without us.
//!
//! Three kinds of process (docs/decisions/0001-zygote-and-init.md): the *platform* (tokio, threads) holds a [`Host`];
//! the *zygote* (the same program started again, one thread) makes sandboxes; each sandbox has an *init* of ours as
//! its process 1, which outlives both. The only crate with `unsafe`. Knows nothing of previews.

mod capability;
mod cgroup;
mod control;
pub mod egress;
mod ended;
mod error;
mod exit;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod host;
mod init;
mod limits;
mod line;
pub mod log;
mod options;
mod privilege;
mod ranges;
mod removal;
mod running;
mod seccomp;
mod spec;
mod start;
mod state;
mod sys;
mod wire;
mod zygote;

pub use capability::{
    CPU, Capabilities, Capability, EGRESS, FREEZE, ID_MAPPED_MOUNTS, MEMORY, NAMESPACES, OPEN_FILES, OVERLAY,
    PIDS, SECCOMP, Support,
};
pub use cgroup::PLATFORM_GROUP;
pub use control::{Listener, Status, Usage};
pub use error::{ControlError, FoundError, PrivilegeError, RemoveError, SpawnError, StartError};
pub use exit::{Ended, Exit};
pub use host::{Found, Host, probe};
pub use options::HostOptions;
pub use privilege::{Privilege, acquire_privilege};
pub use running::Sandbox;
pub use spec::{
    InvalidSpec, LOWERS_MAX, Lifetime, Limits, LogOptions, MOUNTS_MAX, Mount, NAME_BYTES_MAX, SPEC_BYTES_MAX,
    Spec,
};
pub use zygote::run_if_zygote;

/// Prefix of a sandbox's log in its directory, for [`log::read`].
pub const LOG_PREFIX: &str = "log";
