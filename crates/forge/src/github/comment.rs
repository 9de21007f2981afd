//! The one comment on a pull request: edited while it is there, looked for where it may be, made otherwise.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::{Identity, Right};
use super::truth::User;
use super::{Api, GitHub};
use crate::change::RepositoryRef;
use crate::error::ForgeError;
use crate::report::Comment;

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    body: String,
    user: Option<User>,
    performed_via_github_app: Option<App>,
}

#[derive(Deserialize)]
struct App {
    id: Option<u64>,
}

impl GitHub {
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
        let made: Found = self.api.json(Right::Repository(repository), call).await?;
        Ok(made.id.to_string())
    }

    async fn edit(&self, repository: &RepositoryRef, id: &str, body: &str) -> Result<(), ForgeError> {
        let path = ["issues", "comments", id];
        let mut call = self.api.of(repository, Method::PATCH, &path);
        call.body = Some(json!({ "body": body }));
        self.api.send(Right::Repository(repository), call).await.map(drop)
    }

    /// The oldest of ours with the marker. Somebody else's is not ours, whatever it begins with.
    async fn find(
        &self,
        repository: &RepositoryRef,
        comment: &Comment,
    ) -> Result<Option<String>, ForgeError> {
        let path = ["issues", &comment.number.to_string(), "comments"];
        let call = self.api.of(repository, Method::GET, &path);
        let comments: Vec<Found> = self.api.all(Right::Repository(repository), call, None).await?;
        let marked = comments
            .into_iter()
            .filter(|found| found.body.starts_with(&comment.marker));
        for found in marked {
            if self.is_ours(&found).await? {
                return Ok(Some(found.id.to_string()));
            }
        }
        Ok(None)
    }

    async fn is_ours(&self, found: &Found) -> Result<bool, ForgeError> {
        let Some(author) = &found.user else {
            return Ok(false);
        };
        if let Identity::App { id, slug, .. } = &self.api.identity {
            let via = found.performed_via_github_app.as_ref().and_then(|app| app.id);
            return Ok(via == Some(*id) || author.login == format!("{slug}[bot]"));
        }
        Ok(match self.login().await? {
            Some(login) => author.login == *login,
            // A token of an automation: it is nobody's, and what it writes is written by a bot.
            None => author.kind == "Bot",
        })
    }

    /// Whose the token is; `None` where it is nobody's.
    async fn login(&self) -> Result<Option<&String>, ForgeError> {
        let ask = || async {
            let call = self.api.call(Method::GET, &["user"]);
            match self.api.json::<User>(Right::Own, call).await {
                Ok(user) => Ok(Some(user.login)),
                Err(ForgeError::Denied { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        Ok(self.login.get_or_try_init(ask).await?.as_ref())
    }
}

/// Absent is fine.
pub(super) async fn delete(api: &Api, repository: &RepositoryRef, id: &str) -> Result<(), ForgeError> {
    let call = api.of(repository, Method::DELETE, &["issues", "comments", id]);
    match api.send(Right::Repository(repository), call).await {
        Err(ForgeError::NotFound { .. }) => Ok(()),
        other => other.map(drop),
    }
}
