//! Around every request: its id, its host, the form of its errors, and the headers that keep browsers strict.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::dashboard;
use crate::problem::Problem;
use crate::service::Web;

/// Carries the request's id, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Only our own styles, scripts, pictures and streams; no page may frame us.
const CONTENT_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Runs a request and sees to what all have in common.
pub(crate) async fn guard(State(web): State<Web>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let page = wants_page(&request);
    let host = named_host(&request);
    let response = match host {
        None => Problem::invalid("no_host", "the request names no host")
            .hint("Send a `host` header.")
            .into_response(),
        Some(host) if !web.shared.hosts.contains(&host) => unknown_host(&host).into_response(),
        Some(_) => next.run(request).await,
    };
    let mut response = with_words(response, &id, page);
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` browsers would send `Origin: null` with the forms of our own pages.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// For every path that is no route.
pub(crate) async fn unknown_path() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

/// Gives an error its words, unless it has some.
fn with_words(response: Response, id: &str, page: bool) -> Response {
    let status = response.status();
    let problem = response.extensions().get::<Problem>().cloned();
    // A page says itself what is wrong: the login form, for one.
    let wordless = status.as_u16() >= 400 && !is_page(&response);
    let Some(problem) = problem.or_else(|| wordless.then(|| Problem::of_status(status))) else {
        return response;
    };
    // A disk that is full is told by the pass that tries to make room.
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        tracing::error!(request = id, code = problem.code, "{}", problem.detail);
    }
    let mut worded = if page {
        dashboard::problem_page(&problem, id)
    } else {
        problem.render(id)
    };
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            worded.headers_mut().insert(name, value.clone());
        }
    }
    worded
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn unknown_host(host: &str) -> Problem {
    let shown: String = host.chars().take(100).collect();
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown_host",
        format!("`{shown}` is not a host of this server"),
    )
    .hint("Ask for the server by its own name, or start it with --domain or --dashboard-host.")
}

/// The host that is asked for: lower case, without port and final dot.
fn named_host(request: &Request) -> Option<String> {
    let header = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or(header)?;
    let authority: http::uri::Authority = authority.parse().ok()?;
    Some(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// Whether an error is shown to a person: outside the API, and the browser says that it navigates.
fn wants_page(request: &Request) -> bool {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    !request.uri().path().starts_with("/api/") && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The edge has given every request an id; without the edge one is made here.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let given = headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(sane);
    given.map_or_else(fresh_id, str::to_owned)
}

fn fresh_id() -> String {
    let mut bytes = [0; 12];
    match getrandom::fill(&mut bytes) {
        Ok(()) => format!("req-{}", HEXLOWER.encode(&bytes)),
        Err(_) => "req-none".to_owned(),
    }
}
