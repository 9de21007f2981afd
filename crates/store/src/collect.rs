//! Garbage collection: what nobody names and nobody used lately goes.
//!
//! Guards against removing what is about to be named: everything younger than a given time stays, with the blobs of
//! young trees, and nothing can be named while a collection looks. A tree that is named but cannot be read ends the
//! collection before anything is removed: a missing answer never deletes. It does *not* know who names things.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use model::Digest;
use model::artifact::LayerKey;

use crate::blob::blob_used;
use crate::{ReadError, Store};

/// What must stay.
#[derive(Clone, Debug, Default)]
pub struct KeepSet {
    /// Blobs that no tree names yet.
    pub blobs: HashSet<Digest>,
    /// Trees, with all their blobs.
    pub trees: HashSet<Digest>,
    pub layers: HashSet<LayerKey>,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub blobs: u64,
    pub trees: u64,
    pub layers: u64,
    /// Bytes of the blobs that went; those of layers are not counted.
    pub blob_bytes: u64,
}

/// What the store takes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub bytes: u64,
    pub files: u64,
}

/// Nothing more was removed after this; calling again is fine.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("a tree that is to be kept cannot be read, so nothing was removed: {0}")]
    Unreadable(#[from] ReadError),
    #[error("the collection stopped: {0}")]
    Io(#[from] io::Error),
}

impl Store {
    /// Removes what `keep` does not name and what was last used before `older_than`.
    pub fn collect(&self, keep: &KeepSet, older_than: SystemTime) -> Result<Collected, CollectError> {
        let _alone = self
            .inner
            .naming
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let old = |metadata: &fs::Metadata| metadata.modified().map(|used| used < older_than);
        let (trees, unnamed) = self.sort_trees(keep, &old)?;
        let blobs = self.blobs_of(&trees, keep)?;
        let mut collected = Collected::default();
        for digest in unnamed {
            fs::remove_file(self.manifest_path(&digest))?;
            self.cache().remove(&digest);
            collected.trees += 1;
        }
        self.discard_old("trees", |digest| trees.contains(digest), &old)?;
        collected.layers = self.discard_old("layers", |key| keep.layers.contains(key), &old)?;
        for area in ["exec", "blobs"] {
            for prefix in fs::read_dir(self.area(area))? {
                self.remove_blobs(&prefix?.path(), &blobs, older_than, &mut collected)?;
            }
        }
        Ok(collected)
    }

    /// Bytes and files on disk. Reads every directory of the store: for occasions, not for every request.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        // Directories of trees are links to blobs, which are counted already.
        for area in ["blobs", "exec", "manifests", "layers", "scratch", "staging"] {
            let mut waiting = vec![self.area(area)];
            while let Some(dir) = waiting.pop() {
                add_directory(&dir, &mut usage, &mut waiting)?;
            }
        }
        Ok(usage)
    }

    /// The trees that stay and the manifests that go.
    fn sort_trees(
        &self,
        keep: &KeepSet,
        old: &impl Fn(&fs::Metadata) -> io::Result<bool>,
    ) -> io::Result<(HashSet<Digest>, Vec<Digest>)> {
        let mut stay = keep.trees.clone();
        let mut go = Vec::new();
        for entry in fs::read_dir(self.area("manifests"))? {
            let entry = entry?;
            let Some(digest) = digest_of(&entry) else { continue };
            if stay.contains(&digest) {
                continue;
            }
            if old(&entry.metadata()?)? {
                go.push(digest);
            } else {
                stay.insert(digest);
            }
        }
        Ok((stay, go))
    }

    fn blobs_of(&self, trees: &HashSet<Digest>, keep: &KeepSet) -> Result<HashSet<Digest>, CollectError> {
        let mut blobs = keep.blobs.clone();
        for digest in trees {
            match self.read_tree(digest) {
                Ok(tree) => blobs.extend(tree.digests()),
                // Named but never stored, or lost: it names no blobs that could be kept.
                Err(ReadError::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(blobs)
    }

    fn discard_old(
        &self,
        area: &str,
        kept: impl Fn(&Digest) -> bool,
        old: &impl Fn(&fs::Metadata) -> io::Result<bool>,
    ) -> io::Result<u64> {
        let mut count = 0;
        for entry in fs::read_dir(self.area(area))? {
            let entry = entry?;
            if digest_of(&entry).is_some_and(|digest| kept(&digest)) || !old(&entry.metadata()?)? {
                continue;
            }
            self.discard(&entry.path())?;
            count += 1;
        }
        Ok(count)
    }

    fn remove_blobs(
        &self,
        prefix: &Path,
        blobs: &HashSet<Digest>,
        older_than: SystemTime,
        collected: &mut Collected,
    ) -> io::Result<()> {
        for entry in fs::read_dir(prefix)? {
            let entry = entry?;
            if digest_of(&entry).is_some_and(|digest| blobs.contains(&digest)) {
                continue;
            }
            let metadata = entry.metadata()?;
            if blob_used(&metadata)? < older_than {
                fs::remove_file(entry.path())?;
                collected.blobs += 1;
                collected.blob_bytes += metadata.len();
            }
        }
        Ok(())
    }
}

fn digest_of(entry: &fs::DirEntry) -> Option<Digest> {
    format!("sha256:{}", entry.file_name().to_str()?).parse().ok()
}

fn add_directory(dir: &Path, usage: &mut Usage, waiting: &mut Vec<std::path::PathBuf>) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Builds come and go, and overlay keeps directories that nobody may look into.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        usage.bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            waiting.push(entry.path());
        } else {
            usage.files += 1;
        }
    }
    Ok(())
}
