//! Projects.

use axum::Json as Answer;
use axum::extract::State;
use control::view;
use http::StatusCode;
use model::ProjectName;
use serde::{Deserialize, Serialize};

use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    name: ProjectName,
}

/// The previews that went with it.
#[derive(Serialize)]
pub(crate) struct Deleted {
    previews: Vec<view::Preview>,
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
