//! A connection that gives up when the other side takes nothing for too long, and that can send files.
//!
//! Guards against visitors that ask for much and read nothing; slow *senders* are the business of the time-outs for
//! heads and bodies.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::alarm::Alarm;
use crate::sendfile::{Regions, real_parts};

pub(crate) struct Stalling {
    stream: TcpStream,
    /// Read already, and read again.
    early: BytesMut,
    limit: Duration,
    regions: Arc<Regions>,
    /// Set while a write waits.
    alarm: Alarm,
}

impl Stalling {
    /// `early` was read already; `regions` are what the stand-ins of its answers stand for.
    pub(crate) fn new(stream: TcpStream, early: BytesMut, limit: Duration, regions: Arc<Regions>) -> Self {
        Self {
            stream,
            early,
            limit,
            regions,
            alarm: Alarm::default(),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.regions.send(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.alarm.clear();
            return poll;
        }
        if !self.alarm.is_set() {
            self.alarm.set(self.limit);
        }
        ready!(self.alarm.poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let count = self.early.len().min(into.remaining());
        into.put_slice(&self.early[..count]);
        self.early.advance(count);
        if self.early.is_empty() {
            // Its memory goes now, not with the connection.
            self.early = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let real = real_parts(parts);
        let poll = match real == 0 && !parts.is_empty() {
            true => self.poll_send(context),
            false => Pin::new(&mut self.stream).poll_write_vectored(context, &parts[..real]),
        };
        self.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
