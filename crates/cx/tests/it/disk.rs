//! A disk of a test's own, small enough to be filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::platform::Platform;

/// A small file system of its own, mounted for as long as this lives.
pub(crate) struct SmallDisk {
    mounted: PathBuf,
    _directory: TempDir,
}

impl SmallDisk {
    pub(crate) fn new(bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (image, mounted) = (directory.path().join("image"), directory.path().join("disk"));
        fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        fs::create_dir(&mounted).unwrap();
        call("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
        call(
            "mount",
            &["-o", "loop", image.to_str().unwrap(), mounted.to_str().unwrap()],
        );
        Self {
            mounted,
            _directory: directory,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }

    /// A server whose data lie here, and that keeps `floor` free.
    pub(crate) fn platform(&self, floor: &str) -> Platform {
        // Not the disk itself: whoever takes a copy of all mounts meanwhile does not hold the data directory.
        let directory = tempfile::tempdir_in(&self.mounted).unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        let settings = format!("[disk]\nfloor = \"{floor}\"\n");
        fs::write(directory.path().join("data/server.toml"), settings).unwrap();
        Platform::over(directory)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever a failed test left open goes with its process.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).status();
    }
}

fn call(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}
