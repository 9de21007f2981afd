//! Deployments in GitHub's sense, with their statuses. What GitHub would do by default is refused in so many words: to
//! merge something, to wait for other checks, to call it production.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Right};
use super::pages;
use crate::change::RepositoryRef;
use crate::error::ForgeError;
use crate::report::{Deployment, DeploymentState};

/// Under which our deployment's id stands in the payload.
const PAYLOAD_KEY: &str = "cygni";

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    payload: Value,
}

pub(super) async fn put(
    api: &Api,
    repository: &RepositoryRef,
    deployment: &Deployment,
    (known, search): (Option<&str>, bool),
) -> Result<String, ForgeError> {
    if let Some(known) = known {
        match tell(api, repository, deployment, known).await {
            Err(ForgeError::NotFound { .. }) if deployment.state == DeploymentState::Inactive => {
                return Ok(known.to_owned());
            }
            Err(ForgeError::NotFound { .. }) => {}
            other => return other.map(|()| known.to_owned()),
        }
    }
    let found = match search || known.is_some() {
        true => find(api, repository, deployment).await?,
        false => None,
    };
    let id = match found {
        Some(found) => found,
        None => make(api, repository, deployment).await?,
    };
    tell(api, repository, deployment, &id).await?;
    Ok(id)
}

/// Inactive, then deleted, and its environment with the last of it. What the forge does not allow stays, inactive.
pub(super) async fn withdraw(
    api: &Api,
    repository: &RepositoryRef,
    deployment: &Deployment,
    known: &str,
) -> Result<(), ForgeError> {
    let inactive = Deployment {
        state: DeploymentState::Inactive,
        ..deployment.clone()
    };
    let right = || Right::Repository(repository);
    allowed(tell(api, repository, &inactive, known).await)?;
    let call = api.of(repository, Method::DELETE, &["deployments", known]);
    allowed(api.send(right(), call).await.map(drop))?;
    let mut call = api.of(repository, Method::GET, &["deployments"]);
    let pairs = [
        ("environment", deployment.environment.as_str()),
        ("per_page", "1"),
    ];
    call.url = pages::query(call.url, &pairs);
    let left: Vec<Found> = api.json(right(), call).await?;
    if !left.is_empty() {
        return Ok(());
    }
    let path = ["environments", deployment.environment.as_str()];
    let call = api.of(repository, Method::DELETE, &path);
    allowed(api.send(right(), call).await.map(drop))
}

/// What is absent, or must not be touched, is no error of taking back.
fn allowed(result: Result<(), ForgeError>) -> Result<(), ForgeError> {
    match result {
        Err(ForgeError::NotFound { .. } | ForgeError::Refused { .. } | ForgeError::Denied { .. }) => Ok(()),
        other => other,
    }
}

async fn make(api: &Api, repository: &RepositoryRef, deployment: &Deployment) -> Result<String, ForgeError> {
    let mut call = api.of(repository, Method::POST, &["deployments"]);
    call.body = Some(json!({
        "ref": deployment.commit,
        "environment": deployment.environment,
        "description": deployment.description,
        "payload": { PAYLOAD_KEY: deployment.key },
        "auto_merge": false,
        "required_contexts": [],
        "transient_environment": true,
        "production_environment": false,
    }));
    let answer = api.send(Right::Repository(repository), call).await?;
    if answer.status != 201 {
        return Err(ForgeError::Refused {
            status: answer.status.as_u16(),
            message: "a deployment was asked for, and something else was done".to_owned(),
        });
    }
    Ok(answer.json::<Found>()?.id.to_string())
}

/// By environment, commit and what we put into its payload.
async fn find(
    api: &Api,
    repository: &RepositoryRef,
    deployment: &Deployment,
) -> Result<Option<String>, ForgeError> {
    let mut call = api.of(repository, Method::GET, &["deployments"]);
    let pairs = [
        ("environment", deployment.environment.as_str()),
        ("sha", deployment.commit.as_str()),
    ];
    call.url = pages::query(call.url, &pairs);
    let found: Vec<Found> = api.all(Right::Repository(repository), call, None).await?;
    let ours = found
        .into_iter()
        .find(|found| key(&found.payload).as_deref() == Some(&deployment.key));
    Ok(ours.map(|found| found.id.to_string()))
}

/// GitHub gives the payload back as it was, or as text.
fn key(payload: &Value) -> Option<String> {
    let parsed: Option<Value> = payload.as_str().and_then(|text| serde_json::from_str(text).ok());
    let payload = parsed.as_ref().unwrap_or(payload);
    payload[PAYLOAD_KEY].as_str().map(str::to_owned)
}

async fn tell(
    api: &Api,
    repository: &RepositoryRef,
    deployment: &Deployment,
    id: &str,
) -> Result<(), ForgeError> {
    let state = match deployment.state {
        DeploymentState::Queued => "queued",
        DeploymentState::InProgress => "in_progress",
        DeploymentState::Success => "success",
        DeploymentState::Failure => "failure",
        DeploymentState::Inactive => "inactive",
    };
    let mut body = json!({
        "state": state,
        "description": deployment.description,
        "auto_inactive": false,
    });
    if let Some(url) = &deployment.environment_url {
        body["environment_url"] = json!(url);
    }
    if let Some(url) = &deployment.log_url {
        body["log_url"] = json!(url);
    }
    let mut call = api.of(repository, Method::POST, &["deployments", id, "statuses"]);
    call.body = Some(body);
    api.send(Right::Repository(repository), call).await.map(drop)
}
