//! Whether the server is there, and what it is. The only call without a token, so it says little.

use axum::Json;
use axum::extract::State;
use control::view;
use serde::Serialize;

use crate::service::Web;

#[derive(Serialize)]
pub(crate) struct Health {
    #[serde(flatten)]
    health: view::Health,
    /// Where the dashboard is.
    dashboard_url: String,
}

pub(crate) async fn get(State(web): State<Web>) -> Json<Health> {
    let health = web.control.health().await;
    Json(Health {
        health,
        dashboard_url: web.shared.dashboard_url.clone(),
    })
}
