//! Whether a build failed because the server's disk is full, which is not the fault of the project.

use std::path::PathBuf;

/// A disk with less free is taken for full when a program says so: what it wrote last may be gone again.
const FULL_BYTES: u64 = 256 << 20;
const FULL_FILES: u64 = 64;

/// Whether the disk that holds the first of `dirs` has next to nothing left. One that does not tell is not full.
pub(super) fn is_full(dirs: &[PathBuf]) -> bool {
    let stat = dirs.iter().find_map(|dir| rustix::fs::statvfs(dir).ok());
    stat.is_some_and(|stat| {
        // Some file systems have no number of files.
        let files = stat.f_files > 0 && stat.f_favail < FULL_FILES;
        files || stat.f_bavail.saturating_mul(stat.f_frsize) < FULL_BYTES
    })
}
