//! Names the bytes of every file, on two threads, and makes the tree of them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use model::tree::{Entry, Node};
use model::{Digest, Tree, TreePath};
use sha2::{Digest as _, Sha256};

use super::cache::HashCache;
use super::git::Index;
use super::open::open_regular;
use super::walk::{Found, FoundDirectory, FoundFile, walk};
use crate::exit::Fault;

const THREADS: usize = 2;
const CHUNK_BYTES: usize = 64 << 10;

/// What is deployed.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) dir: PathBuf,
    /// Where digests are remembered between deployments.
    pub(crate) cache: Option<PathBuf>,
}

/// A directory, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) tree: Tree,
    /// Where the bytes of each digest are, and how many.
    pub(crate) blobs: BTreeMap<Digest, (PathBuf, u64)>,
    /// What the person should hear about.
    pub(crate) notes: Vec<String>,
    /// Where it was looked for files.
    pub(crate) directories: Vec<FoundDirectory>,
}

/// Reads a directory once. Blocking.
pub(crate) fn prepare(source: &Source) -> anyhow::Result<Manifest> {
    let mut scanner = Scanner::new(source)?;
    let manifest = scanner.scan()?;
    scanner.save();
    Ok(manifest)
}

/// Reads a directory again and again: only what changed is hashed again. Blocking.
#[derive(Debug)]
pub(crate) struct Scanner {
    root: PathBuf,
    cache: HashCache,
    index: Index,
}

impl Scanner {
    pub(crate) fn new(source: &Source) -> anyhow::Result<Self> {
        let root = root_of(&source.dir)?;
        Ok(Self {
            cache: HashCache::open(source.cache.as_deref(), &root),
            index: Index::default(),
            root,
        })
    }

    /// Absolute, without links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What is there now.
    pub(crate) fn scan(&mut self) -> anyhow::Result<Manifest> {
        let found = walk(&self.root, self.index.tracked(&self.root))?;
        if found.files.is_empty() {
            let message = format!("{} holds no files to deploy", self.root.display());
            return Err(Fault::failed("empty_source", message)
                .hint(model::failure::Code::EmptySource.hint())
                .into());
        }
        let digests = hash_all(&found.files, &self.cache)?;
        self.cache
            .replace(found.files.iter().zip(digests.iter().copied()));
        manifest(found, &digests)
    }

    /// Keeps the digests for the next process.
    pub(crate) fn save(&self) {
        self.cache.save();
    }
}

/// The directory `dir` itself, without links on the way.
pub(crate) fn root_of(dir: &Path) -> anyhow::Result<PathBuf> {
    let refuse =
        |what: String| Fault::failed("no_directory", what).hint("name the directory that holds the project");
    let shown = dir.display();
    let root = dir.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => refuse(format!("there is no directory {shown}")),
        _ => refuse(format!("cannot look into {shown}: {error}")),
    })?;
    match root.is_dir() {
        true => Ok(root),
        false => Err(refuse(format!("{shown} is not a directory")).into()),
    }
}

fn manifest(found: Found, digests: &[Digest]) -> anyhow::Result<Manifest> {
    let invalid = |error: model::tree::TreeError| {
        Fault::failed("invalid_tree", error.to_string()).hint("change it, or leave it out in .cxignore")
    };
    let mut entries = Vec::with_capacity(found.files.len() + found.links.len());
    let mut blobs = BTreeMap::new();
    for (file, digest) in found.files.into_iter().zip(digests.iter().copied()) {
        let node = Node::File {
            digest,
            size_bytes: file.stamp.size_bytes,
            executable: file.executable,
        };
        entries.push(Entry {
            path: TreePath::new(&file.path).map_err(invalid)?,
            node,
        });
        blobs.insert(digest, (file.on_disk, file.stamp.size_bytes));
    }
    for link in found.links {
        let node = Node::Symlink { target: link.target };
        entries.push(Entry {
            path: TreePath::new(&link.path).map_err(invalid)?,
            node,
        });
    }
    Ok(Manifest {
        tree: Tree::new(entries).map_err(invalid)?,
        blobs,
        notes: found.notes,
        directories: found.directories,
    })
}

fn hash_all(files: &[FoundFile], cache: &HashCache) -> anyhow::Result<Vec<Digest>> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Vec<(usize, Digest)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else {
                return Ok(done);
            };
            let digest = cache
                .get(file)
                .map_or_else(|| hash(&file.on_disk, file.stamp.size_bytes), Ok)?;
            done.push((index, digest));
        }
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    let mut digests = vec![Digest::from_bytes([0; 32]); files.len()];
    for part in parts {
        let part = part.map_err(|_| anyhow::anyhow!("a thread that hashes files panicked"))??;
        for (index, digest) in part {
            digests[index] = digest;
        }
    }
    Ok(digests)
}

fn hash(file: &Path, size_bytes: u64) -> anyhow::Result<Digest> {
    let read = || -> std::io::Result<(Digest, u64)> {
        let mut reader = open_regular(file)?;
        let (mut hasher, mut buffer, mut total) = (Sha256::new(), vec![0; CHUNK_BYTES], 0);
        loop {
            let n = reader.read(&mut buffer)?;
            if n == 0 {
                return Ok((Digest::from_bytes(hasher.finalize().into()), total));
            }
            hasher.update(&buffer[..n]);
            total += n as u64;
        }
    };
    match read() {
        Ok((digest, total)) if total == size_bytes => Ok(digest),
        Ok(_) => Err(changed(file).into()),
        Err(error) => Err(unread(file, &error).into()),
    }
}

/// Why a file that was there a moment ago could not be read.
pub(super) fn unread(file: &Path, error: &io::Error) -> Fault {
    match error.kind() {
        // Removed, or replaced by something else, since the directory was looked at.
        ErrorKind::NotFound | ErrorKind::InvalidInput => changed(file),
        _ => Fault::failed("unreadable", format!("cannot read {}: {error}", file.display()))
            .hint("let yourself read it, or leave it out in .cxignore"),
    }
}

/// A file was written to while it was being read.
pub(super) fn changed(file: &Path) -> Fault {
    Fault::failed(
        "file_changed",
        format!("{} changed while it was being read", file.display()),
    )
    .hint("deploy again when nothing writes to the directory")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source(dir: &Path, cache: &Path) -> Source {
        Source {
            dir: dir.to_owned(),
            cache: Some(cache.to_owned()),
        }
    }

    #[test]
    fn equal_files_are_one_blob() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["a", "b"] {
            std::fs::write(dir.path().join(name), "same").unwrap();
        }
        let manifest = prepare(&source(dir.path(), cache.path())).unwrap();
        assert_eq!((manifest.tree.entries().len(), manifest.blobs.len()), (2, 1));
        assert!(manifest.blobs.contains_key(&Digest::of(b"same")));
    }

    #[test]
    fn a_remembered_file_is_not_read_and_a_changed_one_is() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = dir.path().join("a");
        std::fs::write(&file, "old").unwrap();
        let root = dir.path().canonicalize().unwrap();
        let mut found = walk(&root, Arc::default()).unwrap();
        // As if it had been written long ago, with other bytes than it has: only a remembered digest can say "known".
        let known = Digest::of(b"known");
        found.files[0].stamp.modified_ns = 1;
        found.files[0].stamp.changed_ns = 1;
        let mut first = HashCache::open(Some(cache.path()), &root);
        first.replace(found.files.iter().map(|file| (file, known)));
        first.save();
        let again = HashCache::open(Some(cache.path()), &root);
        assert_eq!(hash_all(&found.files, &again).unwrap(), [known]);
        found.files[0].stamp.modified_ns = 2;
        assert_eq!(hash_all(&found.files, &again).unwrap(), [Digest::of(b"old")]);
    }

    #[test]
    fn a_fresh_file_is_not_remembered() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("a"), "x").unwrap();
        prepare(&source(dir.path(), cache.path())).unwrap();
        let root = dir.path().canonicalize().unwrap();
        let found = walk(&root, Arc::default()).unwrap();
        assert_eq!(
            HashCache::open(Some(cache.path()), &root).get(&found.files[0]),
            None
        );
    }

    #[test]
    fn links_that_leave_are_refused_by_name() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("a"), "x").unwrap();
        std::os::unix::fs::symlink("../../etc/passwd", dir.path().join("out")).unwrap();
        let error = prepare(&source(dir.path(), cache.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`out` points to `../../etc/passwd`"), "{error}");
    }

    #[test]
    fn an_empty_directory_says_so() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fault = crate::exit::fault_of(&prepare(&source(dir.path(), cache.path())).unwrap_err());
        assert_eq!(fault.code, "empty_source");
    }
}
