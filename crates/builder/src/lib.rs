//! Source to plan to artifact, in the sandbox.
//!
//! Detection turns a source into a [`model::Plan`], which is data. A [`Builder`] executes plans: toolchains come as
//! layers, every command runs in a sandbox, and what comes out is an immutable [`model::Artifact`]. This crate never
//! runs foreign code outside a sandbox, and does *not* know previews, deployments or rows.

pub mod build;
pub mod diagnose;
pub mod fake;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod plan;
pub mod source;
pub mod toolchain;

pub use build::{
    BuildError, BuildRequest, Builder, BuilderOptions, FetchRequest, Fetched, Observer, PackageCache, Remote,
    RunError, Runner, SandboxRunner, StepEnd, StepSpec,
};
pub use toolchain::Registries;
