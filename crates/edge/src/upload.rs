//! The body of a request on its way through: bounded in bytes, not allowed to stand still.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::BoxError;
use crate::alarm::Alarm;
use crate::options::EdgeLimits;

pub(crate) struct Upload {
    inner: Incoming,
    left_bytes: u64,
    limit_bytes: u64,
    stall_time: Duration,
    alarm: Alarm,
}

/// Why a body was not passed on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the body is larger than the {limit_bytes} bytes that are taken")]
    TooLarge { limit_bytes: u64 },
    #[error("no more of the body came")]
    Stalled,
}

impl Upload {
    pub(crate) fn new(inner: Incoming, limits: &EdgeLimits) -> Self {
        Self {
            inner,
            left_bytes: limits.request_body_bytes_max,
            limit_bytes: limits.request_body_bytes_max,
            stall_time: limits.request_body_stall_time,
            alarm: Alarm::default(),
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) else {
            if !this.alarm.is_set() {
                this.alarm.set(this.stall_time);
            }
            let stalled = this.alarm.poll(context);
            return stalled.map(|()| Some(Err(UploadError::Stalled.into())));
        };
        this.alarm.clear();
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        match this.left_bytes.checked_sub(bytes) {
            Some(left) => this.left_bytes = left,
            None => {
                let error = UploadError::TooLarge {
                    limit_bytes: this.limit_bytes,
                };
                return Poll::Ready(Some(Err(error.into())));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
