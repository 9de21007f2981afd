//! How much an instance has written, looked at now and then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Entries that are looked at at the most; an instance that made more has written more than its limit.
const ENTRIES_MAX: u64 = 1_000_000;

/// Whether more than `limit_bytes` lie below `directories`. What vanishes meanwhile does not count.
pub(super) fn exceeds(directories: &[PathBuf], limit_bytes: u64) -> bool {
    let mut waiting = directories.to_vec();
    let (mut bytes, mut entries) = (0u64, 0u64);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            // The entry itself, never what a link of the app points to.
            let Ok(metadata) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(metadata.blocks() * 512);
            entries += 1;
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
            if bytes > limit_bytes || entries > ENTRIES_MAX {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts_and_links_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("a/b");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("f"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", inside.join("usr")).unwrap();
        let directories = [directory.path().to_owned(), directory.path().join("absent")];
        assert!(exceeds(&directories, 50_000));
        assert!(!exceeds(&directories, 1 << 20));
    }
}
