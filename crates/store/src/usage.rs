//! What the store takes on disk, by what it is for.
//!
//! Reads every directory: for occasions, not for every request. It does *not* follow what vanishes meanwhile.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::Store;

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
    pub fn usage(&self) -> io::Result<Usage> {
        // Directories of trees are links to blobs, which are counted already.
        let taken = |area| self.taken(self.area(area));
        let (blobs, executable) = (taken("blobs")?, taken("exec")?);
        Ok(Usage {
            blobs: Taken {
                bytes: blobs.bytes + executable.bytes,
                files: blobs.files + executable.files,
            },
            manifests: taken("manifests")?,
            layers: taken("layers")?,
            scratch: taken("scratch")?,
            staging: taken("staging")?,
        })
    }

    /// Bytes and files of one scratch directory.
    pub fn scratch_usage(&self, name: &str) -> io::Result<Taken> {
        self.taken(self.area("scratch").join(name))
    }

    /// The room on the file system that holds the store.
    pub fn room(&self) -> io::Result<Room> {
        let stat = rustix::fs::statvfs(self.directory())?;
        Ok(Room {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    fn taken(&self, top: PathBuf) -> io::Result<Taken> {
        let mut taken = Taken::default();
        let mut waiting = vec![top];
        while let Some(dir) = waiting.pop() {
            let entries = match fs::read_dir(dir) {
                Ok(entries) => entries,
                // Builds come and go, and overlay keeps directories that nobody may look into.
                Err(error) if is_expected(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let Ok(entry) = entry else { break };
                let Ok(metadata) = entry.metadata() else { continue };
                taken.bytes += metadata.blocks() * 512;
                if metadata.is_dir() {
                    waiting.push(entry.path());
                } else {
                    taken.files += 1;
                }
            }
        }
        Ok(taken)
    }
}

fn is_expected(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
