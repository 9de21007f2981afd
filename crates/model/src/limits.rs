//! Limits of one build or one instance, and the fixed limits of the platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one build, or one instance, may use at the most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Thousandths of one CPU: 1500 is one and a half.
    pub cpu_millis: u32,
    pub memory_bytes: u64,
    /// What it may write beside its source and layers.
    pub disk_bytes: u64,
    pub pids_max: u32,
    /// How long a build may take, all its steps together.
    pub build_seconds_max: u32,
    /// How long without a request before an instance sleeps; `None` is never.
    pub idle_seconds: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_millis: 2_000,
            memory_bytes: 1 << 30,
            disk_bytes: 4 << 30,
            pids_max: 512,
            build_seconds_max: 15 * 60,
            idle_seconds: None,
        }
    }
}

/// A build may use more memory than the server that comes of it: bundlers do.
pub const BUILD_MEMORY_BYTES: u64 = 4 << 30;

/// The largest file taken, uploaded or written by a build, in bytes.
pub const FILE_BYTES_MAX: u64 = 2 << 30;
/// The largest source taken, in bytes.
pub const SOURCE_BYTES_MAX: u64 = 4 << 30;
/// The largest JSON body of the API, in bytes: a manifest of 200,000 files fits.
pub const JSON_BYTES_MAX: usize = 64 << 20;
/// Bytes of the log of one build or of one instance; the oldest lines go first.
pub const LOG_BYTES_MAX: u64 = 4 << 20;
/// Bytes of one variable's value.
pub const VARIABLE_BYTES_MAX: usize = 64 << 10;
/// Variables of one namespace, project or deployment.
pub const VARIABLES_MAX: usize = 500;
/// How long the health check may take by default, in seconds.
pub const HEALTH_SECONDS: u32 = 60;
/// How long the health check may take at the most, in seconds.
pub const HEALTH_SECONDS_MAX: u32 = 900;
/// How often a deployment is tried again after failures of the platform.
pub const ATTEMPTS_MAX: u32 = 5;
/// Instances of one service at the most.
pub const INSTANCES_MAX: u32 = 8;
/// Ready deployments of a preview that are kept by default, the current one included.
pub const DEPLOYMENTS_KEPT: u32 = 5;
