//! How far the author of a source is trusted. Lower levels read the caches of higher ones and never write them.

use serde::{Deserialize, Serialize};

use crate::network::{Egress, Network};

/// From least to most trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A stranger's copy of the project: no secrets, no network at run time.
    Fork,
    /// Somebody who may write to the project.
    Member,
    /// Whoever runs the server.
    Owner,
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }

    /// What the network may be used for at the most.
    pub fn network_ceiling(self) -> Network {
        match self {
            Self::Owner | Self::Member => Network::default(),
            Self::Fork => Network {
                install: Egress::Registries,
                build: Egress::None,
                run: Egress::None,
            },
        }
    }

    /// Whether secrets may be given to its builds and instances.
    pub fn gets_secrets(self) -> bool {
        self > Self::Fork
    }

    /// Whether it may run on a machine whose limits of memory, CPU and processes are (not) kept by the kernel. People
    /// who are trusted are told what is clamped; strangers are refused.
    pub fn may_run(self, limits_hold: bool) -> bool {
        limits_hold || self > Self::Fork
    }

    /// Whether what was cached by `writer` may be read.
    pub fn reads_cache_of(self, writer: Trust) -> bool {
        writer >= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_run_only_where_limits_hold() {
        assert!(Trust::Fork.may_run(true) && !Trust::Fork.may_run(false));
        assert!(Trust::Member.may_run(false) && Trust::Owner.may_run(false));
    }

    #[test]
    fn caches_are_read_downwards_only() {
        assert!(Trust::Fork.reads_cache_of(Trust::Owner) && !Trust::Owner.reads_cache_of(Trust::Fork));
    }
}
