//! Namespaces: the previews of one change.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::view;
use http::StatusCode;
use model::{NamespaceName, ProjectName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Operation, operation};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Narrowed {
    project: Option<ProjectName>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /namespaces", "listNamespaces", routing::get(list))
            .says(
                "Lists the namespaces with their previews.",
                "A namespace is there as long as it has a preview.",
            )
            .answers::<Vec<view::Namespace>>(StatusCode::OK, "The namespaces."),
        operation("GET /namespaces/{namespace}", "getNamespace", routing::get(get))
            .says("Shows the previews of a namespace.", "")
            .answers::<view::Namespace>(StatusCode::OK, "The namespace.")
            .problems(&["not_found"]),
        operation(
            "DELETE /namespaces/{namespace}",
            "deleteNamespace",
            routing::delete(delete),
        )
        .says(
            "Deletes the previews of a namespace.",
            "All of them, or that of one project.",
        )
        .query::<Narrowed>()
        .answers::<Vec<view::Preview>>(StatusCode::OK, "The previews that went.")
        .problems(&["not_found"]),
    ]
}

pub(crate) async fn list(State(web): State<Web>) -> Result<Answer<Vec<view::Namespace>>, Problem> {
    Ok(Answer(web.control.namespaces().await?))
}

pub(crate) async fn get(
    State(web): State<Web>,
    Path(name): Path<NamespaceName>,
) -> Result<Answer<view::Namespace>, Problem> {
    let found = web
        .control
        .namespaces()
        .await?
        .into_iter()
        .find(|namespace| namespace.name == name);
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no namespace `{name}`"),
        )
        .hint("A namespace is there as long as it has a preview.")
    };
    found.map(Answer).ok_or_else(unknown)
}

/// Deletes its previews, or that of one project; gives what went.
pub(crate) async fn delete(
    State(web): State<Web>,
    Path(name): Path<NamespaceName>,
    Query(narrowed): Query<Narrowed>,
) -> Result<Answer<Vec<view::Preview>>, Problem> {
    Ok(Answer(
        web.control
            .delete_namespace(&name, narrowed.project.as_ref())
            .await?,
    ))
}
