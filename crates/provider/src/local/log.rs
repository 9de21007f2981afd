//! The log of an instance over all its processes, with one numbering.
//!
//! A running sandbox has its log in its own directory. When the sandbox is removed, the files move behind what earlier
//! ones left, renamed so that their offsets go on; so a cursor stays right across restarts and after the end. Positions
//! below the end of the archive are in the archive, those above in the sandbox.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::InstanceId;
use model::limits::LOG_BYTES_MAX;
use sandbox::LOG_PREFIX;
use sandbox::log::{self, Cursor};

use crate::LogPage;

/// Lines of one page at the most.
const PAGE_LINES_MAX: usize = 1_000;
/// What is kept of all processes before the present one.
const ARCHIVE_BYTES_MAX: u64 = LOG_BYTES_MAX;

/// The logs of all instances.
pub(super) struct Logs {
    directory: PathBuf,
}

/// One file of a log.
struct Segment {
    offset: u64,
    size_bytes: u64,
    path: PathBuf,
}

impl Segment {
    fn end(&self) -> u64 {
        self.offset + self.size_bytes
    }
}

impl Logs {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn archive(&self, instance: &InstanceId) -> PathBuf {
        self.directory.join(instance.as_str())
    }

    /// Lines from `from` on. `live` is the directory of the present sandbox.
    pub(super) fn read(&self, instance: &InstanceId, live: Option<&Path>, from: u64) -> io::Result<LogPage> {
        let archive = self.archive(instance);
        let end = segments(&archive)?.last().map_or(0, Segment::end);
        if from < end {
            let page = log::read(&archive, LOG_PREFIX, Cursor(from), PAGE_LINES_MAX)?;
            // Without lines, nothing below the end is left to be read.
            let next = if page.lines.is_empty() { end } else { page.next.0 };
            if !page.lines.is_empty() || live.is_none() {
                return Ok(LogPage {
                    lines: page.lines,
                    next,
                });
            }
        }
        let Some(live) = live else {
            return Ok(LogPage {
                lines: Vec::new(),
                next: from,
            });
        };
        let page = log::read(live, LOG_PREFIX, Cursor(from.saturating_sub(end)), PAGE_LINES_MAX)?;
        Ok(LogPage {
            lines: page.lines,
            next: end + page.next.0,
        })
    }

    /// Moves the log of a sandbox that has ended, in `live`, behind what is kept already. Can be repeated.
    pub(super) fn keep(&self, instance: &InstanceId, live: &Path) -> io::Result<()> {
        let ended = segments(live)?;
        if ended.is_empty() {
            return Ok(());
        }
        let archive = self.archive(instance);
        fs::create_dir_all(&archive)?;
        let base = segments(&archive)?.last().map_or(0, Segment::end);
        for segment in ended {
            end_with_newline(&segment)?;
            let target = archive.join(format!("{LOG_PREFIX}-{:020}", base + segment.offset));
            if fs::rename(&segment.path, &target).is_err() {
                // Another file system, most likely.
                fs::copy(&segment.path, &target)?;
                fs::remove_file(&segment.path)?;
            }
        }
        trim(&archive)
    }
}

/// A line torn by the death of its writer would stop readers for ever.
fn end_with_newline(segment: &Segment) -> io::Result<()> {
    let bytes = fs::read(&segment.path)?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        fs::OpenOptions::new()
            .append(true)
            .open(&segment.path)?
            .write_all(b"\n")?;
    }
    Ok(())
}

/// Removes the oldest files until the rest is within its bound.
fn trim(archive: &Path) -> io::Result<()> {
    let mut kept_bytes = 0;
    for segment in segments(archive)?.into_iter().rev() {
        kept_bytes += segment.size_bytes;
        if kept_bytes > ARCHIVE_BYTES_MAX && kept_bytes > segment.size_bytes {
            fs::remove_file(segment.path)?;
        }
    }
    Ok(())
}

/// The files of the log in `directory`, in order; none where it is not there.
fn segments(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let offset = name
            .to_str()
            .and_then(|name| name.strip_prefix(LOG_PREFIX)?.strip_prefix('-')?.parse().ok());
        let Some(offset) = offset else { continue };
        segments.push(Segment {
            offset,
            size_bytes: entry.metadata()?.len(),
            path: entry.path(),
        });
    }
    segments.sort_by_key(|segment| segment.offset);
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use sandbox::log::{Level, Redactor, Writer};

    use super::*;

    struct World {
        directory: tempfile::TempDir,
        logs: Logs,
        instance: InstanceId,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let logs = Logs::new(directory.path().join("logs"));
            Self {
                directory,
                logs,
                instance: InstanceId::from_random([1; 10]),
            }
        }

        /// A sandbox's directory with a log of these lines.
        fn run(&self, name: &str, lines: &[&str]) -> PathBuf {
            let live = self.directory.path().join(name);
            fs::create_dir_all(&live).unwrap();
            let mut writer = Writer::open(&live, LOG_PREFIX, 64 << 10, Redactor::default()).unwrap();
            for line in lines {
                writer.line(Level::Out, line).unwrap();
            }
            live
        }

        fn read(&self, live: Option<&Path>, from: u64) -> (Vec<String>, u64) {
            let page = self.logs.read(&self.instance, live, from).unwrap();
            (page.lines.into_iter().map(|line| line.text).collect(), page.next)
        }
    }

    #[test]
    fn a_cursor_goes_on_across_processes_and_after_the_end() {
        let world = World::new();
        let first = world.run("one", &["a", "b"]);
        let (lines, next) = world.read(Some(&first), 0);
        assert_eq!(lines, ["a", "b"]);
        world.logs.keep(&world.instance, &first).unwrap();
        assert_eq!(world.read(None, next), (vec![], next));
        let second = world.run("two", &["c"]);
        let (lines, next) = world.read(Some(&second), next);
        assert_eq!(lines, ["c"]);
        world.run("two", &["d"]);
        assert_eq!(world.read(Some(&second), next).0, ["d"]);
        world.logs.keep(&world.instance, &second).unwrap();
        world.logs.keep(&world.instance, &second).unwrap();
        let (lines, end) = world.read(None, 0);
        assert_eq!(lines, ["a", "b", "c", "d"]);
        assert_eq!(world.read(None, next).0, ["d"]);
        assert_eq!(world.read(None, end), (vec![], end));
    }

    #[test]
    fn a_torn_line_stops_nobody() {
        let world = World::new();
        let live = world.run("one", &["a"]);
        let path = segments(&live).unwrap().remove(0).path;
        fs::OpenOptions::new()
            .append(true)
            .open(path)
            .unwrap()
            .write_all(b"12 o torn")
            .unwrap();
        world.logs.keep(&world.instance, &live).unwrap();
        let next = world.run("two", &["b"]);
        let (mut seen, mut from) = (Vec::new(), 0);
        for _ in 0..4 {
            let (lines, after) = world.read(Some(&next), from);
            seen.extend(lines);
            from = after;
        }
        assert_eq!(seen, ["a", "torn", "b"]);
    }

    #[test]
    fn the_archive_is_bounded() {
        let world = World::new();
        let line = "x".repeat(10_000);
        let lines: Vec<&str> = (0..5).map(|_| line.as_str()).collect();
        for run in 0..120 {
            let live = world.run(&format!("run{run}"), &lines);
            world.logs.keep(&world.instance, &live).unwrap();
        }
        let kept: u64 = segments(&world.logs.archive(&world.instance))
            .unwrap()
            .iter()
            .map(|s| s.size_bytes)
            .sum();
        assert!(
            kept <= ARCHIVE_BYTES_MAX && kept > ARCHIVE_BYTES_MAX / 2,
            "{kept}"
        );
        assert!(!world.read(None, 0).0.is_empty());
    }
}
