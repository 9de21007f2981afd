//! Layers: raw directories, named by the digest of everything that decided their content.
//!
//! Guards against half-made layers: a layer is filled in a staging directory and renamed as a whole; of two that are
//! made at once, one stays. It does *not* look at what is inside, and read-only it is by convention: sandboxes get
//! layers below an overlay or mounted read-only.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use model::Digest;
use model::artifact::LayerKey;
use tempfile::TempDir;

use crate::Store;
use crate::blob::touch;

/// A layer could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the store could not {action}: {source}; check that its disk has space left")]
pub struct StageError {
    action: &'static str,
    source: io::Error,
}

/// A directory that becomes a layer when it is committed, and nothing when it is dropped.
pub struct Staging {
    store: Store,
    /// What removes the directory is [`Staging::drop`]: foreign code may have written here.
    container: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl Store {
    /// Whether there is a committed layer `key`. Asking does not count as using it.
    pub fn has_layer(&self, key: &LayerKey) -> bool {
        self.area("layers").join(key.hex()).join("files").is_dir()
    }

    /// The committed layer `key`. Asking for it counts as using it.
    pub fn layer(&self, key: &LayerKey) -> Option<PathBuf> {
        let container = self.area("layers").join(key.hex());
        let path = container.join("files");
        let _named = self.naming();
        if !path.is_dir() {
            return None;
        }
        if let Err(error) = touch(&container) {
            tracing::warn!(layer = %key, %error, "the use of a layer could not be noted");
        }
        Some(path)
    }

    /// An empty directory to be filled. Its mode is 0755.
    pub fn stage(&self) -> Result<Staging, StageError> {
        let fail = |source| StageError {
            action: "make a staging directory",
            source,
        };
        let container = tempfile::Builder::new()
            .prefix("layer-")
            .tempdir_in(self.area("staging"))
            .map_err(fail)?;
        let container = TempDir::keep(container);
        let path = container.join("files");
        let staging = Staging {
            store: self.clone(),
            container,
            path,
            committed: false,
        };
        DirBuilder::new()
            .mode(0o755)
            .create(&staging.path)
            .map_err(fail)?;
        Ok(staging)
    }
}

impl Staging {
    /// The directory to fill.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names it `key`. When that layer is there already, this one is discarded. Gives the path of the layer.
    pub fn commit(self, key: &LayerKey) -> Result<PathBuf, StageError> {
        let store = self.store.clone();
        let _named = store.naming();
        self.commit_in("layers", key)
    }

    /// Whoever calls holds [`Store::naming`].
    pub(crate) fn commit_in(mut self, area: &str, key: &Digest) -> Result<PathBuf, StageError> {
        let fail = |source| StageError {
            action: "commit a directory",
            source,
        };
        let target = self.store.area(area).join(key.hex());
        // Changes the time that says, after a power cut, whether it was written after the last sync.
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o755)).map_err(fail)?;
        self.store.check_write().map_err(fail)?;
        match fs::rename(&self.container, &target) {
            Ok(()) => {
                self.committed = true;
                self.store.unsynced().directory();
            }
            Err(error) if target.join("files").is_dir() => {
                tracing::debug!(area, name = %key, %error, "was there already");
            }
            Err(error) => return Err(fail(error)),
        }
        touch(&target).map_err(fail)?;
        Ok(target.join("files"))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        if let Err(error) = self.store.discard(&self.container) {
            tracing::warn!(path = %self.container.display(), %error, "a staging directory stays until the next start");
        }
    }
}
