//! Writable directories that nobody uses any more: of builds and instances that are gone, and package caches.

use std::time::Duration;

use builder::PackageCache;
use model::{InstanceId, ProjectId};

use super::{AnyError, Patience, time};
use crate::control::Control;
use crate::disk::TooFull;
use crate::rows::{self};

impl Control {
    /// Gives the number of directories that went.
    pub(super) async fn remove_scratches(
        &self,
        patience: &Patience,
        full: Option<TooFull>,
    ) -> Result<u64, AnyError> {
        Ok(self.remove_lost_instances().await?
            + self.remove_lost_builds().await?
            + self.remove_package_caches(patience, full).await?)
    }

    /// The provider forgets an instance before its directory is gone; what stopped in between is removed once more.
    async fn remove_lost_instances(&self) -> Result<u64, AnyError> {
        // The directories first, then the rows: an instance has its row before its directory.
        let store = self.inner.store.clone();
        let names = tokio::task::spawn_blocking(move || store.scratches()).await??;
        let rows = rows::instance::all(self.db().read()).await?;
        let mut removed = 0;
        for id in names.iter().filter_map(|name| name.parse::<InstanceId>().ok()) {
            if rows.iter().any(|row| row.id == id) {
                continue;
            }
            let Some(_in_hand) = self.take_in_hand(id.as_str()) else {
                continue;
            };
            self.inner.provider.remove(&id).await?;
            // Whatever the provider knows of it, the directory is ours.
            let (store, name) = (self.inner.store.clone(), id.to_string());
            tokio::task::spawn_blocking(move || store.remove_scratch(&name)).await??;
            removed += 1;
        }
        Ok(removed)
    }

    async fn remove_lost_builds(&self) -> Result<u64, AnyError> {
        let builder = self.inner.builder.clone();
        // The directories first: a build is registered before it has one.
        let names = tokio::task::spawn_blocking(move || builder.build_scratches()).await??;
        let running: Vec<String> = self.drives().keys().map(|id| id.short().to_owned()).collect();
        let lost: Vec<String> = names.into_iter().filter(|name| !running.contains(name)).collect();
        let builder = self.inner.builder.clone();
        let count = lost.len() as u64;
        let remove = move || {
            lost.iter()
                .try_for_each(|name| builder.remove_build_scratch(name))
        };
        tokio::task::spawn_blocking(remove).await??;
        Ok(count)
    }

    /// Package caches of projects that are gone, those unused for long, and the least recently used while they are too
    /// much together or there is too little room.
    async fn remove_package_caches(
        &self,
        patience: &Patience,
        full: Option<TooFull>,
    ) -> Result<u64, AnyError> {
        let builder = self.inner.builder.clone();
        let caches = tokio::task::spawn_blocking(move || builder.package_caches()).await??;
        let projects = rows::project::all(self.db().read()).await?;
        let unused_since = time(self.now().saturating_sub(patience.caches_ms));
        let mut bytes: u64 = caches.iter().map(|cache| cache.bytes).sum();
        let mut removed = 0;
        for cache in caches {
            let is_wanted = projects.iter().any(|project| project.id == cache.project);
            let idle = cache.used + Duration::from_millis(1) < unused_since;
            let too_much = bytes > patience.caches_bytes && !self.has_enough_for_caches(full);
            if (!is_wanted || idle || too_much) && self.remove_package_cache(&cache).await? {
                bytes -= cache.bytes;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Under pressure they go one by one, and only as long as the pressure lasts.
    fn has_enough_for_caches(&self, full: Option<TooFull>) -> bool {
        full.is_some() && self.has_enough(full)
    }

    /// Removes the cache unless a build of its project runs; none can begin meanwhile.
    async fn remove_package_cache(&self, cache: &PackageCache) -> Result<bool, AnyError> {
        let Some(_no_build) = self.stop_builds_of(&cache.project) else {
            return Ok(false);
        };
        let (builder, cache) = (self.inner.builder.clone(), cache.clone());
        tokio::task::spawn_blocking(move || builder.remove_package_cache(&cache)).await??;
        Ok(true)
    }

    fn stop_builds_of(&self, project: &ProjectId) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let all = u32::try_from(self.inner.builds_per_project_max).unwrap_or(u32::MAX);
        self.project_slots(project).try_acquire_many_owned(all).ok()
    }
}
