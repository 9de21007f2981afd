//! The API, `/api/v1`. One file per noun; each handler checks its input, calls one operation, and gives its view.
//!
//! Routes and their description are made from the same table, which each noun has a part of.

mod access;
mod blobs;
mod changes;
mod deployments;
mod describe;
mod events;
mod forges;
pub(crate) mod health;
mod logs;
mod namespaces;
mod new_deployment;
mod previews;
mod projects;
mod repositories;
mod subscribers;
mod usage;
mod variables;
pub(crate) mod webhooks;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::service::Web;
use describe::Operation;

pub use describe::document as description;

/// Everything below `/api/v1`.
pub(crate) fn routes(web: &Web) -> Router<Web> {
    let (mut open, mut guarded) = (Router::new(), Router::new());
    for operation in operations() {
        let (path, handler, is_open) = operation.into_route();
        let router = if is_open { &mut open } else { &mut guarded };
        *router = std::mem::take(router).route(path, handler);
    }
    let guarded = guarded
        .fallback(crate::guard::unknown_path)
        .layer(from_fn_with_state(web.clone(), access::access));
    open.merge(guarded)
}

/// All operations, in the order in which they are described.
fn operations() -> Vec<Operation> {
    let nouns = [
        health::operations(),
        usage::operations(),
        projects::operations(),
        forges::operations(),
        repositories::operations(),
        changes::operations(),
        webhooks::operations(),
        blobs::operations(),
        deployments::operations(),
        logs::operations(),
        previews::operations(),
        namespaces::operations(),
        variables::operations(),
        events::operations(),
        subscribers::operations(),
    ];
    nouns.into_iter().flatten().collect()
}
