//! What every answer of the edge is made of: its body type and the header fields that are ours.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use model::route::Route;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request or an answer; streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Names the deployment whose bytes an answer carries.
pub const DEPLOYMENT_HEADER: &str = "x-cygni-deployment";
/// Says, on an answer made by the edge itself, why. Never on an application's answer.
pub const ERROR_HEADER: &str = "x-cygni-error";
/// Names the request in every log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Header fields that begin so are ours: what a visitor or an application sends of them is dropped.
const OURS: &str = "x-cygni-";

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Removes fields that only the platform may set.
pub(crate) fn strip_ours(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
}

/// Adds what every answer at a known host carries.
pub(crate) fn mark<B>(response: &mut Response<B>, route: &Route) {
    let headers = response.headers_mut();
    if let Some(deployment) = &route.deployment
        && let Ok(value) = HeaderValue::from_str(deployment.as_str())
    {
        headers.insert(HeaderName::from_static(DEPLOYMENT_HEADER), value);
    }
    headers.insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    );
}
