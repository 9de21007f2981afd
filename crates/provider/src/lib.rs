//! Artifact to running instance. Providers differ only behind [`Provider`], and every call can be repeated.
//!
//! This crate does *not* know rows, hosts or forges: it is told what must exist and says what it sees.

pub mod contract;
pub mod fake;
pub mod local;

mod instance;

pub use instance::{
    Capabilities, InstanceSpec, LogPage, NotReady, Observed, Phase, Provider, ProviderError, Usage,
};
