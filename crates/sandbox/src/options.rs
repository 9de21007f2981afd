//! What the platform decides once for all sandboxes of a directory.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::egress::Allowances;

/// What a host needs to know.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Holds one directory per sandbox; made when absent, mode 0700.
    pub dir: PathBuf,
    /// The program whose `main` begins with [`crate::run_if_zygote`]; `/proc/self/exe` by default.
    pub zygote: PathBuf,
    /// Begins the name of every cgroup: `[a-z0-9-]`, distinct per installation on one machine.
    pub cgroup_prefix: String,
    /// The certificates that programs inside trust; the host's own by default.
    pub ca_bundle: Option<PathBuf>,
    /// What the operator opens for every sandbox that has a network.
    pub allow: Allowances,
    /// Resolvers to ask instead of the host's; empty: the host's.
    pub upstream: Vec<SocketAddr>,
}

impl HostOptions {
    pub fn new(dir: impl Into<PathBuf>) -> HostOptions {
        HostOptions {
            dir: dir.into(),
            zygote: PathBuf::from("/proc/self/exe"),
            cgroup_prefix: "cygni-".to_owned(),
            ca_bundle: None,
            allow: Allowances::default(),
            upstream: Vec::new(),
        }
    }
}
