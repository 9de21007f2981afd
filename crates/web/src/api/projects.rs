//! Projects.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::view;
use http::StatusCode;
use model::ProjectName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    name: ProjectName,
}

/// The previews that went with it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeletedProject")]
pub(crate) struct Deleted {
    previews: Vec<view::Preview>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /projects", "listProjects", routing::get(list))
            .says("Lists the projects.", "All of them, by name.")
            .answers::<Vec<view::Project>>(StatusCode::OK, "The projects."),
        operation("POST /projects", "createProject", routing::post(create))
            .says("Makes a project.", "One of that name that is there already is as good. A deployment makes its project by itself.")
            .takes::<NewProject>(json!({ "name": "shop" }))
            .answers::<view::Project>(StatusCode::CREATED, "The project.")
            .leads(&["getProject", "deleteProject", "findMissingBlobs"], &[("project", "name")]),
        operation("GET /projects/{project}", "getProject", routing::get(get))
            .says("Shows a project.", "")
            .answers::<view::Project>(StatusCode::OK, "The project.")
            .problems(&["not_found"]),
        operation("DELETE /projects/{project}", "deleteProject", routing::delete(delete))
            .says("Deletes a project.", "Its previews, variables and files go with it.")
            .answers::<Deleted>(StatusCode::OK, "The previews that went with it.")
            .problems(&["not_found", "in_use"]),
    ]
}

pub(crate) async fn list(State(web): State<Web>) -> Result<Answer<Vec<view::Project>>, Problem> {
    Ok(Answer(web.control.projects().await?))
}

/// A project of that name that is there already is as good.
pub(crate) async fn create(
    State(web): State<Web>,
    Json(new): Json<NewProject>,
) -> Result<(StatusCode, Answer<view::Project>), Problem> {
    Ok((
        StatusCode::CREATED,
        Answer(web.control.create_project(&new.name).await?),
    ))
}

pub(crate) async fn get(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
) -> Result<Answer<view::Project>, Problem> {
    Ok(Answer(web.control.project(&project).await?))
}

pub(crate) async fn delete(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
) -> Result<Answer<Deleted>, Problem> {
    Ok(Answer(Deleted {
        previews: web.control.delete_project(&project).await?,
    }))
}
