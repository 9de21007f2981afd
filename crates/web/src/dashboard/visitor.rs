//! Who looks at a page, or presses a button of one.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::service::Web;
use crate::session::{Session, own_origin};

/// Somebody who is logged in; everybody else is sent to log in.
pub(super) struct Visitor {
    /// What the forms of his pages carry.
    pub(super) form_token: String,
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let session = session(parts, web).ok_or_else(|| Redirect::to("/login").into_response())?;
        Ok(Self {
            form_token: web.shared.session.form_token(&session),
        })
    }
}

fn session(parts: &Parts, web: &Web) -> Option<Session> {
    web.shared.session.check(&parts.headers, web.secure())
}

/// A form that was sent from one of our own pages by somebody who is logged in.
pub(super) struct Pressed<T>(pub(super) T);

#[derive(Deserialize)]
struct Signed {
    form: String,
}

impl<T: DeserializeOwned> FromRequest<Web> for Pressed<T> {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let session = session(&parts, web).ok_or_else(|| Redirect::to("/login").into_response())?;
        let foreign = |detail: &str| {
            Problem::new(StatusCode::FORBIDDEN, "foreign_form", detail)
                .hint("Go back to the dashboard, load the page again and repeat.")
                .into_response()
        };
        if !own_origin(&parts.headers) {
            return Err(foreign("the form was not sent from a page of this dashboard"));
        }
        let bytes = read(Request::from_parts(parts, body))
            .await
            .map_err(IntoResponse::into_response)?;
        let signed: Signed = parse(&bytes).map_err(IntoResponse::into_response)?;
        if !web.shared.session.form_matches(&session, &signed.form) {
            return Err(foreign("the form belongs to another session"));
        }
        parse(&bytes).map(Self).map_err(IntoResponse::into_response)
    }
}

/// The bytes of a form.
pub(super) async fn read(request: Request) -> Result<bytes::Bytes, Problem> {
    let form = axum::extract::RawForm::from_request(request, &()).await;
    form.map(|form| form.0)
        .map_err(|rejection| Problem::of_status(rejection.into_response().status()))
}

/// What the fields of a form say.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let uri = format!("/?{text}").parse::<http::Uri>().unwrap_or_default();
    axum::extract::Query::<T>::try_from_uri(&uri)
        .map(|fields| fields.0)
        .map_err(|_| {
            Problem::invalid("invalid_form", "a field of the form is missing or wrong")
                .hint("Load the page again and repeat.")
        })
}
