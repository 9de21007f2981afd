//! What some trees and layers need, into an archive; and reading beside the process that owns the store.
//!
//! Guards against an archive that lacks something: what is asked for and not here is an error. Whoever asks sees to it
//! that nothing is collected meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use model::Digest;
use model::artifact::LayerKey;

use crate::archive::ArchiveWriter;
use crate::durable::{Unsynced, hash_file};
use crate::store::Inner;
use crate::tree::TreeCache;
use crate::{ReadError, Store};

/// What is to be copied.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Trees, with all their blobs.
    pub trees: BTreeSet<Digest>,
    pub layers: BTreeSet<LayerKey>,
}

/// Not everything could be copied, or not everything is there.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Tree(#[from] ReadError),
    #[error("the layer {0} is not in the store")]
    LayerMissing(LayerKey),
    #[error("the blob {digest} of the tree {tree} is not in the store, or damaged")]
    BlobMissing { tree: Digest, digest: Digest },
    #[error("`{path}` could not be copied: {source}")]
    Copy { path: String, source: io::Error },
}

impl Store {
    /// A store that another process may own, to be read beside it: nothing is made, removed or checked.
    pub fn open_beside(dir: &Path) -> Self {
        let inner = Inner {
            dir: dir.to_owned(),
            cache: Mutex::new(TreeCache::default()),
            naming: RwLock::new(()),
            unsynced: Mutex::new(Unsynced::default()),
            check: None,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether the manifest of `digest` is here. Asking does not count as using it.
    pub fn knows_tree(&self, digest: &Digest) -> bool {
        self.manifest_path(digest).is_file()
    }

    /// All blobs of `trees`, each with a tree that it belongs to.
    pub fn blobs_of_trees(&self, trees: &BTreeSet<Digest>) -> Result<HashMap<Digest, Digest>, ReadError> {
        let mut blobs = HashMap::new();
        for tree in trees {
            blobs.extend(
                self.read_tree(tree)?
                    .digests()
                    .into_iter()
                    .map(|blob| (blob, *tree)),
            );
        }
        Ok(blobs)
    }

    /// Writes `contents` to `archive`, below `store/`. `copied` is told the bytes so far.
    pub fn export<W: Write>(
        &self,
        contents: &Contents,
        archive: &mut ArchiveWriter<W>,
        copied: &mut dyn FnMut(u64),
    ) -> Result<(), ExportError> {
        let inside =
            |from: &Path| Path::new("store").join(from.strip_prefix(self.directory()).unwrap_or(from));
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |source| ExportError::Copy { path, source }
        };
        let blobs: BTreeSet<(Digest, Digest)> = self.blobs_of_trees(&contents.trees)?.into_iter().collect();
        for digest in &contents.trees {
            let from = self.manifest_path(digest);
            archive.add_file(inside(&from), &from).map_err(failed(&from))?;
        }
        for (digest, tree) in blobs {
            let from = self.blob_path(&digest);
            archive
                .add_file(inside(&from), &from)
                .map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => ExportError::BlobMissing { tree, digest },
                    _ => failed(&from)(source),
                })?;
            copied(archive.bytes());
        }
        for key in &contents.layers {
            let from = self.area("layers").join(key.hex());
            if !self.has_layer(key) {
                return Err(ExportError::LayerMissing(*key));
            }
            archive
                .add_directory(&inside(&from), &from)
                .map_err(failed(&from))?;
            copied(archive.bytes());
        }
        Ok(())
    }

    /// Reads everything that trees name, and checks that it is here and has its hash.
    pub fn check(&self) -> Result<(), ExportError> {
        let manifests = self.area("manifests");
        let unreadable = |path: PathBuf| {
            move |source| ExportError::Copy {
                path: path.display().to_string(),
                source,
            }
        };
        let mut trees = BTreeSet::new();
        for entry in std::fs::read_dir(&manifests).map_err(unreadable(manifests.clone()))? {
            let entry = entry.map_err(unreadable(manifests.clone()))?;
            trees.extend(crate::collect::digest_named(&entry.path()));
        }
        for (digest, tree) in self.blobs_of_trees(&trees)? {
            let is_whole = hash_file(&self.blob_path(&digest)).is_ok_and(|found| found == digest);
            if !is_whole {
                return Err(ExportError::BlobMissing { tree, digest });
            }
        }
        Ok(())
    }
}
