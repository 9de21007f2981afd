//! Remembers the digests of files that did not change, so that a second deployment reads none of them.
//!
//! A file is known again by size, both times and inode. A file changed within the last two seconds is not remembered:
//! another change in the same tick of the clock would go unseen. Everything here may be lost at any time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model::Digest;
use serde::{Deserialize, Serialize};

use super::walk::{FoundFile, Stamp};

/// Bytes of a cache file that are read at the most.
const CACHE_BYTES_MAX: u64 = 64 << 20;
const SETTLED_NS: i128 = 2_000_000_000;

/// The digests of one directory's files.
#[derive(Debug, Default)]
pub(super) struct HashCache {
    file: Option<PathBuf>,
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    digest: Digest,
}

impl HashCache {
    /// The cache for `root`, in `dir`; without `dir` nothing is remembered.
    pub(super) fn open(dir: Option<&Path>, root: &Path) -> Self {
        let Some(dir) = dir else {
            return Self::default();
        };
        let name = Digest::of(root.as_os_str().as_encoded_bytes()).hex();
        let file = dir.join("hashes").join(format!("{name}.json"));
        let small = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= CACHE_BYTES_MAX);
        let bytes = if small {
            std::fs::read(&file).unwrap_or_default()
        } else {
            Vec::new()
        };
        Self {
            known: serde_json::from_slice(&bytes).unwrap_or_default(),
            file: Some(file),
        }
    }

    pub(super) fn get(&self, file: &FoundFile) -> Option<Digest> {
        self.known
            .get(&file.path)
            .filter(|known| known.stamp == file.stamp)
            .map(|known| known.digest)
    }

    /// Remembers exactly `files`.
    pub(super) fn replace<'a>(&mut self, files: impl Iterator<Item = (&'a FoundFile, Digest)>) {
        let now_ns = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as i128);
        let settled = |stamp: &Stamp| stamp.modified_ns.max(stamp.changed_ns) + SETTLED_NS < now_ns;
        self.known = files
            .filter(|(file, _)| settled(&file.stamp))
            .map(|(file, digest)| {
                let stamp = file.stamp;
                (file.path.clone(), Known { stamp, digest })
            })
            .collect();
    }

    /// Keeps what is remembered for the next process. A cache that cannot be written is no reason to fail.
    pub(super) fn save(&self) {
        let Some(file) = &self.file else {
            return;
        };
        if let Err(error) = write(file, &self.known) {
            tracing::debug!("cannot keep digests in {}: {error}", file.display());
        }
    }
}

fn write(file: &Path, known: &BTreeMap<String, Known>) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    // Two deployments of one directory may write at once; each renames a whole file.
    let part = file.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, serde_json::to_vec(known)?)?;
    std::fs::rename(&part, file)
}
