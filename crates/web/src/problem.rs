//! Errors as problem documents (RFC 9457): what happened, the value involved, what to do next, and the request's id.
//!
//! A handler gives a [`Problem`]; the guard around everything writes it as JSON or, for a browser, as a page. So every
//! error has the same form, whoever made it.

use axum::response::{IntoResponse, Response};
use control::ops::{Kind, OpError};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// The media type of problem documents.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// A stable name that programs can rely on.
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) hint: String,
}

/// Why a request was not done (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document<'a> {
    /// `urn:cygni:problem:` and the code.
    r#type: String,
    title: &'a str,
    status: u16,
    /// A stable name that programs can rely on.
    code: &'a str,
    /// What happened, and the value involved.
    detail: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    /// What to do next.
    hint: &'a str,
    request_id: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            hint: String::new(),
        }
    }

    /// The request does not have its form.
    pub(crate) fn invalid(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The request has its form, and still asks for what cannot be.
    pub(crate) fn impossible(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// For an answer that somebody else made without words.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail, hint) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address", "Check the path."),
            StatusCode::METHOD_NOT_ALLOWED => (
                "method_not_allowed",
                "this address does not take that method",
                "The header `allow` names those it takes.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => (
                "too_large",
                "the body is larger than this call takes",
                "Send files as blobs, by their digests.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                "unsupported_media_type",
                "the body is not JSON",
                "Send it with `content-type: application/json`.",
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                "unavailable",
                "the server is ending, or not there yet",
                "Ask again in a moment.",
            ),
            status if status.is_client_error() => ("bad_request", "the request cannot be understood", ""),
            _ => ("internal", "the server could not do it", "See the server's log."),
        };
        Self::new(status, code, detail).hint(hint)
    }

    /// The document.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let document = Document {
            r#type: format!("urn:cygni:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: &self.code,
            detail: &self.detail,
            hint: &self.hint,
            request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

/// Without a body: the guard writes it, because it knows the request's id and who asks.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<OpError> for Problem {
    fn from(error: OpError) -> Self {
        let status = match error.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code, error.message).hint(error.hint)
    }
}
