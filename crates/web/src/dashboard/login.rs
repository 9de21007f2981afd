//! Logging in with the server's token: by form, or by the link that `cx` prints.

use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, html};
use serde::Deserialize;

use super::actions::Plain;
use super::layout::Page;
use super::visitor::{Pressed, parse, read};
use crate::extract::Query;
use crate::problem::Problem;
use crate::service::Web;
use crate::session::{no_cookie, own_origin};

#[derive(Deserialize)]
pub(super) struct Link {
    token: Option<String>,
}

#[derive(Deserialize)]
struct Form {
    token: String,
}

/// The form; with a token in the address, the way in.
pub(super) async fn page(State(web): State<Web>, Query(link): Query<Link>) -> Response {
    match link.token {
        Some(token) => enter(&web, &token),
        None => form(None),
    }
}

pub(super) async fn submit(State(web): State<Web>, request: Request) -> Result<Response, Problem> {
    if !own_origin(request.headers()) {
        let detail = "the form was not sent from a page of this dashboard";
        return Err(
            Problem::new(StatusCode::FORBIDDEN, "foreign_form", detail).hint("Open /login and log in there.")
        );
    }
    let form: Form = parse(&read(request).await?)?;
    Ok(enter(&web, form.token.trim()))
}

pub(super) async fn leave(State(web): State<Web>, _: Pressed<Plain>) -> Response {
    with_cookie(Redirect::to("/login").into_response(), &no_cookie(web.secure()))
}

fn enter(web: &Web, token: &str) -> Response {
    if !web.control.token_matches(token) {
        return form(Some("That is not the token of this server."));
    }
    match web.shared.session.start() {
        None => Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
        // A page and not a redirection: a browser that came here by a link from elsewhere would not send the new cookie
        // along with a redirection (SameSite=Strict). And the token stays neither in the address nor in a `Referer`.
        Some(session) => with_cookie(onward(), &session.cookie(web.secure())),
    }
}

fn onward() -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                meta http-equiv="refresh" content="0; url=/";
                link rel="icon" type="image/svg+xml" href="/assets/cygni.svg";
                title { "Cygni" }
            }
            body { a href="/" { "Go on" } }
        }
    };
    Html(page.into_string()).into_response()
}

fn form(error: Option<&str>) -> Response {
    let content = html! {
        section.notice.login {
            h1 { "Log in" }
            @if let Some(error) = error { p.wrong role="alert" { (error) } }
            form method="post" action="/login" {
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                button.primary { "Log in" }
            }
            p.note { "The token lies in the file " code { "token" } " of the server's data directory. "
                code { "cx open --dashboard" } " prints a link that logs you in." }
        }
    };
    let status = if error.is_some() {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::OK
    };
    (
        status,
        Page {
            title: "Log in",
            events: None,
            form_token: None,
            content,
        },
    )
        .into_response()
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
