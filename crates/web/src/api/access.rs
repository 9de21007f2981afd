//! Who may call the API: whoever has the token. The dashboard's own scripts may read with its session.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::Problem;
use crate::service::Web;

/// Lets a request pass, or refuses it.
pub(crate) async fn access(State(web): State<Web>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(token) if web.control.token_matches(token) => next.run(request).await,
        Some(_) => refuse("wrong_token", "the token is not that of this server"),
        // A session is a cookie, which a browser sends whoever asks it to: good for reading only.
        None if request.method().is_safe() && session(&web, request.headers()) => next.run(request).await,
        None => refuse("no_token", "the request carries no token"),
    }
}

fn session(web: &Web, headers: &HeaderMap) -> bool {
    web.shared.session.check(headers, web.secure()).is_some()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(code: &str, detail: &str) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .hint("Send `authorization: Bearer <token>`; the token lies in the file `token` of the server's data directory.");
    let mut response = problem.into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
