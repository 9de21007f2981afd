//! What the operator of the server decides about time and room, with what holds when nothing is said.

use model::limits::DEPLOYMENTS_KEPT;
use model::preview::TimeToLive;
use model::{EnvironmentName, NamespaceName};

const DAY_SECONDS: u64 = 86_400;
/// The floor where none is set: a share of the file system, within bounds.
const FLOOR_SHARE: u64 = 20;
const FLOOR_BYTES_MIN: u64 = 1 << 30;
const FLOOR_BYTES_MAX: u64 = 10 << 30;

/// How long things are kept, and how much of the disk stays free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For previews that neither the request nor the project gives a time to live. The namespace `main` and the
    /// environment `production` live on.
    pub ttl: TimeToLive,
    /// Ready deployments of a preview that are kept where the project does not say, the current one included.
    pub keep: u32,
    /// How long deployments that have ended are remembered, with their logs.
    pub history_seconds: u64,
    /// How long builds, dependencies and package caches that nothing serves from are kept after their last use.
    pub cache_seconds: u64,
    /// Bytes of all package caches together.
    pub package_caches_bytes: u64,
    /// Bytes of the disk that stay free: below, builds wait and uploads are refused. `None` is a twentieth of the file
    /// system, at least 1 GiB and at most 10 GiB.
    pub floor_bytes: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ttl: TimeToLive::Forever,
            keep: DEPLOYMENTS_KEPT,
            history_seconds: 30 * DAY_SECONDS,
            cache_seconds: 7 * DAY_SECONDS,
            package_caches_bytes: 10 << 30,
            floor_bytes: None,
        }
    }
}

impl Policy {
    /// How long a new preview lives when nobody says.
    pub(crate) fn ttl_of(&self, namespace: &NamespaceName, environment: EnvironmentName) -> TimeToLive {
        match *namespace == NamespaceName::main() || environment == EnvironmentName::Production {
            true => TimeToLive::Forever,
            false => self.ttl,
        }
    }

    /// The floor of a file system of `total_bytes`.
    pub fn floor(&self, total_bytes: u64) -> u64 {
        self.floor_bytes
            .unwrap_or((total_bytes / FLOOR_SHARE).clamp(FLOOR_BYTES_MIN, FLOOR_BYTES_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_ever_has_no_time_of_the_servers() {
        let policy = Policy {
            ttl: TimeToLive::Seconds(60),
            ..Policy::default()
        };
        let pull_request = NamespaceName::new("preview-12").unwrap();
        let (preview, production) = (EnvironmentName::Preview, EnvironmentName::Production);
        assert_eq!(policy.ttl_of(&pull_request, preview), policy.ttl);
        assert_eq!(
            policy.ttl_of(&NamespaceName::main(), preview),
            TimeToLive::Forever
        );
        assert_eq!(policy.ttl_of(&pull_request, production), TimeToLive::Forever);
    }

    #[test]
    fn the_floor_is_a_share_within_bounds() {
        let policy = Policy::default();
        assert_eq!(policy.floor(2 << 30), 1 << 30);
        assert_eq!(policy.floor(100 << 30), 5 << 30);
        assert_eq!(policy.floor(4 << 40), 10 << 30);
        let own = Policy {
            floor_bytes: Some(7),
            ..Policy::default()
        };
        assert_eq!(own.floor(4 << 40), 7);
    }
}
