//! The nouns of Cygni, the deployment state machine and the limits.
//!
//! Everything here is pure: no input or output, no clock, no async. The same input gives the same output, so every
//! rule can be tested with a table. This crate does *not* know how anything is stored, run or served.

pub mod artifact;
pub mod commit;
pub mod deployment;
pub mod digest;
pub mod failure;
pub mod failure_meaning;
pub mod git;
pub mod host;
pub mod id;
pub mod inside;
pub mod limits;
pub mod name;
pub mod network;
pub mod plan;
pub mod preview;
pub mod project_file;
pub mod route;
pub mod tree;
pub mod trust;
pub mod units;

pub use artifact::Artifact;
pub use commit::{CommitSha, Revision};
pub use digest::Digest;
pub use failure::Failure;
pub use id::{DeploymentId, InstanceId, PreviewId, ProjectId, RepositoryId, SubscriberId};
pub use name::{EnvironmentName, NamespaceName, ProjectName, ServiceName};
pub use plan::Plan;
pub use tree::{Tree, TreePath};
