//! How much a step has written.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Files that are looked at per measurement at the most; what is beyond counts at the next stop: the limit of inodes.
const ENTRIES_MAX: u64 = 2_000_000;

/// Bytes on disk below `dirs`. Stops counting beyond `enough_bytes`. What vanishes meanwhile does not count.
pub(super) fn measure(dirs: &[PathBuf], enough_bytes: u64) -> u64 {
    let mut waiting = dirs.to_vec();
    let (mut bytes, mut entries) = (0u64, 0u64);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(metadata.blocks() * 512);
            entries += 1;
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
            if bytes > enough_bytes || entries > ENTRIES_MAX {
                return bytes.max(if entries > ENTRIES_MAX {
                    enough_bytes + 1
                } else {
                    0
                });
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), vec![1; 100_000]).unwrap();
        let dirs = [dir.path().to_owned(), dir.path().join("absent")];
        assert!((100_000..200_000).contains(&measure(&dirs, u64::MAX)));
        assert!(measure(&dirs, 50_000) > 50_000);
    }
}
