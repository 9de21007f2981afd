//! The store itself: its directory and where things lie in it.
//!
//! Guards against leftovers of a start that ended badly: what was being made is thrown away, what a power cut may have
//! torn is checked. It does *not* lock the directory: whoever opens it holds the lock of the data directory.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use model::Digest;

use crate::durable::Unsynced;
use crate::tree::TreeCache;

/// A directory of immutable things. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) cache: Mutex<TreeCache>,
    /// Read while something is being named, written while a collection removes one thing.
    pub(crate) naming: RwLock<()>,
    /// What may not be on disk yet. Held while it is made to be.
    pub(crate) unsynced: Mutex<Unsynced>,
    pub(crate) check: Option<WriteCheck>,
}

/// Asked before something new gets its name, by tests of what happens when it does not: an error is that of the disk.
pub type WriteCheck = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store at {} cannot be opened: {action}: {source}; check that the directory can be written", dir.display())]
    Io {
        dir: PathBuf,
        action: &'static str,
        source: io::Error,
    },
}

impl Store {
    /// Opens the store in `dir`, making it where there is none, and removes what was left half-made.
    ///
    /// After a restart of the machine, whatever was written after the last sync is checked and dropped when damaged.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_checked(dir, None)
    }

    /// The same; `check` is asked before anything is named.
    pub fn open_checked(dir: &Path, check: Option<WriteCheck>) -> Result<Self, OpenError> {
        let fail = |action| {
            move |source| OpenError::Io {
                dir: dir.to_owned(),
                action,
                source,
            }
        };
        lay_out(dir).map_err(fail("making its directories"))?;
        let inner = Inner {
            dir: dir.to_owned(),
            cache: Mutex::new(TreeCache::default()),
            naming: RwLock::new(()),
            unsynced: Mutex::new(Unsynced::default()),
            check,
        };
        let store = Self {
            inner: Arc::new(inner),
        };
        store
            .empty_staging()
            .map_err(fail("removing what was left half-made"))?;
        store.recover().map_err(fail("checking what was written last"))?;
        Ok(store)
    }

    /// Where the store lies.
    pub fn directory(&self) -> &Path {
        &self.inner.dir
    }

    /// Held while something is being named or noted as used: no collection removes anything meanwhile.
    pub(crate) fn naming(&self) -> RwLockReadGuard<'_, ()> {
        self.inner
            .naming
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether something new may get its name now.
    pub(crate) fn check_write(&self) -> io::Result<()> {
        self.inner.check.as_ref().map_or(Ok(()), |check| check())
    }

    pub(crate) fn area(&self, area: &str) -> PathBuf {
        self.inner.dir.join(area)
    }

    /// `<area>/<2 hex>/<hex>`: where there are very many.
    pub(crate) fn spread(&self, area: &str, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.area(area).join(&hex[..2]).join(hex)
    }

    fn empty_staging(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.area("staging"))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.discard(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn lay_out(dir: &Path) -> io::Result<()> {
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(dir)?;
    rustix::fs::chmod(dir, rustix::fs::Mode::RWXU)?;
    for area in ["manifests", "trees", "layers", "scratch", "staging"] {
        make(&dir.join(area))?;
    }
    for area in ["blobs", "exec", "encoded"] {
        if dir.join(area).join("ff").is_dir() {
            continue;
        }
        for prefix in 0..=0xffu8 {
            make(&dir.join(area).join(format!("{prefix:02x}")))?;
        }
    }
    Ok(())
}
