//! Webhooks of repositories, one for each address.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use crate::change::RepositoryRef;
use crate::error::ForgeError;

/// What is delivered. `pull_request` is all that happens to one: synchronised, labelled, commented.
const EVENTS: [&str; 6] = [
    "push",
    "create",
    "delete",
    "pull_request",
    "issue_comment",
    "repository",
];

#[derive(Deserialize)]
struct Hook {
    id: u64,
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    url: Option<String>,
}

pub(super) async fn ensure(
    api: &Api,
    repository: &RepositoryRef,
    (url, secret): (&str, &str),
) -> Result<(), ForgeError> {
    let mut body = json!({
        "active": true,
        "events": EVENTS,
        "config": { "url": url, "content_type": "json", "secret": secret },
    });
    let mut call = match find(api, repository, url).await? {
        Some(id) => api.of(repository, Method::PATCH, &["hooks", &id.to_string()]),
        None => {
            body["type"] = json!("gitea");
            api.of(repository, Method::POST, &["hooks"])
        }
    };
    call.body = Some(body);
    api.send(call).await.map(drop)
}

pub(super) async fn remove(api: &Api, repository: &RepositoryRef, url: &str) -> Result<(), ForgeError> {
    let found = match find(api, repository, url).await {
        Err(ForgeError::NotFound { .. }) => None,
        other => other?,
    };
    let Some(id) = found else {
        return Ok(());
    };
    let call = api.of(repository, Method::DELETE, &["hooks", &id.to_string()]);
    match api.send(call).await {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        other => other.map(drop),
    }
}

async fn find(api: &Api, repository: &RepositoryRef, url: &str) -> Result<Option<u64>, ForgeError> {
    let hooks: Vec<Hook> = api.all(api.of(repository, Method::GET, &["hooks"])).await?;
    let ours = hooks
        .into_iter()
        .find(|hook| hook.config.url.as_deref() == Some(url));
    Ok(ours.map(|hook| hook.id))
}
