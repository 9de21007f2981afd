//! Whether the server is there, what it is, and what can be asked of it. Answered without a token, so it says little.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing;
use control::view;
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::describe::{self, Operation, operation};
use crate::service::Web;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Health {
    #[serde(flatten)]
    health: view::Health,
    /// Where the dashboard is.
    dashboard_url: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /health", "getHealth", routing::get(get))
            .says("Tells that the server is there, and what it is.", "")
            .open()
            .answers::<Health>(StatusCode::OK, "It is there."),
        operation("GET /openapi.json", "getDescription", routing::get(description))
            .says("Gives this description.", "")
            .open()
            .answers::<serde_json::Map<String, serde_json::Value>>(
                StatusCode::OK,
                "An OpenAPI 3.1 document.",
            ),
    ]
}

pub(crate) async fn get(State(web): State<Web>) -> Json<Health> {
    let health = web.control.health().await;
    Json(Health {
        health,
        dashboard_url: web.shared.dashboard_url.clone(),
    })
}

async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], describe::bytes()).into_response()
}
