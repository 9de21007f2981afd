//! The bytes of large files, read as the visitor takes them: one piece in memory, and no thread kept while he does not.
//! For where files cannot be sent as such: HTTP/2, and answers of several parts.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::BoxError;
use crate::answer::Reply;
use crate::sendfile::Region;

const CHUNK_BYTES: u64 = 128 << 10;

/// Bytes and parts of files, one after the other.
pub(crate) struct Chunks {
    waiting: VecDeque<Reply>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    left: u64,
}

impl Chunks {
    pub(crate) fn new(region: Region) -> Self {
        Self::of([Reply::File(region)])
    }

    /// `parts` are bytes and files, and no streams.
    pub(super) fn of(parts: impl IntoIterator<Item = Reply>) -> Self {
        let waiting: VecDeque<Reply> = parts.into_iter().collect();
        let length = |part: &Reply| match part {
            Reply::Whole(bytes) => bytes.len() as u64,
            Reply::File(region) => region.length,
            Reply::Stream(_) => 0,
        };
        Self {
            left: waiting.iter().map(length).sum(),
            waiting,
            reading: None,
        }
    }

    /// The next bytes where they are here already, or else starts to read them.
    fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.waiting.front_mut()? {
                Reply::Whole(bytes) if !bytes.is_empty() => return Some(std::mem::take(bytes)),
                Reply::File(region) if region.length > 0 => {
                    let (file, position) = (region.file.clone(), region.start);
                    let length = region.length.min(CHUNK_BYTES);
                    region.start += length;
                    region.length -= length;
                    self.reading = Some(tokio::task::spawn_blocking(move || {
                        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                        file.read_exact_at(&mut bytes, position)?;
                        Ok(bytes.into())
                    }));
                    return None;
                }
                _ => drop(self.waiting.pop_front()),
            }
        }
    }
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.reading.is_none()
            && let Some(bytes) = self.next()
        {
            self.left -= bytes.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let Poll::Ready(read) = Pin::new(reading).poll(context) else {
            return Poll::Pending;
        };
        self.reading = None;
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        };
        self.left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
