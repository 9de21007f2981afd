//! One connection to an instance, with what was read from it and not used yet. Kept between requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::alarm::Alarm;

/// Bytes that are made room for before a read: enough for most answers, and for the most while an answer fills them.
const READ_BYTES: usize = 8 << 10;
const READ_BYTES_MAX: usize = 128 << 10;

pub(crate) struct Wire {
    stream: TcpStream,
    pub(super) unread: BytesMut,
    read_bytes: usize,
    /// For whoever waits for the instance.
    pub(super) alarm: Alarm,
    /// Since when it is kept, once it has served a request.
    kept_since: Option<Instant>,
    pub(super) port: u16,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, port: u16) -> Self {
        Self {
            stream,
            unread: BytesMut::new(),
            read_bytes: READ_BYTES,
            alarm: Alarm::default(),
            kept_since: None,
            port,
        }
    }

    /// Reads what there is; 0 is the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.unread.reserve(self.read_bytes);
        let room = self.unread.capacity() - self.unread.len();
        let read = poll_read_buf(Pin::new(&mut self.stream), context, &mut self.unread);
        if let Poll::Ready(Ok(count)) = &read {
            self.read_bytes = match *count == room {
                true => (self.read_bytes * 2).min(READ_BYTES_MAX),
                false => READ_BYTES,
            };
        }
        read
    }

    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// Whether it served a request before: the instance may end such a connection at any moment.
    pub(super) fn was_kept(&self) -> bool {
        self.kept_since.is_some()
    }

    pub(super) fn keep(&mut self) {
        self.alarm.clear();
        self.kept_since = Some(Instant::now());
    }

    pub(super) fn kept_since(&self) -> Option<Instant> {
        self.kept_since
    }

    /// Whether it can take a request: neither ended, nor with something to say that nobody asked for. Costs no system
    /// call as long as nothing has come.
    pub(super) fn is_fit(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0]);
        self.unread.is_empty() && nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The bare connection, and what was read from it already.
    pub(super) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.unread)
    }
}
