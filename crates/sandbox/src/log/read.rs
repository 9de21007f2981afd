//! The reading side: lines from a cursor on, while the writer goes on writing and rotating.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::line::{self, Line};
use super::segment;

/// One read takes at most this much of a log into memory, in bytes.
const READ_BYTES_MAX: usize = 1 << 20;

/// A position in a log: bytes written before it since the log began. Stays valid when segments rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Cursor(pub u64);

/// What one read gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Oldest first; complete lines only.
    pub lines: Vec<Line>,
    /// Where to go on.
    pub next: Cursor,
    /// Bytes between the asked position and the first line that had been rotated away.
    pub skipped_bytes: u64,
}

/// Reads at most `lines_max` lines of the log `prefix` in `dir` from `cursor` on (the default: the oldest kept).
/// A log that does not exist yet is empty.
pub fn read(dir: &Path, prefix: &str, cursor: Cursor, lines_max: usize) -> io::Result<Page> {
    let mut page = Page {
        lines: Vec::new(),
        next: cursor,
        skipped_bytes: 0,
    };
    let dir = match File::open(dir) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(page),
        Err(error) => return Err(error),
    };
    let mut budget = READ_BYTES_MAX;
    loop {
        let offsets = segment::list(dir.as_fd(), prefix)?;
        // The newest segment that begins at or before the cursor, else the oldest there is.
        let Some(&offset) = offsets
            .iter()
            .rev()
            .find(|&&o| o <= page.next.0)
            .or(offsets.first())
        else {
            return Ok(page);
        };
        if offset > page.next.0 {
            page.skipped_bytes += offset - page.next.0;
            page.next = Cursor(offset);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file: File = match openat(&dir, segment::name(prefix, offset), flags, Mode::empty()) {
            Ok(fd) => fd.into(),
            // Rotated away since it was listed: look again.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let before = page.next;
        let lines_left = lines_max - page.lines.len();
        take_lines(
            &file,
            &mut page,
            Take {
                offset,
                lines_max: lines_left,
                bytes_max: budget,
            },
        )?;
        budget = budget.saturating_sub(usize::try_from(page.next.0 - before.0).unwrap_or(usize::MAX));
        let newer = offsets.iter().any(|&o| o > offset && o == page.next.0);
        if !newer || page.lines.len() >= lines_max || budget == 0 {
            return Ok(page);
        }
    }
}

struct Take {
    offset: u64,
    lines_max: usize,
    bytes_max: usize,
}

fn take_lines(file: &File, page: &mut Page, take: Take) -> io::Result<()> {
    let position = page.next.0 - take.offset;
    let left = file.metadata()?.len().saturating_sub(position);
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(take.bytes_max)];
    let count = read_fully(file, &mut bytes, position)?;
    for raw in bytes[..count]
        .split_inclusive(|&byte| byte == b'\n')
        .take(take.lines_max)
    {
        let Some(text) = raw.strip_suffix(b"\n") else {
            break;
        };
        page.next.0 += raw.len() as u64;
        // A line torn by the death of its writer is no line, but must not stop the reader.
        page.lines.extend(line::parse(&String::from_utf8_lossy(text)));
    }
    Ok(())
}

fn read_fully(file: &File, bytes: &mut [u8], position: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match file.read_at(&mut bytes[count..], position + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Level, Redactor, Writer};

    #[test]
    fn a_follower_sees_every_line_once_across_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Writer::open(dir.path(), "log", 64 << 10, Redactor::default()).unwrap();
        let (mut cursor, mut seen) = (Cursor::default(), Vec::new());
        for number in 0..5_000 {
            log.line(Level::Info, &number.to_string()).unwrap();
            if number % 700 == 0 {
                let page = read(dir.path(), "log", cursor, 10_000).unwrap();
                assert_eq!(page.skipped_bytes, 0);
                seen.extend(page.lines.into_iter().map(|line| line.text));
                cursor = page.next;
            }
        }
        let page = read(dir.path(), "log", cursor, 10_000).unwrap();
        seen.extend(page.lines.into_iter().map(|line| line.text));
        let expected: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_reader_that_comes_late_is_told_what_it_missed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Writer::open(dir.path(), "log", 8 << 10, Redactor::default()).unwrap();
        for _ in 0..1_000 {
            log.line(Level::Info, "the same again").unwrap();
        }
        let page = read(dir.path(), "log", Cursor(0), 1).unwrap();
        assert!(page.skipped_bytes > 8 << 10);
        assert_eq!(page.lines.len(), 1);
    }

    #[test]
    fn no_log_is_an_empty_log() {
        let dir = tempfile::tempdir().unwrap();
        let page = read(&dir.path().join("absent"), "log", Cursor(7), 10).unwrap();
        assert_eq!(
            page,
            Page {
                lines: Vec::new(),
                next: Cursor(7),
                skipped_bytes: 0
            }
        );
    }
}
