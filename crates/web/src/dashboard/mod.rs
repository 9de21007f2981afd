//! The dashboard: pages made on the server, readable without a script and on a phone. One small script of our own adds
//! what moves: states and logs as they change. Nothing comes from anywhere else.

mod actions;
mod assets;
mod deployment;
mod layout;
mod list;
mod login;
mod parts;
mod preview;
mod project;
mod visitor;
mod words;

use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};

use crate::problem::Problem;
use crate::service::Web;

/// The pages and what they need.
pub(crate) fn routes(_web: &Web) -> Router<Web> {
    Router::new()
        .route("/", get(list::page))
        .route("/login", get(login::page).post(login::submit))
        .route("/logout", post(login::leave))
        .route("/projects/{project}", get(project::page))
        .route("/projects/{project}/pause", post(project::pause))
        .route("/projects/{project}/resume", post(project::resume))
        .route("/previews/{preview}", get(preview::page))
        .route(
            "/previews/{preview}/delete",
            get(actions::ask_delete).post(actions::delete),
        )
        .route("/previews/{preview}/rollback", post(actions::rollback))
        .route("/deployments/{deployment}", get(deployment::page))
        .route("/deployments/{deployment}/redeploy", post(actions::redeploy))
        .route("/deployments/{deployment}/cancel", post(actions::cancel))
        .route("/assets/{name}", get(assets::get))
}

/// An error, for a person.
pub(crate) fn problem_page(problem: &Problem, request_id: &str) -> Response {
    parts::problem_page(problem, request_id)
}
