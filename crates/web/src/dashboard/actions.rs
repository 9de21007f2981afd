//! What the buttons do: one operation, then back to a page.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use model::{DeploymentId, PreviewId};
use serde::Deserialize;

use super::layout::Page;
use super::parts::button;
use super::visitor::{Pressed, Visitor};
use crate::extract::Path;
use crate::problem::Problem;
use crate::service::Web;

/// A button that says nothing but that it was pressed.
#[derive(Deserialize)]
pub(super) struct Plain {}

#[derive(Deserialize)]
pub(super) struct To {
    to: DeploymentId,
}

pub(super) async fn redeploy(
    State(web): State<Web>,
    Path(id): Path<DeploymentId>,
    _: Pressed<Plain>,
) -> Result<Redirect, Problem> {
    let deployment = web.control.redeploy(&id, false).await?;
    Ok(Redirect::to(&format!("/deployments/{}", deployment.id)))
}

pub(super) async fn cancel(
    State(web): State<Web>,
    Path(id): Path<DeploymentId>,
    _: Pressed<Plain>,
) -> Result<Redirect, Problem> {
    web.control.cancel(&id).await?;
    Ok(Redirect::to(&format!("/deployments/{id}")))
}

pub(super) async fn rollback(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
    Pressed(to): Pressed<To>,
) -> Result<Redirect, Problem> {
    web.control.rollback(&id, Some(&to.to)).await?;
    Ok(Redirect::to(&format!("/previews/{id}")))
}

/// Deleting cannot be undone, so it is asked for once more.
pub(super) async fn ask_delete(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<PreviewId>,
) -> Result<Response, Problem> {
    let preview = web.control.preview(&id).await?;
    let token = visitor.form_token.as_str();
    let content = html! {
        section.notice {
            h1 { "Delete " (preview.project) " · " (preview.namespace) "?" }
            p { "Its deployments, instances, logs and addresses go. This cannot be undone." }
            div.actions {
                (button("Delete it", &format!("/previews/{id}/delete"), "danger sure", &[("form", token)]))
                a.button href={ "/previews/" (id) } { "Keep it" }
            }
        }
    };
    Ok(Page {
        title: "Delete",
        events: None,
        form_token: Some(token),
        content,
    }
    .into_response())
}

pub(super) async fn delete(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
    _: Pressed<Plain>,
) -> Result<Redirect, Problem> {
    web.control.delete_preview(&id).await?;
    Ok(Redirect::to("/"))
}
