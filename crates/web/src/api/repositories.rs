//! Which project is which part of which repository.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::ops::{NewConnection, ProjectChange};
use control::view;
use forge::change::RepositoryName;
use http::StatusCode;
use model::ProjectName;
use model::git::GitBounds;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConnection")]
pub(crate) struct Connection {
    /// The name of the forge; the only one there is where it is not given.
    #[serde(default)]
    forge: Option<String>,
    /// `owner/name`.
    repository: RepositoryName,
    /// The project's directory in it; empty for all of it.
    #[serde(default)]
    root: String,
    /// What the operator says above the `[git]` of the project's cx.toml.
    #[serde(default)]
    settings: GitBounds,
    /// Whether the forge is to be told where to deliver to, where it does not know that already.
    #[serde(default = "yes")]
    webhook: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProjectChange")]
pub(crate) struct Change {
    /// The project's directory in its repository; stays as it is where it is not given.
    #[serde(default)]
    root: Option<String>,
    /// All that the operator says from now on; stays as it is where it is not given.
    #[serde(default)]
    settings: Option<GitBounds>,
}

pub(super) fn operations() -> Vec<Operation> {
    let example =
        json!({ "repository": "acme/shop", "root": "apps/web", "settings": { "previews_max": 10 } });
    vec![
        operation("PUT /projects/{project}/repository", "connectRepository", routing::put(connect))
            .says(
                "Says which part of which repository a project is.",
                "The forge is asked first: what we may not see is not connected. Makes the project where there is none.",
            )
            .takes::<Connection>(example)
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&[
                "no_forge",
                "not_found",
                "repository_not_found",
                "forge_ambiguous",
                "forge_denied",
                "forge_refused",
                "forge_unavailable",
                "forge_without_credentials",
                "connected",
                "invalid_root",
                "invalid_settings",
            ]),
        operation("DELETE /projects/{project}/repository", "disconnectRepository", routing::delete(disconnect))
            .says(
                "Takes a project out of its repository.",
                "The previews of its changes go; others stay.",
            )
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&["not_found", "not_connected"]),
        operation("PATCH /projects/{project}", "changeProject", routing::patch(change))
            .says("Changes what the operator says of a project.", "It counts at once for all its changes.")
            .takes::<Change>(json!({ "settings": { "forks": "never" } }))
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&["not_found", "not_connected", "invalid_root", "invalid_settings"]),
        operation("POST /projects/{project}/pause", "pauseProject", routing::post(pause))
            .says(
                "Pauses a project.",
                "Changes of its repository are noted, and nothing is deployed because of them. What serves goes on.",
            )
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&["not_found"]),
        operation("POST /projects/{project}/resume", "resumeProject", routing::post(resume))
            .says("Ends the pause of a project.", "What has changed meanwhile is caught up with.")
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&["not_found"]),
    ]
}

async fn connect(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
    Json(new): Json<Connection>,
) -> Result<Answer<view::Project>, Problem> {
    let new = NewConnection {
        forge: new.forge,
        repository: new.repository,
        root: new.root,
        bounds: new.settings,
        webhook: new.webhook,
    };
    Ok(Answer(web.control.connect_repository(&project, new).await?))
}

async fn disconnect(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
) -> Result<Answer<view::Project>, Problem> {
    Ok(Answer(web.control.disconnect_repository(&project).await?))
}

async fn change(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
    Json(change): Json<Change>,
) -> Result<Answer<view::Project>, Problem> {
    let change = ProjectChange {
        root: change.root,
        bounds: change.settings,
    };
    Ok(Answer(web.control.set_project(&project, change).await?))
}

async fn pause(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
) -> Result<Answer<view::Project>, Problem> {
    Ok(Answer(web.control.pause_project(&project).await?))
}

async fn resume(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
) -> Result<Answer<view::Project>, Problem> {
    Ok(Answer(web.control.resume_project(&project).await?))
}

fn yes() -> bool {
    true
}
