//! Scratch: writable directories of builds and instances, on the same file system as the layers below them.
//!
//! Guards against a name that leaves its place, and against two users of one name by accident: the name says whose it
//! is. It does *not* know when a scratch directory is no longer wanted.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::Store;
use crate::blob::touch;

/// A scratch directory cannot be made, listed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error(
        "`{0}` cannot name a scratch directory: use 1 to 128 of a-z, A-Z, 0-9, `-`, `_` and `.`, no `.` first"
    )]
    Name(String),
    #[error("the scratch directory `{name}` could not be {what}: {source}")]
    Io {
        name: String,
        what: &'static str,
        source: io::Error,
    },
}

impl Store {
    /// The scratch directory `name`, made where it is not there yet. Asking for it counts as using it.
    pub fn scratch(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let path = self.scratch_path(name)?;
        let fail = |source| ScratchError::Io {
            name: name.to_owned(),
            what: "made",
            source,
        };
        self.check_write().map_err(fail)?;
        match DirBuilder::new().mode(0o755).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
                touch(&path).map_err(fail)?;
            }
            result => result.map_err(fail)?,
        }
        Ok(path)
    }

    /// Removes the scratch directory `name` and all that was written there, whatever it is. Absent is fine.
    pub fn remove_scratch(&self, name: &str) -> Result<(), ScratchError> {
        let path = self.scratch_path(name)?;
        let fail = |source| ScratchError::Io {
            name: name.to_owned(),
            what: "removed",
            source,
        };
        self.discard(&path).map_err(fail)
    }

    /// Names of all scratch directories: what no row calls for is removed by who knows the rows.
    pub fn scratches(&self) -> Result<Vec<String>, ScratchError> {
        let fail = |source| ScratchError::Io {
            name: "*".to_owned(),
            what: "listed",
            source,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(self.area("scratch")).map_err(fail)? {
            names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn scratch_path(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.bytes().all(fits) {
            return Err(ScratchError::Name(name.chars().take(200).collect()));
        }
        Ok(self.area("scratch").join(name))
    }
}
