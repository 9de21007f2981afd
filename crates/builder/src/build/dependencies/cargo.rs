//! What `cargo fetch` reads: manifests, locks and settings, and of sources only that they are there.
//!
//! Cargo looks for the files of targets before it does anything. They are empty in the tree that it runs over, so a
//! changed source needs no new fetch.

use model::tree::{Entry, Node};
use model::{Digest, Tree};

use crate::source::SourceFiles;

const READ: [&str; 4] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
];
const SETTINGS: [&str; 2] = [".cargo/config.toml", ".cargo/config"];

/// The files that count; `None` where packages lie in the source.
pub(super) fn read(tree: &Tree, source: &dyn SourceFiles) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in tree.entries() {
        let (path, name) = (entry.path.as_str(), entry.path.file_name());
        let is_settings = SETTINGS
            .iter()
            .any(|settings| path == *settings || path.ends_with(&format!("/{settings}")));
        if is_settings {
            let bytes = source.read(path).ok()?;
            let text = String::from_utf8_lossy(&bytes);
            if text.contains("directory") || text.contains("local-registry") || text.contains("include") {
                return None;
            }
        }
        if is_settings || READ.contains(&name) {
            entries.push(entry.clone());
        } else if name.ends_with(".rs") {
            entries.push(Entry {
                path: entry.path.clone(),
                node: Node::File {
                    digest: Digest::of(b""),
                    size_bytes: 0,
                    executable: false,
                },
            });
        }
    }
    Some(entries)
}
