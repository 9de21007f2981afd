//! One request and its answer on a connection to an instance, both ways at once: the body goes out while the answer is
//! waited for, and may go on while the answer comes.
//!
//! All of it is driven by whoever waits for the answer: no task, no channel and no timer of its own.

use std::io;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, Method};
use http_body::{Body as _, Frame};
use tokio::time::Instant;

use super::framing::{Framing, Invalid};
use super::head::{self, Head};
use super::request::Sending;
use super::wire::Wire;
use crate::upload::{Upload, UploadError};

pub(crate) struct Exchange {
    pub(super) wire: Wire,
    method: Method,
    upgrading: bool,
    /// What goes out next: the head, then piece by piece the body.
    out: Vec<u8>,
    written: usize,
    /// Whether anything has gone out.
    begun: bool,
    body: Option<Box<Upload>>,
    chunked: bool,
    /// When something of the body was last passed on.
    moved_at: Instant,
    received: bool,
    framing: Framing,
    keeps: bool,
    trailers: Option<HeaderMap>,
    invalid: bool,
}

/// A request as it is sent to an instance.
pub(super) struct Order {
    method: Method,
    upgrading: bool,
    head: Vec<u8>,
    body: Option<Box<Upload>>,
    chunked: bool,
}

impl Order {
    pub(super) fn new((method, upgrading): (Method, bool), head: Vec<u8>, body: Upload) -> Self {
        let sending = sending(&body);
        Self {
            method,
            upgrading,
            head,
            body: (sending != Sending::Nothing).then(|| Box::new(body)),
            chunked: sending == Sending::Chunked,
        }
    }
}

/// What became of an order that was not answered.
pub(super) enum Left {
    /// The instance has heard nothing of it.
    Unsent(Order),
    /// It may have been heard, and does no harm a second time.
    Safe(Order),
    /// It may have done something already, or is not whole any more.
    Spent,
}

/// Why there is no answer, or no end of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the application ended the connection")]
    Closed,
    #[error("the connection to the application broke: {0}")]
    Io(#[from] io::Error),
    #[error("what the application sent is not HTTP")]
    Invalid,
    #[error("the body of the request did not come: {0}")]
    Upload(UploadError),
    #[error("the visitor is gone")]
    VisitorGone,
}

impl From<Invalid> for Broken {
    fn from(Invalid: Invalid) -> Self {
        Self::Invalid
    }
}

impl Exchange {
    /// Will send `order` on `wire`.
    pub(super) fn new(wire: Wire, order: Order) -> Self {
        Self {
            wire,
            method: order.method,
            upgrading: order.upgrading,
            out: order.head,
            written: 0,
            begun: false,
            body: order.body,
            chunked: order.chunked,
            moved_at: Instant::now(),
            received: false,
            framing: Framing::UntilEnd,
            keeps: false,
            trailers: None,
            invalid: false,
        }
    }

    /// What can be sent once more after `error`.
    pub(super) fn left(self, error: &Broken) -> Left {
        let died = matches!(error, Broken::Closed | Broken::Io(_)) && !self.received;
        let safe = matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) && self.body.is_none();
        let unsent = !self.begun;
        let order = Order {
            method: self.method,
            upgrading: self.upgrading,
            head: self.out,
            body: self.body,
            chunked: self.chunked,
        };
        match (died, unsent, safe) {
            (true, true, _) => Left::Unsent(order),
            (true, false, true) => Left::Safe(order),
            _ => Left::Spent,
        }
    }

    /// When something of the body was last passed on; before that, when it began.
    pub(super) fn moved_at(&self) -> Instant {
        self.moved_at
    }

    /// The head of the answer.
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        self.send(context)?;
        loop {
            if !self.wire.unread.is_empty()
                && let Some(mut head) = head::take(&mut self.wire.unread, &self.method, self.upgrading)?
            {
                std::mem::swap(&mut self.framing, &mut head.framing);
                self.keeps = head.keeps;
                return Poll::Ready(Ok(head));
            }
            match ready!(self.wire.poll_fill(context))? {
                0 => return Poll::Ready(Err(Broken::Closed)),
                _ => self.received = true,
            }
        }
    }

    /// The next piece of the answer's body.
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.body.is_some()
            && let Err(error) = self.send(context)
        {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            self.settle();
            if let Some(data) = self.framing.take(&mut self.wire.unread) {
                // Whether this was the last is known at once, mostly: then the end goes out with it.
                self.settle();
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if self.invalid {
                return Poll::Ready(Some(Err(Broken::Invalid)));
            }
            if self.framing.is_ended() {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match ready!(self.wire.poll_fill(context)) {
                Ok(0) if self.framing == Framing::UntilEnd => self.framing = Framing::Length(0),
                Ok(0) => return Poll::Ready(Some(Err(Broken::Closed))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn is_ended(&self) -> bool {
        self.framing.is_ended() && self.trailers.is_none() && !self.invalid
    }

    /// Bytes that are still to come, where that is known.
    pub(super) fn bytes_left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left),
            _ => None,
        }
    }

    /// The connection, where it can take another request.
    pub(super) fn into_wire(self) -> Option<Wire> {
        let sent = self.body.is_none() && self.written == self.out.len();
        let fit = sent && self.keeps && self.is_ended() && self.wire.unread.is_empty();
        fit.then_some(self.wire)
    }

    fn settle(&mut self) {
        match self.framing.settle(&mut self.wire.unread) {
            Ok(None) => {}
            Ok(trailers) => self.trailers = trailers,
            Err(Invalid) => self.invalid = true,
        }
    }

    /// Sends as much as can be sent now.
    fn send(&mut self, context: &mut Context<'_>) -> Result<(), Broken> {
        loop {
            while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
                match self.wire.poll_write(context, rest) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(count)) => (self.written, self.begun) = (self.written + count, true),
                    Poll::Ready(Err(error)) if !self.begun => return Err(error.into()),
                    // It may have answered before it had heard all of it. If not, reading says so.
                    Poll::Ready(Err(_)) => {
                        (self.body, self.keeps) = (None, false);
                        return Ok(());
                    }
                }
            }
            let Some(body) = &mut self.body else {
                return Ok(());
            };
            let Poll::Ready(frame) = Pin::new(&mut **body).poll_frame(context) else {
                return Ok(());
            };
            self.moved_at = Instant::now();
            (self.written, _) = (0, self.out.clear());
            match frame {
                Some(Ok(frame)) => self.push(frame),
                Some(Err(error)) => {
                    let error = error.downcast::<UploadError>();
                    return Err(error.map_or(Broken::VisitorGone, |error| Broken::Upload(*error)));
                }
                None => {
                    self.body = None;
                    self.end(&HeaderMap::new());
                }
            }
        }
    }

    fn push(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) if self.chunked && data.has_remaining() => {
                // Writing to memory does not fail.
                let _ = write!(self.out, "{:x}\r\n", data.len());
                self.out.extend_from_slice(&data);
                self.out.extend_from_slice(b"\r\n");
            }
            Ok(data) => self.out.extend_from_slice(&data),
            Err(frame) => {
                self.body = None;
                self.end(&frame.into_trailers().unwrap_or_default());
            }
        }
    }

    /// Ends the body of the request.
    fn end(&mut self, trailers: &HeaderMap) {
        if !self.chunked {
            return;
        }
        self.out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            // What decides about the message cannot come after it (RFC 9110, section 6.5.1).
            if ![CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING].contains(name) {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    self.out.extend_from_slice(part);
                }
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

/// How `body` is to be sent.
pub(super) fn sending(body: &Upload) -> Sending {
    match (body.is_end_stream(), body.size_hint().exact()) {
        (true, _) => Sending::Nothing,
        (false, Some(length)) => Sending::Length(length),
        (false, None) => Sending::Chunked,
    }
}
