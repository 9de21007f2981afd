//! Adds the script to a page, behind its last byte: nothing is held back, parsed or moved.
//!
//! Browsers put what stands after `</html>` at the end of the body (WHATWG HTML, section 13.2.6.4.22), where frameworks
//! that take over a whole document expect strangers. An answer that breaks off gets no script.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::SCRIPT_PATH;
use super::policy::{Site, allows};
use crate::answer::Body;
use crate::{BoxError, DEPLOYMENT_HEADER};

/// Says what the bytes are; they become others.
const DIGESTS: [&str; 4] = ["digest", "content-digest", "repr-digest", "content-md5"];

/// Gives the answer a script where it is a whole, readable HTML page of a deployment whose policy allows it.
pub(super) fn insert(response: Response<Body>, site: &Site) -> Response<Body> {
    if !takes_script(&response) || !allows(response.headers(), site) {
        return response;
    }
    let Some(tag) = tag(response.headers()) else {
        return response;
    };
    let (mut head, body) = response.into_parts();
    let headers = &mut head.headers;
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length + tag.len() as u64)),
        None => headers.remove(CONTENT_LENGTH),
    };
    for name in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
        headers.remove(name);
    }
    for name in DIGESTS {
        headers.remove(name);
    }
    // Nobody may keep the page beyond the time in which it is watched.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let body = WithTag {
        inner: body,
        tag: Some(tag),
        trailers: None,
    };
    Response::from_parts(head, body.boxed_unsync())
}

fn takes_script<B>(response: &Response<B>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let bare = status.is_informational()
        || status.is_redirection()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
        );
    let is_html = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let essence = kind
            .as_bytes()
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"text/html")
    });
    let plain = headers
        .get(CONTENT_ENCODING)
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let download = headers
        .get("content-disposition")
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"attachment"));
    !bare && is_html && plain && !download && !headers.contains_key(CONTENT_RANGE)
}

/// Names the deployment that the page belongs to, so that one that came meanwhile is noticed.
fn tag(headers: &HeaderMap) -> Option<Bytes> {
    let deployment = headers.get(DEPLOYMENT_HEADER)?.to_str().ok()?;
    let tag = format!("\n<script src=\"{SCRIPT_PATH}\" data-deployment=\"{deployment}\" async></script>\n");
    Some(tag.into())
}

/// A body, then the tag, then the trailers of the body.
struct WithTag {
    inner: Body,
    tag: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl HttpBody for WithTag {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.tag.is_none() {
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        match std::task::ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            Some(Ok(frame)) if frame.is_trailers() => this.trailers = frame.into_trailers().ok(),
            Some(frame) => return Poll::Ready(Some(frame)),
            None => {}
        }
        Poll::Ready(this.tag.take().map(|tag| Ok(Frame::data(tag))))
    }

    fn is_end_stream(&self) -> bool {
        self.tag.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let tag = self.tag.as_ref().map_or(0, |tag| tag.len() as u64);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + tag);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + tag);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;

    use super::*;
    use crate::answer::full;

    fn site() -> Site {
        Site {
            scheme: "http".into(),
            host: "a.localhost".into(),
            port: Some(7700),
        }
    }

    fn answer(fields: &[(&'static str, &'static str)], status: u16) -> Response<Body> {
        let mut response = Response::new(full("<p>hi"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
            .headers_mut()
            .insert(DEPLOYMENT_HEADER, HeaderValue::from_static("dpl_x"));
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        for (name, value) in fields {
            response
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        response
    }

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_page_gets_the_script_and_loses_what_named_its_bytes() {
        let page = [
            ("content-type", "text/html; charset=utf-8"),
            ("etag", "\"a\""),
            ("last-modified", "x"),
            ("content-digest", "sha-256=:x:"),
            ("cache-control", "public, max-age=60"),
        ];
        for status in [200, 404, 500] {
            let response = insert(answer(&page, status), &site());
            let headers = response.headers().clone();
            let text = text(response).await;
            assert!(
                text.starts_with("<p>hi\n<script src=\"/.cygni/live.js\" data-deployment=\"dpl_x\""),
                "{text}"
            );
            assert_eq!(headers[CONTENT_LENGTH], text.len().to_string());
            assert_eq!(headers[CACHE_CONTROL], "no-cache");
            for gone in ["etag", "last-modified", "content-digest"] {
                assert!(!headers.contains_key(gone), "{gone}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_readable_page_stays_as_it_is() {
        let html = ("content-type", "text/html");
        let table: [(&[(&str, &str)], u16); 7] = [
            (&[("content-type", "text/plain")], 200),
            (&[("content-type", "text/html-sandboxed")], 200),
            (&[html, ("content-encoding", "gzip")], 200),
            (&[html, ("content-range", "bytes 0-4/9")], 206),
            (&[html, ("content-disposition", "attachment; filename=a")], 200),
            (&[html], 302),
            (&[html, ("content-security-policy", "default-src 'none'")], 200),
        ];
        for (fields, status) in table {
            let response = insert(answer(fields, status), &site());
            assert_eq!(response.headers()[CONTENT_LENGTH], "5", "{fields:?}");
            assert_eq!(text(response).await, "<p>hi", "{fields:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_passed_on_as_it_comes_and_trailers_stay_last() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Frame<Bytes>>(1);
        let frames = futures_util::stream::poll_fn(move |context| {
            receiver
                .poll_recv(context)
                .map(|frame| frame.map(Ok::<_, BoxError>))
        });
        let page = answer(&[("content-type", "text/html")], 200)
            .map(|_| http_body_util::combinators::UnsyncBoxBody::new(StreamBody::new(frames)));
        let mut body = insert(page, &site()).into_body();
        sender.send(Frame::data("<p>".into())).await.unwrap();
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(
            first.into_data().unwrap(),
            "<p>",
            "before the rest of the page was there"
        );
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        sender.send(Frame::trailers(trailers)).await.unwrap();
        let tag = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(tag.starts_with(b"\n<script"), "{tag:?}");
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_page_that_breaks_off_stays_broken() {
        let frames =
            futures_util::stream::iter([Ok(Frame::data(Bytes::from("<p>"))), Err(BoxError::from("gone"))]);
        let page = answer(&[("content-type", "text/html")], 200)
            .map(|_| http_body_util::combinators::UnsyncBoxBody::new(StreamBody::new(frames)));
        assert!(insert(page, &site()).into_body().collect().await.is_err());
    }
}
