//! Large files go from the page cache to the connection without a copy through our memory.
//!
//! HTTP is written by a library that knows only bytes. So the body of an answer gives it stand-ins: slices of one region
//! of memory that nobody reads or writes. The connection below recognises them by their address and sends, with
//! `sendfile(2)`, the parts of files that were noted in the same order. This holds because a connection of HTTP/1 is
//! told to write buffers as they are (never joined by a copy), and an answer's length is known beforehand, so that
//! nothing stands between its pieces. HTTP/2 puts frames around everything and gets the bytes themselves.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use bytes::Bytes;
use rustix::fs::sendfile;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes that one stand-in stands for at the most.
const PIECE_BYTES: usize = 1 << 20;

/// Never touched, so it takes address space and no memory.
static STAND_IN: LazyLock<&'static [u8]> =
    LazyLock::new(|| Box::leak(vec![0; PIECE_BYTES].into_boxed_slice()));

/// A part of a file.
pub(crate) struct Region {
    pub(crate) file: Arc<File>,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// What the stand-ins of one connection stand for, in their order.
#[derive(Default)]
pub(crate) struct Regions {
    waiting: Mutex<VecDeque<Region>>,
}

impl Regions {
    /// Takes a piece off the front of `region` and gives its stand-in; empty at the end.
    pub(crate) fn stand_in(&self, region: &mut Region) -> Bytes {
        let length = usize::try_from(region.length)
            .unwrap_or(PIECE_BYTES)
            .min(PIECE_BYTES);
        if length > 0 {
            self.lock().push_back(Region {
                file: region.file.clone(),
                start: region.start,
                length: length as u64,
            });
            region.start += length as u64;
            region.length -= length as u64;
        }
        Bytes::from_static(&STAND_IN[..length])
    }

    /// Sends what the first stand-in stands for, as far as `stream` takes it.
    pub(crate) fn send(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut waiting = self.lock();
        let region = waiting.front_mut().ok_or(io::ErrorKind::InvalidData)?;
        let length = usize::try_from(region.length).unwrap_or(PIECE_BYTES);
        let sent = stream.try_io(Interest::WRITABLE, || {
            Ok(sendfile(stream, &*region.file, Some(&mut region.start), length)?)
        })?;
        region.length -= sent as u64;
        if sent == 0 {
            // Shorter than its manifest says: the answer must not look whole.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if region.length == 0 {
            waiting.pop_front();
        }
        Ok(sent)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Region>> {
        self.waiting
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How many of `parts` come before the first stand-in.
pub(crate) fn real_parts(parts: &[IoSlice<'_>]) -> usize {
    let whole = STAND_IN.as_ptr_range();
    let is_stand_in = |part: &&IoSlice<'_>| !part.is_empty() && whole.contains(&part.as_ptr());
    parts.iter().take_while(|part| !is_stand_in(part)).count()
}
