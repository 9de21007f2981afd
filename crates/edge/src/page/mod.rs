//! Answers that the edge makes itself: a page for people, a problem document (RFC 9457) for programs.
//!
//! All words for people are in `trouble.rs`. Everything that comes from outside is escaped.

mod html;
mod trouble;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::json;

pub(crate) use self::trouble::Trouble;
use crate::answer::Reply;
use crate::{ERROR_HEADER, REQUEST_ID_HEADER};

/// Pages load nothing, run nothing and cannot be framed.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// How an answer of the edge's own is to be given.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// A page instead of a problem document.
    pub(crate) wants_html: bool,
    pub(crate) request_id: HeaderValue,
}

impl Reader {
    pub(crate) fn of(headers: &HeaderMap, request_id: HeaderValue) -> Self {
        Self {
            wants_html: accepts_html(headers),
            request_id,
        }
    }

    /// The answer that says what is the matter.
    pub(crate) fn tell(&self, trouble: &Trouble) -> Response<Reply> {
        let words = trouble.words();
        let (kind, body) = match self.wants_html {
            true => ("text/html; charset=utf-8", html::render(trouble, &words)),
            false => ("application/problem+json", self.problem(trouble, &words)),
        };
        let mut response = Response::new(Reply::Whole(body.into()));
        *response.status_mut() = words.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            HeaderName::from_static(ERROR_HEADER),
            HeaderValue::from_static(words.code),
        );
        headers.insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        if self.wants_html {
            let name = HeaderName::from_static("content-security-policy");
            headers.insert(name, HeaderValue::from_static(PAGE_POLICY));
        }
        if words.passes {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(trouble, Trouble::MethodNotAllowed) {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn problem(&self, trouble: &Trouble, words: &trouble::Words) -> String {
        let mut document = json!({
            "type": format!("urn:cygni:error:{}", words.code),
            "title": words.title,
            "status": words.status.as_u16(),
            "detail": words.detail,
            "hint": words.hint,
            "code": words.code,
            "request_id": self.request_id.to_str().unwrap_or_default(),
        });
        if let Trouble::Failed(failure) = trouble {
            document["failure"] = json!(failure);
        }
        document.to_string()
    }
}

/// Whether a person is likely to read the answer: `text/html` is accepted by name, and not with weight 0.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        is_html
            && !parts.any(|part| {
                matches!(
                    part.replace(' ', "").as_str(),
                    "q=0" | "q=0.0" | "q=0.00" | "q=0.000"
                )
            })
    })
}

/// Adds the request's id to an answer, whoever made it.
pub(crate) fn name_request<B>(response: &mut Response<B>, request_id: HeaderValue) {
    response
        .headers_mut()
        .insert(HeaderName::from_static(REQUEST_ID_HEADER), request_id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_html_gets_html() {
        let table = [
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, TEXT/HTML ; q=0.5", true),
            ("text/html;q=0, */*", false),
        ];
        for (accept, html) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(accepts_html(&headers), html, "{accept}");
        }
        assert!(!accepts_html(&HeaderMap::new()));
    }
}
