//! Check runs, which only Apps can make.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Identity, Right};
use super::pages;
use crate::change::{Button, RepositoryRef};
use crate::error::ForgeError;
use crate::report::{Annotation, Check, CheckState};

/// Most annotations of one call.
const ANNOTATIONS_MAX: usize = 50;
/// Most buttons of a check run.
const BUTTONS_MAX: usize = 3;

#[derive(Deserialize)]
struct Found {
    id: u64,
    external_id: Option<String>,
    output: Output,
}

#[derive(Deserialize)]
struct Output {
    annotations_count: u64,
}

pub(super) async fn put(
    api: &Api,
    repository: &RepositoryRef,
    check: &Check,
    (known, search): (Option<&str>, bool),
) -> Result<String, ForgeError> {
    if !matches!(api.identity, Identity::App { .. }) {
        return Err(ForgeError::Unsupported("check runs without an App"));
    }
    if let Some(known) = known {
        match update(api, repository, check, known).await {
            Err(ForgeError::NotFound { .. }) => {}
            other => return other.map(|()| known.to_owned()),
        }
    }
    if (search || known.is_some())
        && let Some(found) = find(api, repository, check).await?
    {
        update(api, repository, check, &found).await?;
        return Ok(found);
    }
    let mut call = api.of(repository, Method::POST, &["check-runs"]);
    let mut body = content(check, &check.annotations);
    body["head_sha"] = json!(check.commit);
    call.body = Some(body);
    let made: Found = api.json(Right::Repository(repository), call).await?;
    Ok(made.id.to_string())
}

async fn update(api: &Api, repository: &RepositoryRef, check: &Check, id: &str) -> Result<(), ForgeError> {
    let mut annotations = check.annotations.as_slice();
    if !annotations.is_empty() && annotated(api, repository, id).await? {
        // They would be added to those that are there.
        annotations = &[];
    }
    let mut call = api.of(repository, Method::PATCH, &["check-runs", id]);
    call.body = Some(content(check, annotations));
    api.send(Right::Repository(repository), call).await.map(drop)
}

async fn annotated(api: &Api, repository: &RepositoryRef, id: &str) -> Result<bool, ForgeError> {
    let call = api.of(repository, Method::GET, &["check-runs", id]);
    let found: Found = api.json(Right::Repository(repository), call).await?;
    Ok(found.output.annotations_count > 0)
}

/// The newest of ours at the commit.
async fn find(api: &Api, repository: &RepositoryRef, check: &Check) -> Result<Option<String>, ForgeError> {
    let Identity::App { id: app, .. } = &api.identity else {
        return Ok(None);
    };
    let path = ["commits", check.commit.as_str(), "check-runs"];
    let mut call = api.of(repository, Method::GET, &path);
    let app = app.to_string();
    let pairs = [
        ("check_name", check.name.as_str()),
        ("filter", "all"),
        ("app_id", &app),
    ];
    call.url = pages::query(call.url, &pairs);
    let runs: Vec<Found> = api
        .all(Right::Repository(repository), call, Some("check_runs"))
        .await?;
    let ours = runs
        .into_iter()
        .filter(|run| run.external_id.as_deref() == Some(&check.key));
    Ok(ours.map(|run| run.id).max().map(|id| id.to_string()))
}

fn content(check: &Check, annotations: &[Annotation]) -> Value {
    let (status, conclusion) = match check.state {
        CheckState::Queued => ("queued", None),
        CheckState::InProgress => ("in_progress", None),
        CheckState::Success => ("completed", Some("success")),
        CheckState::Failure => ("completed", Some("failure")),
        CheckState::Cancelled => ("completed", Some("cancelled")),
        CheckState::Skipped => ("completed", Some("skipped")),
        CheckState::Neutral => ("completed", Some("neutral")),
        CheckState::ActionRequired => ("completed", Some("action_required")),
    };
    let mut output = json!({ "title": check.title, "summary": check.summary });
    if !annotations.is_empty() {
        let shown = annotations.iter().take(ANNOTATIONS_MAX).map(annotation);
        output["annotations"] = shown.collect();
    }
    let buttons = check
        .buttons
        .iter()
        .take(BUTTONS_MAX)
        .map(|&button| action(button));
    let mut body = json!({
        "name": check.name,
        "external_id": check.key,
        "status": status,
        "output": output,
        "actions": buttons.collect::<Vec<_>>(),
    });
    if let Some(conclusion) = conclusion {
        body["conclusion"] = json!(conclusion);
    }
    if let Some(url) = &check.details_url {
        body["details_url"] = json!(url);
    }
    body
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": "failure",
        "message": annotation.message,
    })
}

/// At most 20 characters of label and identifier, and 40 of description.
fn action(button: Button) -> Value {
    let (identifier, label, description) = match button {
        Button::Redeploy => ("redeploy", "Redeploy", "Deploy this commit again"),
        Button::Delete => ("delete", "Delete", "Remove this preview and its data"),
        Button::Approve => ("approve", "Approve", "Build and deploy this very commit"),
    };
    json!({ "identifier": identifier, "label": label, "description": description })
}
