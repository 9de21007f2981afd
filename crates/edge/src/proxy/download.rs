//! The body of an answer on its way to the visitor. Ends with an error, never as if whole, when its instance is put
//! to sleep or dropped, when it stays silent for too long, or when the edge ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::{ATTENTION_TIME, Keeping};
use crate::BoxError;
use crate::activity::{Standing, Ticket};

pub(super) struct Download {
    /// Until its end.
    exchange: Option<Exchange>,
    keeping: Keeping,
    idle_time: Duration,
    /// Since when the application says nothing, once that lasts.
    silent_since: Option<Instant>,
    stop: Option<CancellationToken>,
    cut: Option<Pin<Box<dyn Future<Output = Cut> + Send>>>,
    /// The request is open until its answer has been passed on.
    ticket: Ticket,
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
        exchange: Exchange,
        ticket: Ticket,
        (keeping, idle_time): (Keeping, Duration),
        stop: Option<CancellationToken>,
    ) -> Self {
        let mut download = Self {
            exchange: Some(exchange),
            keeping,
            idle_time,
            silent_since: None,
            stop,
            cut: None,
            ticket,
        };
        download.finish();
        download
    }

    /// At its end the connection goes back.
    fn finish(&mut self) {
        if let Some(exchange) = self.exchange.take_if(|exchange| exchange.is_ended())
            && let Some(wire) = exchange.into_wire()
        {
            self.keeping.keep(&self.ticket, wire);
        }
    }

    /// Looks whether this must end although the application has nothing to say. What ends quickly, as most does, is
    /// never looked after: only a silence that lasts is.
    fn watch(&mut self, context: &mut Context<'_>) -> Poll<Cut> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Pending;
        };
        let alarm = &mut exchange.wire.alarm;
        if let Some(cut) = &mut self.cut
            && let Poll::Ready(cut) = cut.as_mut().poll(context)
        {
            return Poll::Ready(cut);
        }
        if !alarm.is_set() {
            alarm.set(ATTENTION_TIME.min(self.idle_time));
        }
        if alarm.poll(context).is_pending() {
            return Poll::Pending;
        }
        let since = *self
            .silent_since
            .get_or_insert_with(|| Instant::now() - ATTENTION_TIME.min(self.idle_time));
        if since.elapsed() >= self.idle_time {
            return Poll::Ready(Cut::Silent);
        }
        alarm.set_at(since + self.idle_time);
        if self.cut.is_none() {
            self.cut = Some(Box::pin(cut(&self.ticket, self.stop.take())));
        }
        context.waker().wake_by_ref();
        Poll::Pending
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
        let Some(exchange) = &mut this.exchange else {
            return Poll::Ready(None);
        };
        // What has come is passed on before anything is cut.
        if let Poll::Ready(frame) = exchange.poll_frame(context) {
            exchange.wire.alarm.clear();
            this.silent_since = None;
            this.finish();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        this.watch(context).map(|cut| Some(Err(cut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = match &self.exchange {
            Some(exchange) => exchange.bytes_left(),
            None => Some(0),
        };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
