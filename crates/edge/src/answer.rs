//! What every answer of the edge is made of: its body and the header fields that are ours.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http::header::{HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use model::route::Route;

use crate::files::Chunks;
use crate::pace::Open;
use crate::sendfile::{Region, Regions};

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request to the platform or of its answer; streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Names the deployment whose bytes an answer carries.
pub const DEPLOYMENT_HEADER: &str = "x-cygni-deployment";
/// Says, on an answer made by the edge itself, why. Never on an application's answer.
pub const ERROR_HEADER: &str = "x-cygni-error";
/// Names the request in every log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Header fields that begin so are ours: what a visitor or an application sends of them is dropped.
pub(crate) const OURS: &str = "x-cygni-";

/// The body of an answer: bytes that are here already, or a stream of them.
pub(crate) enum Reply {
    Whole(Bytes),
    Stream(Body),
    File(Region),
}

/// A body on its way to a visitor, whose request is open until it is dropped.
pub(crate) struct Answer {
    reply: Reply,
    /// Where files can be sent as such.
    regions: Option<Arc<Regions>>,
    _open: Open,
}

impl Reply {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// As a stream of the bytes themselves.
    pub(crate) fn into_body(self) -> Body {
        match self {
            Self::Whole(bytes) => full(bytes),
            Self::Stream(body) => body,
            Self::File(region) => Chunks::new(region).boxed_unsync(),
        }
    }
}

impl Answer {
    pub(crate) fn new(reply: Reply, open: Open, regions: Option<Arc<Regions>>) -> Self {
        let reply = match reply {
            Reply::File(_) if regions.is_none() => Reply::Stream(reply.into_body()),
            reply => reply,
        };
        Self {
            reply,
            regions,
            _open: open,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match &mut this.reply {
            Reply::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Reply::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Reply::Stream(body) => Pin::new(body).poll_frame(context),
            Reply::File(region) => Poll::Ready(match &this.regions {
                Some(regions) if region.length > 0 => Some(Ok(Frame::data(regions.stand_in(region)))),
                _ => None,
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.reply {
            Reply::Whole(bytes) => bytes.is_empty(),
            Reply::Stream(body) => body.is_end_stream(),
            Reply::File(region) => region.length == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.reply {
            Reply::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Reply::Stream(body) => body.size_hint(),
            Reply::File(region) => SizeHint::with_exact(region.length),
        }
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Adds what every answer at a known host carries.
pub(crate) fn mark<B>(response: &mut Response<B>, route: &Route) {
    static DEPLOYMENT: HeaderName = HeaderName::from_static(DEPLOYMENT_HEADER);
    static ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
    let headers = response.headers_mut();
    if let Some(deployment) = &route.deployment
        && let Ok(value) = HeaderValue::from_str(deployment.as_str())
    {
        headers.insert(&DEPLOYMENT, value);
    }
    headers.insert(&ROBOTS, HeaderValue::from_static("noindex"));
}
