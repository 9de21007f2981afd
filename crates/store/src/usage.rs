//! What the store takes on disk, by what it is for.
//!
//! Reads every directory: for occasions, not for every request. It does *not* follow what vanishes meanwhile.

use std::io;

use crate::Store;
use crate::measure::taken;

/// Bytes on disk and the number of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub bytes: u64,
    pub files: u64,
}

/// What the store takes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files of sources and of static parts.
    pub blobs: Taken,
    /// Lists of files.
    pub manifests: Taken,
    /// Dependencies, what builds wrote, and toolchains.
    pub layers: Taken,
    /// What builds and instances write, and package caches.
    pub scratch: Taken,
    /// What is being made or removed.
    pub staging: Taken,
}

/// A file system's room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes that can still be written.
    pub free_bytes: u64,
    pub total_bytes: u64,
}

impl Usage {
    /// All of it.
    pub fn total(&self) -> Taken {
        let all = [
            self.blobs,
            self.manifests,
            self.layers,
            self.scratch,
            self.staging,
        ];
        all.into_iter().fold(Taken::default(), |sum, part| Taken {
            bytes: sum.bytes + part.bytes,
            files: sum.files + part.files,
        })
    }
}

impl Store {
    /// Bytes and files on disk.
    pub fn usage(&self) -> Usage {
        // Directories of trees are links to blobs, which are counted already.
        let taken = |area| taken(&self.area(area));
        let forms = [taken("blobs"), taken("exec"), taken("encoded")];
        Usage {
            blobs: Taken {
                bytes: forms.iter().map(|form| form.bytes).sum(),
                files: forms.iter().map(|form| form.files).sum(),
            },
            manifests: taken("manifests"),
            layers: taken("layers"),
            scratch: taken("scratch"),
            staging: taken("staging"),
        }
    }

    /// Bytes and files of one scratch directory.
    pub fn scratch_usage(&self, name: &str) -> Taken {
        taken(&self.area("scratch").join(name))
    }

    /// The room on the file system that holds the store.
    pub fn room(&self) -> io::Result<Room> {
        let stat = rustix::fs::statvfs(self.directory())?;
        Ok(Room {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}
