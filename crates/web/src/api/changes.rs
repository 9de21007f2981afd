//! What forges have told, what is followed because of it, and a repository that waits for somebody to look.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::view;
use forge::change::RepositoryName;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::service::Web;

/// Which changes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Those of this repository, `owner/name`.
    repository: Option<String>,
}

/// A repository that is held.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    /// `owner/name`.
    repository: RepositoryName,
    /// The forge's name here, where several have a repository of that name.
    #[serde(default)]
    forge: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /repositories", "listRepositories", routing::get(repositories))
            .says("Lists the repositories that projects belong to.", "With what is wrong with each.")
            .answers::<Vec<view::Repository>>(StatusCode::OK, "The repositories, by name."),
        operation("POST /repositories/resume", "resumeRepository", routing::post(resume))
            .says(
                "Goes on with a repository that is held.",
                "It is held when most of its open pull requests vanish at once: then nothing is removed until somebody says \
                 that this is right.",
            )
            .takes::<Held>(json!({ "repository": "acme/shop" }))
            .answers::<Vec<view::Repository>>(StatusCode::OK, "The repositories, by name.")
            .problems(&["not_found", "not_held", "repository_ambiguous"]),
        operation("GET /changes", "listChanges", routing::get(changes))
            .says(
                "Lists the pull requests and branches that are followed.",
                "With what every project makes of each, and why.",
            )
            .query::<Which>()
            .answers::<Vec<view::Head>>(StatusCode::OK, "The changes, by repository."),
        operation("GET /deliveries", "listDeliveries", routing::get(deliveries))
            .says("Lists what forges have delivered.", "The newest first, with what came of each.")
            .answers::<Vec<view::Delivery>>(StatusCode::OK, "The deliveries."),
    ]
}

async fn repositories(State(web): State<Web>) -> Result<Answer<Vec<view::Repository>>, Problem> {
    Ok(Answer(web.control.repositories().await?))
}

async fn resume(
    State(web): State<Web>,
    Json(held): Json<Held>,
) -> Result<Answer<Vec<view::Repository>>, Problem> {
    web.control
        .resume_repository(held.forge.as_deref(), &held.repository)
        .await?;
    Ok(Answer(web.control.repositories().await?))
}

async fn changes(
    State(web): State<Web>,
    Query(which): Query<Which>,
) -> Result<Answer<Vec<view::Head>>, Problem> {
    let mut heads = web.control.heads().await?;
    if let Some(repository) = which.repository {
        heads.retain(|head| head.repository == repository);
    }
    Ok(Answer(heads))
}

async fn deliveries(State(web): State<Web>) -> Result<Answer<Vec<view::Delivery>>, Problem> {
    Ok(Answer(web.control.deliveries().await?))
}
