//! The writing side: chunks of output in, redacted and escaped lines out, two segments at most.
//!
//! Guards against endless lines (cut at [`LINE_BYTES_MAX`]), endless logs (the older segment is dropped) and a
//! restart in the middle (a new writer goes on at the end of the newest segment).

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags, SeekFrom, openat, seek, unlinkat};

use super::line::{self, Level};
use super::{Redactor, segment};

/// A longer line of output becomes several lines of the log.
pub const LINE_BYTES_MAX: usize = 16 << 10;
/// Below this a log would rotate on every line.
const SEGMENT_BYTES_MIN: u64 = 4 << 10;

/// The one writer of a log.
pub struct Writer {
    dir: OwnedFd,
    prefix: String,
    redactor: Redactor,
    /// Half of what the caller allowed: there are two segments.
    segment_bytes_max: u64,
    segment: File,
    /// Offset at which the open segment begins, and how much it holds.
    segment_offset: u64,
    segment_bytes: u64,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Writer {
    /// Opens or creates the log `prefix` in the directory `dir`; keeps at most `bytes_max` bytes on disk (one
    /// line more at worst, and never less than 8 KiB).
    pub fn open(dir: &Path, prefix: &str, bytes_max: u64, redactor: Redactor) -> io::Result<Writer> {
        Writer::open_at(File::open(dir)?.into(), prefix, bytes_max, redactor)
    }

    pub(crate) fn open_at(
        dir: OwnedFd,
        prefix: &str,
        bytes_max: u64,
        redactor: Redactor,
    ) -> io::Result<Writer> {
        let segment_offset = segment::list(dir.as_fd(), prefix)?.last().copied().unwrap_or(0);
        let mut segment = open_segment(&dir, prefix, segment_offset)?;
        let mut segment_bytes = seek(&segment, SeekFrom::End(0))?;
        if segment_bytes > 0 && !ends_with_newline(&segment, segment_bytes)? {
            // The last writer was killed within a line; what follows must not be glued to it.
            segment.write_all(b"\n")?;
            segment_bytes += 1;
        }
        let segment_bytes_max = (bytes_max / 2).max(SEGMENT_BYTES_MIN);
        let prefix = prefix.to_owned();
        let (out, err) = (Vec::new(), Vec::new());
        Ok(Writer {
            dir,
            prefix,
            redactor,
            segment_bytes_max,
            segment,
            segment_offset,
            segment_bytes,
            out,
            err,
        })
    }

    /// Takes output as it arrives and writes the lines that are complete.
    pub fn chunk(&mut self, level: Level, bytes: &[u8]) -> io::Result<()> {
        let mut buffer = std::mem::take(self.partial(level));
        let mut result = Ok(());
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    buffer.extend_from_slice(end);
                    if buffer.last() == Some(&b'\r') {
                        buffer.pop(); // a line may end as on Windows and in HTTP
                    }
                    result = result.and(self.write_cut(level, &self.redactor.redact(&buffer)));
                    buffer.clear();
                }
                None => buffer.extend_from_slice(piece),
            }
        }
        if buffer.len() > LINE_BYTES_MAX {
            buffer = self.redactor.redact(&buffer);
            let ready = buffer.len() - self.redactor.pending_bytes(&buffer);
            if ready > 0 {
                result = result.and(self.write_cut(level, &buffer[..ready]));
                buffer.drain(..ready);
            }
        }
        *self.partial(level) = buffer;
        result
    }

    /// Writes one whole line of the platform's own (redacted and escaped like all others).
    pub fn line(&mut self, level: Level, text: &str) -> io::Result<()> {
        self.write_cut(level, &self.redactor.redact(text.as_bytes()))
    }

    /// Writes what has not been ended by a newline; call it when the output ended.
    pub fn finish(&mut self) -> io::Result<()> {
        for level in [Level::Out, Level::Err] {
            let rest = std::mem::take(self.partial(level));
            if !rest.is_empty() {
                self.write_cut(level, &self.redactor.redact(&rest))?;
            }
        }
        Ok(())
    }

    fn partial(&mut self, level: Level) -> &mut Vec<u8> {
        if level == Level::Err {
            &mut self.err
        } else {
            &mut self.out
        }
    }

    fn write_cut(&mut self, level: Level, text: &[u8]) -> io::Result<()> {
        let at_ms = now_ms();
        if text.is_empty() {
            return self.append(&line::render(at_ms, level, b""));
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(cut(rest));
            self.append(&line::render(at_ms, level, piece))?;
            rest = left;
        }
        Ok(())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if self.segment_bytes > 0 && self.segment_bytes + line.len() as u64 > self.segment_bytes_max {
            self.rotate()?;
        }
        self.segment.write_all(line.as_bytes())?;
        self.segment_bytes += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let next = self.segment_offset + self.segment_bytes;
        for old in segment::list(self.dir.as_fd(), &self.prefix)? {
            if old < self.segment_offset {
                unlinkat(&self.dir, segment::name(&self.prefix, old), AtFlags::empty())?;
            }
        }
        self.segment = open_segment(&self.dir, &self.prefix, next)?;
        self.segment_offset = next;
        self.segment_bytes = 0;
        Ok(())
    }
}

/// Where to cut a long text: at most [`LINE_BYTES_MAX`], not within a UTF-8 character.
fn cut(text: &[u8]) -> usize {
    if text.len() <= LINE_BYTES_MAX {
        return text.len();
    }
    let continues = |at: usize| text[at] & 0b1100_0000 == 0b1000_0000;
    (LINE_BYTES_MAX - 3..=LINE_BYTES_MAX)
        .rev()
        .find(|&at| !continues(at))
        .unwrap_or(LINE_BYTES_MAX)
}

fn open_segment(dir: &OwnedFd, prefix: &str, offset: u64) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(openat(dir, segment::name(prefix, offset), flags, mode)?.into())
}

fn ends_with_newline(segment: &File, bytes: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt as _;
    let mut last = [0];
    segment.read_exact_at(&mut last, bytes - 1)?;
    Ok(last == *b"\n")
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Cursor, read};

    fn writer(dir: &Path, bytes_max: u64, secrets: &[&str]) -> Writer {
        Writer::open(dir, "log", bytes_max, Redactor::new(secrets)).unwrap()
    }

    fn texts(dir: &Path) -> Vec<String> {
        let page = read(dir, "log", Cursor::default(), 100_000).unwrap();
        page.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_secret_split_over_chunks_and_over_the_cut_is_redacted() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), 1 << 20, &["hunter2-hunter2"]);
        log.chunk(Level::Out, b"token hunter2-").unwrap();
        log.chunk(Level::Out, b"hunter2 end\n").unwrap();
        let filler = vec![b'x'; LINE_BYTES_MAX - 3];
        log.chunk(Level::Out, &filler).unwrap();
        log.chunk(Level::Out, b"yyyyhunter2-hun").unwrap();
        log.chunk(Level::Out, b"ter2 after").unwrap();
        log.finish().unwrap();
        let texts = texts(dir.path());
        assert_eq!(texts[0], "token [redacted] end");
        assert!(
            texts.iter().all(|text| !text.contains("hunter2")),
            "{:?}",
            &texts[1..]
        );
        assert!(texts.concat().ends_with("[redacted] after"));
    }

    #[test]
    fn a_chatty_program_keeps_the_newest_lines_within_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), 16 << 10, &[]);
        for number in 0..10_000 {
            log.chunk(Level::Out, format!("line {number}\n").as_bytes())
                .unwrap();
        }
        let sizes = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len());
        let (count, bytes) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
        assert_eq!(count, 2);
        assert!((8 << 10..=16 << 10).contains(&bytes), "{bytes}");
        assert_eq!(texts(dir.path()).last().unwrap(), "line 9999");
    }

    #[test]
    fn endless_lines_are_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), 1 << 20, &[]);
        log.chunk(Level::Err, "é".repeat(LINE_BYTES_MAX).as_bytes())
            .unwrap();
        log.finish().unwrap();
        let texts = texts(dir.path());
        assert!(texts.len() >= 2 && texts.iter().all(|text| text.len() <= LINE_BYTES_MAX));
        assert_eq!(
            texts.concat().chars().filter(|&c| c == 'é').count(),
            LINE_BYTES_MAX
        );
    }

    #[test]
    fn a_new_writer_goes_on_after_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), 1 << 20, &[]);
        log.line(Level::Info, "one").unwrap();
        log.segment.write_all(b"17 o tor").unwrap();
        drop(log);
        writer(dir.path(), 1 << 20, &[]).line(Level::Info, "two").unwrap();
        assert_eq!(texts(dir.path()), ["one", "tor", "two"]);
    }
}
