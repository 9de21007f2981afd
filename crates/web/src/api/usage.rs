//! What the server takes on its disk.

use axum::Json;
use axum::extract::State;
use axum::routing;
use control::view;
use http::StatusCode;

use super::describe::{Operation, operation};
use crate::problem::Problem;
use crate::service::Web;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /usage", "getUsage", routing::get(get))
            .says(
                "Tells what the server takes on its disk, and how much is free.",
                "Room is told as it is now; the parts are counted at most every 30 seconds.",
            )
            .answers::<view::Usage>(StatusCode::OK, "What it takes."),
    ]
}

pub(crate) async fn get(State(web): State<Web>) -> Result<Json<view::Usage>, Problem> {
    Ok(Json(web.control.usage().await?))
}
