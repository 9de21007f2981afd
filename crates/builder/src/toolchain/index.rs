//! Which toolchains are in the store: a small file for each, beside the layers that it names.
//!
//! Guards against asking the registry for what is here already. An entry whose layer was collected counts for nothing.

use std::fs;
use std::io;

use model::Digest;
use serde::{Deserialize, Serialize};
use store::Store;

use super::version::Version;

/// The scratch directory that holds the files.
const SCRATCH: &str = "toolchains";

/// One toolchain that was made a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Exact.
    pub(super) version: String,
    pub(super) layer: Digest,
    /// Where it came from, for people.
    pub(super) origin: String,
}

impl Entry {
    pub(super) fn version(&self) -> Option<Version> {
        self.version.parse().ok()
    }
}

/// All toolchains `name` whose layers are there.
pub(super) fn list(store: &Store, name: &str) -> Vec<Entry> {
    let Ok(dir) = store.scratch(SCRATCH) else {
        return Vec::new();
    };
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let entries = files.filter_map(|file| serde_json::from_slice::<Entry>(&fs::read(file.path()).ok()?).ok());
    entries
        .filter(|entry| entry.name == name && store.has_layer(&entry.layer))
        .collect()
}

/// Notes `entry`.
pub(super) fn add(store: &Store, entry: &Entry) -> io::Result<()> {
    let dir = store.scratch(SCRATCH).map_err(io::Error::other)?;
    let file = tempfile::NamedTempFile::new_in(&dir)?;
    serde_json::to_writer(&file, entry)?;
    file.persist(dir.join(format!("{}-{}.json", entry.name, entry.layer.hex())))
        .map_err(|error| error.error)?;
    Ok(())
}
