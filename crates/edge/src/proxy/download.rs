//! The body of an answer on its way to the visitor. Ends with an error, never as if whole, when its instance is put
//! to sleep or dropped, when it stays silent for too long, or when the edge ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use crate::BoxError;
use crate::activity::{Standing, Ticket};

pub(super) struct Download {
    inner: Incoming,
    idle_time: Duration,
    alarm: Pin<Box<Sleep>>,
    cut: Pin<Box<dyn Future<Output = Cut> + Send>>,
    /// The request is open until its answer has been passed on.
    _ticket: Ticket,
}

/// Why an answer was not passed on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    #[error("the instance was put to sleep or removed")]
    NotServing,
    #[error("the edge ends")]
    Stopping,
    #[error("the application sent nothing for too long")]
    Silent,
}

impl Download {
    /// `stop`: cut it when this fires.
    pub(super) fn new(
        inner: Incoming,
        ticket: Ticket,
        idle_time: Duration,
        stop: Option<CancellationToken>,
    ) -> Self {
        let cut = Box::pin(cut(&ticket, stop));
        Self {
            inner,
            idle_time,
            alarm: Box::pin(sleep(idle_time)),
            cut,
            _ticket: ticket,
        }
    }
}

/// Comes back when the connection of `ticket` must end.
pub(super) fn cut(
    ticket: &Ticket,
    stop: Option<CancellationToken>,
) -> impl Future<Output = Cut> + Send + use<> {
    let mut standing = ticket.standing();
    async move {
        let stopping = async {
            match stop {
                Some(stop) => stop.cancelled_owned().await,
                None => std::future::pending().await,
            }
        };
        let resting = async {
            if standing
                .wait_for(|standing| *standing != Standing::Serving)
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = stopping => Cut::Stopping,
            () = resting => Cut::NotServing,
        }
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        // What has come is passed on before anything is cut.
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.alarm.as_mut().reset(Instant::now() + this.idle_time);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if let Poll::Ready(cut) = this.cut.as_mut().poll(context) {
            return Poll::Ready(Some(Err(cut.into())));
        }
        match this.alarm.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Cut::Silent.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
