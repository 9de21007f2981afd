//! The webhook of a repository, where a token is all there is; an App brings its own.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Identity, Right};
use crate::change::RepositoryRef;
use crate::error::ForgeError;

/// What is delivered.
pub(super) const EVENTS: [&str; 5] = ["pull_request", "push", "delete", "issue_comment", "repository"];

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
    let id = find(api, repository, url).await?.map(|id| id.to_string());
    let mut body = json!({
        "config": { "url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0" },
        "events": EVENTS,
        "active": true,
    });
    let mut call = match &id {
        Some(id) => api.of(repository, Method::PATCH, &["hooks", id]),
        None => {
            body["name"] = json!("web");
            api.of(repository, Method::POST, &["hooks"])
        }
    };
    call.body = Some(body);
    api.send(Right::Repository(repository), call).await.map(drop)
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
    match api.send(Right::Repository(repository), call).await {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        other => other.map(drop),
    }
}

async fn find(api: &Api, repository: &RepositoryRef, url: &str) -> Result<Option<u64>, ForgeError> {
    if matches!(api.identity, Identity::App { .. }) {
        return Err(ForgeError::Unsupported(
            "webhooks of repositories: the App has its own",
        ));
    }
    let call = api.of(repository, Method::GET, &["hooks"]);
    let hooks: Vec<Hook> = api.all(Right::Repository(repository), call, None).await?;
    let ours = hooks
        .into_iter()
        .find(|hook| hook.config.url.as_deref() == Some(url));
    Ok(ours.map(|hook| hook.id))
}
