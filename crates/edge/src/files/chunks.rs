//! The bytes of a large file, read as the visitor takes them: one piece in memory, and no thread kept while he does not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::BoxError;

const CHUNK_BYTES: u64 = 64 << 10;

pub(super) struct Chunks {
    file: Arc<File>,
    position: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Chunks {
    /// `length` bytes of `file` from `start` on.
    pub(super) fn new(file: File, start: u64, length: u64) -> Self {
        Self {
            file: Arc::new(file),
            position: start,
            left: length,
            reading: None,
        }
    }

    fn start_reading(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, position) = (self.file.clone(), self.position);
        let length = usize::try_from(self.left.min(CHUNK_BYTES)).unwrap_or(0);
        tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, position)?;
            Ok(bytes.into())
        })
    }
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = self.reading.take().unwrap_or_else(|| self.start_reading());
        let Poll::Ready(read) = Pin::new(&mut reading).poll(context) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        };
        self.position += bytes.len() as u64;
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
