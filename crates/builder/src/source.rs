//! The files of a source, wherever they are: a tree in the store, or a directory on a laptop.
//!
//! Guards against one answer for `cx plan DIR` and another on the server: detection sees both through this. It does
//! *not* follow links, and reads small files only.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Tree;
use model::tree::{ENTRIES_MAX, Node};
use store::Store;

/// Bytes of one file that detection reads at the most.
pub const READ_BYTES_MAX: u64 = 1 << 20;

/// Directories that are no part of a source.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// A set of files that can be looked at.
pub trait SourceFiles {
    /// Paths of all files and links, relative, `/` between names, sorted by their bytes.
    fn paths(&self) -> &[String];

    /// The first [`READ_BYTES_MAX`] bytes of the regular file at `path`.
    ///
    /// # Errors
    /// `NotFound` where there is no regular file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
}

/// A tree in the store.
pub struct StoredSource {
    store: Store,
    tree: Arc<Tree>,
    paths: Vec<String>,
}

/// A directory.
pub struct DirectorySource {
    dir: PathBuf,
    paths: Vec<String>,
}

impl StoredSource {
    pub fn new(store: Store, tree: Arc<Tree>) -> Self {
        let paths = tree
            .entries()
            .iter()
            .map(|entry| entry.path.to_string())
            .collect();
        Self { store, tree, paths }
    }
}

impl SourceFiles for StoredSource {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.tree.get(path) {
            Some(Node::File { digest, .. }) => read_start(self.store.open_blob(digest)?),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl DirectorySource {
    /// Lists `dir` without `.git` and `node_modules`, and without following links.
    ///
    /// # Errors
    /// A directory that cannot be read, or one with more files than a source may have.
    pub fn walk(dir: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        let mut waiting = vec![String::new()];
        while let Some(below) = waiting.pop() {
            for entry in fs::read_dir(dir.join(&below))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let path = if below.is_empty() {
                    name.clone()
                } else {
                    format!("{below}/{name}")
                };
                if !entry.file_type()?.is_dir() {
                    paths.push(path);
                } else if !SKIPPED.contains(&name.as_str()) {
                    waiting.push(path);
                }
            }
            if paths.len() + waiting.len() > ENTRIES_MAX {
                return Err(io::Error::other(format!("more than {ENTRIES_MAX} files")));
            }
        }
        Ok(Self::new(dir, paths))
    }

    /// The files `paths` of `dir`, for a caller that has its own idea of what is left out.
    pub fn new(dir: &Path, mut paths: Vec<String>) -> Self {
        paths.sort();
        Self {
            dir: dir.to_owned(),
            paths,
        }
    }
}

impl SourceFiles for DirectorySource {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.dir.join(path);
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        read_start(File::open(path)?)
    }
}

fn read_start(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
