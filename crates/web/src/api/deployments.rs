//! Deployments.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use axum::routing;
use control::view;
use http::StatusCode;
use model::DeploymentId;
use model::limits::JSON_BYTES_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::describe::{Operation, operation};
use super::new_deployment::NewDeployment;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::service::Web;

/// How long `?wait=true` holds the answer at the most; builds may take as long.
const WAIT_MAX: Duration = Duration::from_secs(20 * 60);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    /// Hold the answer until the deployment has finished.
    #[serde(default)]
    wait: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Redeploy {
    /// Pass by all caches.
    rebuild: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    let example = json!({
        "project": "hello",
        "namespace": "session-1",
        "files": {
            "index.html": "<h1>Hello</h1>",
            "logo.png": { "content": "iVBORw0KGgo=", "encoding": "base64" },
        },
    });
    vec![
        operation("POST /deployments", "createDeployment", routing::post(create))
            .says(
                "Deploys files.",
                "Makes project and preview where there are none, cancels what was unfinished of the preview, and queues. \
                 Either `files` holds the contents, or `tree` names blobs that were sent before.",
            )
            .query::<Wait>()
            .takes::<NewDeployment>(example)
            .body_up_to(JSON_BYTES_MAX)
            .answers::<view::Deployment>(StatusCode::CREATED, "The deployment, as far as it is.")
            .leads(
                &["getDeployment", "redeploy", "cancelDeployment", "getLog"],
                &[("deployment", "id")],
            )
            .problems(&[
                "disk_full",
                "invalid_source", "invalid_ttl", "invalid_tree", "invalid_base64", "invalid_variable", "missing_blobs", "not_found",
                "too_many_variables", "variable_too_large", "source_too_large", "file_too_large", "wrong_size",
            ]),
        operation("GET /deployments/{deployment}", "getDeployment", routing::get(get))
            .says("Shows a deployment.", "")
            .answers::<view::Deployment>(StatusCode::OK, "The deployment.")
            .problems(&["not_found", "ambiguous"]),
        operation("POST /deployments/{deployment}/redeploy", "redeploy", routing::post(redeploy))
            .says("Deploys again what is there.", "From the same build, unless `rebuild` says otherwise.")
            .takes::<Redeploy>(json!({ "rebuild": false }))
            .answers::<view::Deployment>(StatusCode::CREATED, "The new deployment.")
            .problems(&["not_found", "ambiguous"]),
        operation("POST /deployments/{deployment}/cancel", "cancelDeployment", routing::post(cancel))
            .says("Stops a deployment that is not finished.", "One that serves goes on serving.")
            .answers::<view::Deployment>(StatusCode::OK, "The cancelled deployment.")
            .problems(&["not_found", "ambiguous", "already_finished"]),
    ]
}

pub(crate) async fn create(
    State(web): State<Web>,
    Query(wait): Query<Wait>,
    request: Request,
) -> Result<(StatusCode, Answer<view::Deployment>), Problem> {
    let place = web.shared.large_bodies.acquire().await;
    let Json(new) = Json::<NewDeployment>::from_request(request, &web).await?;
    let request = new.into_request(&web).await?;
    drop(place);
    let deployment = web.control.deploy(request).await?;
    let deployment = if wait.wait {
        finished(&web, deployment).await?
    } else {
        deployment
    };
    Ok((StatusCode::CREATED, Answer(deployment)))
}

/// By its whole id or a unique beginning of it.
pub(crate) async fn get(
    State(web): State<Web>,
    Path(text): Path<String>,
) -> Result<Answer<view::Deployment>, Problem> {
    Ok(Answer(find(&web, &text).await?))
}

pub(crate) async fn redeploy(
    State(web): State<Web>,
    Path(text): Path<String>,
    Json(redeploy): Json<Redeploy>,
) -> Result<(StatusCode, Answer<view::Deployment>), Problem> {
    let earlier = find(&web, &text).await?;
    Ok((
        StatusCode::CREATED,
        Answer(web.control.redeploy(&earlier.id, redeploy.rebuild).await?),
    ))
}

pub(crate) async fn cancel(
    State(web): State<Web>,
    Path(text): Path<String>,
) -> Result<Answer<view::Deployment>, Problem> {
    let deployment = find(&web, &text).await?;
    Ok(Answer(web.control.cancel(&deployment.id).await?))
}

pub(crate) async fn find(web: &Web, text: &str) -> Result<view::Deployment, Problem> {
    match text.parse::<DeploymentId>() {
        Ok(id) => Ok(web.control.deployment(&id).await?),
        Err(_) => Ok(web.control.find_deployment(text).await?),
    }
}

async fn finished(web: &Web, mut deployment: view::Deployment) -> Result<view::Deployment, Problem> {
    let end = Instant::now() + WAIT_MAX;
    while deployment.state.is_unfinished() && Instant::now() < end && !web.shared.closing.is_cancelled() {
        web.control.events_changed().await;
        deployment = web.control.deployment(&deployment.id).await?;
    }
    Ok(deployment)
}
