//! What the platform and an init say to each other over `control.sock`.
//!
//! Framed as in `wire`; one answer per request, in order. Grown only by new requests; [`crate::state::VERSION`] changes
//! when an old init would misunderstand.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Bound of a request and of an answer, in bytes.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 10;
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;
/// More listeners than this are not reported.
pub(crate) const LISTENERS_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Request {
    Hello,
    Status,
    /// To the main process's group.
    Signal {
        signal: i32,
    },
    Freeze,
    Thaw,
    /// A fresh, unconnected, non-blocking TCP socket of the sandbox's network namespace.
    Socket {
        v6: bool,
    },
    Listeners,
    /// The listening TCP socket and the UDP socket of the egress gateway.
    Egress,
    Usage,
    /// A line for the log, said by the platform.
    Note {
        text: String,
    },
    Kill,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    Hello {
        version: u32,
    },
    Status(Status),
    /// Done, or the descriptors come with it.
    Done,
    Listeners {
        listeners: Vec<Listener>,
    },
    Usage(Usage),
    Refused {
        reason: String,
    },
}

/// How a running sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub frozen: bool,
    /// Unix time in milliseconds at which the command was executed.
    pub started_at_ms: u64,
}

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
    /// CPU time of all its processes together, in milliseconds.
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    /// 0 where the machine does not tell.
    pub memory_peak_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Of files on disk that were deleted and are still open: no directory shows them.
    #[serde(default)]
    pub unlinked_bytes: u64,
}
