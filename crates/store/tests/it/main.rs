//! Tests of the store over real directories.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod archive;
mod blobs;
mod collect;
mod collect_steps;
mod encoded;
mod import;
mod layers;
mod recovery;
mod scratch;
mod trees;

use model::tree::{Entry, Node};
use model::{Tree, TreePath};
use store::Store;
use tempfile::TempDir;

/// A store in a temporary directory, which goes with the second value.
fn store() -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (store, dir)
}

/// Stores `bytes` and gives the entry that puts them at `path`; a path that ends in `*` is executable.
fn file(store: &Store, path: &str, bytes: &str) -> Entry {
    let (digest, size_bytes) = store.put_blob(bytes.as_bytes(), 1 << 20).unwrap();
    let executable = path.ends_with('*');
    let path = TreePath::new(path.trim_end_matches('*')).unwrap();
    Entry {
        path,
        node: Node::File {
            digest,
            size_bytes,
            executable,
        },
    }
}

fn link(path: &str, target: &str) -> Entry {
    Entry {
        path: TreePath::new(path).unwrap(),
        node: Node::Symlink {
            target: target.to_owned(),
        },
    }
}

fn tree(entries: Vec<Entry>) -> Tree {
    Tree::new(entries).unwrap()
}

/// Names directly below an area of the store.
fn names(dir: &TempDir, area: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.path().join(area))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
