//! How much lies in directories that foreign code is writing to at this moment, and when to look again.
//!
//! Guards against what such code does to be overlooked: links in the place of directories, also swapped in while we look
//! (every step is an `openat` without following them), trees deeper than a path can be long, and names without end. It
//! does *not* see files that were deleted and are still open: whoever knows the processes adds those.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use crate::Store;
use crate::usage::Taken;

/// Directories within directories at the most; each holds a descriptor while its inside is looked at.
const DEPTH_MAX: usize = 256;
/// Files and directories at the most.
const ENTRIES_MAX: u64 = 1_000_000;
/// What is written in this time may come on top of a limit.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long a look may be put off when hardly anything was written on the whole disk.
const QUIET_INTERVAL: Duration = Duration::from_secs(10);
/// So little written, by everybody together, is no reason to look.
const QUIET_BYTES: u64 = 8 << 20;
/// At most this part of the time is spent looking.
const LOOKING_SHARE: u32 = 10;

/// More was found than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("wrote more than its disk limit")]
    Bytes,
    #[error("made more than {ENTRIES_MAX} files")]
    Entries,
    #[error("made directories more than {DEPTH_MAX} deep")]
    Depth,
}

/// Bytes on disk below `dirs`, at most `bytes_max`. What vanishes meanwhile does not count. Blocks.
pub fn measure(dirs: &[PathBuf], bytes_max: u64) -> Result<u64, TooMuch> {
    let mut sum = Sum::within(bytes_max);
    for dir in dirs {
        if let Ok(dir) = rustix::fs::openat(CWD, dir, FLAGS, Mode::empty()) {
            sum.add(dir, 0)?;
        }
    }
    Ok(sum.bytes)
}

const FLAGS: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Bytes on disk and files below `dir`, as far down as can be looked.
pub(crate) fn taken(dir: &std::path::Path) -> Taken {
    let mut sum = Sum {
        entries_max: u64::MAX,
        stops_at_depth: false,
        ..Sum::within(u64::MAX)
    };
    if let Ok(dir) = rustix::fs::openat(CWD, dir, FLAGS, Mode::empty()) {
        // Without bounds there is nothing to be exceeded.
        let _ = sum.add(dir, 0);
    }
    Taken {
        bytes: sum.bytes,
        files: sum.files,
    }
}

struct Sum {
    bytes: u64,
    files: u64,
    entries: u64,
    bytes_max: u64,
    entries_max: u64,
    stops_at_depth: bool,
}

impl Sum {
    fn within(bytes_max: u64) -> Sum {
        Sum {
            bytes: 0,
            files: 0,
            entries: 0,
            bytes_max,
            entries_max: ENTRIES_MAX,
            stops_at_depth: true,
        }
    }

    fn add(&mut self, dir: impl std::os::fd::AsFd, depth: usize) -> Result<(), TooMuch> {
        if depth > DEPTH_MAX {
            return if self.stops_at_depth {
                Err(TooMuch::Depth)
            } else {
                Ok(())
            };
        }
        for inner in self.list(&dir)? {
            // Gone, or a link by now, or closed to us: nothing that can be looked into.
            if let Ok(inner) = rustix::fs::openat(&dir, &inner, FLAGS, Mode::empty()) {
                self.add(inner, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Counts the entries of one directory and gives the directories among them.
    fn list(&mut self, dir: impl std::os::fd::AsFd) -> Result<Vec<CString>, TooMuch> {
        let mut inner = Vec::new();
        for entry in Dir::read_from(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            self.bytes = self
                .bytes
                .saturating_add(stat.st_blocks.unsigned_abs().saturating_mul(512));
            self.entries += 1;
            if self.bytes > self.bytes_max {
                return Err(TooMuch::Bytes);
            }
            if self.entries > self.entries_max {
                return Err(TooMuch::Entries);
            }
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                inner.push(name.to_owned());
            } else {
                self.files += 1;
            }
        }
        Ok(inner)
    }
}

/// When one writer's directories are to be looked at: soon after anything was written to the disk, by whomever, for a
/// fast disk is filled in seconds; now and then otherwise.
pub struct Pace {
    store: Store,
    free_bytes: u64,
    looked_at: Instant,
    took: Duration,
}

impl Pace {
    /// Time is counted from now on.
    pub fn new(store: &Store) -> Pace {
        Pace {
            free_bytes: free_bytes(store),
            store: store.clone(),
            looked_at: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// How long to wait before [`Pace::is_due`] is asked again.
    pub fn interval(&self) -> Duration {
        LOOK_INTERVAL
    }

    /// Whether to look now; begins the time until the next look.
    pub fn is_due(&mut self) -> bool {
        let free_bytes = free_bytes(&self.store);
        let since = self.looked_at.elapsed();
        let due = is_due(since, self.took, self.free_bytes.saturating_sub(free_bytes));
        if due {
            self.looked_at = Instant::now();
            self.free_bytes = free_bytes;
        }
        due
    }

    /// Says that the look is over, so that long ones become rare.
    pub fn looked(&mut self) {
        self.took = self.looked_at.elapsed();
    }
}

/// 0 where it cannot be told: then it is looked at now and then.
fn free_bytes(store: &Store) -> u64 {
    store.room().map_or(0, |room| room.free_bytes)
}

fn is_due(since: Duration, took: Duration, written_bytes: u64) -> bool {
    since >= took * LOOKING_SHARE && (since >= QUIET_INTERVAL || written_bytes >= QUIET_BYTES)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_written_counts_and_what_links_lead_to_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("a/b");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("f"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", inside.join("usr")).unwrap();
        std::os::unix::fs::symlink("/usr", dir.path().join("top")).unwrap();
        let dirs = [
            dir.path().to_owned(),
            dir.path().join("absent"),
            dir.path().join("top"),
        ];
        assert!((100_000..200_000).contains(&measure(&dirs, u64::MAX).unwrap()));
        assert_eq!(measure(&dirs, 50_000), Err(TooMuch::Bytes));
    }

    #[test]
    fn a_tree_that_is_deeper_than_a_path_can_be_long_does_not_hide_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let top = store.scratch("deep").unwrap();
        let mut place = rustix::fs::open(&top, FLAGS, Mode::empty()).unwrap();
        let name = "n".repeat(200);
        for _ in 0..300 {
            rustix::fs::mkdirat(&place, &name, Mode::RWXU).unwrap();
            place = rustix::fs::openat(&place, &name, FLAGS, Mode::empty()).unwrap();
        }
        assert_eq!(measure(&[top], u64::MAX), Err(TooMuch::Depth));
        store.remove_scratch("deep").unwrap();
        assert!(store.scratches().unwrap().is_empty());
    }

    #[test]
    fn a_directory_that_becomes_a_link_while_we_look_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (top, elsewhere) = (dir.path().join("top"), dir.path().join("elsewhere"));
        fs::create_dir_all(top.join("swapped")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        for number in 0..50 {
            fs::write(elsewhere.join(number.to_string()), vec![1; 100_000]).unwrap();
        }
        std::os::unix::fs::symlink(&elsewhere, top.join("link")).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (a, b) = (top.join("swapped"), top.join("link"));
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(CWD, &a, CWD, &b, flags).unwrap();
                }
            });
            let found = (0..5_000).map(|_| measure(std::slice::from_ref(&top), 1 << 20));
            let most = found.max_by_key(|found| found.unwrap_or(u64::MAX));
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(most.unwrap().is_ok_and(|bytes| bytes < 100_000), "{most:?}");
        });
    }

    #[test]
    fn a_disk_on_which_much_is_written_is_looked_at_soon_and_a_quiet_one_now_and_then() {
        let seconds = Duration::from_secs;
        assert!(is_due(seconds(1), Duration::ZERO, 100 << 20));
        assert!(!is_due(seconds(1), Duration::ZERO, 1 << 10));
        assert!(is_due(seconds(10), Duration::ZERO, 0));
        assert!(
            !is_due(seconds(15), seconds(2), 100 << 20),
            "looking must not be all that is done"
        );
        assert!(is_due(seconds(20), seconds(2), 0));
    }
}
