//! Trees: manifests of paths and digests, themselves named by digest.
//!
//! Guards against a tree whose files are not all here, and against a manifest that changed on disk. It does *not*
//! check paths and links: a `model::Tree` is always valid.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use model::tree::{Entry, Node};
use model::{Digest, Tree};

use crate::blob::{touch, touch_blob};
use crate::{PutError, Store};

/// Entries of all trees that are kept in memory; about 200 bytes each.
const CACHED_ENTRIES_MAX: usize = 400_000;

/// The tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the tree {0} is not in the store; deploy its files again")]
    Missing(Digest),
    #[error("the tree {0} is damaged on disk; deploy its files again")]
    Damaged(Digest),
    #[error("the tree {digest} could not be read: {source}")]
    Io { digest: Digest, source: io::Error },
}

/// The trees used last, as far as they fit.
#[derive(Default)]
pub(crate) struct TreeCache {
    trees: HashMap<Digest, (Arc<Tree>, u64)>,
    entries: usize,
    clock: u64,
}

impl Store {
    /// Stores a tree whose blobs are all here, and makes both durable: when this returns, a power cut leaves the tree
    /// complete. Gives its digest.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest, PutError> {
        let bytes = tree.canonical();
        let digest = Digest::of(&bytes);
        let path = self.manifest_path(&digest);
        let _named = self.naming();
        self.check_blobs(tree)?;
        if path.is_file() {
            touch(&path)?;
        } else {
            self.check_write()?;
            self.sync_blobs()?;
            let mut file = tempfile::Builder::new()
                .prefix("tree-")
                .tempfile_in(self.area("staging"))?;
            file.write_all(&bytes)?;
            file.as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            fs::File::open(self.area("manifests"))?.sync_all()?;
        }
        self.cache().insert(digest, Arc::new(tree.clone()));
        Ok(digest)
    }

    /// The tree named `digest`, from memory where it was used lately.
    pub fn tree(&self, digest: &Digest) -> Result<Arc<Tree>, ReadError> {
        if let Some(tree) = self.cache().get(digest) {
            return Ok(tree);
        }
        let tree = Arc::new(self.read_tree(digest)?);
        self.cache().insert(*digest, tree.clone());
        Ok(tree)
    }

    /// The same where it is in memory; does not block.
    pub fn cached_tree(&self, digest: &Digest) -> Option<Arc<Tree>> {
        self.cache().get(digest)
    }

    /// Whether the manifest of `digest` is here. Asking for it counts as using it.
    pub fn has_tree(&self, digest: &Digest) -> bool {
        let _named = self.naming();
        match touch(&self.manifest_path(digest)) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::warn!(tree = %digest, %error, "the use of a tree could not be noted");
                true
            }
        }
    }

    /// The tree named `digest`, not kept in memory: for who looks once.
    pub fn read_tree(&self, digest: &Digest) -> Result<Tree, ReadError> {
        let bytes = fs::read(self.manifest_path(digest)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ReadError::Missing(*digest),
            _ => ReadError::Io {
                digest: *digest,
                source,
            },
        })?;
        if Digest::of(&bytes) != *digest {
            return Err(ReadError::Damaged(*digest));
        }
        let entries: Result<Vec<Entry>, _> = serde_json::Deserializer::from_slice(&bytes)
            .into_iter::<Entry>()
            .collect();
        let entries = entries.map_err(|_| ReadError::Damaged(*digest))?;
        Tree::new(entries).map_err(|_| ReadError::Damaged(*digest))
    }

    pub(crate) fn manifest_path(&self, digest: &Digest) -> std::path::PathBuf {
        self.area("manifests").join(digest.hex())
    }

    pub(crate) fn cache(&self) -> std::sync::MutexGuard<'_, TreeCache> {
        self.inner
            .cache
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Every blob is here in the size that the tree says, and counts as used now.
    fn check_blobs(&self, tree: &Tree) -> Result<(), PutError> {
        let mut missing: Option<(String, Digest)> = None;
        let mut count = 0;
        for entry in tree.entries() {
            let Node::File {
                digest, size_bytes, ..
            } = &entry.node
            else {
                continue;
            };
            let path = self.blob_path(digest);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.len() == *size_bytes => touch_blob(&path)?,
                Ok(metadata) => {
                    return Err(PutError::WrongSize {
                        path: entry.path.to_string(),
                        claimed: *size_bytes,
                        stored: metadata.len(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    count += 1;
                    missing.get_or_insert_with(|| (entry.path.to_string(), *digest));
                }
                Err(error) => return Err(error.into()),
            }
        }
        match missing {
            Some((path, digest)) => Err(PutError::BlobMissing { path, digest, count }),
            None => Ok(()),
        }
    }
}

impl TreeCache {
    fn get(&mut self, digest: &Digest) -> Option<Arc<Tree>> {
        self.clock += 1;
        let (tree, used) = self.trees.get_mut(digest)?;
        *used = self.clock;
        Some(tree.clone())
    }

    fn insert(&mut self, digest: Digest, tree: Arc<Tree>) {
        let size = tree.entries().len() + 1;
        if size > CACHED_ENTRIES_MAX {
            return;
        }
        self.clock += 1;
        self.remove(&digest);
        self.entries += size;
        self.trees.insert(digest, (tree, self.clock));
        while self.entries > CACHED_ENTRIES_MAX {
            let oldest = self
                .trees
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(digest, _)| *digest);
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, digest: &Digest) {
        if let Some((tree, _)) = self.trees.remove(digest) {
            self.entries -= tree.entries().len() + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use model::TreePath;

    use super::*;

    fn tree(entries: usize, salt: usize) -> Arc<Tree> {
        let node = Node::Symlink {
            target: "x".to_owned(),
        };
        let entry = |n| Entry {
            path: TreePath::new(&format!("{salt}-{n}")).unwrap(),
            node: node.clone(),
        };
        Arc::new(Tree::new((0..entries).map(entry).collect()).unwrap())
    }

    #[test]
    fn the_cache_stays_within_its_bound_and_keeps_what_was_used_last() {
        let mut cache = TreeCache::default();
        let digest = |n: u8| Digest::from_bytes([n; 32]);
        for n in 0..4 {
            cache.insert(digest(n), tree(99_999, usize::from(n)));
        }
        assert!(cache.get(&digest(0)).is_some());
        cache.insert(digest(9), tree(99_999, 9));
        assert!(cache.get(&digest(0)).is_some());
        assert!(cache.get(&digest(1)).is_none());
        assert!(cache.entries <= CACHED_ENTRIES_MAX);
        cache.insert(digest(9), tree(1, 9));
        assert_eq!(cache.entries, 3 * 100_000 + 2);
    }
}
