//! Building: a plan and a source into an artifact, every command in a sandbox.
//!
//! Install runs over exactly the files it can read, where that is known, and its writes become a layer named by them;
//! the build step runs over that, and its writes become a layer, or the files that are served. The same input is never
//! built twice, and two equal builds at one time are one. Nothing here knows how isolation works: that is behind
//! [`Runner`].

mod artifact;
mod builder;
mod cache;
mod caches;
mod dependencies;
mod disk;
mod environment;
pub(crate) mod fetch;
mod flight;
mod install;
mod key;
mod layers;
mod output;
mod request;
mod runner;
mod sandbox_runner;
mod scratch;
mod step;
mod work;

pub use builder::{Builder, BuilderOptions};
pub use caches::PackageCache;
pub use fetch::{FetchRequest, Fetched, Remote};
pub use request::{BuildError, BuildRequest, Observer};
pub use runner::{RunError, Runner, StepEnd, StepSpec, ToolchainMount};
pub use sandbox_runner::SandboxRunner;
