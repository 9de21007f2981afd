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

    /// Whether what was cached by `writer` may be read.
    pub fn reads_cache_of(self, writer: Trust) -> bool {
        writer >= self
    }
}
