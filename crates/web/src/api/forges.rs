//! Forges: where changes come from and reports go to. Credentials go in and never come out.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::ops::NewForge;
use control::view;
use http::StatusCode;
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /forges", "listForges", routing::get(list))
            .says("Lists the forges.", "Their credentials are never shown.")
            .answers::<Vec<view::Forge>>(StatusCode::OK, "The forges, the oldest first."),
        operation("PUT /forges/{forge}", "setForge", routing::put(set))
            .says(
                "Adds a forge.",
                "One of that name that is there already gets these settings. They are sealed before they are written.",
            )
            .takes::<NewForge>(json!({
                "kind": "github",
                "token": "ghp_0123456789",
                "webhook_secret": "It's a Secret to Everybody",
            }))
            .answers::<view::AddedForge>(StatusCode::OK, "The forge, and what its webhooks are signed with.")
            .problems(&["invalid_forge_name", "forge_invalid"])
            .leads(&["removeForge"], &[("forge", "forge/name")]),
        operation("DELETE /forges/{forge}", "removeForge", routing::delete(remove))
            .says("Removes a forge.", "Its credentials go with it. Projects must not belong to it any more.")
            .answers::<view::Forge>(StatusCode::OK, "The forge that went.")
            .problems(&["not_found", "forge_in_use"]),
    ]
}

async fn list(State(web): State<Web>) -> Result<Answer<Vec<view::Forge>>, Problem> {
    Ok(Answer(web.control.forges().await?))
}

async fn set(
    State(web): State<Web>,
    Path(forge): Path<String>,
    Json(new): Json<NewForge>,
) -> Result<Answer<view::AddedForge>, Problem> {
    Ok(Answer(web.control.add_forge(&forge, new).await?))
}

async fn remove(State(web): State<Web>, Path(forge): Path<String>) -> Result<Answer<view::Forge>, Problem> {
    Ok(Answer(web.control.remove_forge(&forge).await?))
}
