//! Directories into trees: what a build wrote becomes blobs and a manifest.
//!
//! Guards against what hostile output can be: links that lead outside (an error that names them, never followed),
//! devices, sockets and pipes (skipped), names that are not text, and too much of anything. It does *not* store the
//! tree: the caller may want only a part of it.

use std::ffi::CStr;
use std::io::{self, Read};
use std::path::Path;

use model::tree::{Entry, Node, TreeError};
use model::{Digest, Tree, TreePath};
use rustix::fs::FileType;

use crate::overlay::{Found, Merged};
use crate::{PutError, Store};

/// Directories within directories at the most: each holds open descriptors.
const DEPTH_MAX: usize = 128;

/// How much may be imported at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    pub entries_max: usize,
    pub file_bytes_max: u64,
    pub bytes_max: u64,
}

/// A directory cannot become a tree.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{0}` is not a directory")]
    NotADirectory(String),
    #[error("`{path}` has a name that is not UTF-8; rename it")]
    Name { path: String },
    #[error("{0}")]
    Tree(#[from] TreeError),
    #[error("more than {entries_max} files were found; write fewer")]
    TooMany { entries_max: usize },
    #[error("`{path}` is larger than {limit_bytes} bytes; write less")]
    TooLarge { path: String, limit_bytes: u64 },
    #[error("the files are more than {bytes_max} bytes together; write less")]
    TooMuch { bytes_max: u64 },
    #[error("`{path}` lies more than {DEPTH_MAX} directories deep; use fewer")]
    TooDeep { path: String },
    #[error("`{path}` could not be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("`{path}` could not be stored: {source}")]
    Put { path: String, source: PutError },
}

struct Import<'a> {
    store: &'a Store,
    limits: ImportLimits,
    entries: Vec<Entry>,
    bytes: u64,
}

impl Store {
    /// Stores all files below `dir` and gives the tree of them; the tree itself is not stored yet.
    pub fn import(&self, dir: &Path, limits: ImportLimits) -> Result<Tree, ImportError> {
        self.import_merged(&[dir], "", limits)
    }

    /// The same for the directory `below` (`""` is the top) of a stack of overlay layers, topmost first, as a mounted
    /// overlay would show it.
    pub fn import_merged(
        &self,
        layers: &[&Path],
        below: &str,
        limits: ImportLimits,
    ) -> Result<Tree, ImportError> {
        let missing = || ImportError::NotADirectory(below.to_owned());
        let unreadable = |source| ImportError::Read {
            path: below.to_owned(),
            source,
        };
        let mut merged = Merged::open(layers).map_err(unreadable)?;
        for name in below.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let name = std::ffi::CString::new(name).map_err(|_| missing())?;
            merged = merged.enter(&name).map_err(unreadable)?.ok_or_else(missing)?;
        }
        let mut import = Import {
            store: self,
            limits,
            entries: Vec::new(),
            bytes: 0,
        };
        import.directory(&merged, "", 0)?;
        Ok(Tree::new(import.entries)?)
    }
}

impl Import<'_> {
    fn directory(&mut self, dir: &Merged, path: &str, depth: usize) -> Result<(), ImportError> {
        if depth > DEPTH_MAX {
            return Err(ImportError::TooDeep {
                path: path.to_owned(),
            });
        }
        let unreadable = |source| ImportError::Read {
            path: path.to_owned(),
            source,
        };
        for (name, found) in dir.list().map_err(unreadable)? {
            let inner = join(path, &name)?;
            match FileType::from_raw_mode(found.stat.st_mode) {
                FileType::Directory => {
                    let unreadable = |source| ImportError::Read {
                        path: inner.clone(),
                        source,
                    };
                    if let Some(dir) = dir.enter(&name).map_err(unreadable)? {
                        self.directory(&dir, &inner, depth + 1)?;
                    }
                }
                FileType::RegularFile => {
                    let node = self.file(dir, &name, &found, &inner)?;
                    self.add(&inner, node)?;
                }
                FileType::Symlink => {
                    let unreadable = |source| ImportError::Read {
                        path: inner.clone(),
                        source,
                    };
                    let target = dir.read_link(&name, &found).map_err(unreadable)?;
                    let target = target
                        .into_string()
                        .map_err(|_| ImportError::Name { path: inner.clone() })?;
                    self.add(&inner, Node::Symlink { target })?;
                }
                _ => tracing::debug!(path = inner, "skipped: neither file, directory nor link"),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, node: Node) -> Result<(), ImportError> {
        if self.entries.len() >= self.limits.entries_max {
            return Err(ImportError::TooMany {
                entries_max: self.limits.entries_max,
            });
        }
        self.entries.push(Entry {
            path: TreePath::new(path)?,
            node,
        });
        Ok(())
    }

    fn file(&mut self, dir: &Merged, name: &CStr, found: &Found, path: &str) -> Result<Node, ImportError> {
        let unreadable = |source| ImportError::Read {
            path: path.to_owned(),
            source,
        };
        let file = dir.open_file(name, found).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(unreadable(io::Error::other("it changed while it was read")));
        }
        let (digest, size_bytes) = self.put(file, path)?;
        self.bytes = self.bytes.saturating_add(size_bytes);
        if self.bytes > self.limits.bytes_max {
            return Err(ImportError::TooMuch {
                bytes_max: self.limits.bytes_max,
            });
        }
        Ok(Node::File {
            digest,
            size_bytes,
            executable: found.stat.st_mode & 0o111 != 0,
        })
    }

    fn put(&self, file: impl Read, path: &str) -> Result<(Digest, u64), ImportError> {
        let limit_bytes = self.limits.file_bytes_max;
        self.store
            .put_blob(file, limit_bytes)
            .map_err(|error| match error {
                PutError::TooLarge { limit_bytes } => ImportError::TooLarge {
                    path: path.to_owned(),
                    limit_bytes,
                },
                PutError::Source(source) => ImportError::Read {
                    path: path.to_owned(),
                    source,
                },
                source => ImportError::Put {
                    path: path.to_owned(),
                    source,
                },
            })
    }
}

fn join(path: &str, name: &CStr) -> Result<String, ImportError> {
    let lossy = || ImportError::Name {
        path: format!("{path}/{}", name.to_string_lossy()),
    };
    let name = name.to_str().map_err(|_| lossy())?;
    Ok(if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    })
}
