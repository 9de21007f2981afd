//! A bounded log of lines: two rotating segments in a directory, written by one writer, read by anybody.
//!
//! Guards against disks filled by a chatty program (old segments are dropped), forged lines (control characters
//! are escaped, so one line of output is one line of the log) and leaked secrets ([`Redactor`], also across the
//! chunks in which output arrives). Does not know who writes: the init of a sandbox and the platform both do.
//!
//! On disk: files `<prefix>-<offset, 20 digits>`; the offset is the number of bytes ever written before the
//! file, so that a [`Cursor`] stays valid when segments rotate. Each line is `<unix_ms> <o|e|i|w|x> <text>\n`.

mod line;
mod read;
mod redact;
mod segment;
mod write;

#[cfg(any(test, fuzzing))]
pub(crate) use line::render;
pub use line::{Level, Line, parse};
pub use read::{Cursor, Page, read};
pub use redact::{REDACT_BYTES_MIN, Redactor};
pub(crate) use write::now_ms;
pub use write::{LINE_BYTES_MAX, Writer};
