//! The body of a request on its way through: bounded in bytes, not allowed to stand still, its progress seen.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::BoxError;
use crate::options::EdgeLimits;
use crate::page::Trouble;

pub(crate) struct Upload {
    inner: Incoming,
    left_bytes: u64,
    limit_bytes: u64,
    stall_time: Duration,
    alarm: Pin<Box<Sleep>>,
    progress: Arc<Progress>,
}

/// When something of the body was last passed on.
pub(crate) struct Progress {
    begun: Instant,
    last_ms: AtomicU64,
}

/// Why a body was not passed on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the body is larger than the {limit_bytes} bytes that are taken")]
    TooLarge { limit_bytes: u64 },
    #[error("no more of the body came")]
    Stalled,
}

impl From<UploadError> for Trouble {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            UploadError::Stalled => Self::BodyStalled,
        }
    }
}

impl Upload {
    pub(crate) fn new(inner: Incoming, limits: &EdgeLimits) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress {
            begun: Instant::now(),
            last_ms: AtomicU64::new(0),
        });
        let upload = Self {
            inner,
            left_bytes: limits.request_body_bytes_max,
            limit_bytes: limits.request_body_bytes_max,
            stall_time: limits.request_body_stall_time,
            alarm: Box::pin(sleep(limits.request_body_stall_time)),
            progress: progress.clone(),
        };
        (upload, progress)
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
            return match this.alarm.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(UploadError::Stalled.into()))),
                Poll::Pending => Poll::Pending,
            };
        };
        this.alarm.as_mut().reset(Instant::now() + this.stall_time);
        this.progress.touch();
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

impl Progress {
    fn touch(&self) {
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed_ms, Ordering::Relaxed);
    }

    /// Comes back when nothing was passed on for `time`.
    pub(crate) async fn still_for(&self, time: Duration) {
        loop {
            let last = self.begun + Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
            if Instant::now() >= last + time {
                return;
            }
            sleep_until(last + time).await;
        }
    }
}
