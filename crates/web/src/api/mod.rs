//! The API, `/api/v1`. One file per noun; each handler checks its input, calls one operation, and gives its view.

mod access;
mod blobs;
mod deployments;
mod events;
mod health;
mod logs;
mod namespaces;
mod new_deployment;
mod previews;
mod projects;
mod variables;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use model::limits::JSON_BYTES_MAX;

use crate::service::Web;

/// Bytes of a question for missing blobs: 20,000 digests and more.
const QUESTION_BYTES_MAX: usize = 4 << 20;

/// Everything below `/api/v1`.
pub(crate) fn routes(web: &Web) -> Router<Web> {
    let large = |bytes| DefaultBodyLimit::max(bytes);
    let guarded = Router::new()
        .route("/projects", get(projects::list).post(projects::create))
        .route("/projects/{project}", get(projects::get).delete(projects::delete))
        .route(
            "/projects/{project}/blobs/missing",
            post(blobs::missing).layer(large(QUESTION_BYTES_MAX)),
        )
        .route("/projects/{project}/blobs/{digest}", put(blobs::put))
        .route("/namespaces", get(namespaces::list))
        .route(
            "/namespaces/{namespace}",
            get(namespaces::get).delete(namespaces::delete),
        )
        .route("/namespaces/{namespace}/previews/{project}", get(previews::find))
        .route("/previews", get(previews::list).post(previews::create))
        .route(
            "/previews/{preview}",
            get(previews::get)
                .patch(previews::update)
                .delete(previews::delete),
        )
        .route("/previews/{preview}/deployments", get(previews::deployments))
        .route("/previews/{preview}/rollback", post(previews::rollback))
        .route(
            "/previews/{preview}/watch",
            put(previews::watch).delete(previews::unwatch),
        )
        .route(
            "/deployments",
            post(deployments::create).layer(large(JSON_BYTES_MAX)),
        )
        .route("/deployments/{deployment}", get(deployments::get))
        .route("/deployments/{deployment}/redeploy", post(deployments::redeploy))
        .route("/deployments/{deployment}/cancel", post(deployments::cancel))
        .route("/deployments/{deployment}/logs", get(logs::get))
        .route(
            "/variables",
            get(variables::list).put(variables::set).delete(variables::unset),
        )
        .route("/events", get(events::follow))
        .fallback(crate::guard::unknown_path)
        .layer(from_fn_with_state(web.clone(), access::access));
    Router::new().route("/health", get(health::get)).merge(guarded)
}
