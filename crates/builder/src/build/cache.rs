//! What is kept from build to build: what git and package managers fetched, and what compilers made.
//!
//! Guards against code of one trust level that prepares what another one uses, against builds that disturb each other,
//! and against growth without an end. The steps have a cache each: what a project's own code can write never lies where
//! sources and packages are taken from. A stranger's code, a rebuild, and a build whose cache is in use get an empty
//! one that goes with the build.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use model::failure::Code;
use model::trust::Trust;
use model::{Failure, ProjectId};
use store::Store;

use super::environment::Phase;

/// Begins the names of caches; project and trust level follow.
pub(super) const CACHE_PREFIX: &str = "cache-";
/// Bytes of one cache at the most; a larger one is emptied.
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// Which caches are in use.
#[derive(Clone, Default)]
pub(super) struct Caches {
    in_use: Arc<Mutex<HashSet<String>>>,
}

/// A cache for one step, nobody else's until it is dropped.
pub(super) struct Held {
    caches: Caches,
    name: String,
    path: PathBuf,
}

impl Caches {
    /// The cache that a step of a project may use at a level of trust. `None` where it must have one of its own. Blocks.
    pub(super) fn take(
        &self,
        store: &Store,
        (project, trust): (&ProjectId, Trust),
        phase: Phase,
    ) -> Result<Option<Held>, Failure> {
        if trust == Trust::Fork {
            return Ok(None);
        }
        let (project, trust) = (project.as_str(), trust.as_str());
        let name = match phase {
            Phase::Source => format!("{CACHE_PREFIX}{project}-{trust}.git"),
            Phase::Install => format!("{CACHE_PREFIX}{project}-{trust}"),
            Phase::Build => format!("{CACHE_PREFIX}{project}-{trust}.build"),
        };
        if !self.lock().insert(name.clone()) {
            return Ok(None);
        }
        // From here on, it is let go of on every way out.
        let mut held = Held {
            caches: self.clone(),
            name,
            path: PathBuf::new(),
        };
        let failed = |error: store::ScratchError| Failure::new(Code::PlatformError, error.to_string());
        held.path = store.scratch(&held.name).map_err(failed)?;
        if store::measure(std::slice::from_ref(&held.path), CACHE_BYTES_MAX).is_err() {
            store.remove_scratch(&held.name).map_err(failed)?;
            held.path = store.scratch(&held.name).map_err(failed)?;
        }
        // When it was last used decides which cache makes room for others.
        let used = std::fs::File::open(&held.path).and_then(|dir| dir.set_modified(SystemTime::now()));
        if let Err(error) = used {
            tracing::warn!(name = held.name, %error, "a cache may seem older than it is");
        }
        Ok(Some(held))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.in_use
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Held {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.caches.lock().remove(&self.name);
    }
}
