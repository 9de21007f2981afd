//! What the platform and an init say to each other over `control.sock`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A TCP socket that listens inside a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// As bound: may be unspecified (`0.0.0.0`, `::`) or loopback.
    pub address: IpAddr,
    pub port: u16,
}

/// What a sandbox uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub pids: u32,
}
