//! Package caches: scratch directories that outlive builds, one for each project and trust level.
//!
//! Guards against their growing for ever: whoever knows which projects there are looks here at how large each is and when
//! it was last used. It does *not* know whether a build uses one now.

use std::time::SystemTime;

use model::ProjectId;
use store::{ScratchError, Store};

use super::builder::Builder;
use super::cache::CACHE_PREFIX;
use super::scratch::BUILD_PREFIX;

/// A package cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageCache {
    name: String,
    pub project: ProjectId,
    pub bytes: u64,
    pub used: SystemTime,
}

impl Builder {
    /// All package caches, least recently used first. Reads all of them. Blocks.
    pub fn package_caches(&self) -> Result<Vec<PackageCache>, ScratchError> {
        let store = self.store();
        let mut caches: Vec<_> = store
            .scratches()?
            .into_iter()
            .filter_map(|name| look_at(store, name))
            .collect();
        caches.sort_by_key(|cache| cache.used);
        Ok(caches)
    }

    /// Removes a package cache that no build uses. Blocks.
    pub fn remove_package_cache(&self, cache: &PackageCache) -> Result<(), ScratchError> {
        self.store().remove_scratch(&cache.name)
    }

    /// The names that running builds were given, of all that have a directory. Blocks.
    pub fn build_scratches(&self) -> Result<Vec<String>, ScratchError> {
        let names = self.store().scratches()?.into_iter();
        Ok(names
            .filter_map(|name| name.strip_prefix(BUILD_PREFIX).map(str::to_owned))
            .collect())
    }

    /// Removes what the build `name`, which no longer runs, left. Blocks.
    pub fn remove_build_scratch(&self, name: &str) -> Result<(), ScratchError> {
        self.store().remove_scratch(&format!("{BUILD_PREFIX}{name}"))
    }
}

fn look_at(store: &Store, name: String) -> Option<PackageCache> {
    let (project, _trust) = name.strip_prefix(CACHE_PREFIX)?.rsplit_once('-')?;
    let project = project.parse().ok()?;
    // It may have gone meanwhile.
    let used = std::fs::metadata(store.directory().join("scratch").join(&name))
        .and_then(|metadata| metadata.modified())
        .ok()?;
    let bytes = store.scratch_usage(&name).bytes;
    Some(PackageCache {
        name,
        project,
        bytes,
        used,
    })
}
