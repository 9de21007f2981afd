//! The one comment on a pull request: edited while it is there, looked for where it may be, made otherwise.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Gitea;
use super::api::Api;
use super::truth::User;
use crate::change::RepositoryRef;
use crate::error::ForgeError;
use crate::report::Comment;

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    body: String,
    user: Option<User>,
}

impl Gitea {
    pub(super) async fn put_comment(
        &self,
        repository: &RepositoryRef,
        comment: &Comment,
        known: Option<&str>,
        search: bool,
    ) -> Result<String, ForgeError> {
        if let Some(known) = known {
            match self.edit(repository, known, &comment.body).await {
                Err(ForgeError::NotFound { .. }) => {}
                other => return other.map(|()| known.to_owned()),
            }
        }
        if (search || known.is_some())
            && let Some(found) = self.find(repository, comment).await?
        {
            self.edit(repository, &found, &comment.body).await?;
            return Ok(found);
        }
        let path = ["issues", &comment.number.to_string(), "comments"];
        let mut call = self.api.of(repository, Method::POST, &path);
        call.body = Some(json!({ "body": comment.body }));
        let made: Found = self.api.json(call).await?;
        Ok(made.id.to_string())
    }

    async fn edit(&self, repository: &RepositoryRef, id: &str, body: &str) -> Result<(), ForgeError> {
        let mut call = self
            .api
            .of(repository, Method::PATCH, &["issues", "comments", id]);
        call.body = Some(json!({ "body": body }));
        self.api.send(call).await.map(drop)
    }

    /// The oldest of ours with the marker; this list has no pages. Somebody else's is not ours, whatever it begins with.
    async fn find(
        &self,
        repository: &RepositoryRef,
        comment: &Comment,
    ) -> Result<Option<String>, ForgeError> {
        let path = ["issues", &comment.number.to_string(), "comments"];
        let comments: Vec<Found> = self.api.json(self.api.of(repository, Method::GET, &path)).await?;
        let own = self.login().await?;
        let ours = comments.into_iter().find(|found| {
            let is_own = found.user.as_ref().is_some_and(|user| user.login == *own);
            is_own && found.body.starts_with(&comment.marker)
        });
        Ok(ours.map(|found| found.id.to_string()))
    }

    /// Whose the token is.
    async fn login(&self) -> Result<&String, ForgeError> {
        let ask = || async {
            let user: User = self.api.json(self.api.call(Method::GET, &["user"])).await?;
            Ok(user.login)
        };
        self.login.get_or_try_init(ask).await
    }
}

/// Absent is fine.
pub(super) async fn delete(api: &Api, repository: &RepositoryRef, id: &str) -> Result<(), ForgeError> {
    let call = api.of(repository, Method::DELETE, &["issues", "comments", id]);
    match api.send(call).await {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        other => other.map(drop),
    }
}
