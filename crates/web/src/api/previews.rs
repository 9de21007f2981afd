//! Previews.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::ops::{NewPreview, PreviewChange};
use control::view;
use http::StatusCode;
use model::preview::TimeToLive;
use model::{DeploymentId, EnvironmentName, NamespaceName, PreviewId, ProjectName};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

/// How a time to live is written; how long one can be is another question.
pub(super) const TTL_PATTERN: &str = "^(never|[0-9]{1,9} ?(s|m|min|h|d|w)?)$";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPreview")]
pub(crate) struct New {
    project: ProjectName,
    #[serde(default = "NamespaceName::main")]
    namespace: NamespaceName,
    #[serde(default)]
    environment: EnvironmentName,
    /// How long it lives, such as `7d`, or `never`.
    #[serde(default)]
    #[schemars(extend("pattern" = TTL_PATTERN))]
    ttl: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PreviewChange")]
pub(crate) struct Change {
    /// How long it lives, such as `7d`; `never` or `null`: for ever.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("pattern" = TTL_PATTERN))]
    ttl: Option<Option<String>>,
    /// Deployments that are kept for going back, the current one included.
    #[serde(deserialize_with = "model::units::whole_or_null")]
    keep: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The one before the current, when absent.
    #[serde(default)]
    to: Option<DeploymentId>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /previews", "listPreviews", routing::get(list))
            .says("Lists the previews.", "")
            .answers::<Vec<view::Preview>>(StatusCode::OK, "The previews."),
        operation("POST /previews", "createPreview", routing::post(create))
            .says(
                "Makes an empty preview.",
                "So that its address is known before anything is deployed. One that is there already is as good.",
            )
            .takes::<New>(json!({ "project": "shop", "namespace": "preview-12", "ttl": "7d" }))
            .answers::<view::Preview>(StatusCode::CREATED, "The preview.")
            .leads(
                &[
                    "getPreview", "updatePreview", "deletePreview", "listDeployments", "rollBack", "watchPreview",
                    "unwatchPreview",
                ],
                &[("preview", "id")],
            )
            .leads(&["getNamespace", "deleteNamespace"], &[("namespace", "namespace")])
            .leads(&["findPreview"], &[("namespace", "namespace"), ("project", "project")])
            .problems(&["invalid_ttl", "not_found"]),
        operation("GET /namespaces/{namespace}/previews/{project}", "findPreview", routing::get(find))
            .says("Shows the preview of a project in a namespace.", "")
            .answers::<view::Preview>(StatusCode::OK, "The preview.")
            .problems(&["not_found"]),
        operation("GET /previews/{preview}", "getPreview", routing::get(get))
            .says("Shows a preview.", "")
            .answers::<view::Preview>(StatusCode::OK, "The preview.")
            .problems(&["not_found"]),
        operation("PATCH /previews/{preview}", "updatePreview", routing::patch(update))
            .says("Changes how long a preview lives, and how many deployments it keeps.", "What is not given stays.")
            .takes::<Change>(json!({ "ttl": "7d", "keep": 3 }))
            .answers::<view::Preview>(StatusCode::OK, "The preview.")
            .problems(&["invalid_ttl", "invalid_keep", "not_found"]),
        operation("DELETE /previews/{preview}", "deletePreview", routing::delete(delete))
            .says("Deletes a preview.", "Everything of it goes: deployments, instances, addresses, logs.")
            .answers::<view::Preview>(StatusCode::OK, "The preview, as it was.")
            .problems(&["not_found"]),
        operation("PUT /previews/{preview}/watch", "watchPreview", routing::put(watch))
            .says(
                "Says that somebody works on a preview.",
                "Its pages reload when it changes, for 15 seconds from now; whoever works says it again.",
            )
            .answers::<view::Preview>(StatusCode::OK, "The preview.")
            .problems(&["not_found"]),
        operation("DELETE /previews/{preview}/watch", "unwatchPreview", routing::delete(unwatch))
            .says("Says that nobody works on a preview any more.", "")
            .answers::<view::Preview>(StatusCode::OK, "The preview.")
            .problems(&["not_found"]),
        operation("GET /previews/{preview}/deployments", "listDeployments", routing::get(deployments))
            .says("Lists the deployments of a preview.", "Newest first.")
            .answers::<Vec<view::Deployment>>(StatusCode::OK, "The deployments.")
            .problems(&["not_found"]),
        operation("POST /previews/{preview}/rollback", "rollBack", routing::post(rollback))
            .says("Points a preview back at an earlier deployment.", "At once: what it goes back to is awake before.")
            .takes::<Rollback>(json!({ "to": "dpl_4h5j6k7m2n3p4q5r" }))
            .answers::<view::Deployment>(StatusCode::OK, "The deployment that it now follows.")
            .problems(&["not_found", "not_ready", "nothing_before", "not_startable"]),
    ]
}

pub(crate) async fn list(State(web): State<Web>) -> Result<Answer<Vec<view::Preview>>, Problem> {
    Ok(Answer(web.control.previews().await?))
}

/// Makes an empty preview, so that its address is known before anything is deployed; repeatable.
pub(crate) async fn create(
    State(web): State<Web>,
    Json(new): Json<New>,
) -> Result<(StatusCode, Answer<view::Preview>), Problem> {
    let new = NewPreview {
        project: new.project,
        namespace: new.namespace,
        environment: new.environment,
        ttl: new.ttl.as_deref().map(time_to_live).transpose()?,
    };
    Ok((
        StatusCode::CREATED,
        Answer(web.control.create_preview(new).await?),
    ))
}

pub(crate) async fn get(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
) -> Result<Answer<view::Preview>, Problem> {
    Ok(Answer(web.control.preview(&id).await?))
}

pub(crate) async fn find(
    State(web): State<Web>,
    Path((namespace, project)): Path<(NamespaceName, ProjectName)>,
) -> Result<Answer<view::Preview>, Problem> {
    Ok(Answer(web.control.find_preview(&project, &namespace).await?))
}

pub(crate) async fn update(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
    Json(change): Json<Change>,
) -> Result<Answer<view::Preview>, Problem> {
    let ttl = match change.ttl {
        None => None,
        Some(None) => Some(TimeToLive::Forever),
        Some(Some(text)) => Some(time_to_live(&text)?),
    };
    let change = PreviewChange {
        ttl,
        keep: change.keep,
    };
    Ok(Answer(web.control.update_preview(&id, change).await?))
}

pub(crate) async fn delete(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
) -> Result<Answer<view::Preview>, Problem> {
    Ok(Answer(web.control.delete_preview(&id).await?))
}

/// Newest first.
pub(crate) async fn deployments(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
) -> Result<Answer<Vec<view::Deployment>>, Problem> {
    Ok(Answer(web.control.deployments(&id).await?))
}

pub(crate) async fn rollback(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
    Json(rollback): Json<Rollback>,
) -> Result<Answer<view::Deployment>, Problem> {
    Ok(Answer(web.control.rollback(&id, rollback.to.as_ref()).await?))
}

/// Somebody works on it: its pages reload when it changes. Holds for 15 seconds, and is said again meanwhile.
pub(crate) async fn watch(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
) -> Result<Answer<view::Preview>, Problem> {
    Ok(Answer(web.control.watch_preview(&id).await?))
}

pub(crate) async fn unwatch(
    State(web): State<Web>,
    Path(id): Path<PreviewId>,
) -> Result<Answer<view::Preview>, Problem> {
    Ok(Answer(web.control.unwatch_preview(&id).await?))
}

/// A time to live as people write it.
pub(super) fn time_to_live(text: &str) -> Result<TimeToLive, Problem> {
    text.parse()
        .map_err(|error: model::preview::ParseTtlError| Problem::impossible("invalid_ttl", error.to_string()))
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}
