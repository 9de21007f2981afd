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

/// Makes a new one in place of what there is: the secret of one cannot be changed, nor seen. For a moment both deliver,
/// which is better than none.
pub(super) async fn ensure(
    api: &Api,
    repository: &RepositoryRef,
    (url, secret): (&str, &str),
) -> Result<(), ForgeError> {
    let before = find(api, repository, url).await?;
    let mut call = api.of(repository, Method::POST, &["hooks"]);
    call.body = Some(json!({
        "type": "gitea",
        "active": true,
        "events": EVENTS,
        "config": { "url": url, "content_type": "json", "secret": secret },
    }));
    api.send(call).await?;
    delete(api, repository, before).await
}

pub(super) async fn remove(api: &Api, repository: &RepositoryRef, url: &str) -> Result<(), ForgeError> {
    match find(api, repository, url).await {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        found => delete(api, repository, found?).await,
    }
}

async fn delete(api: &Api, repository: &RepositoryRef, hooks: Vec<u64>) -> Result<(), ForgeError> {
    for id in hooks {
        let call = api.of(repository, Method::DELETE, &["hooks", &id.to_string()]);
        match api.send(call).await {
            Err(ForgeError::NotFound { .. }) => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// All that deliver to `url`.
async fn find(api: &Api, repository: &RepositoryRef, url: &str) -> Result<Vec<u64>, ForgeError> {
    let hooks: Vec<Hook> = api.all(api.of(repository, Method::GET, &["hooks"])).await?;
    let ours = hooks
        .into_iter()
        .filter(|hook| hook.config.url.as_deref() == Some(url));
    Ok(ours.map(|hook| hook.id).collect())
}
