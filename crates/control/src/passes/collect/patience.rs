//! How long what nobody needs now is kept because it may save work later: longest as long as there is room.

use crate::policy::Policy;
use crate::rows::blob::NOTED_MS;

const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One effort to make room: how long things must not have been used to go, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// Trees and blobs that nothing names.
    pub(super) files_ms: i64,
    /// Blobs that a project was told it need not send. More than the time after which a use is noted anew.
    pub(super) sent_ms: i64,
    /// Builds that nothing serves from.
    pub(super) builds_ms: i64,
    /// Dependencies, and toolchains.
    pub(super) layers_ms: i64,
    pub(super) caches_ms: i64,
    /// Bytes of all package caches together.
    pub(super) caches_bytes: u64,
    /// Whether the sources of deployments that have ended are kept, so that they can be deployed again.
    pub(super) keeps_history: bool,
}

impl Patience {
    /// The regular effort, and the two that follow while there is too little room.
    pub(super) fn efforts(policy: &Policy) -> [Self; 3] {
        let cache_ms = i64::try_from(policy.cache_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let regular = Self {
            files_ms: HOUR_MS,
            sent_ms: DAY_MS,
            builds_ms: cache_ms,
            layers_ms: cache_ms,
            caches_ms: cache_ms,
            caches_bytes: policy.package_caches_bytes,
            keeps_history: true,
        };
        let hard = Self {
            files_ms: 10 * MINUTE_MS,
            sent_ms: HOUR_MS,
            builds_ms: cache_ms.min(DAY_MS),
            layers_ms: cache_ms.min(DAY_MS),
            caches_ms: 0,
            caches_bytes: 0,
            keeps_history: false,
        };
        let hardest = Self {
            files_ms: 0,
            sent_ms: 2 * NOTED_MS,
            builds_ms: 0,
            layers_ms: 0,
            ..hard.clone()
        };
        [regular, hard, hardest]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effort_is_less_patient_and_none_breaks_a_promise() {
        let efforts = Patience::efforts(&Policy::default());
        for pair in efforts.windows(2) {
            assert!(pair[0].files_ms >= pair[1].files_ms && pair[0].builds_ms >= pair[1].builds_ms);
            assert!(pair[0].layers_ms >= pair[1].layers_ms && pair[0].caches_ms >= pair[1].caches_ms);
        }
        // Whoever was told within this time that a blob is here may not have had it noted anew.
        assert!(efforts.iter().all(|effort| effort.sent_ms > NOTED_MS));
    }
}
