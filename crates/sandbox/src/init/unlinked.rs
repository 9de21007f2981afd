//! Files that processes of the sandbox hold open though nobody can find them any more.
//!
//! They take the disk's space until they are closed, and no walk through directories meets them. Does not see those that
//! are only mapped into memory: the kernel tells their size to nobody inside.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::statfs;

/// Looked at per question at the most: the init has other things to do.
const DESCRIPTORS_MAX: usize = 20_000;
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Bytes on disk of all of them, each file once.
pub(super) fn bytes() -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .and_then(|name| name.parse::<u32>().ok())
            .is_some_and(|pid| pid != 1)
    });
    let descriptors = own.flat_map(|process| fs::read_dir(process.path().join("fd")).into_iter().flatten());
    let mut seen = HashSet::new();
    let mut bytes = 0u64;
    for descriptor in descriptors.flatten().take(DESCRIPTORS_MAX) {
        // Of what it leads to, which is looked up by the kernel and needs no name.
        let Ok(found) = fs::metadata(descriptor.path()) else {
            continue;
        };
        let deleted = found.is_file() && found.nlink() == 0 && found.blocks() > 0;
        if deleted && seen.insert((found.dev(), found.ino())) && is_on_disk(&descriptor.path()) {
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
        }
    }
    bytes
}

/// Files in memory count as memory.
fn is_on_disk(path: &std::path::Path) -> bool {
    statfs(path).is_ok_and(|found| found.f_type != TMPFS_MAGIC)
}
