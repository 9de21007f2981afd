//! The files of a log: their names, and the order that the names give.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{Dir, Mode, OFlags, openat};

/// Offsets of the segments of `prefix`, ascending.
pub(super) fn list(dir: BorrowedFd<'_>, prefix: &str) -> io::Result<Vec<u64>> {
    // A fresh descriptor: reading a directory moves the position of the one that is read.
    let fresh = openat(
        dir,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut offsets = Vec::new();
    for entry in Dir::new(fresh)? {
        let entry = entry?;
        offsets.extend(
            entry
                .file_name()
                .to_str()
                .ok()
                .and_then(|name| offset(name, prefix)),
        );
    }
    offsets.sort_unstable();
    Ok(offsets)
}

pub(super) fn name(prefix: &str, offset: u64) -> String {
    format!("{prefix}-{offset:020}")
}

fn offset(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_prefix('-')?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_ignored() {
        assert_eq!(offset(&name("log", 42), "log"), Some(42));
        for other in [
            "log",
            "log-1",
            "build-00000000000000000042",
            "log-0000000000000000004x",
        ] {
            assert_eq!(offset(other, "log"), None, "{other}");
        }
    }
}
