//! Several parts of a file in one answer (RFC 9110, section 14.6).

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::chunks::Chunks;
use super::content::Form;
use crate::answer::Reply;

/// The body of `parts`, each first and last byte; sets the type of the answer and its length.
pub(super) fn answer(headers: &mut HeaderMap, form: &Form, kind: &str, parts: &[(u64, u64)]) -> Reply {
    // Nobody but who has the file could put this into it, and he would only deceive himself.
    let tag = form.tag.to_str().unwrap_or_default();
    let boundary: String = tag.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
    for (first, last) in parts {
        let size = form.size_bytes;
        let head = format!(
            "\r\n--{boundary}\r\ncontent-type: {kind}\r\ncontent-range: bytes {first}-{last}/{size}\r\n\r\n"
        );
        pieces.push(Reply::Whole(head.into()));
        pieces.push(form.part(*first, last - first + 1));
    }
    pieces.push(Reply::Whole(format!("\r\n--{boundary}--\r\n").into()));
    let body = Chunks::of(pieces);
    let length = body.size_hint().exact().unwrap_or(0);
    let mut set = |name: HeaderName, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    set(
        CONTENT_TYPE,
        HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")),
    );
    set(http::header::CONTENT_LENGTH, Ok(HeaderValue::from(length)));
    Reply::Stream(body.boxed_unsync())
}
