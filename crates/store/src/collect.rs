//! Garbage collection: what nobody names and nobody used lately goes.
//!
//! Two halves, so that whoever keeps rows about blobs can change them in between: [`Store::unneeded`] looks and removes
//! nothing, [`Store::remove_unneeded`] removes one thing at a time and looks again before each, while nothing can be
//! named. So nobody ever waits for a collection, and what was used or named after the look stays. It may end after any
//! step: a tree goes before its blobs, and what is left is found by the next look.
//!
//! A tree that is named but cannot be read ends the look: a missing answer never deletes. It does *not* know who names
//! things.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{RwLockWriteGuard, TryLockError};
use std::time::{Duration, SystemTime};

use model::Digest;
use model::artifact::LayerKey;

use crate::blob::blob_used;
use crate::{ReadError, Store};

/// How often is tried to remove one thing while things are being named, and how long is waited in between. What cannot
/// be removed then is left to the next collection: waiting for the lock would hold up everybody who comes after.
const TRIES: u32 = 50;
const TRY_AGAIN: Duration = Duration::from_millis(2);

/// What must stay.
#[derive(Clone, Debug, Default)]
pub struct KeepSet {
    /// Blobs that no tree names yet.
    pub blobs: HashSet<Digest>,
    /// Trees, with all their blobs.
    pub trees: HashSet<Digest>,
    pub layers: HashSet<LayerKey>,
}

/// Since when a thing that nobody names must not have been used to go.
#[derive(Clone, Copy, Debug)]
pub struct UnusedSince {
    /// Blobs and trees.
    pub files: SystemTime,
    pub layers: SystemTime,
}

/// What nobody named or had used when somebody looked.
#[derive(Debug, Default)]
pub struct Unneeded {
    steps: Vec<Step>,
}

/// One thing to be removed, and since when it must not have been used.
#[derive(Debug)]
struct Step {
    what: Thing,
    path: PathBuf,
    unused_since: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Manifest(Digest),
    TreeDirectory,
    Layer,
    Blob(Digest),
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

/// The collection did not come to its end; it can be asked for again.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("a tree that is to be kept cannot be read, so nothing was removed: {0}")]
    Unreadable(#[from] ReadError),
    #[error("the collection stopped: {0}")]
    Io(#[from] io::Error),
}

impl Unneeded {
    /// The blobs in it.
    pub fn blobs(&self) -> BTreeSet<Digest> {
        let blob = |step: &Step| match step.what {
            Thing::Blob(digest) => Some(digest),
            _ => None,
        };
        self.steps.iter().filter_map(blob).collect()
    }

    /// Leaves these blobs where they are.
    pub fn spare(&mut self, blobs: &HashSet<Digest>) {
        self.steps
            .retain(|step| !matches!(step.what, Thing::Blob(digest) if blobs.contains(&digest)));
    }
}

impl Store {
    /// Removes what `keep` does not name and what was last used before `older_than`.
    pub fn collect(&self, keep: &KeepSet, older_than: SystemTime) -> Result<Collected, CollectError> {
        let since = UnusedSince {
            files: older_than,
            layers: older_than,
        };
        let mut collected = Collected::default();
        for step in self.remove_unneeded(self.unneeded(keep, since)?) {
            collected.add(step?);
        }
        Ok(collected)
    }

    /// What `keep` does not name and nobody used since then. Removes nothing.
    pub fn unneeded(&self, keep: &KeepSet, since: UnusedSince) -> Result<Unneeded, CollectError> {
        let (trees, mut steps) = self.sort_trees(keep, since.files)?;
        let blobs = self.blobs_of(&trees, keep)?;
        let directories = |area| self.old_directories(area);
        for (path, name) in directories("trees")? {
            if !name.is_some_and(|digest| trees.contains(&digest)) {
                steps.push(Step::new(Thing::TreeDirectory, path, since.files));
            }
        }
        for (path, name) in directories("layers")? {
            if !name.is_some_and(|key| keep.layers.contains(&key)) {
                steps.push(Step::new(Thing::Layer, path, since.layers));
            }
        }
        for area in ["exec", "blobs"] {
            for prefix in fs::read_dir(self.area(area))? {
                for entry in fs::read_dir(prefix?.path())? {
                    let entry = entry?;
                    // What has another name was not put here by us.
                    let Some(digest) = digest_of(&entry) else { continue };
                    if !blobs.contains(&digest) {
                        steps.push(Step::new(Thing::Blob(digest), entry.path(), since.files));
                    }
                }
            }
        }
        steps.retain(|step| step.used().is_ok_and(|used| used < step.unused_since));
        Ok(Unneeded { steps })
    }

    /// Removes what was found unneeded and still is, one thing with every step.
    pub fn remove_unneeded(
        &self,
        unneeded: Unneeded,
    ) -> impl Iterator<Item = Result<Collected, CollectError>> {
        let store = self.clone();
        unneeded
            .steps
            .into_iter()
            .map(move |step| store.remove(&step).map_err(CollectError::from))
    }

    fn remove(&self, step: &Step) -> io::Result<Collected> {
        let mut collected = Collected::default();
        let Some(alone) = self.alone() else {
            return Ok(collected);
        };
        // Used or removed since the look.
        match step.used() {
            Ok(used) if used < step.unused_since => {}
            Ok(_) => return Ok(collected),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(collected),
            Err(error) => return Err(error),
        }
        match step.what {
            Thing::Manifest(digest) => {
                fs::remove_file(&step.path)?;
                self.cache().remove(&digest);
                collected.trees += 1;
            }
            Thing::Blob(digest) => {
                // First: what is left of an interrupted removal is still found by its blob.
                self.remove_forms(&digest)?;
                collected.blob_bytes += fs::symlink_metadata(&step.path)?.len();
                fs::remove_file(&step.path)?;
                collected.blobs += 1;
            }
            Thing::TreeDirectory | Thing::Layer => {
                let trash = self.set_aside(&step.path)?;
                // What takes long needs no lock: nobody finds it any more.
                drop(alone);
                trash.map_or(Ok(()), |trash| trash.empty())?;
                collected.layers += u64::from(step.what == Thing::Layer);
            }
        }
        Ok(collected)
    }

    /// The lock under which nothing can be named, if it can be had soon.
    fn alone(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        for _ in 0..TRIES {
            match self.inner.naming.try_write() {
                Ok(alone) => return Some(alone),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
            }
        }
        None
    }

    /// The trees that stay, and the manifests that may go.
    fn sort_trees(
        &self,
        keep: &KeepSet,
        unused_since: SystemTime,
    ) -> io::Result<(HashSet<Digest>, Vec<Step>)> {
        let mut stay = keep.trees.clone();
        let mut go = Vec::new();
        for entry in fs::read_dir(self.area("manifests"))? {
            let entry = entry?;
            let Some(digest) = digest_of(&entry) else { continue };
            if stay.contains(&digest) {
                continue;
            }
            let step = Step::new(Thing::Manifest(digest), entry.path(), unused_since);
            if step.used()? < unused_since {
                go.push(step);
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

    fn old_directories(&self, area: &str) -> io::Result<Vec<(PathBuf, Option<Digest>)>> {
        fs::read_dir(self.area(area))?
            .map(|entry| entry.map(|entry| (entry.path(), digest_of(&entry))))
            .collect()
    }
}

impl Step {
    fn new(what: Thing, path: PathBuf, unused_since: SystemTime) -> Self {
        Self {
            what,
            path,
            unused_since,
        }
    }

    /// When it was last used.
    fn used(&self) -> io::Result<SystemTime> {
        let metadata = fs::symlink_metadata(&self.path)?;
        match self.what {
            Thing::Blob(_) => blob_used(&metadata),
            Thing::Manifest(_) | Thing::TreeDirectory | Thing::Layer => metadata.modified(),
        }
    }
}

impl Collected {
    /// Counts what another step removed.
    pub fn add(&mut self, other: Self) {
        self.blobs += other.blobs;
        self.trees += other.trees;
        self.layers += other.layers;
        self.blob_bytes += other.blob_bytes;
    }
}

fn digest_of(entry: &fs::DirEntry) -> Option<Digest> {
    digest_named(&entry.path())
}

/// The digest that a path of the store ends in.
pub(crate) fn digest_named(path: &Path) -> Option<Digest> {
    format!("sha256:{}", path.file_name()?.to_str()?).parse().ok()
}
