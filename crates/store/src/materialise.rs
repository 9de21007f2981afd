//! Trees as directories, made of hard links to the blobs: no byte is copied.
//!
//! Guards against half-made directories (renamed when complete) and against an executable bit that leaks between two
//! trees with the same bytes (such files have a second copy of their own). It does *not* stop somebody who writes into
//! the result with the platform's own rights; sandboxes get it below an overlay or read-only.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use model::tree::{Entry, Node};
use model::{Digest, Tree};
use rustix::io::Errno;

use crate::blob::touch;
use crate::{ReadError, Store};

/// Below this, a second thread costs more than it gains.
const ENTRIES_FOR_TWO_THREADS: usize = 2_000;

/// The directory of a tree cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the file `{path}` of the tree is not in the store; deploy its files again")]
    BlobMissing { path: String },
    #[error("the directory of the tree could not be made: {0}; check that the disk has space left")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Stage(#[from] crate::StageError),
}

impl Store {
    /// The directory that holds the files of the tree `digest`; made where it is not there yet. Files are 0644 or 0755, because
    /// above an overlay the app may change its own files;
    /// directories 0755. Never write to it.
    pub fn materialise(&self, digest: &Digest) -> Result<PathBuf, MaterialiseError> {
        let container = self.area("trees").join(digest.hex());
        let path = container.join("files");
        // Neither the directory nor a blob may be collected between the first look and the last link.
        let _named = self.naming();
        if path.is_dir() {
            touch(&container)?;
            return Ok(path);
        }
        let tree = self.tree(digest)?;
        let staging = self.stage()?;
        self.fill(&tree, staging.path())?;
        Ok(staging.commit_in("trees", digest)?)
    }

    fn fill(&self, tree: &Tree, dir: &Path) -> Result<(), MaterialiseError> {
        for path in directories(tree) {
            fs::create_dir(dir.join(path))?;
            fs::set_permissions(dir.join(path), fs::Permissions::from_mode(0o755))?;
        }
        let entries = tree.entries();
        if entries.len() < ENTRIES_FOR_TWO_THREADS {
            return self.link_all(entries, dir);
        }
        let (first, second) = entries.split_at(entries.len() / 2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| self.link_all(second, dir));
            self.link_all(first, dir)?;
            other
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the second thread panicked").into()))
        })
    }

    fn link_all(&self, entries: &[Entry], dir: &Path) -> Result<(), MaterialiseError> {
        for entry in entries {
            let to = dir.join(entry.path.as_str());
            match &entry.node {
                Node::Symlink { target } => std::os::unix::fs::symlink(target, &to)?,
                Node::File {
                    digest, executable, ..
                } => {
                    self.link(digest, *executable, &to)
                        .map_err(|error| match error.kind() {
                            io::ErrorKind::NotFound => MaterialiseError::BlobMissing {
                                path: entry.path.to_string(),
                            },
                            _ => error.into(),
                        })?;
                }
            }
        }
        Ok(())
    }

    fn link(&self, digest: &Digest, executable: bool, to: &Path) -> io::Result<()> {
        let from = if executable {
            self.executable(digest)?
        } else {
            self.blob_path(digest)
        };
        match fs::hard_link(&from, to) {
            // Very common files, such as empty ones, run out of links.
            Err(error) if error.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {
                fs::copy(&from, to).map(|_| ())
            }
            result => result,
        }
    }

    /// The executable twin of a blob.
    fn executable(&self, digest: &Digest) -> io::Result<PathBuf> {
        let path = self.spread("exec", digest);
        if path.is_file() {
            return Ok(path);
        }
        let mut blob = self.open_blob(digest)?;
        let mut file = tempfile::Builder::new()
            .prefix("exec-")
            .tempfile_in(self.area("staging"))?;
        io::copy(&mut blob, file.as_file_mut())?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o755))?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }
}

/// All directories of a tree, parents first.
fn directories(tree: &Tree) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    for entry in tree.entries() {
        let mut above = entry.path.parent();
        while let Some(path) = above {
            if !all.insert(path) {
                break;
            }
            above = path.rsplit_once('/').map(|(parent, _)| parent);
        }
    }
    all
}
