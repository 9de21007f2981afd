//! The writable directories of a build: home, temporary files, overlay's work.
//!
//! Guards against leaving anything behind: they go when the value does.

use std::path::{Path, PathBuf};

use model::Failure;
use model::failure::Code;
use store::Store;

/// Begins the names of directories of builds that run.
pub(super) const BUILD_PREFIX: &str = "build-";

/// The writable directories of a build.
pub(super) struct Scratch {
    store: Store,
    name: String,
    pub(super) path: PathBuf,
}

impl Scratch {
    pub(super) fn make(store: &Store, name: String) -> Result<Self, Failure> {
        let failed = |error: store::ScratchError| Failure::new(Code::PlatformError, error.to_string());
        store.remove_scratch(&name).map_err(failed)?;
        let path = store.scratch(&name).map_err(failed)?;
        Ok(Self {
            store: store.clone(),
            name,
            path,
        })
    }

    /// A directory that stays from step to step.
    pub(super) fn kept(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unmade(&path, &error)),
            _ => Ok(path),
        }
    }

    /// An empty directory, whatever the step before left.
    pub(super) fn fresh(&self, prefix: &str) -> Result<PathBuf, Failure> {
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .permissions(mode_0755())
            .tempdir_in(&self.path);
        made.map(tempfile::TempDir::keep)
            .map_err(|error| unmade(&self.path, &error))
    }
}

fn mode_0755() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

fn unmade(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::PlatformError,
        format!("{} could not be made: {error}", path.display()),
    )
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.store.remove_scratch(&self.name) {
            tracing::warn!(name = self.name, %error, "what a build wrote stays until its name is used again");
        }
    }
}
